"""`qgtm up`: everything at once."""

import os
import shutil
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Event as Flag
from typing import TYPE_CHECKING, Annotated, Final

import typer

from qgtm.adapters.clock import SystemClock
from qgtm.adapters.files import StateDir, explained, made_writable, write_atomic
from qgtm.adapters.lock import FileLock
from qgtm.cli.options import Bars, ConfigPath, Day, configured
from qgtm.config import Config
from qgtm.core.errors import ConfigError, JournalLocked, ReportError
from qgtm.keys import load_keys, venue
from qgtm.live.once import SPEED as ONCE_SPEED
from qgtm.live.once import last_whole_week

if TYPE_CHECKING:
    from rich.console import Console

    from qgtm.live.fleet import Venue

LOOK_S: Final = 1.0
LEFT_BEHIND_S: Final = 25.0  # what a killed `qgtm up` leaves behind stops by itself within this
LOCKS: Final = (
    "lease.json.lock",
    "journal.db.lock",
    "exchange/exchange.lock",
    "watchdog.lock",
    "store/writer.lock",
)
BARS_NOTE: Final = "bars.txt"  # which folder of bars the embedded exchange was begun with
KEPT: Final = ("up.lock", "logs", "aside", "backups")
CTRL_C: Final = "Ctrl-C stops everything; the next start goes on from there."
A_WEEK: Final = "Five sessions go by here, each told as it ends; the report then takes a minute or two."

Speed = Annotated[
    float | None,
    typer.Option(
        help="Venue seconds a second on the embedded exchange: 1 is real time; far above 390 quotes grow too "
        "old to trade on.",
        min=1,
        max=100_000,
    ),
]
Fresh = Annotated[
    bool, typer.Option("--fresh", help="Begin anew: the old state is moved aside, not deleted.")
]
Start = Annotated[
    Day, typer.Option(help="First session of a new state.", formats=["%Y-%m-%d"], metavar="2026-01-05")
]

Once = Annotated[
    bool,
    typer.Option("--once", help="Live through one week in a folder of its own, make its report, and exit."),
]


def command(
    speed: Speed = None,
    fresh: Fresh = False,
    bars: Bars = None,
    start: Start = None,
    once: Once = False,
    config: ConfigPath = None,
) -> None:
    """Start the exchange, the daemon, the pages and the scheduler, and watch over them until Ctrl-C.

    Without broker keys everything runs on the embedded paper exchange, fast: a session takes about a
    minute and closed hours are skipped. The next start goes on where this one stopped, on the same prices.
    """
    from rich.console import Console

    loaded, state = configured(config)
    where = venue(loaded, load_keys(loaded.path, os.environ), os.environ)
    if where != "embedded" and (speed not in (None, 1.0) or bars or start):
        raise ConfigError(
            "a real broker's time and prices are its own: leave --speed, --bars and --start out."
        )
    if bars and not bars.is_dir():
        raise ConfigError(f"{bars} is no folder: name one that holds a CSV or Parquet file a symbol.")
    if once:
        if where != "embedded":
            raise ConfigError("--once plays a week on the embedded exchange: unset the broker's keys for it.")
        state, fresh, speed = StateDir(state.root / "once"), True, speed or ONCE_SPEED
    made_writable(state)
    console = Console(highlight=False, soft_wrap=True)
    with FileLock(state.root / "up.lock", f"`qgtm up` in {state.root}"):
        _wait_for_what_was_left(state, console)
        if fresh:
            _set_aside(state, console)
        elif start and (state.exchange / "exchange.db").exists():
            raise ConfigError(
                f"--start is for a new state, and {state.root} holds one that goes on where it stopped: "
                "leave --start out, or add --fresh (the old state is moved aside)."
            )
        day = start.date().isoformat() if start else None
        is_new = not (state.exchange / "exchange.db").exists()
        if is_new and not (start or bars) and loaded.exchange.market == "synthetic":
            day = last_whole_week(SystemClock().now().date()).isoformat()  # so that dates look like today's
        asked = (speed, day, bars_of(state, bars, is_new=is_new)) if where == "embedded" else None
        _run(loaded, state, asked, console, _week(state, console) if once else None)
        if once:
            _tell_week(loaded, state, console)


def _week(state: StateDir, console: "Console") -> Callable[[], str | None]:
    """Return what tells the sessions that ended since the last look, and then how the review ended."""
    from qgtm.live.once import Diary

    diary = Diary(state.journal)

    def look() -> str | None:
        for line in diary.news():
            console.print(line, markup=False)
        return _review(state)

    return look


def _review(state: StateDir) -> str | None:
    """Return how the first Sunday review ended, None before that."""
    from qgtm.cli.scheduler import LEDGER, REVIEW
    from qgtm.reporting.schedule import DONE, FAILED, JobLedger

    ledger = JobLedger(state.root / LEDGER)
    states = [str(ledger.entry(REVIEW, week).get("state")) for week in ledger.weeks(REVIEW)]
    return next((each for each in states if each in (DONE, FAILED)), None)


def _tell_week(config: Config, state: StateDir, console: "Console") -> None:
    from qgtm.cli.report import reports_of
    from qgtm.live.once import week_told
    from qgtm.reporting.schedule import DONE

    review = _review(state)
    if review is None:
        raise ConfigError("the week was stopped before its Sunday report; nothing is summed up.")
    for line in week_told(state):
        console.print(line, markup=False)
    console.print(f"report       {review}: {reports_of(config) / 'latest.html'}", markup=False)
    if review != DONE:
        raise ReportError(f"the Sunday report failed: {reports_of(config) / 'latest.html'} says why.")


