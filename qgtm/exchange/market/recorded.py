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
from typing import Final

import numpy as np

from qgtm.adapters.bar_file import BarFile, bar_files, begins_on, read_bars
from qgtm.adapters.calendar import Calendar, Session, xnys
from qgtm.core.errors import MarketError
from qgtm.core.instant import aware_utc
from qgtm.exchange.market.path import (
    Floats,
    Ints,
    dollars,
    generator,
    midnight,
    minute_bars,
    minutes_of,
    path_through,
    quote_around,
    tick_at,
    ticks_of,
    volume_by_minute,
    volume_shape,
)
from qgtm.exchange.market.port import CorporateAction, Figures, MarketBar, Quote
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
    """One symbol's bars, with their sessions and the prices in cents beside them."""

    def __init__(self, bars: BarFile, sessions: dict[date, Session]) -> None:
        self.days = bars.days
        self.sessions = [sessions[day] for day in bars.days]
        self.rows = {day: row for row, day in enumerate(bars.days)}
        self.values = bars.values
        self.cents: list[list[int]] = np.rint(bars.values[:, :4] * 100).astype(np.int64).tolist()
        self.volume: list[int] = np.maximum(np.rint(bars.values[:, 4]), 1).astype(np.int64).tolist()
        self.figures = _figures(bars.values, self.volume)
        self.daily: dict[date, MarketBar] = {}

    def row_at(self, at: datetime) -> int:
        """Return the row of the last session that had opened by `at`; -1 when none had."""
        day = at.date()
        row = self.rows.get(day)
        if row is None:
            return bisect_right(self.days, day) - 1
        return row if at >= self.sessions[row].open_at else row - 1


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
        self._moment_at: datetime | None = None
        self._moment: tuple[date | None, int, int] = (None, 0, 0)

    def _read(self) -> None:
        paths = bar_files(self.folder)
        files = {symbol: read_bars(path, self._calendar) for symbol, path in paths.items()}
        traded = {symbol: bars for symbol, bars in files.items() if bars.days}
        if not traded:
            raise MarketError(f"no file in {self.folder} holds a bar that was traded; choose another folder")
        days = {day for bars in traded.values() for day in bars.days}
        sessions = {session.day: session for session in self._calendar.sessions(min(days), max(days))}
        self._sessions = sessions
        self._first = begins_on(traded.values())
        self._series = {symbol: _Series(bars, sessions) for symbol, bars in traded.items()}
        self._found = tuple(
            _found(symbol, paths[symbol], bars, self._calendar) for symbol, bars in traded.items()
        )

    @property
    def symbols(self) -> tuple[str, ...]:
        """Return the symbols that have a file, in the universe's order."""
        return tuple(self._series)

    @property
    def first(self) -> date:
        """Return the first session on which at least half of the symbols have had a bar."""
        return self._first

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
        found = self._last(symbol, at)
        return None if found is None else quote_around(symbol, *found)

    def last_price(self, symbol: str, at: datetime) -> Decimal | None:
        """Return the quote's last price at `at`; None where `quote` is."""
        found = self._last(symbol, at)
        return None if found is None else dollars(found[0])

    def _last(self, symbol: str, at: datetime) -> tuple[int, int] | None:
        """Return the last price in cents and its tick."""
        series = self._series.get(symbol)
        if series is None:
            return None
        day, tick, last = self._moment if at is self._moment_at else self._moment_of(at)
        row = series.rows.get(day, -1) if day is not None else -1
        if row < 0:  # no bar of this symbol today, or no session yet: its last one stays
            row = series.row_at(aware_utc(at))
            if row < 0:
                return None
            session = series.sessions[row]
            tick, last = tick_at(session, at), ticks_of(session) - 1
        if tick == 0:
            return series.cents[row][0], tick
        return series.cents[row][3] if tick == last else int(self._ticks(symbol, row)[tick]), tick

    def _moment_of(self, at: datetime) -> tuple[date | None, int, int]:
        """Return the session that has opened on the day of `at`, its tick and its last; kept for a moment."""
        session = self._sessions.get(aware_utc(at).date())
        if session is None or at < session.open_at:
            found: tuple[date | None, int, int] = (None, 0, 0)
        else:
            found = (session.day, tick_at(session, at), ticks_of(session) - 1)
        self._moment_at, self._moment = at, found
        return found

    def minutes(self, symbol: str, day: date) -> Sequence[MarketBar]:
        """Return all one-minute bars of a session; empty when the symbol has no bar that day."""
        series = self._series.get(symbol)
        row = None if series is None else series.rows.get(day)
        if series is None or row is None:
            return ()
        session = series.sessions[row]
        shape = volume_shape(minutes_of(session))
        noise = generator(self._seed, _VOLUME, _number(symbol), day.toordinal())
        weights = shape * (0.3 + noise.standard_exponential(len(shape)))
        return minute_bars(session, self._ticks(symbol, row), volume_by_minute(series.volume[row], weights))

    def daily(self, symbol: str, day: date) -> MarketBar | None:
        """Return the recorded bar of a session, None when the symbol has none."""
        series = self._series.get(symbol)
        if series is None:
            return None
        found = series.daily.get(day)
        if found is None and day in series.rows:
            found = series.daily[day] = _daily_bar(series, series.rows[day])
        return found

    def figures(self, symbol: str, day: date) -> Figures | None:
        """Return the recorded bar of a session as floats, None when the symbol has none."""
        series = self._series.get(symbol)
        row = None if series is None else series.rows.get(day)
        return None if series is None or row is None else series.figures[row]

    def actions(self, start: date, end: date) -> Sequence[CorporateAction]:
        """Return nothing: recorded prices are taken as adjusted already."""
        return ()

    def _made_ticks(self, symbol: str, row: int) -> Ints:
        series = self._series[symbol]
        noise = generator(self._seed, _TICKS, _number(symbol), series.days[row].toordinal())
        where, shocks = noise.random(3), noise.standard_normal(ticks_of(series.sessions[row]))
        return path_through(series.cents[row], where, shocks)


def _figures(values: Floats, volume: list[int]) -> list[Figures]:
    """Return the bars to four decimals, as `_daily_bar` has them."""
    opened, high, low, close = np.rint(values[:, :4].T * 10_000) / 10_000
    high, low = np.maximum.reduce([high, opened, close]), np.minimum.reduce([low, opened, close])
    columns = (column.tolist() for column in (opened, high, low, close))
    return list(zip(*columns, map(float, volume), strict=True))


def _daily_bar(series: _Series, row: int) -> MarketBar:
    opened, high, low, close = (round(value * 10_000) for value in series.values[row, :4].tolist())
    high, low = max(high, opened, close), min(low, opened, close)
    volume = series.volume[row]
    return MarketBar(
        at=midnight(series.sessions[row]),
        open=_TEN_THOUSANDTH * opened,
        high=_TEN_THOUSANDTH * high,
        low=_TEN_THOUSANDTH * low,
        close=_TEN_THOUSANDTH * close,
        volume=volume,
        trades=volume // 100 + 1,
        vwap=_TEN_THOUSANDTH * ((opened + high + low + close) // 4),
    )


_TEN_THOUSANDTH: Final = Decimal("0.0001")


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
