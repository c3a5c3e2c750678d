"""The sessions of the New York Stock Exchange, half days and closures included."""

import warnings
from bisect import bisect_left
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from types import MappingProxyType
from typing import Final

from qgtm.core.instant import aware_utc

# exchange_calendars takes time by the year: thirty years are ready in about 0.15 s, and the next
# thirty are made only when somebody gets there (an accelerated venue passes a year in four hours).
FIRST_YEAR: Final = 2005
LAST_YEAR: Final = 2214
_SPAN_YEARS: Final = 30


@dataclass(frozen=True, slots=True)
class Session:
    """A trading day with its regular hours, as aware UTC times."""

    day: date
    open_at: datetime
    close_at: datetime


class Calendar:
    """Sessions by day, for days from 2005 to 2214; any other day raises LookupError.

    Nothing is cut at the present day, so that a venue which runs ahead of it never runs out.
    """

    def session_on(self, day: date) -> Session | None:
        """Return the session of `day`, None when the exchange is closed all day."""
        return _by_day(_known(day.year)).get(day)

    def sessions(self, start: date, end: date) -> tuple[Session, ...]:
        """Return the sessions from `start` to `end`, both included, oldest first."""
        years = range(_known(start.year), _known(end.year) + 1) if start <= end else ()
        return tuple(session for year in years for session in _cut(_year(year), start, end))

    def next_session(self, after_day: date) -> Session:
        """Return the first session later than `after_day`."""
        found, day = None, after_day
        while found is None:
            day += timedelta(days=1)
            found = self.session_on(day)
        return found

    def previous_session(self, day: date) -> Session:
        """Return the last session earlier than `day`."""
        found = None
        while found is None:
            day -= timedelta(days=1)
            found = self.session_on(day)
        return found

    def is_open(self, at: datetime) -> bool:
        """Say whether `at` (aware) lies in regular hours: the open included, the close not."""
        at = aware_utc(at)
        session = self.session_on(at.date())  # New York's regular hours lie within one UTC day
        return session is not None and session.open_at <= at < session.close_at


@cache
def xnys() -> Calendar:
    """Return the one calendar of this process; what it has worked out is shared by all."""
    return Calendar()


def _known(year: int) -> int:
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise LookupError(
            f"the calendar knows {FIRST_YEAR} to {LAST_YEAR}, not {year}; choose a day in between"
        )
    return year


def _cut(sessions: tuple[Session, ...], start: date, end: date) -> tuple[Session, ...]:
    first = bisect_left(sessions, start, key=lambda session: session.day)
    last = bisect_left(sessions, end + timedelta(days=1), key=lambda session: session.day)
    return sessions[first:last]


@cache
def _by_day(year: int) -> MappingProxyType[date, Session]:
    return MappingProxyType({session.day: session for session in _year(year)})


@cache
def _year(year: int) -> tuple[Session, ...]:
    span = _span((year - FIRST_YEAR) // _SPAN_YEARS)
    return _cut(span, date(year, 1, 1), date(year, 12, 31))


@cache
def _span(number: int) -> tuple[Session, ...]:
    # here, not above: the import brings pandas, which a command that asks for no session need not pay
    from exchange_calendars.exchange_calendar_xnys import XNYSExchangeCalendar

    first = FIRST_YEAR + number * _SPAN_YEARS
    with warnings.catch_warnings():  # exchange_calendars 4.13 still uses what pandas 3.1 advises against
        warnings.simplefilter("ignore", DeprecationWarning)
        hours = XNYSExchangeCalendar(start=f"{first}-01-01", end=f"{first + _SPAN_YEARS - 1}-12-31")
    return tuple(
        Session(opened.date(), opened, _instant(closes))
        for opened, closes in zip(map(_instant, hours.opens_nanos), hours.closes_nanos, strict=True)
    )


def _instant(nanos: int) -> datetime:
    return datetime.fromtimestamp(int(nanos) // 1_000_000_000, UTC)
