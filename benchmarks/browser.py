"""Drive headless Chromium over its debugging port: enough to open a page, look at it and time it."""

import base64
import contextlib
import json
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import websocket

NAMES = ("chromium", "chromium-browser", "google-chrome")
PHONE = {"width": 360, "height": 780, "deviceScaleFactor": 2, "mobile": True}
SLOW_4G = {"offline": False, "latency": 400, "downloadThroughput": 50_000, "uploadThroughput": 50_000}
PATIENCE_S = 30.0


def chromium() -> str | None:
    """Return where Chromium is, None when there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class BrowserError(Exception):
    """The browser refused a command, or did not answer in time."""


@dataclass
class Tab:
    """One page. `heard` are the events so far: (method, parameters)."""

    socket: websocket.WebSocket
    heard: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    _number: int = 0

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """Give a command and return its answer; what is heard meanwhile is kept."""
        self._number += 1
        self.socket.send(json.dumps({"id": self._number, "method": method, "params": params}))
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            message = json.loads(self.socket.recv())
            if message.get("id") == self._number:
                if "error" in message:
                    raise BrowserError(f"{method}: {message['error']}")
                return dict(message["result"])
            self._hear(message)
        raise BrowserError(f"{method}: no answer in {PATIENCE_S:.0f} s")

    def listen(self, seconds: float) -> None:
        """Take in what the page says for a while."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.socket.settimeout(left)
            with contextlib.suppress(websocket.WebSocketTimeoutException):
                self._hear(json.loads(self.socket.recv()))
        self.socket.settimeout(PATIENCE_S)

    def wait_for(self, method: str, seconds: float = PATIENCE_S) -> dict[str, Any]:
        """Return the next event of this name."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            message = json.loads(self.socket.recv())
            self._hear(message)
            if message.get("method") == method:
                return dict(message["params"])
        raise BrowserError(f"{method} did not come in {seconds:.0f} s")

    def _hear(self, message: dict[str, Any]) -> None:
        if "method" in message:
            self.heard.append((message["method"], message["params"]))

    def evaluate(self, expression: str) -> Any:
        """Return what an expression, or a promise, comes to."""
        answer = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise BrowserError(str(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def open(self, address: str) -> None:
        """Go to an address and wait until it has loaded."""
        self.send("Page.navigate", url=address)
        self.wait_for("Page.loadEventFired")

    def become_phone(self, *, is_dark: bool = False, **more: int) -> None:
        """Take the size of a phone, 360 by 780, in light or dark."""
        self.send("Emulation.setDeviceMetricsOverride", **(PHONE | more))
        scheme = "dark" if is_dark else "light"
        self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def picture(self, path: Path) -> None:
        """Write what is to be seen as PNG."""
        path.write_bytes(base64.b64decode(self.send("Page.captureScreenshot", format="png")["data"]))

    def complaints(self) -> list[str]:
        """Return what the page's console and the browser's log complain of."""
        found = []
        for method, said in self.heard:
            if method == "Log.entryAdded" and said["entry"]["level"] in ("error", "warning"):
                found.append(str(said["entry"].get("text")) + " " + str(said["entry"].get("url", "")))
            if method == "Runtime.exceptionThrown":
                found.append(str(said["exceptionDetails"]))
            if method == "Runtime.consoleAPICalled" and said["type"] in ("error", "assert"):
                found.append(str(said["args"]))
        return found


@contextlib.contextmanager
def browser() -> Iterator["Browser"]:
    """Start Chromium with a profile of its own, and end it."""
    program = chromium()
    if program is None:
        raise BrowserError("there is no Chromium: `apt-get install chromium`")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [
            program, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--mute-audio",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--disable-default-apps", "--disable-dev-shm-usage", "--hide-scrollbars",
            "--remote-allow-origins=*", "--remote-debugging-port=0", f"--user-data-dir={profile}",
            "about:blank",
        ]  # fmt: skip
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            yield Browser(_port(Path(profile), process))
        finally:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _port(profile: Path, process: subprocess.Popen[bytes]) -> int:
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        with contextlib.suppress(OSError, ValueError, IndexError):
            return int((profile / "DevToolsActivePort").read_text().splitlines()[0])
        if process.poll() is not None:
            raise BrowserError(f"Chromium ended with {process.returncode}")
        time.sleep(0.05)
    raise BrowserError("Chromium opened no debugging port")


@dataclass(frozen=True)
class Browser:
    """A running Chromium."""

    port: int

    @contextlib.contextmanager
    def tab(self) -> Iterator[Tab]:
        """Open a page of its own and close it."""
        base = f"http://127.0.0.1:{self.port}/json"
        request = urllib.request.Request(f"{base}/new?about:blank", method="PUT")
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as reply:
            found = json.load(reply)
        socket = websocket.create_connection(found["webSocketDebuggerUrl"], timeout=PATIENCE_S)
        tab = Tab(socket)
        try:
            for domain in ("Page", "Runtime", "Log", "Network"):
                tab.send(f"{domain}.enable")
            yield tab
        finally:
            socket.close()
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{base}/close/{found['id']}", timeout=5).close()
