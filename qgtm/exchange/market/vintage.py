"""FRED's series as they were known: each value with the moment of its release, revisions as further ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from qgtm.exchange.draw import uniform
from qgtm.exchange.market.holiday import is_business_day
from qgtm.exchange.market.macro import Macro
from qgtm.exchange.market.release import RELEASE_OF, is_described, published_at

SERIES: Final = tuple(RELEASE_OF)
_DAY: Final = timedelta(days=1)
_WEEK: Final = timedelta(days=7)
_BY_EXCHANGE: Final = ("VIXCLS", "GVZCLS", "BAMLH0A0HYM2")  # these keep the exchange's days, not the bonds'
# How often a value is revised with the release a week later, and by how much of itself at most.
_REVISED: Final[dict[str, tuple[float, float]]] = {"WALCL": (0.15, 0.0008), "DTWEXBGS": (0.1, 0.0006)}
_PURPOSE: Final = 33


@dataclass(frozen=True, slots=True)
class Vintage:
    """What a series says of `day` from `known_at` on; None where FRED has a row without a value."""

    day: date
    known_at: datetime
    value: float | None


class FredHistory:
    """All vintages of the fourteen series, worked out as far as somebody asks."""

    def __init__(self, macro: Macro, seed: int) -> None:
        self._macro = macro
        self._seed = seed
        self._found: dict[str, list[Vintage]] = {name: [] for name in SERIES}
        self._next = dict.fromkeys(SERIES, macro.first)

    def known(self, series: str, now: datetime) -> Sequence[Vintage]:
        """Return the vintages of a series that had been published by `now`, by day and then by release."""
        self._extend(series, now)
        found = self._found[series]
        if found and max(v.known_at for v in found[-16:]) <= now:  # what is newest is at the end
            return found
        return [vintage for vintage in found if vintage.known_at <= now]

    def _extend(self, series: str, now: datetime) -> None:
        day, today = self._next[series], now.astimezone(UTC).date()
        if day > today:
            return
        self._macro.until(now)
        while day <= today:
            if is_described(series, day):
                known_at = published_at(series, day)
                if known_at > now:
                    break
                self._add(series, day, known_at)
            day += _DAY
        self._next[series] = day

    def _add(self, series: str, day: date, known_at: datetime) -> None:
        value = self._value(series, day)
        revised = None if value is None else self._revised(series, day, value)
        if revised is None:
            self._found[series].append(Vintage(day, known_at, value))
            return
        self._found[series].append(Vintage(day, known_at, revised))
        self._found[series].append(Vintage(day, published_at(series, day + _WEEK), value))

    def _value(self, series: str, day: date) -> float | None:
        if series == "WALCL":
            assets = self._macro.assets(day)
            return None if assets is None else float(round(assets))
        row = self._macro.on(day)
        if series == "DFF":  # every day of the week: that of the last business day stands
            back = day
            while (row is None or not is_business_day(back)) and back > self._macro.first:
                back -= _DAY
                row = self._macro.on(back)
        elif series not in _BY_EXCHANGE and not is_business_day(day):
            return None
        return None if row is None else row.values[series]

    def _revised(self, series: str, day: date, value: float) -> float | None:
        """Return what was published first where it was revised later, None where it was not."""
        odds, most = _REVISED.get(series, (0.0, 0.0))
        if uniform(self._seed, _PURPOSE, len(series), day.toordinal()) >= odds:
            return None
        share = 2.0 * uniform(self._seed, _PURPOSE + 1, len(series), day.toordinal()) - 1.0
        wrong = value * (1.0 + most * share)
        first = float(round(wrong)) if series == "WALCL" else round(wrong, 4)
        return None if first == value else first
