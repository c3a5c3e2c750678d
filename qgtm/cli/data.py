"""`qgtm data`: what was known when, how fresh it is, what is wrong with it, and the release of what waits."""

import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from qgtm.adapters.calendar import xnys
from qgtm.adapters.clock import SystemClock, VenueClock
from qgtm.adapters.files import StateDir, explained, write_atomic
from qgtm.adapters.freshness import SCHEDULES, SOURCES, FeedStands, Standing, freshness
from qgtm.adapters.lake import Lake, Window
from qgtm.adapters.minute_tape import TAPE, load_tape
from qgtm.adapters.quarantine import Quarantine
from qgtm.adapters.store import bars_seen
from qgtm.adapters.vintage import instant_of
from qgtm.cli.options import AsJson, Bars, By, ConfigPath, Reason, configured, need_reason, say, say_json
from qgtm.cli.wish import give, tell
from qgtm.config import Config
from qgtm.core.commands import ReleaseData
from qgtm.core.errors import ConfigError, FeedError
from qgtm.core.instant import NEW_YORK, aware_utc
from qgtm.core.series import SERIES
from qgtm.core.universe import SYMBOLS
from qgtm.keys import load_keys, venue

if TYPE_CHECKING:
    from qgtm.reporting.data_audit import DataAudit

Names = Annotated[
    list[str] | None, typer.Argument(help="Symbols and series, such as GLD DFII10.", metavar="[NAME]...")
]
AsOf = Annotated[
    datetime | None,
    typer.Option(
        "--as-of",
        help="Show what was known then: at the close of a day, or at a time in New York.",
        formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M"],
        metavar="2023-03-10",
    ),
]
Rows = Annotated[int, typer.Option("--rows", help="How many values of each name.", min=1)]
Fresh = Annotated[bool, typer.Option("--freshness", help="Show how each feed stands.")]
Audited = Annotated[bool, typer.Option("--audit", help="Look for faults, in the store or below --bars DIR.")]
Item = Annotated[
    str | None,
    typer.Option(
        "--release", help="Take a value that waits, as --freshness or an alert names it.", metavar="ID"
    ),
]
Page = Annotated[
    Path | None, typer.Option("--html", help="Where the audit's page goes.", metavar="PATH", dir_okay=False)
]
TICKS: Final = {Standing.FRESH: "✓ ", Standing.ON_SCHEDULE: "✓ ", Standing.STALE: "✗ "}
COLOURS: Final = {"red": "bold red", "yellow": "yellow", "info": "dim"}
WHOLE_DAYS: Final = ("cot", "fred")


def command(
    names: Names = None,
    as_of: AsOf = None,
    rows: Rows = 5,
    fresh: Fresh = False,
    audit: Audited = False,
    bars: Bars = None,
    page: Page = None,
    release: Item = None,
    reason: Reason = "",
    by: By = "OpA",
    config: ConfigPath = None,
    as_json: AsJson = False,
) -> None:
    """Show what was known at a time, how fresh each feed is, or what is wrong with the data.

    A value that is far off its scale is held back; --release takes it after a person has found it true.
    """
    if sum((as_of is not None, fresh, audit, release is not None)) != 1:
        raise ConfigError("choose one of --as-of DAY NAME..., --freshness, --audit and --release ID.")
    if bars is not None and not audit:
        raise ConfigError("--bars names a folder to audit: add --audit.")
    if audit:
        _audit(bars, page, config, as_json=as_json)
        return
    loaded, state = configured(config)
    if release is not None:
        need_reason(reason)
        given = give(ReleaseData(item=_waiting(release, state), reason=reason, by=by), by, state)
        tell(given, state, f"{release} is taken with the next look at its feed.", as_json=as_json)
    elif as_of is not None:
        _as_of(names or [], as_of, rows, state, as_json=as_json)
    else:
        _freshness(loaded, state, as_json=as_json)


# --- what was known ------------------------------------------------------------------------------