def _wait_for_what_was_left(state: StateDir, console: "Console") -> None:
    """Let processes stop whose `qgtm up` was killed. Raises JournalLocked for one that stays."""
    clock = SystemClock()
    until_s = clock.monotonic() + LEFT_BEHIND_S
    is_said = False
    for path in (state.root / name for name in LOCKS):
        while path.exists():
            try:
                FileLock(path, f"{path}, of a process that still runs,").release()
                break
            except JournalLocked as problem:
                if clock.monotonic() > until_s:
                    raise
                if not is_said:
                    console.print(f"{problem}\nWaiting for it, up to {LEFT_BEHIND_S:.0f} s.", markup=False)
                    is_said = True
                clock.wait(LOOK_S / 4)


def _set_aside(state: StateDir, console: "Console") -> None:
    """Move the old state away: nothing that was ever written down is deleted by a start."""
    old = [path for path in state.root.iterdir() if path.name not in KEPT]
    if not old:
        return
    stamp = SystemClock().now().strftime("%Y%m%dT%H%M%S")
    aside = state.root / "aside" / stamp
    aside.mkdir(parents=True)
    for path in old:
        path.rename(aside / path.name)
    console.print(f"The old state lies in {aside}", markup=False)


def bars_of(state: StateDir, asked: Path | None, *, is_new: bool) -> Path | None:
    """Return the folder of bars that a start trades on, None for the configured market.

    A new state notes the one that is asked for, so that the next start goes on with it from any folder.
    Raises ConfigError when it is not there any more.
    """
    bars = asked and asked.resolve()
    note = state.root / BARS_NOTE
    with explained(note, ConfigError):
        if is_new:
            note.unlink(missing_ok=True)
        if is_new and bars:
            write_atomic(note, os.fsencode(bars))
    if bars or not note.exists():
        return bars
    known = Path(os.fsdecode(note.read_bytes()))
    if not known.is_dir():
        raise ConfigError(
            f"the state in {state.root} lives on the bars of {known}, and that is no folder: put it back, or "
            "begin anew with --fresh (the old state is moved aside)."
        )
    return known


Asked = tuple[float | None, str | None, Path | None]


def _run(
    config: Config,
    state: StateDir,
    asked: Asked | None,
    console: "Console",
    ended: Callable[[], str | None] | None,
) -> None:
    """Run everything until told to stop, or until `ended` says that there is nothing more to wait for."""
    from qgtm.live.fleet import Venue, fleet
    from qgtm.live.supervisor import Supervisor

    played = None
    if asked is not None:
        speed, start, bars = asked
        played = Venue(speed=speed or float(config.exchange.speed), start=start, bars=bars)
    stop, began_s = Flag(), SystemClock().monotonic()

    def say(text: str) -> None:
        with suppress(OSError):  # a terminal that is gone must not keep anything from being stopped
            console.print(text, markup=False)

    environ = {**os.environ, "QGTM_STATE_DIR": str(state.root)}
    services = fleet(config, state, played)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    supervisor = Supervisor(services, state.root / "logs", environ, say, stop.is_set)
    is_live = False
    try:
        names = ", ".join(service.name for service in services)
        with console.status(f"starting {names}"):
            is_live = supervisor.start(lambda service: console.print(f"[green]ok[/]  {service.name}"))
        if is_live:
            took_s = SystemClock().monotonic() - began_s
            _tell(config, state, played, console, took_s, is_week=ended is not None)
        while not stop.wait(LOOK_S) and not (is_live and ended and ended()):
            supervisor.watch()
    finally:
        say("stopping; at most half a minute")
        supervisor.stop()
        say("Stopped. The next `qgtm up` goes on from here." if is_live and not ended else "Stopped.")


def _tell(
    config: Config,
    state: StateDir,
    played: "Venue | None",
    console: "Console",
    took_s: float,
    *,
    is_week: bool,
) -> None:
    from qgtm.cli.report import reports_of
    from qgtm.live.fleet import DEAD_MAN_S, is_dead_man_short

    dead_man_s = DEAD_MAN_S[-1] if is_dead_man_short(played) else config.watchdog.flatten_s
    fast = f"venue time runs {played.speed:g} times as fast" if played and played.speed != 1 else "real time"
    report = reports_of(config) / "latest.html"
    there = f"QGTM_STATE_DIR={state.root} " if is_week else ""  # a week has a state folder of its own
    there += typed(Path(sys.executable).with_name("qgtm"), shutil.which("qgtm"), Path.cwd())
    console.print(
        f"\nLive after {took_s:.0f} s, on {_where(config, played)}; {fast}.\n\n"
        f"  the page for the phone   [bold]http://{config.web.host}:{config.web.port}/[/]\n"
        f"  how the fund is doing    {there} status --summary\n"
        f"  what the strategies want {there} signals --pending\n"
        f"  what was written down    {there} audit tail\n"
        f"  the Sunday report        {report}, from Sunday 20:00 New York on\n"
        f"  what each process says   {state.root / 'logs'}\n"
        f"  the dead man             closes everything {dead_man_s} s after the daemon falls silent\n\n"
        f"{A_WEEK if is_week else CTRL_C}"
    )


def typed(own: Path, found: str | None, here: Path) -> str:
    """Return how this very `qgtm` is typed: by its name where the shell finds it, else by its path."""
    if found and own.exists() and own.samefile(found):
        return "qgtm"
    return str(own.relative_to(here) if own.is_relative_to(here) else own)


def _where(config: Config, played: "Venue | None") -> str:
    if played is None:
        return f"Alpaca, {config.fund.mode}"
    return f"recorded prices of {played.bars}" if played.bars else "the embedded paper exchange"
