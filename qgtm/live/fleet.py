"""Which processes make the platform, in which order they start, and how each shows that it is ready."""

import errno
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import requests

from qgtm.adapters.clock import boot_id
from qgtm.adapters.files import StateDir
from qgtm.adapters.heartbeat import load_heartbeat
from qgtm.adapters.venue_control import VenueControl
from qgtm.adapters.watchdog_file import load_watchdog
from qgtm.config import Config
from qgtm.core.errors import BrokerError, ConfigError
from qgtm.live.supervisor import Service

BOOT_S: Final = 120.0
HOLD: Final = "start"
# When `qgtm up` is killed the exchange waits for the daemon, which takes at most ten to cancel its orders.
EXCHANGE_OUTLIVES_S: Final = 11.0
# Where venue time runs fast a session lasts a minute: the dead man then counts in seconds, and says so.
DEAD_MAN_S: Final = (7, 13, 20)


@dataclass(frozen=True, kw_only=True)
class Venue:
    """How the embedded exchange is started; None of these fields means anything to a real broker."""

    speed: float
    start: str | None = None
    bars: Path | None = None


def fleet(config: Config, state: StateDir, venue: Venue | None) -> list[Service]:
    """Return the services, the one that the others need first; without `venue` the broker is a real one.

    Raises ConfigError when a port is taken.
    """
    options = ["--config", str(config.path)]
    _refuse_taken(config, is_embedded=venue is not None)
    web = Service("web", ["serve", *options], _answers(config), needs_first=False)
    daemon = Service("daemon", ["daemon", *options], _beats(state), BOOT_S)
    others = [
        web,
        Service("scheduler", ["scheduler", *options], lambda _: True),
        Service("feeds", ["feeds", *options], lambda _: True),
        _watchdog(config, state, venue),
    ]
    if venue is None:
        return [daemon, *others]
    control = VenueControl(config.exchange.port)
    daemon.before, daemon.after = _hold(control), _release(control)
    exchange = Service("exchange", _exchange(config, state, venue), lambda _: control.is_there())
    exchange.outlives_s = EXCHANGE_OUTLIVES_S
    return [exchange, daemon, *others]


def is_dead_man_short(venue: Venue | None) -> bool:
    """Return whether the dead man counts in seconds: where the embedded exchange runs fast."""
    return venue is not None and venue.speed != 1


def _watchdog(config: Config, state: StateDir, venue: Venue | None) -> Service:
    """Start it as a module of its own, so that its process holds nothing of the rest."""
    verb = ["--config", str(config.path)]
    verb += ["--dead-man", ",".join(map(str, DEAD_MAN_S))] if is_dead_man_short(venue) else []
    machine = boot_id()

    def is_ready(since_s: float) -> bool:
        word = load_watchdog(state.watchdog)
        return word is not None and word.boot_id == machine and word.monotonic_s > since_s

    # it waits for nobody: a daemon that cannot boot is what it is there for
    return Service("watchdog", verb, is_ready, needs_first=False, module="qgtm.watchdog")


def _exchange(config: Config, state: StateDir, venue: Venue) -> Sequence[str]:
    verb = ["exchange", "--config", str(config.path), "--state", str(state.exchange)]
    verb += ["--speed", str(venue.speed)]
    verb += ["--bars", str(venue.bars)] if venue.bars else []
    return [*verb, *(["--start", venue.start] if venue.start else [])]


def _hold(control: VenueControl) -> Callable[[], None]:
    """Let venue time wait for the daemon's boot; an exchange that is down holds nothing, nor need it."""

    def hold() -> None:
        with suppress(BrokerError):
            control.hold(HOLD, BOOT_S)

    return hold


def _release(control: VenueControl) -> Callable[[], None]:
    def release() -> None:
        with suppress(BrokerError):
            control.release(HOLD)

    return release


def _refuse_taken(config: Config, *, is_embedded: bool) -> None:
    """Look at both ports, so that whoever has to change them does it in one go."""
    problems = [_taken(config.web.host, config.web.port, "web")]
    if is_embedded:
        problems.append(_taken("127.0.0.1", config.exchange.port, "exchange"))
    if told := [problem for problem in problems if problem]:
        raise ConfigError("\n".join(told))


def _taken(host: str, port: int, section: str) -> str | None:
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as problem:
        why = problem.strerror or problem
        if isinstance(problem, socket.gaierror) or problem.errno == errno.EADDRNOTAVAIL:
            return (
                f"{section}.host {host} is no address of this machine ({why}): correct it, such as 127.0.0.1."
            )
        if problem.errno == errno.EACCES:
            return f"port {port} is the administrator's ({why}): set {section}.port to one above 1023."
        return (
            f"port {port} on {host} cannot be used ({why}): stop what listens there, or set {section}.port "
            f"to another."
        )
    return None


def _beats(state: StateDir) -> Callable[[float], bool]:
    machine = boot_id()

    def is_live(since_s: float) -> bool:
        beat = load_heartbeat(state.heartbeat)
        is_new = beat is not None and beat.boot_id == machine and beat.monotonic_s > since_s
        return is_new and beat is not None and beat.what == "live"

    return is_live


def _answers(config: Config) -> Callable[[float], bool]:
    host = f"[{config.web.host}]" if ":" in config.web.host else config.web.host
    url = f"http://{host}:{config.web.port}/api/health"
    session = requests.Session()
    session.trust_env = False  # a proxy of this person's has no way to this machine's own pages

    def is_up(_: float) -> bool:
        try:
            return session.get(url, timeout=(1.0, 2.0)).status_code < 500
        except requests.RequestException:
            return False

    return is_up
