"""The venue's day: regular, extended and overnight hours, and the cut-offs for auction orders."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal, Protocol
from zoneinfo import ZoneInfo

from qgtm.exchange.market.port import Session

NEW_YORK = ZoneInfo("America/New_York")
Phase = Literal["overnight", "pre", "regular", "after", "closed"]


class SessionSource(Protocol):
    """The part of a market that knows its sessions."""

    def sessions(self, start: date, end: date) -> Sequence[Session]:
        """Return the sessions from `start` to `end`, both included."""
        ...


@dataclass(frozen=True, slots=True)
class Hours:
    """One session with every boundary that an order rule needs, all aware UTC.

    `overnight_at` is 20:00 New York on the calendar day before; from `refuse_from_at` (the
    close) to `queue_at` (19:00) an order for the regular session is refused.
    """

    day: date
    overnight_at: datetime
    pre_at: datetime
    opg_cutoff_at: datetime
    open_at: datetime
    cls_cutoff_at: datetime
    close_at: datetime
    queue_at: datetime
    after_end_at: datetime

    def phase(self, at: datetime) -> Phase:
        """Return which part of the trading day a moment lies in."""
        if self.open_at <= at < self.close_at:
            return "regular"
        if self.pre_at <= at < self.open_at:
            return "pre"
        if self.close_at <= at < self.after_end_at:
            return "after"
        return "overnight" if self.overnight_at <= at < self.pre_at else "closed"


def new_york(day: date, hour: int, minute: int = 0) -> datetime:
    """Return a New York wall-clock time of `day` as aware UTC."""
    local = datetime.combine(day, time(hour, minute), NEW_YORK)
    return local.astimezone(UTC)


def hours_of(session: Session) -> Hours:
    """Return a session with all its boundaries."""
    day = session.day
    return Hours(
        day=day,
        overnight_at=new_york(day - timedelta(days=1), 20),
        pre_at=new_york(day, 4),
        opg_cutoff_at=session.open_at - timedelta(minutes=2),
        open_at=session.open_at,
        cls_cutoff_at=session.close_at - timedelta(minutes=10),
        close_at=session.close_at,
        queue_at=new_york(day, 19),
        after_end_at=new_york(day, 20),
    )


class Calendar:
    """The sessions around any moment, read from the market a year at a time."""

    def __init__(self, source: SessionSource) -> None:
        self._source = source
        self._hours: list[Hours] = []
        self._ends: list[datetime] = []
        self._first_year = 0
        self._last_year = -1
        self._near: Hours | None = None
        self._near_from = datetime.max.replace(tzinfo=UTC)
        self._before: dict[date, Hours] = {}

    def current(self, at: datetime) -> Hours:
        """Return the first session whose after-hours end later than `at`.

        Raises `LookupError` when the market knows no session in the ten years after `at`.
        """
        if self._near is not None and self._near_from <= at < self._near.after_end_at:
            return self._near
        index = self.index(at)
        found = self.by_index(index)
        self._near, self._near_from = found, self._ends[index - 1] if index else at
        return found

    def index(self, at: datetime) -> int:
        """Return the place of the session that is current at `at`."""
        self._cover(at.year)
        for year in range(at.year, at.year + 11):
            self._cover(year)
            found = bisect_right(self._ends, at)
            if found < len(self._ends):
                return found
        raise LookupError(f"the market has no session after {at:%Y-%m-%d}; choose an earlier start")

    def by_index(self, index: int) -> Hours:
        """Return the session at a place, reading further years as needed."""
        while index >= len(self._hours):
            before = len(self._hours)
            self._cover(self._last_year + 1)
            if len(self._hours) == before and self._last_year > self._first_year + 200:
                raise LookupError("the market has no further session; choose an earlier start")
        return self._hours[index]

    def after(self, hours: Hours) -> Hours:
        """Return the session that follows."""
        return self.by_index(self.index(hours.after_end_at))

    def on(self, day: date) -> Hours | None:
        """Return the session of a day, None when there is none."""
        self._cover(day.year)
        index = bisect_right(self._ends, new_york(day, 12))
        found = self._hours[index] if index < len(self._hours) else None
        return found if found is not None and found.day == day else None

    def before(self, day: date) -> Hours | None:
        """Return the last session earlier than `day`, None at the beginning of all."""
        known = self._before.get(day)
        if known is not None:
            return known
        self._cover((day - timedelta(days=10)).year)
        self._cover(day.year)
        index = bisect_right(self._ends, new_york(day, 0)) - 1
        if index < 0:
            return None
        return self._before.setdefault(day, self._hours[index])

    def between(self, start: date, end: date) -> list[Hours]:
        """Return the sessions from `start` to `end`, both included."""
        for year in range(start.year, end.year + 1):
            self._cover(year)
        return [h for h in self._hours if start <= h.day <= end]

    def phase(self, at: datetime) -> Phase:
        """Return which part of the trading day a moment lies in."""
        return self.current(at).phase(at)

    def _cover(self, year: int) -> None:
        if self._first_year <= year <= self._last_year:
            return
        if not self._hours and self._last_year < 0:
            self._first_year, self._last_year = year, year - 1
        while self._last_year < year:
            self._last_year += 1
            self._hours.extend(self._year(self._last_year))
        while self._first_year > year:
            self._first_year -= 1
            self._hours[:0] = self._year(self._first_year)
        self._ends = [h.after_end_at for h in self._hours]

    def _year(self, year: int) -> list[Hours]:
        sessions = self._source.sessions(date(year, 1, 1), date(year, 12, 31))
        return [hours_of(session) for session in sessions]
