"""Real processes in a fraction of a second: a fork of this one, which has done the imports already.

The one that forks must have a single thread. A child runs `qgtm` with the words it is given, its folder,
log and environment as a started process has them, and dies with its parent.
"""

import ctypes
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from subprocess import TimeoutExpired
from typing import NoReturn

DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG
IMPORTED = ("qgtm.cli.daemon", "qgtm.cli.exchange", "qgtm.live.run", "qgtm.exchange.run", "rich.console")
PAUSE_S = 0.02


@dataclass
class Forked:
    """A child with the part of `subprocess.Popen` that the tests use."""

    pid: int
    returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        until_s = float("inf") if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() > until_s:
                raise TimeoutExpired(f"process {self.pid}", timeout or 0.0)
            time.sleep(PAUSE_S)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def warm_up() -> None:
    """Do the imports that every child needs."""
    for name in IMPORTED:
        import_module(name)


def forked(words: Sequence[str], folder: Path, log: Path, environ: Mapping[str, str]) -> Forked:
    """Start `qgtm` with these words in a folder, its output in `log`."""
    if threading.active_count() > 1:
        raise RuntimeError("only a process with one thread can be forked")
    warm_up()
    log.touch()  # whoever reads the newest log must not find the one before it
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        _live(words, folder, log, environ)
    return Forked(pid)


def _live(words: Sequence[str], folder: Path, log: Path, environ: Mapping[str, str]) -> NoReturn:
    code: int | str | None = 1
    try:
        _settle(folder, log, environ)
        import_module("qgtm.cli").main(list(words))
    except SystemExit as ended:
        code = ended.code
    except BaseException:  # noqa: BLE001  the log is all that is left of it
        traceback.print_exc()
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code if isinstance(code, int) else int(code is not None))


def _settle(folder: Path, log: Path, environ: Mapping[str, str]) -> None:
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    os.chdir(folder)
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    for target, source in ((0, os.open(os.devnull, os.O_RDONLY)), (1, out), (2, out)):
        os.dup2(source, target)
    os.environ.clear()
    os.environ.update(environ)
    sys.stdout = os.fdopen(1, "w", buffering=1)
    sys.stderr = os.fdopen(2, "w", buffering=1)
