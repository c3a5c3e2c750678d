# A print of notebooks/risk/health.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Health.

The colour of the dot, and the sentence under it: a table from facts to words that the partner can act on.
"""

# cell 5 of notebooks/risk/health.ipynb
import math
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from qgtm.core.mode import Dot, Latch, Mode, Trigger
from qgtm.core.money import exact


@dataclass(frozen=True)
class Params:
    """Name the knobs of this notebook; `PARAMS` holds their values."""

    heartbeat_age_s: int
    near_share: float
    watchdog_age_s: int
    stale_feeds: int


PARAMS = Params(
    heartbeat_age_s=90,  # seconds without a heartbeat that make the dot red [30, 300]
    near_share=0.75,  # of the soft cap; a fall past it is near the cap [0.50, 0.95]
    watchdog_age_s=90,  # seconds without a word of the watchdog that make the dot orange [30, 300]
    stale_feeds=2,  # feeds that are stale at once and make the dot orange [2, 5]
)
UNARMED, FAILED = "unarmed", "failed"  # words of the watchdog's own


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Hold all that colours the dot. None is "not known"; an empty tuple is "none".

    `heartbeat_age_s` is process time. `journal_problem` and `deployment_problem` are sentences. `breaks`
    names symbols (or cash); `disabled` the strategies that failed to load, raised or were switched off, with
    no shadows among them. `unknown_orders` are those whose fate has not been found out. `cause` is what
    halted, `is_flat` whether the broker has said that this halt left nothing. `watchdog` is the watchdog's
    state in a word, None where there is none; `watchdog_age_s` is process time since it said so.
    """

    mode: Mode
    cause: Trigger | None
    is_flat: bool
    latches: tuple[Latch, ...]
    heartbeat_age_s: float | None
    is_connected: bool
    is_account_blocked: bool
    journal_problem: str | None
    deployment_problem: str | None
    breaks: tuple[str, ...]
    drawdown_frac: Decimal | None
    soft_cap_frac: Decimal
    stale_feeds: tuple[str, ...]
    disabled: tuple[str, ...]
    rejected_today: int
    unknown_orders: int
    is_clock_mismatch: bool
    equity_doubt: str | None
    watchdog: str | None
    watchdog_age_s: float | None
    notices: tuple[str, ...]  # whatever else OpA should look at, as sentences: yellow
    open_positions: int | None
    notional_usd: Decimal | None


@dataclass(frozen=True, slots=True)
class Health:
    """Hold the dot, its sentence, and every line that holds: worst first, the sentence among them."""

    dot: Dot
    sentence: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """Hold one line of the table: `text` is filled with the words of `words_for`."""

    name: str
    holds: Callable[[Facts], bool]
    text: str


# cell 7 of notebooks/risk/health.ipynb
UNCONFIRMED: Final = "Our own book shows nothing open, but the broker has not confirmed that yet."
STOPPED: Final = {
    Trigger.OPERATOR: "One of you stopped the fund by hand, and it {closes} everything.",
    None: "The kill switch stopped the fund, now {fall} below its peak, and {closes} everything.",
}


def still_open(facts: Facts) -> str:
    """Return what is still on, in words: never that nothing is at risk when it is not known."""
    number, worth_usd = facts.open_positions, facts.notional_usd
    if number is None:
        return "It is not known what is open."
    if not number:
        is_closing = facts.mode in (Mode.HALTED_HARD, Mode.HALTED_DEAD_MAN) and not facts.is_flat
        return UNCONFIRMED if is_closing else "No position is open."
    worth = "" if worth_usd is None else f" worth ${worth_usd:,.0f}"
    return f"Still open and moving with the market: {_count(number, 'position')}{worth}."


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _percent(fraction: Decimal | None) -> str:
    return "an unknown part" if fraction is None else f"{100 * fraction:.1f}%"


def _fall(facts: Facts) -> Decimal | None:
    fall = facts.drawdown_frac
    return fall if fall is not None and fall.is_finite() else None


def _silence(age_s: float | None) -> str:
    is_known = age_s is not None and math.isfinite(age_s)
    return f" for {_count(round(age_s / 60), 'minute')}" if age_s is not None and is_known else ""