def moment_of(given: datetime) -> datetime:
    """Return a day's close, the end of a day without a session, or a time as New York reads it, in UTC."""
    if given.time() != time():
        return aware_utc(given.replace(tzinfo=NEW_YORK))
    session = xnys().session_on(given.date())
    return session.close_at if session else aware_utc(given.replace(hour=23, minute=59, tzinfo=NEW_YORK))


def _as_of(names: Sequence[str], given: datetime, rows: int, state: StateDir, *, as_json: bool) -> None:
    if not names:
        raise ConfigError("name symbols or series behind --as-of DAY, such as GLD DFII10.")
    now, lake = moment_of(given), _lake(state)
    found = {name: list(_known(name, now, rows, lake, state)) for name in names}
    if as_json:
        say_json({"as_of": now.isoformat(), "known": found})
    else:
        _print_known(found, now)


def _known(
    name: str, now: datetime, rows: int, lake: Lake | None, state: StateDir
) -> Iterator[dict[str, Any]]:
    if name not in SERIES and name not in SYMBOLS:
        raise ConfigError(f"{name} is no symbol and no series: `qgtm data --freshness --json` lists them.")
    window = None if lake is None else lake.window(name, now, rows)
    if window is not None and len(window.values):
        yield from _rows(window)
    elif name in SYMBOLS and state.bars.exists():
        for bars in bars_seen(state.bars, now, rows):
            if name in bars.bars:
                yield {
                    "described": bars.session.isoformat(),
                    "value": bars.bars[name].close,
                    "known_at": bars.known_at.isoformat(),
                }


def _rows(window: Window) -> Iterator[dict[str, Any]]:
    for value, described, known in zip(window.values, window.described, window.known_at, strict=True):
        at = instant_of(described.astype("int64"))
        yield {
            "described": at.date().isoformat(),
            "value": float(value),
            "known_at": instant_of(known.astype("int64")).isoformat(),
        }


def _print_known(found: Mapping[str, list[dict[str, Any]]], now: datetime) -> None:
    from rich.console import Console
    from rich.table import Table

    drawn = Table("name", "describes", "value", "known since (New York)", box=None)
    for name, rows in found.items():
        for row in rows or [{"described": "nothing was known", "value": "", "known_at": ""}]:
            known = row["known_at"] and _clock(datetime.fromisoformat(row["known_at"]))
            value = f"{row['value']:,.6g}" if rows else ""
            drawn.add_row(name, row["described"], value, known)
    say(f"Known at {_clock(now)} New York; closes are adjusted as was known then.")
    Console(highlight=False).print(drawn)


def _clock(at: datetime) -> str:
    return f"{at.astimezone(NEW_YORK):%a %Y-%m-%d %H:%M}"


def _lake(state: StateDir) -> Lake | None:
    return Lake(state.store) if state.store.is_dir() else None


# --- how fresh it is ------------------------------------------------------------------------------


def _freshness(config: Config, state: StateDir, *, as_json: bool) -> None:
    keys = load_keys(config.path, os.environ)
    is_embedded = venue(config, keys, os.environ) == "embedded"
    now = VenueClock(state.exchange / "venue.json").now() if is_embedded else SystemClock().now()
    lake, off, held = _lake(state), _off(state), Quarantine(state.held).held()
    stands = freshness(
        lambda name: None if lake is None else lake.last(name, now),
        _session(lake, state, config.universe.symbols, now),
        now,
        off,
        tape := load_tape(state.feeds / TAPE),
    )
    halted = [] if tape is None else [each.text(symbol) for symbol, each in tape.halted.items()]
    if as_json:
        problems = [] if lake is None else list(lake.problems)
        waits = [{"item": each.item, "why": each.why} for each in held]
        fields = [_fields(each) for each in stands]
        say_json(
            {"now": now.isoformat(), "feeds": fields, "held": waits, "halted": halted, "problems": problems}
        )
        return
    _print_stands(stands, now)
    say(*halted)
    say(*(f"{each.why}. It waits: `qgtm data --release {each.item} --reason ...`" for each in held))
    say(*(() if lake is None else lake.problems))


def _off(state: StateDir) -> dict[str, str]:
    """Return why feeds are not fetched, as their collector says."""
    from qgtm.live.collect import STATUS, words_from

    path = state.feeds / STATUS
    words = words_from(path) if path.exists() else {}
    return {name: word.off for name, word in words.items() if word.off}


