"""Hold back what is far off the scale of its own series and borne out by no other: a slip is no move.

The bound is twenty robust deviations of the series' last moves (1.4826 times the median absolute move: Hampel
1974), and never less than what its kind has been seen to do. A person releases what is true after all.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final, Protocol

import numpy as np

from qgtm.adapters.lake import Window
from qgtm.adapters.quarantine import Held, Quarantine, Released, item_of_fact
from qgtm.adapters.vintage import us_of
from qgtm.core.bar import BarSet
from qgtm.core.corporate_action import CorporateAction
from qgtm.core.fact import Fact
from qgtm.core.series import SERIES, Cadence
from qgtm.features.bars import FloatArray

SIGMAS: Final = 20.0 * 1.4826
LOOK_BACK: Final = 127
LEAST_HISTORY: Final = 20
LEAST_LOG: Final = 1.0  # e times: a doubling of a volatility index is a move, ten times is a slip
LEAST_POINTS: Final = 2.5  # of percent
LEAST_FRAC: Final = 0.5
FAR_FROM_ZERO: Final = 0.02  # of the median: a logarithm of less says nothing
ADDS_UP: Final = 0.021
INDICES: Final = ("VIXCLS", "GVZCLS")
# Whole = one less another, as their publishers work it out: each bears the other out.
SUMS: Final = (("T10Y2Y", "DGS10", "DGS2"), ("T10YIE", "DGS10", "DFII10"))


class Known(Protocol):
    """The store that is behind the screen."""

    def window(self, series: str, now: datetime, n: int) -> Window:
        """Return the newest values that were known at a moment."""
        ...

    def append(self, facts: Sequence[Fact]) -> int:
        """Keep the facts that say something new; return how many did. Raises FeedError."""
        ...

    def append_bars(self, sets: Sequence[BarSet], now: datetime) -> int:
        """Keep the raw bars that say something new. Raises FeedError."""
        ...

    def append_actions(self, actions: Sequence[CorporateAction]) -> int:
        """Keep the splits and dividends that say something new. Raises FeedError."""
        ...


class ScreenedStore:
    """Append facts to a store, but for those that have to wait for a person.

    What was released meanwhile goes in with the next facts, known from then on. Raises FeedError.
    """

    def __init__(
        self,
        store: Known,
        quarantine: Quarantine,
        releases: Released,
        now: Callable[[], datetime],
        say: Callable[[str], None],
    ) -> None:
        self._store = store
        self._quarantine = quarantine
        self._releases = releases
        self._now = now
        self._say = say

    def append(self, facts: Sequence[Fact]) -> int:
        """Keep the facts that say something new and are on their scale; return how many did."""
        released, before = self._releases.items(), self._quarantine.held()
        back = [self._from_now(each.fact) for each in before if each.item in released]
        waiting = {each.item: each for each in before if each.item not in released}
        taken, held = screened([*back, *facts], released, self._store)
        new = self._store.append(taken)
        fresh = {each.item: each for each in held}
        if back or fresh.keys() - waiting.keys():
            self._quarantine.keep((waiting | fresh).values())
        for item in fresh.keys() - waiting.keys():
            self._say(f"{fresh[item].why}. It waits: `qgtm data --release {item} --reason ...` takes it.")
        return new

    def append_bars(self, sets: Sequence[BarSet], now: datetime) -> int:
        """Keep raw bars; whoever decides on bars judges their scale, and the audit does."""
        return self._store.append_bars(sets, now)

    def append_actions(self, actions: Sequence[CorporateAction]) -> int:
        """Keep splits and dividends."""
        return self._store.append_actions(actions)

    def _from_now(self, fact: Fact) -> Fact:
        return replace(fact, known_at=max(fact.known_at, self._now()))


def screened(facts: Sequence[Fact], released: frozenset[str], store: Known) -> tuple[list[Fact], list[Held]]:
    """Return the facts that may be used, and those that have to wait, with the reason."""
    by_series: dict[str, list[Fact]] = {}
    for fact in facts:
        by_series.setdefault(fact.series, []).append(fact)
    days = {(fact.series, fact.at): fact.value for fact in facts}
    held = [
        each
        for name, given in by_series.items()
        if _is_judged(name)
        for each in _off(name, given, released, store, days)
    ]
    waiting = {id(each.fact) for each in held}
    return [fact for fact in facts if id(fact) not in waiting], held


def _is_judged(name: str) -> bool:
    series = SERIES.get(name)
    return series is not None and series.cadence is not Cadence.HOURLY and series.unit != "log return"


def _off(
    name: str,
    given: Sequence[Fact],
    released: frozenset[str],
    store: Known,
    days: dict[tuple[str, datetime], float],
) -> Iterator[Held]:
    ordered = sorted(given, key=lambda fact: (fact.at, fact.known_at))
    window = store.window(name, max(fact.known_at for fact in given), 10**9)
    moments = window.described.astype(np.int64)
    before = int(np.searchsorted(moments, us_of(ordered[0].at)))
    history = window.values[max(0, before - LOOK_BACK) : before].tolist()
    known = dict(zip(moments[before:].tolist(), window.values[before:].tolist(), strict=True))
    last_us = 0
    for fact in ordered:
        at_us = us_of(fact.at)
        is_old = known.get(at_us) == fact.value
        is_free = is_old or item_of_fact(fact) in released or _adds_up(fact, days)
        if not is_free and (why := why_off(name, fact.value, np.array(history))):
            yield Held(fact, f"{name} of {fact.at:%Y-%m-%d} is {fact.value:g}, {why}")
            continue
        if at_us == last_us:
            history[-1] = fact.value
        else:
            history = [*history[-LOOK_BACK + 1 :], fact.value]
        last_us = at_us


def why_off(name: str, value: float, history: FloatArray) -> str:
    """Return why a value is off the scale of those before it; empty when it is not, or when they are few."""
    if len(history) < LEAST_HISTORY:
        return ""
    least_level = FAR_FROM_ZERO * float(np.median(history))
    is_rate = SERIES[name].unit == "percent" and name not in INDICES  # these move by points, and below zero
    is_log = not is_rate and bool((history > max(0.0, least_level)).all())
    last = float(history[-1])
    if is_log and value <= 0:
        return f"and all before it lie above zero, {last:g} the last"
    moves = np.diff(np.log(history)) if is_log else np.diff(history)
    move = float(np.log(value / last)) if is_log else value - last
    least = LEAST_LOG if is_log else LEAST_POINTS if SERIES[name].unit == "percent" else LEAST_FRAC
    if abs(move) <= max(SIGMAS * float(np.median(np.abs(moves))), least):
        return ""
    told = f"{value / last:.3g} times" if is_log else f"{move:+.3g} from"
    return f"{told} the {last:g} before it"


def _adds_up(fact: Fact, days: dict[tuple[str, datetime], float]) -> bool:
    """Return whether other series of that day bear a value out."""
    for names in SUMS:
        values = [days.get((name, fact.at)) for name in names]
        if fact.series in names and None not in values:
            whole, one, less = (float(value) for value in values if value is not None)
            return abs(whole - one + less) <= ADDS_UP
    return False
