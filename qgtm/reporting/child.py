"""A process for each piece of work: its time is limited, and it does not outlive who started it."""

import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

from qgtm.ports import Clock

LOOK_S: Final = 0.1
MERCY_S: Final = 0.8  # between asking to end and ending


class WaitingClock(Clock, Protocol):
    """A clock that can also wait, in process time."""

    def wait(self, seconds: float) -> None:
        """Let `seconds` of process time pass."""
        ...


def start(
    arguments: Sequence[str],
    log: Path,
    environ: Mapping[str, str],
    folder: Path,
    *,
    asked_by: signal.Signals = signal.SIGINT,
    mercy_s: float = MERCY_S,
) -> "Child":
    """Start a process that writes all it says to `log`. Raises OSError when it cannot be started.

    To be stopped it is sent `asked_by`, and killed when it is still there after `mercy_s`.
    """
    with log.open("ab") as out:
        process = subprocess.Popen(
            list(arguments),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=dict(environ),
            cwd=folder,
            process_group=0,
        )
    return Child(process, asked_by, mercy_s)


class Child:
    """A process in a group of its own."""

    def __init__(self, process: "subprocess.Popen[bytes]", asked_by: signal.Signals, mercy_s: float) -> None:
        self._process = process
        self._asked_by = asked_by
        self._mercy_s = mercy_s

    def poll(self) -> int | None:
        """Return the exit code, None while it runs."""
        return self._process.poll()

    def stop(self) -> None:
        """Ask the group to end, so that a notebook's kernel is taken along; then end it."""
        if self.poll() is None:
            self._tell(self._asked_by)
            try:
                self._process.wait(self._mercy_s)
            except subprocess.TimeoutExpired:
                self._tell(signal.SIGKILL)
                self._process.wait()

    def _tell(self, number: signal.Signals) -> None:
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            return


def waited(
    child: Child, clock: WaitingClock, limit_s: float, look: Callable[[], None] = lambda: None
) -> int | None:
    """Return the exit code, or None when `limit_s` was over and the child was stopped.

    Whatever interrupts the waiting stops the child too. `look` is called while it runs.
    """
    until_s = clock.monotonic() + limit_s
    try:
        while (code := child.poll()) is None:
            if clock.monotonic() > until_s:
                return None
            look()
            clock.wait(LOOK_S)
        look()
        return code
    finally:
        child.stop()