def _session(lake: Lake | None, state: StateDir, symbols: Sequence[str], now: datetime) -> date | None:
    """Return the newest session with bars: in the store, or in the loop's own copy."""
    found = [] if lake is None else [lake.last_session(symbol, now) for symbol in symbols]
    kept = bars_seen(state.bars, now, 1) if state.bars.exists() else ()
    days = [day for day in (*found, *(bars.session for bars in kept)) if day is not None]
    return max(days, default=None)


def _fields(stands: FeedStands) -> dict[str, Any]:
    return {
        "feed": stands.feed.value,
        "source": SOURCES[stands.feed],
        "last": None if stands.at is None else stands.at.isoformat(),
        "schedule": SCHEDULES[stands.feed],
        "state": stands.standing.value,
        "why": stands.why,
        "series": [
            {
                "name": each.name,
                "last": None if each.at is None else each.at.isoformat(),
                "known_at": None if each.known_at is None else each.known_at.isoformat(),
                "fresh_until": None if each.due_at is None else each.due_at.isoformat(),
                "state": each.standing.value,
            }
            for each in stands.series
        ],
    }


def _print_stands(every: Sequence[FeedStands], now: datetime) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table("source", "last value", "schedule", "state", box=None)
    for each in every:
        tick = TICKS.get(each.standing, "")
        told = f"{tick}{each.standing}{f': {each.why}' if each.why else ''}"
        colour = "green" if each.is_good else "red" if each.standing is Standing.STALE else "yellow"
        drawn.add_row(SOURCES[each.feed], _last(each), SCHEDULES[each.feed], Text(told, colour))
    say(f"At {_clock(now)} New York:")
    Console(highlight=False).print(drawn)


def _last(stands: FeedStands) -> str:
    if stands.at is None:
        return "none"
    return f"{stands.at:%Y-%m-%d}" if stands.feed.value in WHOLE_DAYS else f"{stands.at:%Y-%m-%d %H:%M} UTC"


def _waiting(item: str, state: StateDir) -> str:
    """Return the item when it waits, or names a bar, which the loop itself holds. Raises ConfigError."""
    waiting = [each.item for each in Quarantine(state.held).held()]
    if item in waiting or item.partition("-")[0] in SYMBOLS:
        return item
    named = f"there wait {', '.join(waiting)}" if waiting else "nothing waits"
    raise ConfigError(f"{item} does not wait: {named}; a bar's name is told by its alert.")


# --- what is wrong with it ------------------------------------------------------------------------


def _audit(bars: Path | None, page: Path | None, config: Path | None, *, as_json: bool) -> None:
    from qgtm.reporting.data_audit import audit_folder, audit_lake
    from qgtm.reporting.data_page import audit_fields, data_page

    now = SystemClock().now()
    if bars is not None:
        audit, beside = audit_folder(bars), Path.cwd()
    else:
        loaded, state = configured(config)
        if (lake := _lake(state)) is None:
            raise FeedError(
                f"there is no store in {state.root} yet: `qgtm up` fills it, or `qgtm feeds --once`."
            )
        audit, beside = audit_lake(lake, now), loaded.path.parent
    path = page or beside / "reports" / "data-audit.html"
    with explained(path, FeedError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, data_page(audit, now).encode(), is_durable=False)
    if as_json:
        say_json({"page": str(path), **audit_fields(audit)})
        return
    _print_findings(audit)
    say(f"The page is {path}.")


def _print_findings(audit: "DataAudit") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from qgtm.reporting.data_page import summed_up

    drawn = Table("", "fault", "subject", "evidence and what to do", box=None)
    for each in audit.findings:
        severity = Text(each.severity.value, COLOURS[each.severity.value])
        told = Text(f"{each.evidence} ({each.source}).\n→ {each.cure} [{each.id}]")
        drawn.add_row(severity, each.fault.value, each.subject, told)
    say(*audit.looked_at, summed_up(audit))
    if audit.findings:
        Console(highlight=False).print(drawn)
