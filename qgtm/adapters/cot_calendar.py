"""When the CFTC publishes: Fridays 15:30 in New York, later in weeks of holidays and after two shutdowns.

Sources: the Commission's release schedule (cftc.gov, MarketReports, CommitmentsofTraders); its notice of
2019-01-28, after which a report came each Tuesday and Friday; its notice of 2025-11-18, with a table.
"""

from datetime import date, datetime, time, timedelta
from functools import cache
from typing import Final

from qgtm.core.instant import NEW_YORK, aware_utc

PUBLISHED_ET: Final = time(15, 30)
TUESDAY: Final = 1
FRIDAY: Final = 4
_DAY: Final = timedelta(days=1)
_WEEK: Final = timedelta(weeks=1)
# What a report describes -> the day on which it came out, where the rule does not hold.
_LATE: Final[dict[str, str]] = {
    "2018-12-24": "2019-02-01", "2018-12-31": "2019-02-05", "2019-01-08": "2019-02-08",
    "2019-01-15": "2019-02-12", "2019-01-22": "2019-02-15", "2019-01-29": "2019-02-19",
    "2019-02-05": "2019-02-22", "2019-02-12": "2019-02-26", "2019-02-19": "2019-03-01",
    "2019-02-26": "2019-03-05",
    "2025-09-30": "2025-11-19", "2025-10-07": "2025-11-21", "2025-10-14": "2025-11-25",
    "2025-10-21": "2025-12-02", "2025-10-28": "2025-12-05", "2025-11-04": "2025-12-09",
    "2025-11-10": "2025-12-12", "2025-11-18": "2025-12-16", "2025-11-25": "2025-12-19",
    "2025-12-02": "2025-12-23", "2025-12-09": "2025-12-30", "2025-12-16": "2026-01-06",
    "2025-12-23": "2026-01-09", "2025-12-30": "2026-01-13", "2026-01-06": "2026-01-16",
    "2026-01-13": "2026-01-20",
}  # fmt: skip
LATE: Final = {date.fromisoformat(of): date.fromisoformat(out) for of, out in _LATE.items()}


def described_in(week: date) -> date:
    """Return the day that the report of a week describes: its Tuesday, the Monday where that is a holiday."""
    tuesday = week + timedelta(days=TUESDAY - week.weekday())
    return tuesday - _DAY if tuesday in _holidays(tuesday.year) else tuesday


def published_at(as_of: date) -> datetime:
    """Return when the report of a day comes out, in UTC."""
    day = LATE.get(as_of) or _usual(as_of)
    return aware_utc(datetime.combine(day, PUBLISHED_ET, NEW_YORK))


def next_publication(after: datetime) -> datetime:
    """Return the first moment later than `after` at which a report comes out."""
    first = aware_utc(after).date() - 16 * _WEEK
    moments = (published_at(described_in(first + n * _WEEK)) for n in range(20))
    return min(each for each in moments if each > after)


def newest_due(now: datetime) -> date:
    """Return the day of the newest report that should be out at `now`."""
    last = aware_utc(now).date()
    days = [described_in(last - n * _WEEK) for n in range(20)]
    return max(day for day in days if published_at(day) <= now)


def _usual(as_of: date) -> date:
    """Return the Friday of the week, the next working day where a holiday lies on Wednesday to Friday."""
    friday = as_of + timedelta(days=FRIDAY - as_of.weekday())
    if all(is_working_day(friday - n * _DAY) for n in range(3)):
        return friday
    day = friday + 3 * _DAY
    return day if is_working_day(day) else day + _DAY


def is_working_day(day: date) -> bool:
    """Return whether the agencies work on a day: a weekday that is no federal holiday."""
    return day.weekday() < 5 and day not in _holidays(day.year)


@cache
def _holidays(year: int) -> frozenset[date]:
    # here, not above: the import brings pandas, which a command that asks for no report need not pay
    from pandas.tseries.holiday import USFederalHolidayCalendar

    found = USFederalHolidayCalendar().holidays(f"{year}-01-01", f"{year}-12-31")
    return frozenset(moment.date() for moment in found.to_pydatetime())
