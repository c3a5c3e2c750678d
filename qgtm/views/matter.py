"""What a person should see at once beside the dot: what waits for OpB, a halt and its way back, who guards.

The one place of these words: the phone page shows each matter as a card, `qgtm status` as a line of its box.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final

from qgtm.core.instant import NEW_YORK
from qgtm.core.mode import Latch, Mode, Trigger
from qgtm.core.request import Act, Request
from qgtm.engine.act import why_not_settled
from qgtm.engine.request import why_no_reset
from qgtm.engine.state import State
from qgtm.risk.kill_switch import FULL, HALTED, RAMP
from qgtm.views.chronicle import Chronicle
from qgtm.views.persons import persons
from qgtm.views.words import bound, count, span

ASKED: Final = {
    Act.RESET: "OpA asks to trade again",
    Act.LIMITS: "OpA asks for looser limits",
    Act.KEY: "A key is to be changed",
}
HALTED_BY: Final = {
    Trigger.HARD_CAP: "Stopped at the hard cap",
    Trigger.HEARTBEAT_LOST: "Stopped by the watchdog",
    Trigger.OPERATOR: "Stopped by hand",
}
LATCHED_BY: Final = {
    Latch.BREAK: "No new orders: the books differ",
    Latch.DISCONNECTED: "No new orders: the broker was lost",
    Latch.OPERATOR_HALT: "No new orders: halted by hand",
}
WATCHDOG_ACTS: Final = {
    "firing": "The watchdog is closing everything",
    "flat": "The watchdog sees everything closed",
    "halted": "The watchdog has cancelled the orders",
    "failed": "The watchdog cannot act",
}
REPORT_LATE: Final = timedelta(minutes=15)  # it is made after five, and on a practice exchange time runs
NAMED: Final = 6  # symbols; the rest is counted


class Kind(StrEnum):
    """What a matter is about, worst first where a page must choose an order."""

    ASK = "ask"
    OVERRIDE = "override"
    HALT = "halt"
    RAMP = "ramp"
    WATCHDOG = "watchdog"


@dataclass(frozen=True, slots=True, kw_only=True)
class Matter:
    """Something that stands: its title, what there is to say, and what a link to OpB's acts says, if any."""

    kind: Kind
    title: str
    lines: tuple[str, ...]
    link: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watchdog:
    """The watchdog's word: its state, the word's age (None: of another boot), its limits in process seconds.

    `reason`, `since` (the wall's) and `left` (by the broker's count) tell of its last act.
    """

    state: str
    age_s: float | None
    alerts_s: tuple[float, ...]
    flatten_s: float
    reason: str = ""
    since: datetime | None = None
    left: Mapping[str, Decimal] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Undelivered:
    """Alerts that reached nobody: how many, how many of them a channel failed with, since when, and why."""

    number: int
    failing: int
    since: datetime | None
    problem: str


def matters(
    chronicle: Chronicle, wall_at: datetime | None, watchdog: Watchdog | None, report: str | None
) -> tuple[Matter, ...]:
    """Return what stands, what waits for OpB first. `report` is the present halt's report, where it is made.

    `wall_at` judges whether a request still waits; None takes it as waiting.
    """
    rules = (
        _asked(chronicle, wall_at),
        _overridden(chronicle.state),
        _halted(chronicle, report),
        _latched(chronicle),
        _ramp(chronicle.state),
        _guarded(watchdog),
    )
    return tuple(matter for rule in rules for matter in rule)


# --- what waits for OpB -------------------------------------------------------------------------


def _asked(chronicle: Chronicle, wall_at: datetime | None) -> Iterator[Matter]:
    request = persons(chronicle.state).request
    if request is None or (wall_at is not None and wall_at >= request.expires_at):
        return
    until = f"It waits until {request.expires_at.astimezone(NEW_YORK):%H:%M:%S} New York."
    lines = (_in_short(request), until)
    yield Matter(kind=Kind.ASK, title=ASKED[request.act], lines=lines, link="Read it and decide")


def _in_short(request: Request) -> str:
    text = " ".join(request.text.split())
    return text if len(text) <= 400 else f"{text[:400].rstrip()} …"


def _overridden(state: State) -> Iterator[Matter]:
    said = persons(state).override
    if said:
        title = "The soft cap is overridden"
        yield Matter(kind=Kind.OVERRIDE, title=title, lines=(said,), link="End the override")


# --- a halt and its way back --------------------------------------------------------------------


def _halted(chronicle: Chronicle, report: str | None) -> Iterator[Matter]:
    state, halt = chronicle.state, chronicle.halt
    if state.switch.mode not in HALTED:
        return
    by = f" ({halt.by})" if halt and halt.by else ""
    title = HALTED_BY.get(state.switch.cause or Trigger.HARD_CAP, "Stopped")
    lines = (
        _why(state.switch.since, halt.reason if halt else ""),
        *_closing(chronicle),
        _reported(chronicle, report),
        _way_back(state),
    )
    yield Matter(kind=Kind.HALT, title=f"{title}{by}", lines=tuple(line for line in lines if line))


def _reported(chronicle: Chronicle, report: str | None) -> str:
    since, at = chronicle.state.switch.since, chronicle.at
    if report:
        return f"Incident report: {report}."
    is_late = since is not None and at is not None and at >= since + REPORT_LATE
    return (
        "Its report is not there yet: `qgtm incident` makes it."
        if is_late
        else "Its report is made five minutes after the halt."
    )


