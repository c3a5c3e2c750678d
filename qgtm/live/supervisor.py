"""Start processes, watch them, start again what fell, and stop them in good order."""

import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from qgtm.adapters.clock import SystemClock
from qgtm.adapters.files import because
from qgtm.core.errors import ConfigError

# Faults G4: a process that falls three times in ten minutes stays down, and a person has to look.
MOST_FALLS: Final = 3
FALLS_WITHIN_S: Final = 600.0
STOP_S: Final = 15.0
LOG_BYTES: Final = 5_000_000

Say = Callable[[str], None]


@dataclass
class Service:
    """One process: what it is called, how it is started, and how to tell that it is ready."""

    name: str
    verb: Sequence[str]
    is_ready: Callable[[], bool]
    ready_s: float = 60.0
    process: subprocess.Popen[bytes] | None = None
    falls_s: deque[float] = field(default_factory=lambda: deque(maxlen=MOST_FALLS))
    is_given_up: bool = False

    @property
    def is_running(self) -> bool:
        """Return whether the process is there."""
        return self.process is not None and self.process.poll() is None


@dataclass
class Supervisor:
    """Run services one after the other, each only when the one before is ready.

    Every process is in a session of its own, so that a Ctrl-C at the terminal reaches only this one, which
    then stops them in the reverse order. Their output goes to `logs/NAME.log`.
    """

    services: Sequence[Service]
    logs: Path
    environ: Mapping[str, str]
    say: Say
    clock: SystemClock = field(default_factory=SystemClock)

    def start_one(self, service: Service) -> None:
        """Start one service and wait until it is ready.

        Raises ConfigError with the log's last lines when it does not get ready.
        """
        self._launch(service)
        self._await(service)

    def _launch(self, service: Service) -> None:
        with self._log(service) as log:
            service.process = subprocess.Popen(
                [sys.executable, "-m", "qgtm", *service.verb],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(self.environ),
                start_new_session=True,
            )

    def _log(self, service: Service) -> IO[bytes]:
        path = self.logs / f"{service.name}.log"
        try:
            self.logs.mkdir(parents=True, exist_ok=True)
            if path.exists() and path.stat().st_size > LOG_BYTES:
                path.replace(path.with_suffix(".log.old"))
            return path.open("ab")
        except OSError as problem:
            raise ConfigError(f"the log {because(problem, path)}") from problem

    def _await(self, service: Service) -> None:
        until_s = self.clock.monotonic() + service.ready_s
        while not service.is_ready():
            if not service.is_running:
                raise ConfigError(f"the {service.name} did not start:\n{self.tail(service)}")
            if self.clock.monotonic() > until_s:
                raise ConfigError(
                    f"the {service.name} is not ready after {service.ready_s:.0f} s:\n{self.tail(service)}"
                )
            self.clock.wait(0.1)

    def tail(self, service: Service, lines: int = 8) -> str:
        """Return the last lines of a service's log, and where the rest is."""
        path = self.logs / f"{service.name}.log"
        try:
            text = path.read_text("utf-8", errors="replace")
        except OSError:
            text = ""
        return "\n".join([*text.splitlines()[-lines:], f"({path})"])

    def watch(self) -> None:
        """Start again what fell since the last look; give up on what falls too often, and say so."""
        for service in self.services:
            if service.is_running or service.is_given_up or service.process is None:
                continue
            now_s = self.clock.monotonic()
            service.falls_s.append(now_s)
            often = len(service.falls_s) == MOST_FALLS and now_s - service.falls_s[0] < FALLS_WITHIN_S
            code = service.process.returncode
            if often:
                service.is_given_up = True
                self.say(
                    f"the {service.name} fell {MOST_FALLS} times in ten minutes (last exit {code}) and stays "
                    f"down. Its last words:\n{self.tail(service)}"
                )
            else:
                self.say(f"the {service.name} fell (exit {code}) and is started again")
                self._launch(service)

    def stop(self) -> None:
        """Stop everything, the last started first; what does not end in time is killed."""
        for service in reversed(self.services):
            if service.process is not None and service.is_running:
                service.process.send_signal(signal.SIGTERM)
                self._reap(service)

    def _reap(self, service: Service) -> None:
        process = service.process
        if process is None:
            return
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.say(f"the {service.name} did not stop within {STOP_S:.0f} s and is killed")
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(STOP_S)
