"""The sessions that a market has to offer: all that the calendar knows, and none beyond it."""

from datetime import date

from qgtm.adapters.calendar import FIRST_YEAR, LAST_YEAR, Calendar, Session


def known_sessions(calendar: Calendar, start: date, end: date) -> tuple[Session, ...]:
    """Return the sessions from `start` to `end`; a venue simply has none where its calendar ends."""
    start, end = max(start, date(FIRST_YEAR, 1, 1)), min(end, date(LAST_YEAR, 12, 31))
    return calendar.sessions(start, end)