def _why(since: datetime | None, reason: str) -> str:
    at = f"Since {moment(since)}" if since else ""
    return f"{at}: {reason}." if at and reason else f"{at or reason}." if at or reason else ""


def _closing(chronicle: Chronicle) -> Iterator[str]:
    """Return how far the closing is; nothing is called closed before the broker has said so."""
    state, left = chronicle.state, chronicle.open_shares
    if left:
        began = len(chronicle.held_then | left.keys())
        closed = f"{began - len(left)} of {count(began, 'position')} closed; still open: {_named(left)}."
        yield closed
        if not state.is_open:
            yield "The market is closed: what is left goes when it opens."
    elif state.is_flat_confirmed:
        at = f" since {moment(chronicle.flat_at)}" if chronicle.flat_at else ""
        yield f"Everything is closed, by the broker's word{at}."
    else:
        yield "Our own book shows nothing open; the broker has not confirmed it yet."


def _named(left: Mapping[str, Decimal]) -> str:
    names = [f"{quantity:+f} {symbol}".replace("-", "−") for symbol, quantity in sorted(left.items())]
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


def _way_back(state: State) -> str:
    if state.switch.mode is Mode.HALTED_DEAD_MAN:
        return _way_back_alone(state)
    if state.cool_off is None:
        return "Its cool-off begins; then it takes both of you to start again."
    if state.cool_off.left_s > 0:
        left = span(state.cool_off.left_s)
        return f"It takes both of you to start again, after a cool-off: {left} to go, by the slowest clock."
    if persons(state).request:
        return ""
    why = why_no_reset(state)
    if why is None:
        return "OpA may ask to trade again now, and OpB decides."
    return f"It takes both of you to start again. Not yet: {why}."


def _way_back_alone(state: State) -> str:
    if state.epoch <= state.dead_man_epoch:
        return "OpA must stop the daemon and start it again."
    why = why_not_settled(state)
    if why is None:
        return 'OpA, after a look at the books: `qgtm ack dead_man --reason "…"` lets it trade again.'
    return f"Not to be resumed yet: {why}."


def _latched(chronicle: Chronicle) -> Iterator[Matter]:
    for latch in chronicle.state.switch.latches:
        at, reason = chronicle.latched.get(latch, (None, ""))
        said = _why(at, reason.rstrip("."))
        yield Matter(kind=Kind.HALT, title=LATCHED_BY[latch], lines=(said,) if said else ())


def _ramp(state: State) -> Iterator[Matter]:
    step = state.switch.ramp_step
    if step == FULL or state.switch.mode in HALTED:
        return
    size = f"Size {bound(RAMP[step])} of normal, step {step + 1} of {FULL}."
    then = f"The next session that may grow makes it {bound(RAMP[step + 1])}."
    yield Matter(kind=Kind.RAMP, title="Coming back after a halt", lines=(size, then))


# --- the watchdog and the alerts ----------------------------------------------------------------


def _guarded(watchdog: Watchdog | None) -> Iterator[Matter]:
    if watchdog is None or watchdog.state not in WATCHDOG_ACTS:
        return
    left = {name: quantity for name, quantity in (watchdog.left or {}).items() if quantity}
    since = f"Since {moment(watchdog.since)}: {watchdog.reason}." if watchdog.since else ""
    still = f"Left by the broker's count: {_named(left)}." if left else ""
    old = "" if watchdog.age_s is not None else "That was before this machine started anew."
    lines = tuple(line for line in (since, still, old) if line)
    yield Matter(kind=Kind.WATCHDOG, title=WATCHDOG_ACTS[watchdog.state], lines=lines)


def watchdog_said(watchdog: Watchdog | None) -> str:
    """Return how the watchdog is, in a few words: its state and how old its word is."""
    if watchdog is None:
        return "none: nobody closes what is open if the system falls silent"
    age = "of before this machine started" if watchdog.age_s is None else f"{span(watchdog.age_s)} ago"
    return f"{watchdog.state.replace('_', ' ')}, {age}"


def practice_said(speed: float | None, watchdog: Watchdog | None) -> str:
    """Return how fast a practice exchange runs and what is counted in real seconds, empty at real time."""
    if speed is None or speed == 1:
        return ""
    short = f"; silence of {span(watchdog.flatten_s)} closes everything" if watchdog else ""
    return f"Practice exchange, {speed:g} times real time. Ages count real seconds{short}."


def dead_man_said(watchdog: Watchdog) -> str:
    """Return after how much silence the watchdog does what."""
    alerts = " and ".join(span(each) for each in watchdog.alerts_s)
    warned = f"it alerts after {alerts} of silence and " if alerts else "after silence it "
    return f"Dead man's switch: {warned}closes everything after {span(watchdog.flatten_s)}."


def undelivered_said(found: Undelivered | None) -> str:
    """Return what waits and why, empty for nothing."""
    if found is None or not found.number:
        return ""
    since = f" since {moment(found.since)}" if found.since else ""
    why = f" ({found.problem})" if found.problem else ""
    verb = "has" if found.number == 1 else "have"
    return f"{count(found.number, 'alert')} {verb} reached nobody{since}{why}."


def moment(at: datetime) -> str:
    """Return a moment as people in New York say it."""
    return f"{at.astimezone(NEW_YORK):%a %d %b, %H:%M} New York"
