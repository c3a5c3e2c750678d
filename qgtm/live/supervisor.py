"""Start processes, watch them, start again what fell, and stop them in good order."""

import os
import shutil
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from qgtm.adapters.clock import SystemClock
from qgtm.adapters.files import because
from qgtm.adapters.leash import LEASH
from qgtm.core.errors import ConfigError

# Faults G4: a process that falls three times in ten minutes stays down, and a person has to look.
MOST_FALLS: Final = 3
FALLS_WITHIN_S: Final = 600.0
STOP_S: Final = 14.0  # the daemon takes at most ten
LOOK_S: Final = 0.1
LOG_BYTES: Final = 5_000_000

Say = Callable[[str], None]


def nothing() -> None:
    """Do nothing."""


@dataclass
class Service:
    """One process: what it is called, how it is started, and how to tell that it is ready.

    `is_ready` is asked with the process second of the start. `before` runs ahead of each start, `after`
    once it is ready. `outlives_s`: how long it goes on when the supervisor was killed. One that does not
    need the first service is started beside it.
    """

    name: str
    verb: Sequence[str]
    is_ready: Callable[[float], bool]
    ready_s: float = 60.0
    before: Callable[[], None] = nothing
    after: Callable[[], None] = nothing
    outlives_s: float = 0.0
    needs_first: bool = True
    module: str = "qgtm"
    process: subprocess.Popen[bytes] | None = None
    began_s: float = 0.0
    log_from: int = 0
    falls_s: deque[float] = field(default_factory=lambda: deque(maxlen=MOST_FALLS))
    is_starting: bool = False
    is_given_up: bool = False

    @property
    def is_running(self) -> bool:
        """Return whether the process is there."""
        return self.process is not None and self.process.poll() is None


@dataclass
class Supervisor:
    """Run services, the first of them until it is ready before those that need it.

    Every process is in a session of its own, so that a Ctrl-C at the terminal reaches only this one, which
    then stops them. Their output goes to `logs/NAME.log`. `is_told` says that a person wants to stop.
    """

    services: Sequence[Service]
    logs: Path
    environ: Mapping[str, str]
    say: Say
    is_told: Callable[[], bool] = lambda: False
    clock: SystemClock = field(default_factory=SystemClock)

    def start(self, ready: Callable[[Service], None] = lambda _: None) -> bool:
        """Start everything and wait until it is ready; False when told to stop meanwhile.

        Raises ConfigError with a log's last lines when a service does not get ready.
        """
        first, *others = self.services
        for service in (first, *(each for each in others if not each.needs_first)):
            self._launch(service)
        for service in self.services:
            if not self._await(service):
                return False
            ready(service)
            if service is first:
                for each in (each for each in others if each.needs_first):
                    self._launch(each)
        return True

    def _launch(self, service: Service) -> None:
        let_go(service)
        service.before()
        with self._log(service) as log:
            service.log_from = log.tell()
            service.began_s, service.is_starting = self.clock.monotonic(), True
            service.process = subprocess.Popen(
                [sys.executable, "-m", service.module, *service.verb],
                stdin=subprocess.PIPE,  # the leash: nothing is ever written
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**self.environ, LEASH: str(service.outlives_s)},
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

    def _await(self, service: Service) -> bool:
        while not self._is_up(service):
            if self.is_told():
                return False
            if not service.is_running:
                raise ConfigError(f"the {service.name} did not start:\n{self.tail(service)}")
            if self.clock.monotonic() > service.began_s + service.ready_s:
                raise ConfigError(
                    f"the {service.name} is not ready after {service.ready_s:.0f} s:\n{self.tail(service)}"
                )
            self.clock.wait(LOOK_S)
        return True

    def _is_up(self, service: Service) -> bool:
        if service.is_starting and service.is_running and service.is_ready(service.began_s):
            service.is_starting = False
            service.after()
        return not service.is_starting

    def tail(self, service: Service, lines: int = 8) -> str:
        """Return the last lines that a service logged since its last start, and where the rest is."""
        path = self.logs / f"{service.name}.log"
        try:
            text = path.read_bytes()[service.log_from :].decode("utf-8", errors="replace")
        except OSError:
            text = ""
        return "\n".join([*(f"  {line}" for line in text.splitlines()[-lines:]), f"All of it: {path}"])

    def watch(self) -> None:
        """Start again what fell since the last look; give up on what falls too often, and say so."""
        for service in self.services:
            if service.is_given_up or service.process is None:
                continue
            self._bound(service)
            if not service.is_running:
                self._pick_up(service, service.process.returncode)
            elif service.is_starting and self._is_up(service):
                self.say(f"the {service.name} is back")

    def _bound(self, service: Service) -> None:
        """Put aside a log that has grown too long, and empty it: the process appends, and begins it anew."""
        path = self.logs / f"{service.name}.log"
        with suppress(OSError):
            if path.stat().st_size > LOG_BYTES:
                shutil.copyfile(path, path.with_suffix(".log.old"))
                os.truncate(path, 0)
                service.log_from = 0

    def _pick_up(self, service: Service, code: int) -> None:
        now_s = self.clock.monotonic()
        service.falls_s.append(now_s)
        if len(service.falls_s) == MOST_FALLS and now_s - service.falls_s[0] < FALLS_WITHIN_S:
            service.is_given_up = True
            let_go(service)
            self.say(
                f"the {service.name} fell {MOST_FALLS} times in ten minutes ({ended(code)}) and stays down. "
                f"Its last words:\n{self.tail(service)}\n"
                "Mend what they name; then Ctrl-C and start again."
            )
        else:
            self.say(f"the {service.name} fell ({ended(code)}) and is started again")
            self._launch(service)

    def stop(self) -> None:
        """Stop everything, the first started last; what does not end in time is killed."""
        for wave in (self.services[1:], self.services[:1]):
            running = [service for service in wave if service.is_running]
            for service in running:
                if service.process is not None:
                    service.process.send_signal(signal.SIGTERM)
            until_s = self.clock.monotonic() + STOP_S
            for service in running:
                self._reap(service, until_s)

    def _reap(self, service: Service, until_s: float) -> None:
        process = service.process
        if process is None:
            return
        try:
            process.wait(max(0.0, until_s - self.clock.monotonic()))
        except subprocess.TimeoutExpired:
            self.say(f"the {service.name} did not stop within {STOP_S:.0f} s and is killed")
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(STOP_S)
        let_go(service)


def let_go(service: Service) -> None:
    """Close our end of the leash of a process that is gone."""
    if service.process is not None and service.process.stdin is not None:
        service.process.stdin.close()


def ended(code: int) -> str:
    """Return how a process ended, in words, by its return code."""
    if code >= 0:
        return f"exit {code}"
    try:
        return f"ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"ended by signal {-code}"