def _stopped(facts: Facts) -> str:
    is_closed = facts.is_flat and facts.open_positions == 0
    closes = "has closed" if is_closed else "closes"
    return STOPPED.get(facts.cause, STOPPED[None]).format(fall=_percent(_fall(facts)), closes=closes)


def words_for(facts: Facts) -> dict[str, str]:
    """Return the words that the table's texts name in braces."""
    return {
        "stopped": _stopped(facts),
        "unguarded": "If the system fell silent now, nobody would close what is open.",
        "open": still_open(facts),
        "fall": _percent(_fall(facts)),
        "cap": _percent(facts.soft_cap_frac),
        "silence": _silence(facts.heartbeat_age_s),
        "journal": facts.journal_problem or "",
        "deployment": facts.deployment_problem or "",
        "breaks": ", ".join(facts.breaks) or "see the tickets",
        "feeds": ", ".join(facts.stale_feeds),
        "disabled": ", ".join(facts.disabled),
        "unknown": _count(facts.unknown_orders, "order"),
        "rejected": _count(facts.rejected_today, "order"),
        "doubt": facts.equity_doubt or "",
        "notices": " ".join(facts.notices),
        "call": "Call OpA now; if nobody answers, you need not do anything else.",
        "text": "Text OpA; call if there is no answer in 2 hours.",
        "wait": "Nothing to do now; tell OpA if it is still yellow tomorrow morning.",
    }


def is_silent(facts: Facts) -> bool:
    """Return whether the daemon has given no heartbeat for longer than allowed, or never gave one."""
    return facts.heartbeat_age_s is None or not facts.heartbeat_age_s <= PARAMS.heartbeat_age_s


def is_watchdog_silent(facts: Facts) -> bool:
    """Return whether there is a watchdog that has said nothing for longer than allowed."""
    age_s = facts.watchdog_age_s
    return facts.watchdog is not None and (age_s is None or not age_s <= PARAMS.watchdog_age_s)


def is_watchdog(facts: Facts, word: str) -> bool:
    """Return whether the watchdog says this word now."""
    return facts.watchdog == word and not is_watchdog_silent(facts)


def is_past_cap(facts: Facts) -> bool:
    """Return whether the fall from the peak has reached the soft cap."""
    fall = _fall(facts)
    return fall is not None and fall >= facts.soft_cap_frac


def is_near_cap(facts: Facts) -> bool:
    """Return whether the fall is past the knob's share of the soft cap, and not past the cap."""
    fall, near = _fall(facts), exact(PARAMS.near_share) * facts.soft_cap_frac
    return fall is not None and near < fall < facts.soft_cap_frac


# cell 9 of notebooks/risk/health.ipynb
RED: Final = (
    Line(
        "halted_hard",
        lambda facts: facts.mode is Mode.HALTED_HARD,
        "{stopped} {open} {call} It takes both of you to start again.",
    ),
    Line(
        "halted_dead_man",
        lambda facts: facts.mode is Mode.HALTED_DEAD_MAN,
        "The system went silent, so the watchdog closes everything. {open} {call} OpA must restart it.",
    ),
    Line(
        "silent",
        is_silent,
        "The system has given no sign of life{silence}. {open} {call}",
    ),
    Line(
        "disconnected",
        lambda facts: not facts.is_connected,
        "The connection to the broker is lost, so nothing is traded. {open} {call}",
    ),
    Line(
        "reconnected",
        lambda facts: facts.is_connected and Latch.DISCONNECTED in facts.latches,
        "The broker was lost and is back, but trading waits until OpA has checked. {open} {call}",
    ),
    Line(
        "account_blocked",
        lambda facts: facts.is_account_blocked,
        "The broker has blocked the account, so nothing is traded. {open} {call}",
    ),
    Line(
        "journal",
        lambda facts: facts.journal_problem is not None,
        "The system cannot write or trust its own record, so nothing is traded: {journal} {open} {call}",
    ),
    Line(
        "deployment",
        lambda facts: facts.deployment_problem is not None,
        "The programs are not those that were deployed, so nothing is traded: {deployment} {open} {call}",
    ),
    Line(
        "break",
        lambda facts: bool(facts.breaks) or Latch.BREAK in facts.latches,
        "Our books and the broker's differ ({breaks}); nothing is traded until OpA has looked. {open} {call}",
    ),
    Line(
        "operator_halt",
        lambda facts: Latch.OPERATOR_HALT in facts.latches,
        "One of you has halted trading. {open} {call}",
    ),
)


