"""A daily bar that refuses nonsense: corrupt data is worse than no data."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from qgtm.core.errors import BarError
from qgtm.core.instant import aware_utc


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One symbol's session: prices in dollars, volume in shares, known from `known_at` on."""

    symbol: str
    session: date
    known_at: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float

    def __post_init__(self) -> None:
        problem = nonsense(self.open, self.high, self.low, self.close, self.volume)
        if problem:
            raise BarError(f"{self.symbol} {self.session}: {problem}; the bar is refused")
        if aware_utc(self.known_at).date() < self.session:
            raise BarError(f"{self.symbol} {self.session}: known at {self.known_at}, before its session")


def nonsense(open_: float, high: float, low: float, close: float, volume: float) -> str | None:
    """Return why these figures can be no bar, None when they can."""
    if 0 < low <= open_ <= high < math.inf and low <= close <= high and 0 <= volume < math.inf:
        return None  # what is mostly so, in one look; nothing that is no number gets past it
    if not all(map(math.isfinite, (open_, high, low, close, volume))):
        return "a price or the volume is not a finite number"
    if low <= 0:
        return f"the low {low} is not above zero"
    if high < low:
        return f"the high {high} is below the low {low}"
    if not (low <= open_ <= high and low <= close <= high):
        return f"open {open_} or close {close} lies outside low {low} to high {high}"
    return f"the volume {volume} is negative" if volume < 0 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class BarSet:
    """All bars of one session, by symbol; a symbol that is missing has no bar that session.

    `refused` names the symbols whose bar was nonsense, with the reason.
    """

    session: date
    known_at: datetime
    bars: Mapping[str, Bar]
    refused: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for symbol, bar in self.bars.items():
            if bar.symbol != symbol or bar.session != self.session:
                raise BarError(f"{symbol} {self.session}: holds the bar of {bar.symbol} {bar.session}")


def refuse_future(bars: BarSet, now: datetime) -> BarSet:
    """Return `bars`; raise BarError when they are stamped after `now`."""
    late = [bar for bar in bars.bars.values() if bar.known_at > now]
    if bars.known_at > now or late:
        what = late[0].symbol if late else "the set"
        raise BarError(f"{what} {bars.session}: known only at {bars.known_at}, and it is {now}; refused")
    return bars
