"""When options and futures end: calendar risks, and dates to read, not to trade by.

Sources: monthly options on funds end on the third Friday (theocc.com, expiration calendar), on the session
before where that is a holiday. Gold and silver futures: first notice is the last business day of the month
before delivery (CME rulebook, chapters 113 and 112); positions roll in the weeks before it.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final

from qgtm.adapters.calendar import xnys

_DAY: Final = timedelta(days=1)
FRIDAY: Final = 4
# Metal -> the months of delivery in which it is held most.
ACTIVE_MONTHS: Final[dict[str, tuple[int, ...]]] = {
    "gold": (2, 4, 6, 8, 10, 12),
    "silver": (3, 5, 7, 9, 12),
}


def option_expiry(year: int, month: int) -> date:
    """Return the last day of a month's options: the third Friday, or the session before it."""
    first = date(year, month, 1)
    friday = first + timedelta(days=(FRIDAY - first.weekday()) % 7 + 14)
    return xnys().previous_session(friday + _DAY).day


def first_notice(year: int, month: int) -> date:
    """Return the first notice day of a delivery month: the last session before it."""
    return xnys().previous_session(date(year, month, 1)).day


def expiries(start: date, end: date) -> tuple[date, ...]:
    """Return the ends of monthly options from `start` to `end`, both included."""
    days = (option_expiry(*each) for each in _months(start, end))
    return tuple(day for day in days if start <= day <= end)


def notices(metal: str, start: date, end: date) -> tuple[date, ...]:
    """Return a metal's first notice days from `start` to `end`. Raises KeyError for another metal."""
    after = _months(start, end + timedelta(days=31))
    days = (first_notice(year, month) for year, month in after if month in ACTIVE_MONTHS[metal])
    return tuple(day for day in days if start <= day <= end)


def _months(start: date, end: date) -> Iterator[tuple[int, int]]:
    for number in range(12 * start.year + start.month - 1, 12 * end.year + end.month):
        yield number // 12, number % 12 + 1
