"""What JupyterLab's tile "New strategy" asks: an extension of the Jupyter server, behind its own sign-in."""

from pathlib import Path
from typing import Any

from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import url_path_join
from tornado import web

from qgtm.core.errors import QgtmError
from qgtm.export.press import find_root
from qgtm.workbench.new import new_strategy


class Strategies(APIHandler):
    """`POST /qgtm/strategies {"name": …}` begins a strategy."""

    @web.authenticated
    def post(self) -> None:
        """Write the notebook, print it and list it; answer 400 with a sentence where that cannot be."""
        name = str((self.get_json_body() or {}).get("name", ""))
        try:
            made = new_strategy(find_root(Path(self.settings["server_root_dir"]).expanduser()), name)
        except QgtmError as problem:
            self.set_status(400)
            self.finish({"message": str(problem)})
            return
        self.set_status(201)
        self.finish({"name": made.name, "notebook": made.notebook})


def _load_jupyter_server_extension(app: Any) -> None:
    place = url_path_join(app.web_app.settings["base_url"], "qgtm", "strategies")
    app.web_app.add_handlers(".*$", [(place, Strategies)])


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": __name__}]
