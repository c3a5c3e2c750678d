"""When each series is published, and until when its last value is fresh: by the calendar, never by its age.

FRED's hours are those of the releases' own pages: H.15, H.10 and H.4.1 (federalreserve.gov, releases), the
spreads that FRED works out itself from the Treasury's yields (the same evening), Cboe's indices and ICE's the
next morning, SOFR at eight the next morning (newyorkfed.org). Days on which New York does not trade or the
agencies do not work are not waited for.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final

from qgtm.adapters import cot_calendar
from qgtm.adapters.calendar import xnys
from qgtm.adapters.cot_calendar import is_working_day
from qgtm.core.instant import NEW_YORK, aware_utc
from qgtm.core.series import SERIES, Cadence, FeedName

_DAY: Final = timedelta(days=1)
FETCH: Final = timedelta(minutes=30)  # what a vendor and a look take after a close
SENTIMENT: Final = timedelta(hours=6)
MINUTE: Final = timedelta(minutes=2)
COT_GRACE: Final = timedelta(days=1)
# These have a value on some days only: nobody can say when the next one is due.
NOW_AND_THEN: Final = frozenset(
    name for name in SERIES if name.startswith(("EVENT30_", "REDDIT_")) and not name.endswith("_COUNT")
)
BARS: Final = "daily bars"


@dataclass(frozen=True, slots=True)
class _Release:
    """Which days a series describes, on which day each is out, and at what hour in New York."""

    describes: Callable[[date], bool]
    out_on: Callable[[date], date]
    at: time
    words: str


def _is_session(day: date) -> bool:
    return xnys().session_on(day) is not None


def _is_bond_day(day: date) -> bool:
    return is_working_day(day) and _is_session(day)


def _from(day: date) -> date:
    while not is_working_day(day):
        day += _DAY
    return day


def _next_working(day: date) -> date:
    return _from(day + _DAY)


def _monday_after(day: date) -> date:
    return _from(day + timedelta(days=7 - day.weekday()))


_H15 = _Release(_is_bond_day, _next_working, time(16, 15), "next working day, 16:15")
_SPREAD = _Release(_is_bond_day, _from, time(17, 2), "the same evening, 17:02")
_CBOE = _Release(_is_session, _next_working, time(9, 36), "next working day, 9:36")
RELEASES: Final[dict[str, _Release]] = {
    **dict.fromkeys(("DFII10", "DFII5", "DGS10", "DGS2"), _H15),
    "DFF": _Release(lambda day: True, _next_working, time(16, 15), _H15.words),
    **dict.fromkeys(("T10YIE", "T5YIE", "T10Y2Y"), _SPREAD),
    **dict.fromkeys(("VIXCLS", "GVZCLS"), _CBOE),
    "BAMLH0A0HYM2": _Release(_is_bond_day, _next_working, time(9), "next working day, 9:00"),
    "SOFR": _Release(_is_bond_day, _next_working, time(8), "next working day, 8:00"),
    "DTWEXBGS": _Release(_is_bond_day, _monday_after, time(16, 15), "a week at once, Mondays 16:15"),
    "WALCL": _Release(
        lambda day: day.weekday() == 2, _next_working, time(16, 30), "of Wednesday, Thursdays 16:30"
    ),
}


def schedule(series: str) -> str:
    """Return in words when a series, or the daily bars, is published; hours are New York's."""
    if series in RELEASES:
        return RELEASES[series].words
    if series == BARS or SERIES[series].cadence is Cadence.SESSION:
        return "at each session's close"
    return "weekly, Fridays 15:30" if SERIES[series].feed is FeedName.COT else "hourly"


def is_described(series: str, day: date) -> bool:
    """Return whether a series has a value for a day: every day, each session, a weekday of the week."""
    if series in RELEASES:
        return RELEASES[series].describes(day)
    if series == BARS or SERIES[series].cadence is Cadence.SESSION:
        return _is_session(day)
    return SERIES[series].feed is not FeedName.COT or cot_calendar.described_in(day) == day


def next_described(series: str, day: date) -> date:
    """Return the first later day for which a series has a value."""
    day += _DAY
    while not is_described(series, day):
        day += _DAY
    return day


def published_at(series: str, day: date) -> datetime:
    """Return when the value that describes `day` is published, in UTC. Raises ValueError on an hourly one."""
    if series in RELEASES:
        release = RELEASES[series]
        return aware_utc(datetime.combine(release.out_on(day), release.at, NEW_YORK))
    if series == BARS or SERIES[series].cadence is Cadence.SESSION:
        session = xnys().session_on(day)
        if session is None:
            raise ValueError(f"{day} is no session, so {series} has no value for it")
        return session.close_at
    if SERIES[series].feed is FeedName.COT:
        return cot_calendar.published_at(day)
    raise ValueError(f"{series} is told by the hour, not by the day")


def fresh_until(series: str, at: datetime) -> datetime | None:
    """Return until when the value that describes `at` is fresh; None where nobody can say.

    Daily bars, and what is made at a session, until the next session has closed; a report of the CFTC until a
    day after the next is out; FRED's until one working day after the next is out; talk for six hours.
    """
    if series in NOW_AND_THEN:
        return None
    if series != BARS and SERIES[series].cadence is Cadence.HOURLY:
        return aware_utc(at) + SENTIMENT
    out_at = published_at(series, next_described(series, aware_utc(at).date()))
    if series in RELEASES:
        return _a_working_day_later(out_at)
    return out_at + (COT_GRACE if series != BARS and SERIES[series].feed is FeedName.COT else FETCH)


def _a_working_day_later(at: datetime) -> datetime:
    local = at.astimezone(NEW_YORK)
    return aware_utc(datetime.combine(_next_working(local.date()), local.time(), NEW_YORK))


def minute_fresh_until(at: datetime) -> datetime:
    """Return until when a minute bar that ended at `at` is fresh: two minutes of market hours."""
    session = xnys().session_on(aware_utc(at).date())
    if session is not None and at + MINUTE < session.close_at:
        return max(at, session.open_at) + MINUTE
    return xnys().next_session(aware_utc(at).date()).open_at + MINUTE


def newest_due(series: str, now: datetime) -> date:
    """Return the newest day whose value has been published by `now`."""
    day = aware_utc(now).date()
    while not is_described(series, day) or published_at(series, day) > now:
        day -= _DAY
    return day
