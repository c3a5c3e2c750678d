"""Daily bars as they were traded, and the splits and dividends beside them: prices come from both."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Final

from qgtm.adapters.alpaca_parse import instant_or_none
from qgtm.adapters.alpaca_price import bar_or_reason
from qgtm.adapters.calendar import Session
from qgtm.adapters.feed_form import Row, Taken, refuse, row_of, rows_of, text_of, value_of
from qgtm.adapters.feed_minutes import BARS, PAGE, Action, MinuteFeed, Sessions, pages
from qgtm.adapters.fetch import Fetcher
from qgtm.core.bar import Bar, BarSet
from qgtm.core.corporate_action import ActionKind, CorporateAction
from qgtm.core.instant import NEW_YORK, aware_utc, new_york_day
from qgtm.core.universe import SYMBOLS

AHEAD: Final = timedelta(days=30)  # a split is announced weeks before its day


class DailyFeed:
    """Raw bars of finished sessions and corporate actions; for one thread. `minutes` lists the actions."""

    def __init__(self, fetcher: Fetcher, sessions: Sessions, minutes: MinuteFeed, feed: str) -> None:
        self._fetcher = fetcher
        self._sessions = sessions
        self._minutes = minutes
        self._feed = feed

    def fetch(self, since: date, now: datetime, *, is_back_fill: bool = False) -> Taken:
        """Return the bars of sessions that have closed, and the actions until some weeks ahead.

        A bar is known from its session's close on; an action from now on, or in a back-fill from its ex-day
        on, since nobody tells when it was announced. A bar that cannot be true is left out and named.
        Raises FeedError.
        """
        today = new_york_day(now)
        finished = {each.day: each for each in self._sessions(since, today) if each.close_at <= now}
        rows = self._rows(since, today)
        sets = tuple(_bar_set(finished[day], rows[day]) for day in sorted(rows) if day in finished)
        refused = [f"{name} {one.session}: {why}" for one in sets for name, why in one.refused.items()]
        actions = self._minutes.actions(SYMBOLS, since, today + AHEAD)
        known = tuple(each for action in actions for each in _actions(action, now, is_back_fill))
        return Taken((), tuple(refused), bars=sets, actions=known)

    def _rows(self, start: date, end: date) -> Mapping[date, dict[str, Row]]:
        asked = {
            "symbols": ",".join(SYMBOLS),
            "timeframe": "1Day",
            "start": datetime.combine(start, time(), NEW_YORK).isoformat(),
            "end": datetime.combine(end, time(23, 59, 59), NEW_YORK).isoformat(),
            "limit": PAGE,
            "adjustment": "raw",
            "feed": self._feed,
            "sort": "asc",
        }
        found: dict[date, dict[str, Row]] = {}
        where = f"ohlcv {BARS}"
        for body in pages(self._fetcher, BARS, asked):
            for symbol, rows in row_of(value_of(body, "bars", where) or {}, where).items():
                for given in rows_of(rows, where):
                    row = row_of(given, where)
                    found.setdefault(_session_day(row, where), {})[symbol] = row
        return found


def _session_day(row: Row, where: str) -> date:
    at = instant_or_none(text_of(row, "t", where))
    if at is None:
        refuse(where, f"the field t is {row['t']!r:.40} and no moment")
    return new_york_day(at)


def _bar_set(session: Session, rows: Mapping[str, Row]) -> BarSet:
    found = {
        symbol: bar_or_reason(symbol, session.day, session.close_at, _decimals(row))
        for symbol, row in rows.items()
        if symbol in SYMBOLS
    }
    return BarSet(
        session=session.day,
        known_at=session.close_at,
        bars={symbol: one for symbol, one in found.items() if isinstance(one, Bar)},
        refused={symbol: one for symbol, one in found.items() if isinstance(one, str)},
    )


def _decimals(row: Row) -> Row:
    """Return a row with its numbers as the broker's side of this house reads them."""
    return {name: Decimal(repr(value)) if isinstance(value, float) else value for name, value in row.items()}


def _actions(action: Action, now: datetime, is_back_fill: bool) -> Iterator[CorporateAction]:
    opened = aware_utc(datetime.combine(action.ex_day, time(), NEW_YORK))
    known_at = min(opened, now) if is_back_fill else now
    if action.ratio is not None:
        yield CorporateAction(action.symbol, ActionKind.SPLIT, action.ex_day, known_at, action.ratio)
    if action.cash_usd is not None:
        yield CorporateAction(action.symbol, ActionKind.DIVIDEND, action.ex_day, known_at, action.cash_usd)
