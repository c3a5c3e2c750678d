"""The market of a world: invented, shared by worlds of one process, bent by shocks where it is steered."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Final

from qgtm.core.bar import Bar, BarSet
from qgtm.core.universe import SYMBOLS
from qgtm.exchange.core import Exchange
from qgtm.exchange.market.port import Quote, Session
from qgtm.exchange.market.synthetic import SyntheticMarket

MARKETS: Final = 4  # invented ones; each takes a second or two to make, and is kept
FIRST: Final = date(2022, 1, 3)


@cache
def market_of(number: int) -> SyntheticMarket:
    """Return one of the few markets that the worlds of a process share."""
    return SyntheticMarket(1_000 + number, FIRST)


@cache
def _plain(number: int, session: Session) -> BarSet:
    market, bars = market_of(number), {}
    for symbol in SYMBOLS:
        row = market.figures(symbol, session.day)
        if row is not None:
            bars[symbol] = Bar(
                symbol=symbol,
                session=session.day,
                known_at=session.close_at,
                open=row[0],
                high=row[1],
                low=row[2],
                close=row[3],
                volume=row[4],
            )
    return BarSet(session=session.day, known_at=session.close_at, bars=bars)


@dataclass(frozen=True)
class Split:
    """A split of `ratio` new shares for one old, and the moment from which the vendor's history tells it."""

    symbol: str
    ratio: float
    ex_at: datetime
    told_at: datetime


class Tape:
    """What the feed reads: the exchange's prices, shocks and all."""

    def __init__(self, number: int, exchange: Exchange) -> None:
        self._number = number
        self._prices = exchange.desk.prices
        self.splits: list[Split] = []

    def quote(self, symbol: str, at: datetime) -> Quote | None:
        """Return the quote at `at`."""
        return self._prices.quote(symbol, at)

    def mark(self, symbol: str, at: datetime) -> Decimal:
        """Return the last price at `at`."""
        return self._prices.mark(symbol, at)

    def bar_sets(self, symbols: Sequence[str], start: date, end: date, now: datetime) -> tuple[BarSet, ...]:
        """Return the bars of the sessions from `start` to `end` that were over by `now`, oldest first."""
        finished = [s for s in self._prices.sessions(start, end) if s.close_at <= now]
        sets = (self._bent(_plain(self._number, session), session) for session in finished)
        told = [split for split in self.splits if split.told_at <= now]
        return tuple(_adjusted(bars, told) for bars in sets)

    def _bent(self, plain: BarSet, session: Session) -> BarSet:
        shocked = [symbol for symbol in plain.bars if symbol in self._prices.shocks]
        if not shocked:
            return plain
        return replace(
            plain, bars={**plain.bars, **{s: self._shocked(plain.bars[s], session) for s in shocked}}
        )

    def _shocked(self, bar: Bar, session: Session) -> Bar:
        """Scale a bar: its ends by the factors there, its range by the widest in the session."""
        moments = [session.open_at, session.close_at]
        for shock in self._prices.shocks[bar.symbol]:
            moments += [
                at for at in (shock.from_at, shock.until_at) if at and session.open_at < at < session.close_at
            ]
        factors = [float(self._prices.factor(bar.symbol, at)) for at in moments]
        open_, close = bar.open * factors[0], bar.close * factors[1]
        return replace(
            bar,
            open=open_,
            high=max(bar.high * max(factors), open_, close),
            low=min(bar.low * min(factors), open_, close),
            close=close,
        )


def _adjusted(bars: BarSet, splits: Sequence[Split]) -> BarSet:
    """Return a session's bars in terms of the shares after the splits that came later."""
    for split in splits:
        bar = bars.bars.get(split.symbol)
        if bar is not None and bars.known_at < split.ex_at:
            after = replace(
                bar,
                open=bar.open / split.ratio,
                high=bar.high / split.ratio,
                low=bar.low / split.ratio,
                close=bar.close / split.ratio,
                volume=bar.volume * split.ratio,
            )
            bars = replace(bars, bars={**bars.bars, split.symbol: after})
    return bars
