"""The exchange and the daemon as real processes on free ports, with a state folder of their own."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from qgtm.adapters.journal import JournalReader
from qgtm.core.errors import JournalError
from qgtm.core.events import Event
from qgtm.engine.state import State, folded

REPO = Path(__file__).resolve().parents[2]
QGTM = (sys.executable, "-c", "from qgtm.cli import main; main()")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def eventually(is_so: Callable[[], Any], what: str, within_s: float = 30.0) -> Any:
    """Return the first true answer; fail with `what` when there is none in time."""
    until_s = time.monotonic() + within_s
    while time.monotonic() < until_s:
        if found := is_so():
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what}: not within {within_s} s")


@dataclass
class Site:
    """One state folder and config; processes are started in it and end with it."""

    folder: Path
    port: int = field(default_factory=free_port)
    changes: tuple[tuple[str, str], ...] = ()
    children: list[subprocess.Popen[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        text = (REPO / "qgtm_config.toml").read_text(encoding="utf-8")
        text = re.sub(r"port = 8701\b", f"port = {self.port}", text)
        for old, new in self.changes:
            assert old in text, f"{old!r} is not in qgtm_config.toml"
            text = text.replace(old, new)
        (self.folder / "qgtm_config.toml").write_text(text, encoding="utf-8")

    @property
    def state(self) -> Path:
        return self.folder / "var"

    def start(self, *words: str) -> subprocess.Popen[str]:
        out = (self.folder / f"{words[0]}-{len(self.children)}.log").open("w")
        child = subprocess.Popen(
            [*QGTM, *words],
            cwd=self.folder,
            stdout=out,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment(),
        )
        out.close()
        self.children.append(child)
        return child

    def log(self, name: str) -> str:
        return "".join(path.read_text() for path in sorted(self.folder.glob(f"{name}-*.log")))

    def last_log(self) -> str:
        newest = max(self.folder.glob("*.log"), key=lambda path: int(path.stem.split("-")[1]))
        return newest.read_text()

    # -- the exchange --------------------------------------------------------------------

    def exchange(self, speed: float = 390.0, seed: int = 7) -> None:
        words = ("--state", str(self.state / "exchange"), "--port", str(self.port), "--speed", str(speed))
        self.start("exchange", *words, "--seed", str(seed))
        eventually(self._answers, f"the exchange on port {self.port}\n{self.log('exchange')}")

    def _answers(self) -> bool:
        try:
            return bool(self.get("hold"))
        except (requests.ConnectionError, requests.Timeout):  # on a busy machine it takes its time
            return False

    def get(self, what: str) -> Any:
        with requests.get(f"http://127.0.0.1:{self.port}/control/{what}", timeout=10) as answer:
            assert answer.status_code == 200, answer.text
            return answer.json()

    def post(self, what: str, **body: Any) -> Any:
        url = f"http://127.0.0.1:{self.port}/control/{what}"
        with requests.post(url, data=json.dumps(body), timeout=10) as answer:
            assert answer.status_code == 200, answer.text
            return answer.json()

    # -- the daemon ----------------------------------------------------------------------

    def daemon(self) -> subprocess.Popen[str]:
        """Start a daemon and wait until it is live."""
        child = self.start("daemon")
        self.until_live(child)
        return child

    def until_live(self, child: subprocess.Popen[str]) -> None:
        def is_live() -> bool:
            assert child.poll() is None, self.last_log()
            return "8/8 live" in self.last_log()

        # The exchange counts the calls of killed daemons, too: the next one waits for its minute.
        eventually(is_live, "the daemon's boot", 90)

    def events(self, *kinds: type[Event]) -> list[Any]:
        """Return the journal's events of these kinds (all when none is named), oldest first."""
        try:
            with JournalReader(self.state / "journal.db") as reader:
                found = [entry.event for entry in reader.read()]
        except JournalError:
            return []
        return [event for event in found if not kinds or isinstance(event, kinds)]

    def folded(self) -> State:
        """Return the state that the journal's events add up to."""
        return folded(self.events())

    def close(self) -> None:
        for child in self.children:
            if child.poll() is None:
                child.send_signal(signal.SIGCONT)
                child.kill()
            child.wait(10)


def environment() -> dict[str, str]:
    hidden = ("APCA_", "QGTM_")
    return {name: value for name, value in os.environ.items() if not name.startswith(hidden)}


@contextmanager
def site(folder: Path, *changes: tuple[str, str]) -> Iterator[Site]:
    """Yield a site; whatever it started is gone afterwards."""
    place = Site(folder, changes=changes)
    try:
        yield place
    finally:
        place.close()
