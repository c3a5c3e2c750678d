"""The federal holidays of the United States, and the business days of those who publish."""

from datetime import date, timedelta
from functools import cache
from typing import Final

_DAY: Final = timedelta(days=1)
_SINCE_JUNETEENTH: Final = 2021


@cache
def federal_holidays(year: int) -> frozenset[date]:
    """Return the federal holidays that are kept in a year (5 U.S.C. 6103), Sundays moved to Monday.

    A holiday on a Saturday is kept on the Friday before, which may be the last day of the year before.
    """
    fixed = [date(year, 1, 1), date(year, 7, 4), date(year, 11, 11), date(year, 12, 25), date(year + 1, 1, 1)]
    fixed += [date(year, 6, 19)] if year >= _SINCE_JUNETEENTH else []
    moving = [_nth(year, 1, 0, 3), _nth(year, 2, 0, 3), _last_monday_of_may(year)]
    moving += [_nth(year, 9, 0, 1), _nth(year, 10, 0, 2), _nth(year, 11, 3, 4)]
    return frozenset(day for day in (*map(_kept, fixed), *moving) if day.year == year)


def is_business_day(day: date) -> bool:
    """Say whether the government works on a day."""
    return day.weekday() < 5 and day not in federal_holidays(day.year)


def business_day_after(day: date, count: int = 1) -> date:
    """Return the `count`-th business day after `day`."""
    while count:
        day += _DAY
        count -= is_business_day(day)
    return day


def _nth(year: int, month: int, weekday: int, number: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (number - 1))


def _last_monday_of_may(year: int) -> date:
    return date(year, 5, 31) - timedelta(days=date(year, 5, 31).weekday())


def _kept(day: date) -> date:
    return day - _DAY if day.weekday() == 5 else day + _DAY if day.weekday() == 6 else day
