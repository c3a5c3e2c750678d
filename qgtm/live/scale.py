"""Whether a new bar is on the scale of those before it: a decimal point that slipped is no move."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final

from qgtm.adapters.quarantine import item_of
from qgtm.core.bar import Bar, BarSet
from qgtm.core.events import AlertRaised

FARTHEST: Final = math.e  # times the close before: no fund here, leveraged or not, went so far in a session
ALIKE: Final = 1.5  # a suspected close is borne out by the next session's within so many times of it


@dataclass
class Scale:
    """Hold each symbol's last close that was believed, and the one that was put aside."""

    _believed: dict[str, Bar] = field(default_factory=dict)
    _suspected: dict[str, tuple[date, float]] = field(default_factory=dict)
    _released: set[str] = field(default_factory=set)

    def learn(self, sets: Iterable[BarSet]) -> None:
        """Take bars that were believed before, oldest first."""
        for bars in sets:
            self._believed |= bars.bars

    def forget(self) -> None:
        """Begin anew: the vendor tells all of its history on another scale."""
        self._believed.clear()
        self._suspected.clear()

    def release(self, items: Iterable[str]) -> None:
        """Believe bars that a person has found true, by their names."""
        self._released |= set(items)

    def checked(self, bars: BarSet) -> BarSet:
        """Return the set without the bars that are off their scale; each is named in `refused`.

        It gives the same answer when it is asked again about the same session.
        """
        refused = {symbol: why for symbol, bar in bars.bars.items() if (why := self._why_not(bar))}
        taken = {symbol: bar for symbol, bar in bars.bars.items() if symbol not in refused}
        for symbol, bar in taken.items():
            last = self._believed.get(symbol)
            if last is None or bar.session >= last.session:
                self._believed[symbol] = bar
                self._suspected.pop(symbol, None)
        return replace(bars, bars=taken, refused={**bars.refused, **refused})

    def _why_not(self, bar: Bar) -> str | None:
        last = self._believed.get(bar.symbol)
        if last is None or bar.session <= last.session or _is_within(bar.close, last.close, FARTHEST):
            return None
        session, suspected = self._suspected.get(bar.symbol, (bar.session, bar.close))
        item = item_of(bar.symbol, session, suspected)
        if item in self._released and _is_within(bar.close, suspected, FARTHEST):
            return None
        if session < bar.session and _is_within(bar.close, suspected, ALIKE):
            return None  # the next session says the same
        if session <= bar.session:
            self._suspected[bar.symbol] = (bar.session, bar.close)
        return (
            f"its close of {bar.close:g} is {bar.close / last.close:.3g} times the {last.close:g} before it; "
            "it is taken once the next session bears it out, or with "
            f"`qgtm data --release {item_of(bar.symbol, bar.session, bar.close)} --reason ...`"
        )


def refusals(session: date, refused: Mapping[str, str]) -> list[AlertRaised]:
    """Return an alert for each bar of a session that was put aside."""
    return [
        AlertRaised(
            level="yellow",
            cause=f"bar {symbol}",
            text=f"The bar of {symbol} of {session} was put aside: {why}.",
        )
        for symbol, why in sorted(refused.items())
    ]


def _is_within(one: float, other: float, times: float) -> bool:
    return other / times <= one <= other * times
