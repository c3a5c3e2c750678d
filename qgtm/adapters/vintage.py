"""All that was ever known of one name, in the order in which it became known: two times, no overwriting."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final, Self

import numpy as np

from qgtm.core.instant import aware_utc
from qgtm.features.bars import FloatArray, IntArray

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TICK: Final = timedelta(microseconds=1)
DAY_US: Final = 86_400_000_000
EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()


def us_of(at: datetime) -> int:
    """Return a moment as whole microseconds since 1970 in UTC."""
    return (aware_utc(at) - _EPOCH) // _TICK


def instant_of(us: int) -> datetime:
    """Return the moment of `us_of`."""
    return _EPOCH + timedelta(microseconds=int(us))


def us_of_day(day: date) -> int:
    """Return a day's midnight in UTC, in microseconds."""
    return (day.toordinal() - EPOCH_ORDINAL) * DAY_US


def ordinals(described: IntArray) -> IntArray:
    """Return the UTC days of moments in microseconds, as `date.toordinal` counts them."""
    days: IntArray = described // DAY_US + EPOCH_ORDINAL
    return days


@dataclass(frozen=True, eq=False, slots=True)
class Vintages:
    """Rows by the time at which they became known, then by the order of writing.

    `described` and `known` are (n,) int64 microseconds in UTC, `values` is (n, k) float64.
    """

    described: IntArray
    known: IntArray
    values: FloatArray

    @classmethod
    def empty(cls, width: int) -> Self:
        """Return no rows of `width` values each."""
        return cls(np.empty(0, np.int64), np.empty(0, np.int64), np.empty((0, width)))

    def __len__(self) -> int:
        return len(self.known)

    def merged(self, later: "Vintages") -> "Vintages":
        """Return these rows and rows that were written after them."""
        known = np.concatenate([self.known, later.known])
        order = np.argsort(known, kind="stable")
        return Vintages(
            np.concatenate([self.described, later.described])[order],
            known[order],
            np.concatenate([self.values, later.values])[order],
        )

    def taken(self, rows: IntArray | slice) -> "Vintages":
        """Return some of the rows."""
        return Vintages(self.described[rows], self.known[rows], self.values[rows])

    def newest(self, now_us: int) -> "Vintages":
        """Return, by what is described, the one row of each that was known last at a moment."""
        until = int(np.searchsorted(self.known, now_us, side="right"))
        order = np.argsort(self.described[:until], kind="stable")
        days = self.described[order]
        is_last = np.append(days[1:] != days[:-1], np.ones(min(1, until), dtype=bool))
        return self.taken(order[is_last])

    def as_of(self, moments_us: IntArray) -> IntArray:
        """Return, for each moment, the row of what describes the latest time then known; -1 for none.

        A row that revises an earlier time than the latest is no news to this question.
        """
        if not len(self):
            return np.full(len(moments_us), -1, dtype=np.int64)
        is_latest = self.described == np.maximum.accumulate(self.described)
        newest = np.maximum.accumulate(np.where(is_latest, np.arange(len(self)), -1))
        place = np.searchsorted(self.known, moments_us, side="right") - 1
        return np.where(place >= 0, newest[np.maximum(place, 0)], -1)

    def news(self, given: "Vintages") -> IntArray:
        """Return which of the given rows say something new, in the order of `given`.

        A row that repeats what was known of the same time just before it says nothing.
        """
        both = Vintages(*(np.concatenate(pair) for pair in zip(_parts(self), _parts(given), strict=True)))
        order = np.lexsort((np.arange(len(both)), both.known, both.described))
        described, values = both.described[order], both.values[order]
        repeats = np.zeros(len(both), dtype=bool)
        repeats[1:] = (described[1:] == described[:-1]) & (values[1:] == values[:-1]).all(axis=1)
        kept = order[~repeats]
        return np.sort(kept[kept >= len(self)]) - len(self)


def _parts(rows: Vintages) -> tuple[IntArray, IntArray, FloatArray]:
    return rows.described, rows.known, rows.values