# cell 11 of notebooks/risk/health.ipynb
ORANGE: Final = (
    Line(
        "reducing",
        lambda facts: facts.mode is Mode.REDUCING,
        "The fund is {fall} below its peak; it runs at half size and opens nothing new. {text}",
    ),
    Line(
        "past_soft_cap",
        lambda facts: facts.mode is Mode.ACTIVE and is_past_cap(facts),
        "The fund is {fall} below its peak, past the soft cap of {cap}, and still trades. {text}",
    ),
    Line(
        "feeds",
        lambda facts: len(facts.stale_feeds) >= PARAMS.stale_feeds,
        "Several data feeds are old ({feeds}); the strategies that need them pause. {text}",
    ),
    Line(
        "strategies",
        lambda facts: bool(facts.disabled),
        "Switched off: {disabled}. What they hold stays as it is. {text}",
    ),
    Line(
        "watchdog_missing",
        lambda facts: facts.watchdog is None,
        "No watchdog guards the fund. {unguarded} {text}",
    ),
    Line(
        "watchdog_silent",
        is_watchdog_silent,
        "The watchdog has given no sign of life lately. {unguarded} {text}",
    ),
    Line(
        "watchdog_failed",
        lambda facts: is_watchdog(facts, FAILED),
        "The watchdog cannot act: the broker's account is not the one it guards. {unguarded} {text}",
    ),
)
YELLOW: Final = (
    Line(
        "feed",
        lambda facts: 0 < len(facts.stale_feeds) < PARAMS.stale_feeds,
        "A data feed is old ({feeds}). {wait}",
    ),
    Line(
        "near_soft_cap",
        lambda facts: facts.mode is Mode.ACTIVE and is_near_cap(facts),
        "The fund is {fall} below its peak; at {cap} it halves its size. {wait}",
    ),
    Line(
        "unknown_orders",
        lambda facts: facts.unknown_orders > 0,
        "The broker has not said what became of {unknown}; the system keeps asking. {wait}",
    ),
    Line(
        "rejected",
        lambda facts: facts.rejected_today > 0,
        "The broker refused {rejected} today. {wait}",
    ),
    Line(
        "clock",
        lambda facts: facts.is_clock_mismatch,
        "The broker's trading hours are not our calendar's; the broker's hold. {wait}",
    ),
    Line(
        "equity_doubt",
        lambda facts: facts.equity_doubt is not None,
        "The account's value is being checked again: {doubt}. {wait}",
    ),
    Line(
        "drawdown_unknown",
        lambda facts: _fall(facts) is None,
        "The fall from the peak has not been measured yet. {wait}",
    ),
    Line(
        "watchdog_unarmed",
        lambda facts: is_watchdog(facts, UNARMED),
        "The watchdog is not armed yet: it waits for the system's first sign of life. {wait}",
    ),
    Line("notices", lambda facts: bool(facts.notices), "{notices} {wait}"),
)

TABLE: Final = {Dot.RED: RED, Dot.ORANGE: ORANGE, Dot.YELLOW: YELLOW}  # worst first
ALL_WELL: Final = "All is well. Nothing to do; look again tomorrow."


def health(facts: Facts) -> Health:
    """Return the dot, its sentence and all lines that hold. Raises nothing."""
    words = words_for(facts)
    holding = [(dot, line) for dot, lines in TABLE.items() for line in lines if line.holds(facts)]
    told = [(dot, line.text.format_map(words)) for dot, line in holding] or [(Dot.GREEN, ALL_WELL)]
    dot, sentence = told[0]
    return Health(dot, sentence, tuple(text for _, text in told))


__all__ = [
    "ALL_WELL",
    "FAILED",
    "ORANGE",
    "PARAMS",
    "RED",
    "STOPPED",
    "TABLE",
    "UNARMED",
    "UNCONFIRMED",
    "YELLOW",
    "Facts",
    "Health",
    "Line",
    "Params",
    "health",
    "is_near_cap",
    "is_past_cap",
    "is_silent",
    "is_watchdog",
    "is_watchdog_silent",
    "still_open",
    "words_for",
]
