"""Which processes make the platform, in which order they start, and how each shows that it is ready."""

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import requests

from qgtm.adapters.clock import SystemClock, boot_id
from qgtm.adapters.files import StateDir
from qgtm.adapters.heartbeat import load_heartbeat
from qgtm.adapters.venue_control import VenueControl
from qgtm.config import Config
from qgtm.core.errors import ConfigError
from qgtm.live.supervisor import Service

BOOT_S = 120.0


@dataclass(frozen=True, kw_only=True)
class Venue:
    """How the embedded exchange is started; None of these fields means anything to a real broker."""

    speed: float
    start: str | None = None
    bars: Path | None = None


def fleet(config: Config, state: StateDir, venue: Venue | None) -> list[Service]:
    """Return the services in the order of their start; without `venue` the broker is a real one.

    Raises ConfigError when a port is taken.
    """
    options = ["--config", str(config.path)]
    control = VenueControl(config.exchange.port)
    _refuse_taken(config.web.host, config.web.port, "web.port")
    services = [
        Service("daemon", ["daemon", *options], _beats(state), BOOT_S),
        Service("web", ["serve", *options], _answers(config)),
        Service("scheduler", ["scheduler", *options], lambda: True),
    ]
    if venue is not None:
        _refuse_taken("127.0.0.1", config.exchange.port, "exchange.port")
        services.insert(0, Service("exchange", _exchange(config, state, venue), control.is_there))
    return services


def _exchange(config: Config, state: StateDir, venue: Venue) -> Sequence[str]:
    section = config.exchange
    bars = venue.bars or (Path(section.bars_dir) if section.bars_dir else None)
    verb = ["exchange", "--state", str(state.exchange), "--port", str(section.port)]
    verb += ["--seed", str(section.seed), "--speed", str(venue.speed)]
    verb += ["--cash", str(config.fund.starting_cash_usd)]
    verb += ["--market", "recorded", "--bars", str(bars)] if bars else []
    return [*verb, *(["--start", venue.start] if venue.start else [])]


def _refuse_taken(host: str, port: int, key: str) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as problem:
            raise ConfigError(
                f"port {port} on {host} cannot be used ({problem.strerror}): stop what listens there, or "
                f"set {key} to another."
            ) from problem


def _beats(state: StateDir) -> Callable[[], bool]:
    began_s, machine = SystemClock().monotonic(), boot_id()

    def is_live() -> bool:
        beat = load_heartbeat(state.heartbeat)
        is_new = beat is not None and beat.boot_id == machine and beat.monotonic_s > began_s
        return is_new and beat is not None and beat.what == "live"

    return is_live


def _answers(config: Config) -> Callable[[], bool]:
    url = f"http://{config.web.host}:{config.web.port}/api/health"

    def is_up() -> bool:
        try:
            return requests.get(url, timeout=(1.0, 2.0)).status_code < 500
        except requests.RequestException:
            return False

    return is_up
