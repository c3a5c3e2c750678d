"""`qgtm up`: everything at once."""

import os
import signal
from pathlib import Path
from threading import Event as Flag
from typing import Annotated

import typer
from rich.console import Console

from qgtm.adapters.clock import SystemClock
from qgtm.adapters.files import StateDir, made_writable
from qgtm.adapters.lock import FileLock
from qgtm.adapters.venue_control import VenueControl
from qgtm.cli.options import ConfigPath, configured
from qgtm.config import Config
from qgtm.core.errors import ConfigError
from qgtm.keys import load_keys, venue
from qgtm.live.fleet import BOOT_S, Venue, fleet
from qgtm.live.supervisor import Supervisor

LOOK_S = 1.0
HOLD = "start"

Speed = Annotated[
    float | None, typer.Option(help="Venue seconds a second on the embedded exchange; 1 is real time.")
]
Fresh = Annotated[
    bool, typer.Option("--fresh", help="Begin anew: the old state is moved aside, not deleted.")
]
Bars = Annotated[Path | None, typer.Option(help="Trade these recorded daily bars, not the synthetic market.")]
Start = Annotated[str | None, typer.Option(help="First session of a new state, as 2026-01-05.")]


def command(
    speed: Speed = None,
    fresh: Fresh = False,
    bars: Bars = None,
    start: Start = None,
    config: ConfigPath = None,
) -> None:
    """Start the exchange, the daemon, the pages and the scheduler, and watch over them until Ctrl-C.

    Without broker keys everything runs on the embedded paper exchange, fast: a session takes about a
    minute and closed hours are skipped. The next start goes on where this one stopped.
    """
    loaded, state = configured(config)
    where = venue(loaded, load_keys(loaded.path, os.environ), os.environ)
    if where != "embedded" and (speed not in (None, 1.0) or bars or start):
        raise ConfigError(
            "a real broker's time and prices are its own: leave --speed, --bars and --start out."
        )
    made_writable(state)
    console = Console(highlight=False, soft_wrap=True)
    with FileLock(state.root / "up.lock", f"`qgtm up` in {state.root}"):
        if fresh:
            _set_aside(state, console)
        played = Venue(speed=speed or float(loaded.exchange.speed), start=start, bars=bars)
        _run(loaded, state, played if where == "embedded" else None, console)


def _set_aside(state: StateDir, console: Console) -> None:
    """Move the old state away: nothing that was ever written down is deleted by a start."""
    old = [path for path in state.root.iterdir() if path.name not in ("up.lock", "logs", "aside")]
    if not old:
        return
    stamp = SystemClock().now().strftime("%Y%m%dT%H%M%S")
    aside = state.root / "aside" / stamp
    aside.mkdir(parents=True)
    for path in old:
        path.rename(aside / path.name)
    console.print(f"the old state lies in {aside}")


def _run(config: Config, state: StateDir, played: Venue | None, console: Console) -> None:
    stop = Flag()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    environ = {**os.environ, "QGTM_STATE_DIR": str(state.root)}
    services = fleet(config, state, played)
    supervisor = Supervisor(services, state.root / "logs", environ, console.print)
    control = VenueControl(config.exchange.port)
    try:
        for service in services:
            with console.status(f"starting the {service.name}"):
                supervisor.start_one(service)
            console.print(f"[green]ok[/]  {service.name}")
            if service.name == "exchange":
                control.hold(HOLD, BOOT_S)  # venue time waits for the daemon
            if service.name == "daemon" and played:
                control.release(HOLD)
        _tell(config, state, played, console)
        while not stop.wait(LOOK_S):
            supervisor.watch()
    finally:
        console.print("stopping")
        supervisor.stop()
        console.print("stopped; the next `qgtm up` goes on from here")


def _tell(config: Config, state: StateDir, played: Venue | None, console: Console) -> None:
    fast = f"venue time runs {played.speed:g} times as fast" if played and played.speed != 1 else "real time"
    console.print(
        f"\nThe page for the phone  [bold]http://{config.web.host}:{config.web.port}/[/]\n"
        f"Status                  qgtm status --summary\n"
        f"Signals, strategies     qgtm signals --pending, qgtm strategies\n"
        f"The journal             qgtm audit tail\n"
        f"The Sunday report       qgtm report, or reports/latest.html after Sunday 20:00 New York\n"
        f"Logs                    {state.root / 'logs'}\n"
        f"\n{'embedded paper exchange, ' if played else ''}{fast}. Ctrl-C stops everything.\n"
    )
