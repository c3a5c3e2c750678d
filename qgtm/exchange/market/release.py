"""When each number is published: the vendors' own timetables, holiday weeks included."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from typing import Final

from qgtm.exchange.hours import new_york
from qgtm.exchange.market.holiday import business_day_after, is_business_day

_DAY: Final = timedelta(days=1)
_WEDNESDAY: Final = 2


@dataclass(frozen=True, slots=True)
class Release:
    """A release of FRED: its number and name there, where it comes from, and the hour in New York."""

    number: int
    name: str
    link: str
    hour: int
    minute: int


RELEASES: Final[dict[int, Release]] = {
    release.number: release
    for release in (
        Release(10, "Consumer Price Index", "http://www.bls.gov/cpi/", 8, 30),
        Release(17, "H.10 Foreign Exchange Rates", "http://www.federalreserve.gov/releases/h10/", 16, 15),
        Release(18, "H.15 Selected Interest Rates", "http://www.federalreserve.gov/releases/h15/", 16, 15),
        Release(20, "H.4.1 Factors Affecting Reserve Balances", "http://www.federalreserve.gov/h41/", 16, 30),
        Release(50, "Employment Situation", "http://www.bls.gov/ces/", 8, 30),
        Release(101, "FOMC Press Release", "http://www.federalreserve.gov/fomc/", 14, 0),
        Release(200, "CBOE Market Statistics", "http://www.cboe.com/", 9, 36),
        Release(209, "ICE BofA Indices", "https://www.theice.com/market-data/indices", 9, 0),
        Release(304, "Interest Rate Spreads", "https://fred.stlouisfed.org/", 17, 2),
        Release(445, "Secured Overnight Financing Rate Data", "https://apps.newyorkfed.org/", 8, 0),
    )
}
RELEASE_OF: Final[dict[str, int]] = {
    **dict.fromkeys(("DFII10", "DFII5", "DGS10", "DGS2", "DFF"), 18),
    **dict.fromkeys(("T10YIE", "T5YIE", "T10Y2Y"), 304),
    **dict.fromkeys(("VIXCLS", "GVZCLS"), 200),
    "DTWEXBGS": 17,
    "SOFR": 445,
    "WALCL": 20,
    "BAMLH0A0HYM2": 209,
}


def published_at(series: str, day: date) -> datetime:
    """Return when the value that a FRED series has for `day` is first published, aware UTC."""
    release = RELEASES[RELEASE_OF[series]]
    return new_york(_published_on(release.number, day), release.hour, release.minute)


def _published_on(number: int, day: date) -> date:
    if number == 17:  # a week at once, on the Monday after it
        return _business_day_from(day + timedelta(days=7 - day.weekday()))
    if number == 20:  # as of Wednesday, on Thursday
        return _business_day_from(day + _DAY)
    if number == 304:  # worked out the same evening
        return _business_day_from(day)
    return business_day_after(day)


def _business_day_from(day: date) -> date:
    return day if is_business_day(day) else business_day_after(day)


def cot_as_of(week: date) -> date:
    """Return the day that the report of a week describes: Tuesday, Monday where that is a holiday."""
    tuesday = week + timedelta(days=1 - week.weekday())
    return tuesday if is_business_day(tuesday) else tuesday - _DAY


def cot_published_at(as_of: date) -> datetime:
    """Return when a report of the CFTC comes out: Friday 15:30 New York.

    It comes on the next Monday when a federal holiday lies between Wednesday and Friday, as the
    Commission's release schedule of 2026 has it.
    """
    wednesday = as_of + timedelta(days=_WEDNESDAY - as_of.weekday())
    friday = wednesday + 2 * _DAY
    is_late = not all(is_business_day(wednesday + n * _DAY) for n in range(3))
    return new_york(business_day_after(friday) if is_late else friday, 15, 30)


# Month and which Wednesday of it; the meetings have kept to this pattern, a week more or less, since 2015.
_MEETINGS: Final = ((1, -1), (3, 3), (5, 1), (6, 2), (7, -1), (9, 3), (11, 1), (12, 2))


@cache
def fomc_days(year: int) -> tuple[date, ...]:
    """Return the eight days of a year on which the committee's decision is told."""
    return tuple(_wednesday(year, month, which) for month, which in _MEETINGS)


def _wednesday(year: int, month: int, which: int) -> date:
    first = date(year, month, 1)
    first += timedelta(days=(_WEDNESDAY - first.weekday()) % 7)
    if which > 0:
        return first + timedelta(weeks=which - 1)
    return max(day for day in (first + timedelta(weeks=n) for n in range(5)) if day.month == month)


@cache
def employment_days(year: int) -> tuple[date, ...]:
    """Return the days of the employment reports: the third Friday after the week of the 12th before."""
    return tuple(_employment(year, month) for month in range(1, 13))


def _employment(year: int, month: int) -> date:
    last = date(year, month, 1) - _DAY
    twelfth = date(last.year, last.month, 12)
    saturday = twelfth + timedelta(days=(5 - twelfth.weekday()) % 7)
    friday = saturday + timedelta(days=20)
    if friday.month != month:  # the reference week was early: the report waits for the new month
        friday += timedelta(weeks=1)
    return friday if is_business_day(friday) else friday - _DAY


@cache
def price_index_days(year: int) -> tuple[date, ...]:
    """Return the days of the consumer price index: the ninth business day of each month."""
    return tuple(business_day_after(date(year, month, 1) - _DAY, 9) for month in range(1, 13))


def event_days(number: int, year: int) -> tuple[date, ...]:
    """Return the days in a year on which a release comes out."""
    if number in _EVENTS:
        return _EVENTS[number](year)
    series = next(name for name, known in RELEASE_OF.items() if known == number)
    days = {published_at(series, day).date() for day in _described(series, year)}
    return tuple(sorted(day for day in days if day.year == year))


_EVENTS: Final[dict[int, Callable[[int], tuple[date, ...]]]] = {
    10: price_index_days,
    50: employment_days,
    101: fomc_days,
}


def _described(series: str, year: int) -> Iterator[date]:
    day = date(year - 1, 12, 15)
    while day.year <= year:
        if is_described(series, day):
            yield day
        day += _DAY


def is_described(series: str, day: date) -> bool:
    """Say whether a FRED series has a row for a day: weekdays, all seven for DFF, Wednesdays for WALCL."""
    if series == "WALCL":
        return day.weekday() == _WEDNESDAY
    return series == "DFF" or day.weekday() < 5
