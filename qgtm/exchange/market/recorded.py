"""A market made of recorded daily bars: each becomes a path that could have been that day's.

What happened within the day is invented, from the seed, the symbol and the day alone. Open, high,
low and close are the recorded ones, to the cent.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path

import numpy as np

from qgtm.adapters.calendar import Calendar, Session, xnys
from qgtm.core.errors import MarketError
from qgtm.core.instant import aware_utc
from qgtm.exchange.market.bar_file import BarFile, bar_files, read_bars
from qgtm.exchange.market.path import (
    TICKS_PER_MINUTE,
    Ints,
    generator,
    midnight,
    minute_bars,
    minutes_of,
    path_through,
    quote_around,
    tick_at,
    volume_by_minute,
    volume_shape,
)
from qgtm.exchange.market.port import CorporateAction, MarketBar, Quote
from qgtm.exchange.market.venue import known_sessions

_PATHS_KEPT = 512
_TICKS, _VOLUME = 1, 2  # what a generator is for


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What one file holds; `missing` sessions lie between its first and its last bar."""

    symbol: str
    path: Path
    first: date
    last: date
    bars: int
    missing: int
    zero_volume: int
    ignored_columns: tuple[str, ...]


class _Series:
    """One symbol's bars, with the days as ordinals and the prices in cents beside them."""

    def __init__(self, bars: BarFile) -> None:
        self.days = bars.days
        self.rows = {day: row for row, day in enumerate(bars.days)}
        self.values = bars.values
        self.cents: list[list[int]] = np.rint(bars.values[:, :4] * 100).astype(np.int64).tolist()
        self.volume: list[int] = np.maximum(np.rint(bars.values[:, 4]), 1).astype(np.int64).tolist()
        self.daily: dict[date, MarketBar] = {}


