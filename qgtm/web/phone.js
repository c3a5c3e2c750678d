// Renews the page in place and brings the live pictures in behind it. Without this file the page still
// says everything, ages by itself (phone.css) and renews itself by a meta refresh.
(() => {
  "use strict";
  const EVERY_MS = 15000, PATIENCE_MS = 12000, ASLEEP_MS = 60000;
  const root = document.documentElement;
  let last = Date.now(), asking = null;

  async function renew() {
    if (asking || document.hidden) return;
    const mine = asking = new AbortController();
    const timer = setTimeout(() => mine.abort(), PATIENCE_MS);
    try {
      const reply = await fetch("/", { cache: "no-store", signal: mine.signal });
      // Its styles stay behind: this page's policy names its own, and would complain of each new one.
      const text = (await reply.text()).replace(/<style>.*?<\/style>/gs, "");
      if (reply.ok) show(new DOMParser().parseFromString(text, "text/html"));
    } catch { /* no answer: the page goes on ageing */ } finally {
      clearTimeout(timer);
      if (asking === mine) asking = null;
    }
  }

  function show(page) {
    const fresh = page.getElementById("now"), now = document.getElementById("now");
    if (!fresh) return;
    root.style.setProperty("--age", `-${fresh.dataset.age}s`);
    root.style.setProperty("--left", `${fresh.dataset.left}s`);
    const details = fresh.querySelector("details");
    if (details) details.open = now.querySelector("details")?.open ?? false;
    now.replaceWith(document.adoptNode(fresh));
    const pictures = document.getElementById("pictures");
    pictures.classList.remove("fades");
    void pictures.offsetWidth;  // its ageing begins anew too
    pictures.classList.add("fades");
    document.querySelector("footer").replaceWith(document.adoptNode(page.querySelector("footer")));
    document.title = page.title;
    root.classList.remove("waking");
    last = Date.now();
  }

  // A phone that slept did not age the page: grey at once, until the server has answered.
  function wake() {
    if (document.hidden) return;
    if (Date.now() - last > ASLEEP_MS) {
      root.classList.add("waking");
      asking?.abort();
      asking = null;
    }
    renew();
  }

  function bringPictures() {
    const box = document.getElementById("pictures"), address = box.dataset.live;
    if (!address || navigator.connection?.saveData) return;
    const frame = document.createElement("iframe");
    frame.title = "Live pictures";
    frame.addEventListener("load", () => unveil(frame, 60));
    const scheme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
    frame.src = `${address}?theme=${scheme}`;
    box.append(frame);
  }

  function unveil(frame, tries) {
    const isDrawn = frame.contentWindow?.Bokeh?.documents?.some((each) => each.is_idle);
    if (isDrawn) {
      frame.classList.add("there");
      // New live numbers ask for a new page: the two never stand there with different ones.
      frame.contentWindow.Bokeh.documents.forEach((each) => each.on_change(renew));
    }
    else if (tries) setTimeout(() => unveil(frame, tries - 1), 250);
    else frame.remove();
  }

  setInterval(renew, EVERY_MS);
  document.addEventListener("visibilitychange", wake);
  addEventListener("pageshow", (event) => { if (event.persisted) wake(); });
  addEventListener("online", wake);
  addEventListener("load", () => (window.requestIdleCallback ?? setTimeout)(bringPictures));
})();
