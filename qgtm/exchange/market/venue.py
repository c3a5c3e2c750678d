"""The sessions that a market has to offer, and from when a quote is that stands in one."""

from datetime import date, datetime, timedelta
from typing import Final

from qgtm.adapters.calendar import FIRST_YEAR, LAST_YEAR, Calendar, Session
from qgtm.exchange.market.port import Market

QUOTE_KEPT: Final = timedelta(days=60)


def known_sessions(calendar: Calendar, start: date, end: date) -> tuple[Session, ...]:
    """Return the sessions from `start` to `end`; a venue simply has none where its calendar ends."""
    start, end = max(start, date(FIRST_YEAR, 1, 1)), min(end, date(LAST_YEAR, 12, 31))
    return calendar.sessions(start, end)


def quoted_at(market: Market, symbol: str, at: datetime) -> datetime:
    """Return when the newest quote of `symbol` at `at` is from: now while it trades, else its last close.

    A symbol that does not trade in a session keeps the quote of the last one in which it did; one that has
    not traded for two months keeps it from then.
    """
    today = market.session_on(at.date())
    if today is not None and today.open_at <= at and market.figures(symbol, today.day) is not None:
        return min(at, today.close_at)
    oldest = at - QUOTE_KEPT
    for session in reversed(market.sessions(oldest.date(), at.date() - timedelta(days=1))):
        if market.figures(symbol, session.day) is not None:
            return session.close_at
    return oldest
