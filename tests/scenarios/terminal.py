"""A person at a terminal: a folder with a config of its own, typed commands, and what came of them."""

import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

import requests

from qgtm.cli import main

REPO = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def all(self) -> str:
        return self.out + self.err

    def json(self) -> Any:
        return json.loads(self.out)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def eventually(ask: Callable[[], Any], what: str, within_s: float = 30.0) -> Any:
    """Return the first true answer; fail with `what` when there is none in time."""
    until_s = time.monotonic() + within_s
    while time.monotonic() < until_s:
        if found := ask():
            return found
        time.sleep(0.1)
    raise AssertionError(f"{what}: not within {within_s} s")


@dataclass
class Desk:
    """One folder, its config on free ports, and every process that was started in it."""

    folder: Path
    venue: int = field(default_factory=free_port)
    web: int = field(default_factory=free_port)
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        text = (REPO / "qgtm_config.toml").read_text("utf-8")
        text = text.replace("port = 8700", f"port = {self.web}").replace(
            "port = 8701", f"port = {self.venue}"
        )
        self.config.write_text(text, "utf-8")

    @property
    def config(self) -> Path:
        return self.folder / "qgtm_config.toml"

    @property
    def state(self) -> Path:
        return self.folder / "var"

    def change(self, old: str, new: str) -> None:
        text = self.config.read_text("utf-8")
        assert old in text
        self.config.write_text(text.replace(old, new), "utf-8")

    def environ(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        own = {name: text for name, text in os.environ.items() if not name.startswith(("APCA_", "QGTM_"))}
        return {**own, "PYTHONPATH": str(REPO), "COLUMNS": "100", **(more or {})}

    def type(self, *words: str, file_bytes: int | None = None, **environ: str) -> Said:
        """Run a command to its end; `file_bytes` is the largest file that it may write."""

        def limited() -> None:
            if file_bytes is not None:
                signal.signal(
                    signal.SIGXFSZ, signal.SIG_IGN
                )  # then the write itself fails, as on a full disk
                resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))

        done = subprocess.run(
            [sys.executable, "-m", "qgtm", *words],
            cwd=self.folder,
            env=self.environ(environ),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            preexec_fn=limited if file_bytes is not None else None,
        )
        return Said(done.returncode, done.stdout, done.stderr)

    def here(self, *words: str) -> Said:
        """Run a command in this very process, which saves the second that a new one takes to start."""
        out, err = StringIO(), StringIO()
        with chdir(self.folder), redirect_stdout(out), redirect_stderr(err):
            try:
                main(words)
            except SystemExit as end:
                return Said(int(end.code or 0), out.getvalue(), err.getvalue())
        raise AssertionError("a command ends by exiting")

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start a command that goes on; what it says lies in `WORD-N.said`."""
        with self._said(words[0], len(self.started)).open("w") as out:
            child = subprocess.Popen(
                [sys.executable, "-m", "qgtm", *words],
                cwd=self.folder,
                env=self.environ(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        self.started.append(child)
        return child

    def _said(self, word: str, number: int) -> Path:
        return self.folder / f"{word}-{number}.said"

    def said(self, child: subprocess.Popen[str]) -> str:
        number = self.started.index(child)
        return next(self.folder.glob(f"*-{number}.said")).read_text("utf-8")

    def until(self, child: subprocess.Popen[str], words: str, within_s: float = 45.0) -> None:
        """Wait until a process has said these words; fail with all that it said when it ends before."""

        def is_said() -> bool:
            text = self.said(child)
            assert words in text or child.poll() is None, text
            return words in text

        eventually(is_said, f"{words!r}", within_s)

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.type("status", "--json").json()
        return found

    def ask(self, what: str) -> Any:
        """Ask the exchange's control port."""
        session = requests.Session()
        session.trust_env = False
        with session.get(f"http://127.0.0.1:{self.venue}/control/{what}", timeout=10) as answer:
            return answer.json()

    def processes(self) -> dict[str, int]:
        """Return every process that was started with this folder's config, by its verb."""
        found = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and (verb := _verb(entry, str(self.config))):
                found[verb] = int(entry.name)
        return found

    def close(self) -> None:
        for child in self.started:
            if child.poll() is None:
                child.kill()
            child.wait(10)
        for number in self.processes().values():
            os.kill(number, signal.SIGKILL)


def _verb(entry: Path, config: str) -> str | None:
    try:
        words = (entry / "cmdline").read_bytes().decode().split("\0")
        is_ended = re.search(r"^State:\s+Z", (entry / "status").read_text(), re.MULTILINE)
    except OSError:
        return None
    if is_ended or config not in words or "qgtm" not in words:
        return None
    return words[words.index("qgtm") + 1]


@contextmanager
def desk(folder: Path) -> Iterator[Desk]:
    """Yield a desk; whatever was started at it is gone afterwards."""
    place = Desk(folder)
    try:
        yield place
    finally:
        place.close()
