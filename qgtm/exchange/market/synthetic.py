"""An invented market of all thirty symbols: a pure function of its seed.

A year of opens and closes is made at once and kept; a session's path is made when somebody asks
for it. Both follow from the seed and from days up to then.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Final

import numpy as np

from qgtm.adapters.calendar import LAST_YEAR, Calendar, Session, xnys
from qgtm.core.errors import MarketError
from qgtm.core.instant import aware_utc
from qgtm.core.universe import SYMBOLS
from qgtm.exchange.market.driver import STRESS, first_mood
from qgtm.exchange.market.fund import INDEX
from qgtm.exchange.market.fund_year import FundYear, Start, fund_year, session_ticks, starting_prices
from qgtm.exchange.market.path import (
    Ints,
    dollars,
    generator,
    midnight,
    minute_bars,
    minutes_of,
    quote_around,
    tick_at,
    ticks_of,
    volume_by_minute,
    volume_shape,
)
from qgtm.exchange.market.port import CorporateAction, Figures, MarketBar, Quote, figures_of
from qgtm.exchange.market.venue import known_sessions

_SESSIONS_KEPT: Final = 32
_BARS_KEPT: Final = 30 * 1024
_VOLUME: Final = 12  # what a generator is for
_STRESS_WIDTH: Final = 1.5


class SyntheticMarket:
    """The market that a seed makes from its first session on.

    Some funds pay a dividend each quarter, in cash and out of their price. Leveraged and
    volatility funds decay; with `reverse_splits` one below $10 makes one share of five overnight.
    """

    def __init__(
        self,
        seed: int,
        first: date = date(2015, 1, 2),
        *,
        reverse_splits: bool = False,
        calendar: Calendar | None = None,
    ) -> None:
        if seed < 0:
            raise MarketError(f"the seed is {seed}; choose a whole number from 0 on")
        self._seed = seed
        self._calendar = calendar or xnys()
        self._reverse_splits = reverse_splits
        self.first = (self._calendar.session_on(first) or self._calendar.next_session(first)).day
        self._years: list[FundYear] = []
        self._rows: dict[date, Ints] = {}
        self._bar = lru_cache(maxsize=_BARS_KEPT)(self._made_daily)
        self._ticks = lru_cache(maxsize=_SESSIONS_KEPT)(self._made_ticks)

    @property
    def symbols(self) -> tuple[str, ...]:
        """Return the whole universe."""
        return SYMBOLS

    def session_on(self, day: date) -> Session | None:
        """Return the session of `day`, None when the market is closed all day."""
        return self._calendar.session_on(day)

    def sessions(self, start: date, end: date) -> Sequence[Session]:
        """Return the sessions from `start` to `end`, both included; none where the calendar ends."""
        return known_sessions(self._calendar, start, end)

    def quote(self, symbol: str, at: datetime) -> Quote | None:
        """Return the quote at `at`; None before the market's first open or for an unknown symbol.

        At the open, out of hours and in a session's last 15 seconds it costs no path.
        """
        found = self._last(symbol, at)
        return None if found is None else quote_around(symbol, *found)

    def last_price(self, symbol: str, at: datetime) -> Decimal | None:
        """Return the quote's last price at `at`; None where `quote` is."""
        found = self._last(symbol, at)
        return None if found is None else dollars(found[0])

    def _last(self, symbol: str, at: datetime) -> tuple[int, int, float] | None:
        """Return the last price in cents, its tick, and how much wider than usual the spread is."""
        at = at if at.tzinfo is UTC else aware_utc(at)
        session = self._opened_by(at) if symbol in INDEX else None
        if session is None:
            return None
        year, row = self._place(session.day)
        tick, column = tick_at(session, at), INDEX[symbol]
        width = _STRESS_WIDTH if year.regime[row] == STRESS else 1.0
        if tick == 0:
            return year.open_cents[row][column], tick, width
        if tick == ticks_of(session) - 1:
            return year.close_cents[row][column], tick, width
        return int(self._ticks(session.day)[column, tick]), tick, width

    def minutes(self, symbol: str, day: date) -> Sequence[MarketBar]:
        """Return all one-minute bars of a session; empty before the first and for an unknown symbol."""
        session = self._traded(symbol, day)
        if session is None:
            return ()
        year, row = self._place(day)
        column, shape = INDEX[symbol], volume_shape(minutes_of(session))
        noise = generator(self._seed, _VOLUME, day.toordinal(), column)
        weights = shape * (0.3 + noise.standard_exponential(len(shape)))
        volume = volume_by_minute(year.volume[row][column], weights)
        return minute_bars(session, self._ticks(day)[column], volume)

    def daily(self, symbol: str, day: date) -> MarketBar | None:
        """Return the session's bar; None before the first session and for an unknown symbol."""
        return self._bar(symbol, day)

    def figures(self, symbol: str, day: date) -> Figures | None:
        """Return the session's bar as floats; None where `daily` is."""
        bar = self.daily(symbol, day)
        return None if bar is None else figures_of(bar)

    def actions(self, start: date, end: date) -> Sequence[CorporateAction]:
        """Return the dividends and splits with ex-days from `start` to `end`, both included."""
        years = range(max(start.year, self.first.year), min(end.year, LAST_YEAR) + 1)
        found = (action for year in years for action in self._year(year).actions)
        return tuple(action for action in found if start <= action.ex_day <= end)

    def _opened_by(self, at: datetime) -> Session | None:
        session = self._calendar.session_on(at.date())
        if session is None or at < session.open_at:
            session = self._calendar.previous_session(at.date()) if at.date() > self.first else None
        return session if session is not None and session.day >= self.first else None

    def _traded(self, symbol: str, day: date) -> Session | None:
        return self._calendar.session_on(day) if symbol in INDEX and day >= self.first else None

    def _place(self, day: date) -> tuple[FundYear, int]:
        year = self._year(day.year)
        return year, year.rows[day]

    def _year(self, number: int) -> FundYear:
        while len(self._years) <= number - self.first.year:
            self._years.append(self._made_year(self.first.year + len(self._years)))
        return self._years[number - self.first.year]

    def _made_year(self, number: int) -> FundYear:
        start = max(self.first, date(number, 1, 1))
        sessions = self._calendar.sessions(start, date(number, 12, 31))
        before = self._years[-1].after if self._years else Start(first_mood(), starting_prices(), None)
        return fund_year(self._seed, sessions, before, self._reverse_splits)

    def _made_ticks(self, day: date) -> Ints:
        session = self._calendar.session_on(day)
        return session_ticks(self._seed, self._year(day.year), day, ticks_of(session) if session else 0)

    def _made_daily(self, symbol: str, day: date) -> MarketBar | None:
        session = self._traded(symbol, day)
        if session is None:
            return None
        column = INDEX[symbol]
        opened, high, low, close, mean = (dollars(cents) for cents in self._row(day)[column].tolist())
        year, row = self._place(day)
        volume = year.volume[row][column]
        return MarketBar(midnight(session), opened, high, low, close, volume, volume // 100 + 1, mean)

    def _row(self, day: date) -> Ints:
        if day not in self._rows:
            ticks = self._ticks(day)
            columns = (ticks[:, 0], ticks.max(1), ticks.min(1), ticks[:, -1], ticks.mean(1))
            self._rows[day] = np.rint(np.stack(columns, axis=1)).astype(np.int64)
        return self._rows[day]
