// Written by hand, as JupyterLab loads a prebuilt extension: it hands over what is shared, and asks for plugins.
(() => {
  "use strict";
  const COMMAND = "qgtm:new-strategy";
  const ICON =
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><circle cx="16" cy="16" r="14" fill="#f5b800"/>' +
    '<path d="M6 20l6-6 5 4 9-9" fill="none" stroke="#0a101c" stroke-width="2.5"/></svg>';
  let shared = {};

  const take = async (name) => {
    const offered = Object.values(shared[name] || {})[0];
    if (!offered) throw new Error(`JupyterLab shares no ${name}`);
    return (await offered.get())();
  };

  const begin = async (app, { InputDialog, showErrorMessage }, { ServerConnection }) => {
    const asked = await InputDialog.getText({
      title: "New strategy",
      label: "Its name: small letters, digits, underscores, such as silver_week",
      okLabel: "Begin",
    });
    const name = (asked.value || "").trim();
    if (!asked.button.accept || !name) return;
    const settings = ServerConnection.makeSettings();
    const request = { method: "POST", body: JSON.stringify({ name }) };
    const reply = await ServerConnection.makeRequest(`${settings.baseUrl}qgtm/strategies`, request, settings);
    const said = await reply.json().catch(() => ({}));
    if (!reply.ok) {
      await showErrorMessage("No strategy was written", said.message || `The server answered ${reply.status}.`);
      return;
    }
    await app.commands.execute("docmanager:open", { path: said.notebook });
  };

  const plugins = async () => {
    const [launcher, apputils, services, ui] = await Promise.all(
      ["launcher", "apputils", "services", "ui-components"].map((each) => take(`@jupyterlab/${each}`)),
    );
    const icon = new ui.LabIcon({ name: "qgtm:strategy", svgstr: ICON });
    const tile = {
      id: "qgtm-lab:new-strategy",
      description: "Begins a strategy from the template.",
      autoStart: true,
      optional: [launcher.ILauncher, apputils.ICommandPalette],
      activate: (app, launched, palette) => {
        app.commands.addCommand(COMMAND, {
          label: "New strategy",
          caption: "A notebook from the template, printed and listed: it passes every check",
          icon,
          execute: () => begin(app, apputils, services),
        });
        const kernelIconUrl = `data:image/svg+xml;base64,${btoa(ICON)}`; // the top row shows no other icon
        if (launched) launched.add({ command: COMMAND, category: "Notebook", rank: -1, kernelIconUrl });
        if (palette) palette.addItem({ command: COMMAND, category: "Fund" });
      },
    };
    const theme = {
      id: "qgtm-lab:theme",
      description: "The house's colours.",
      autoStart: true,
      requires: [apputils.IThemeManager],
      activate: (app, manager) => {
        manager.register({
          name: "qgtm",
          displayName: "qgtm",
          isLight: true,
          themeScrollbars: false,
          load: () => manager.loadCSS("qgtm-lab/index.css"),
          unload: () => Promise.resolve(),
        });
      },
    };
    return [tile, theme];
  };

  window._JUPYTERLAB = window._JUPYTERLAB || {};
  window._JUPYTERLAB["qgtm-lab"] = {
    init: (scope) => {
      shared = scope;
    },
    get: async () => {
      const found = await plugins();
      return () => ({ __esModule: true, default: found });
    },
  };
})();