class RecordedMarket:
    """The market of a folder of daily bars, one CSV or Parquet file a symbol.

    Sessions are the exchange calendar's, also where no file has a bar and after the last one. A
    symbol without a bar in a session does not trade in it: no minutes, and its last quote stays.
    """

    def __init__(self, folder: Path, seed: int, calendar: Calendar | None = None) -> None:
        self.folder = folder
        self._seed = seed
        self._calendar = calendar or xnys()
        self._read()
        self._ticks = lru_cache(maxsize=_PATHS_KEPT)(self._made_ticks)

    def _read(self) -> None:
        paths = bar_files(self.folder)
        files = {symbol: read_bars(path, self._calendar) for symbol, path in paths.items()}
        traded = {symbol: bars for symbol, bars in files.items() if bars.days}
        if not traded:
            raise MarketError(f"no file in {self.folder} holds a bar that was traded; choose another folder")
        self._series = {symbol: _Series(bars) for symbol, bars in traded.items()}
        self._found = tuple(
            _found(symbol, paths[symbol], bars, self._calendar) for symbol, bars in traded.items()
        )

    @property
    def symbols(self) -> tuple[str, ...]:
        """Return the symbols that have a file, in the universe's order."""
        return tuple(self._series)

    @property
    def first(self) -> date:
        """Return the first session on which at least half of the symbols have had a bar.

        A lone early row (one symbol, years before the rest) does not begin the history.
        """
        starts = sorted(found.first for found in self._found)
        return starts[(len(starts) - 1) // 2]

    @property
    def last(self) -> date:
        """Return the last session on which any symbol has a bar."""
        return max(found.last for found in self._found)

    def report(self) -> tuple[Found, ...]:
        """Return what was found, one entry a symbol in the universe's order."""
        return self._found

    def session_on(self, day: date) -> Session | None:
        """Return the session of `day`, None when the market is closed all day."""
        return self._calendar.session_on(day)

    def sessions(self, start: date, end: date) -> Sequence[Session]:
        """Return the sessions from `start` to `end`, both included; none where the calendar ends."""
        return known_sessions(self._calendar, start, end)

    def quote(self, symbol: str, at: datetime) -> Quote | None:
        """Return the quote at `at`; None before the symbol's first open or for an unknown symbol.

        At the open, out of hours and in a session's last 15 seconds it costs no path.
        """
        series = self._series.get(symbol)
        if series is None:
            return None
        at = aware_utc(at)
        row = bisect_right(series.days, at.date()) - 1
        session = self._calendar.session_on(series.days[row]) if row >= 0 else None
        if session is not None and at < session.open_at:
            row -= 1
            session = self._calendar.session_on(series.days[row]) if row >= 0 else None
        return None if session is None else self._quote(symbol, row, session, at)

    def _quote(self, symbol: str, row: int, session: Session, at: datetime) -> Quote:
        opened, _, _, close = self._series[symbol].cents[row]
        tick, last = tick_at(session, at), minutes_of(session) * TICKS_PER_MINUTE - 1
        if tick in (0, last):
            return quote_around(symbol, close if tick else opened, tick)
        return quote_around(symbol, int(self._ticks(symbol, row, session)[tick]), tick)

    def minutes(self, symbol: str, day: date) -> Sequence[MarketBar]:
        """Return all one-minute bars of a session; empty when the symbol has no bar that day."""
        series, session = self._series.get(symbol), self._calendar.session_on(day)
        row = None if series is None else series.rows.get(day)
        if series is None or session is None or row is None:
            return ()
        noise = generator(self._seed, _VOLUME, _number(symbol), day.toordinal())
        shape = volume_shape(minutes_of(session))
        weights = shape * (0.3 + noise.standard_exponential(len(shape)))
        return minute_bars(
            session, self._ticks(symbol, row, session), volume_by_minute(series.volume[row], weights)
        )

    def daily(self, symbol: str, day: date) -> MarketBar | None:
        """Return the recorded bar of a session, None when the symbol has none."""
        series = self._series.get(symbol)
        if series is None:
            return None
        found = series.daily.get(day)
        if found is None and day in series.rows:
            session = self._calendar.session_on(day)
            if session is not None:
                found = series.daily[day] = _daily_bar(series, series.rows[day], session)
        return found

    def actions(self, start: date, end: date) -> Sequence[CorporateAction]:
        """Return nothing: recorded prices are taken as adjusted already."""
        return ()

    def _made_ticks(self, symbol: str, row: int, session: Session) -> Ints:
        noise = generator(self._seed, _TICKS, _number(symbol), session.day.toordinal())
        ticks = minutes_of(session) * TICKS_PER_MINUTE
        where, shocks = noise.random(3), noise.standard_normal(ticks)
        return path_through(self._series[symbol].cents[row], where, shocks)


def _daily_bar(series: _Series, row: int, session: Session) -> MarketBar:
    opened, high, low, close, _ = series.values[row].tolist()
    prices = [_price(value) for value in (opened, max(high, opened, close), min(low, opened, close), close)]
    volume = series.volume[row]
    return MarketBar(
        at=midnight(session),
        open=prices[0],
        high=prices[1],
        low=prices[2],
        close=prices[3],
        volume=volume,
        trades=volume // 100 + 1,
        vwap=(sum(prices, Decimal(0)) / 4).quantize(_TEN_THOUSANDTH),
    )


_TEN_THOUSANDTH = Decimal("0.0001")


def _price(value: float) -> Decimal:
    return Decimal(f"{value:.4f}")


def _number(symbol: str) -> int:
    return int.from_bytes(symbol.encode(), "big")


def _found(symbol: str, path: Path, bars: BarFile, calendar: Calendar) -> Found:
    first, last = bars.days[0], bars.days[-1]
    expected = len(calendar.sessions(first, last))
    return Found(
        symbol=symbol,
        path=path,
        first=first,
        last=last,
        bars=len(bars.days),
        missing=expected - len(bars.days),
        zero_volume=bars.zero_volume,
        ignored_columns=bars.ignored,
    )
