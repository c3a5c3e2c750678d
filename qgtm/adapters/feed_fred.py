"""What the economy does: FRED's series with every vintage of ALFRED, and when its releases come.

A vintage is a day, not a moment: `realtime_start` is the day on which FRED first showed a value, and says
nothing of the hour. So a value counts as known from the end of that day in St. Louis on, always too late and
never too early: what came out at eight in the morning is used a session later, in a backtest and live alike.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from qgtm.adapters.feed_form import (
    Row,
    Taken,
    day_of,
    known_only,
    number_of,
    refuse,
    row_of,
    rows_of,
    same,
    start_of,
    text_of,
    value_of,
)
from qgtm.adapters.fetch import Fetcher
from qgtm.core.errors import FeedError
from qgtm.core.fact import Fact
from qgtm.core.instant import NEW_YORK, aware_utc
from qgtm.core.series import FRED_WORDS

ST_LOUIS: Final = ZoneInfo("America/Chicago")
OBSERVATIONS: Final = "/fred/series/observations"
SERIES_PATH: Final = "/fred/series"
VINTAGES: Final = "/fred/series/vintagedates"
RELEASE_DATES: Final = "/fred/release/dates"
MOST_ROWS: Final = 100_000
AGAIN: Final = timedelta(days=10)  # of vintages: a day that FRED was late with, or we were
BACK: Final = timedelta(days=120)  # of observations that a new vintage may revise
WINDOW_YEARS: Final = 4  # FRED gives at most 2000 vintages at a time; a daily series has 260 a year
FAR: Final = "9999-12-31"
NO_VALUE: Final = "."
CPI, EMPLOYMENT = 10, 50
RELEASED_ET: Final = time(8, 30)
FIELDS: Final = ("realtime_start", "realtime_end", "date", "value")
HEAD: Final = (
    "realtime_start", "realtime_end", "observation_start", "observation_end", "units", "output_type",
    "file_type", "order_by", "sort_order", "count", "offset", "limit", "observations",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kind:
    """What a series is at FRED: its unit, and between which values it can be believed."""

    units: str
    least: float
    most: float


_YIELD = Kind("Percent", -10.0, 30.0)
_INDEX = Kind("Index", 3.0, 300.0)
KINDS: Final[dict[str, Kind]] = {
    **dict.fromkeys(FRED_WORDS, _YIELD),
    "DTWEXBGS": Kind("Index Jan 2006=100", 30.0, 400.0),
    "VIXCLS": _INDEX,
    "GVZCLS": _INDEX,
    "WALCL": Kind("Millions of U.S. Dollars", 100_000.0, 100_000_000.0),
    "BAMLH0A0HYM2": Kind("Percent", 0.5, 50.0),
}


class FredFeed:
    """The 14 series and the release dates; for one thread."""

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher

    def fetch(self, series: str, since: date, now: datetime, *, is_back_fill: bool = False) -> Taken:
        """Return a series' values that first showed, or were revised, from `since` on.

        A back-fill returns every vintage of the observations from `since` on. Raises FeedError.
        """
        self._refuse_other_unit(series)
        today = aware_utc(now).astimezone(ST_LOUIS).date()
        if is_back_fill:
            first = self._first_vintage(series)  # FRED refuses a time before it, as if there were no series
            return Taken(tuple(self._vintages(series, max(since, first), since, today)))
        start = min(since, today) - AGAIN
        return Taken(tuple(self._vintages(series, start, start - BACK, today)))

    def release_days(self, release_id: int, since: date, until: date) -> tuple[date, ...]:
        """Return the days of a release, those to come included. Raises FeedError."""
        where = f"fred {RELEASE_DATES} {release_id}"
        asked = {
            "release_id": release_id,
            "file_type": "json",
            "realtime_start": since.isoformat(),
            "realtime_end": FAR,
            "include_release_dates_with_no_data": "true",
            "sort_order": "asc",
            "limit": 10_000,
        }
        body = row_of(self._fetcher.fetch_json(RELEASE_DATES, asked), where)
        days = {
            _release_day(row, release_id, where)
            for row in rows_of(value_of(body, "release_dates", where), where)
        }
        return tuple(sorted(day for day in days if since <= day <= until))

    def _refuse_other_unit(self, series: str) -> None:
        where = f"fred {series}"
        body = row_of(
            self._fetcher.fetch_json(SERIES_PATH, {"series_id": series, "file_type": "json"}), where
        )
        rows = rows_of(value_of(body, "seriess", where), where)
        if len(rows) != 1:
            refuse(where, f"the field seriess has {len(rows)} series where one belongs")
        row = row_of(rows[0], where)
        same(row, "id", series, where)
        same(row, "units", KINDS[series].units, where)

    def _first_vintage(self, series: str) -> date:
        where = f"fred {series}"
        asked = {"series_id": series, "file_type": "json", "sort_order": "asc", "limit": 1}
        body = row_of(self._fetcher.fetch_json(VINTAGES, asked), where)
        days = rows_of(value_of(body, "vintage_dates", where), where)
        if not days:
            refuse(where, "the field vintage_dates is empty")
        return day_of({"vintage_dates": days[0]}, "vintage_dates", where)

    def _vintages(self, series: str, start: date, observed_from: date, today: date) -> Iterator[Fact]:
        """Yield values by their first day, in windows that FRED can give.

        FRED cuts each period at the window, so whatever begins on a window's first day may have begun
        earlier. The window before has it; of the first window it is taken as known from that day on, for
        observations that are not older.
        """
        first = start
        while first <= today:
            last = min(date(first.year + WINDOW_YEARS, 1, 1) - timedelta(days=1), today)
            asked_from = first - timedelta(days=1)
            rows = self._rows(series, asked_from, last, observed_from)
            yield from (fact for row in rows if (fact := _fact_of(series, row, after=asked_from)) is not None)
            first = last + timedelta(days=1)

    def _rows(self, series: str, first: date, last: date, observed_from: date) -> Sequence[Any]:
        where = f"fred {series}"
        asked = {
            "series_id": series,
            "file_type": "json",
            "realtime_start": first.isoformat(),
            "realtime_end": last.isoformat(),
            "observation_start": observed_from.isoformat(),
            "output_type": 1,
            "units": "lin",
            "sort_order": "asc",
            "limit": MOST_ROWS,
        }
        body = row_of(self._fetcher.fetch_json(OBSERVATIONS, asked), where)
        return rows_of_reply(body, where)


def rows_of_reply(body: Row, where: str) -> Sequence[Any]:
    """Return the observations of a reply whose head is as we know it. Raises FeedError."""
    known_only(body, HEAD, where)
    same(body, "units", "lin", where)
    rows = rows_of(value_of(body, "observations", where), where)
    count = number_of(body, "count", where, 0, 10 * MOST_ROWS)
    if count != len(rows):
        refuse(
            where,
            f"the field count says {count:g}, and there are {len(rows)} observations: the rest is missing",
        )
    return rows


def _fact_of(series: str, given: object, after: date) -> Fact | None:
    """Return an observation's fact, None for no value and for a period that began before the window."""
    where = f"fred {series}"
    row = known_only(row_of(given, where), FIELDS, where)
    day, vintage = day_of(row, "date", where), day_of(row, "realtime_start", where)
    if text_of(row, "value", where) == NO_VALUE or vintage <= after:
        return None
    where = f"fred {series} {day}"
    kind = KINDS[series]
    value = number_of(row, "value", where, kind.least, kind.most)
    if vintage < day:
        refuse(where, f"the field realtime_start is {vintage}, before the day that is described")
    return Fact(series, aware_utc(start_of(day)), known_from(vintage), value)


def known_from(vintage: date) -> datetime:
    """Return the end of a vintage's day in St. Louis, in UTC: by then it was there, whatever the hour."""
    return aware_utc(datetime.combine(vintage + timedelta(days=1), time(), ST_LOUIS))


def released_at(day: date) -> datetime:
    """Return when consumer prices and employment come out on their day: 8:30 in New York."""
    return aware_utc(datetime.combine(day, RELEASED_ET, NEW_YORK))


def _release_day(given: object, release_id: int, where: str) -> date:
    row = row_of(given, where)
    if value_of(row, "release_id", where) != release_id:
        raise FeedError(f"{where}: the field release_id is {row['release_id']!r:.20}, of another release.")
    return day_of(row, "date", where)
