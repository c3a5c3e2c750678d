"""One session of one symbol as a path: the last price in whole cents, every 15 seconds.

Four ticks make a minute. The price stands still within a tick, so the first tick is the session's
open, the last its close, and no time of day lies outside the bars that are made of the ticks.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from qgtm.adapters.calendar import Session
from qgtm.exchange.market.fund import FUNDS, INDEX
from qgtm.exchange.market.port import MarketBar, Quote

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

TICK_S: Final = 15
TICKS_PER_MINUTE: Final = 4
FULL_SESSION: Final = 390  # minutes
_CENT: Final = Decimal("0.01")
_QUARTER_CENT: Final = Decimal("0.0025")
_MINUTE: Final = timedelta(minutes=1)
_MIDNIGHT: Final = timedelta(hours=9, minutes=30)  # from midnight in New York to the open
_OPENING_TICKS: Final = 20  # five minutes in which a quote is wider
_OPENING_WIDTH: Final = 1.3


def generator(*keys: int) -> np.random.Generator:
    """Return a generator that depends on the keys only."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(keys)))


def minutes_of(session: Session) -> int:
    """Return the length of the session in minutes: 390, or 210 on a half day."""
    return (session.close_at - session.open_at) // _MINUTE


def ticks_of(session: Session) -> int:
    """Return the length of the session in ticks."""
    return (session.close_at - session.open_at).seconds // TICK_S


def tick_at(session: Session, at: datetime) -> int:
    """Return the number of the tick at `at`; before the open it is 0, after the close the last."""
    if at >= session.close_at:
        return ticks_of(session) - 1
    return (at - session.open_at).seconds // TICK_S if at > session.open_at else 0


@cache
def clock(ticks: int) -> Floats:
    """Return the share of a session's variance that has passed at each tick: (ticks,), from 0 to 1.

    More passes near the open and near the close (Wood, McInish and Ord 1985).
    """
    return _readonly(np.cumsum(_steps(ticks) ** 2))


@cache
def _steps(ticks: int) -> Floats:
    x = np.linspace(0.0, 1.0, ticks)
    heat = 1.0 + 3.0 * np.exp(-14.0 * x) + 0.8 * np.exp(-16.0 * (1.0 - x))
    heat[0] = 0.0  # the open is the day's first price: nothing has happened yet
    return _readonly(np.sqrt(heat / heat.sum()))


@cache
def volume_shape(minutes: int) -> Floats:
    """Return the usual share of a session's volume by minute: (minutes,), a U that adds up to 1."""
    x = np.linspace(0.0, 1.0, minutes)
    heat = 1.0 + 2.5 * np.exp(-9.0 * x) + 3.5 * np.exp(-18.0 * (1.0 - x))
    return _readonly(heat / heat.sum())


def walk(shocks: Floats) -> Floats:
    """Return the random walk, of variance 1 at its end, that standard normals (..., ticks) make."""
    return np.asarray(np.cumsum(shocks * _steps(shocks.shape[-1]), axis=-1), dtype=np.float64)


def bridge(shocks: Floats) -> Floats:
    """Return the walk that `shocks` make, bent so that it begins and ends at 0."""
    walked = walk(shocks)
    return np.asarray(walked - clock(shocks.shape[-1]) * walked[..., -1:], dtype=np.float64)


def path_through(cents: Sequence[int], where: Floats, shocks: Floats) -> Ints:
    """Return ticks (n,) in cents that begin at the open, end at the close and touch high and low.

    `cents` are open, high, low and close; `where` three uniforms that say when the extremes come
    and in which order; `shocks` (n,) standard normals. No tick lies outside low and high.
    """
    opened, high, low, close = cents
    high, low = max(cents), min(cents)
    knots = _knots(opened, high, low, close, where, len(shocks))
    at, prices = np.array([k for k, _ in knots]), np.array([p for _, p in knots], dtype=np.float64)
    passed, wandering = clock(len(shocks)), walk(shocks)
    noise = wandering - np.interp(passed, passed[at], wandering[at])
    # a walk's range is on average 1.6 times its deviation (Feller 1951)
    free = np.interp(passed, passed[at], prices) + noise * (high - low) / 1.6
    ticks = np.rint(_folded(free, low, high)).astype(np.int64)
    ticks[at] = prices
    ticks.setflags(write=False)
    return ticks


def _knots(opened: int, high: int, low: int, close: int, where: Floats, ticks: int) -> list[tuple[int, int]]:
    passed = clock(ticks)
    early, late = sorted(
        int(min(max(np.searchsorted(passed, share), 1), ticks - 2)) for share in where[:2].tolist()
    )
    late = late if late > early else min(early + 1, ticks - 2)
    early = early if early < late else late - 1
    # a day that rises has mostly made its low first
    is_low_first = (where[2] < 0.8) == (close >= opened)
    first, second = (low, high) if is_low_first else (high, low)
    between = [(early, first), (late, second)]
    return [(0, opened), *(knot for knot in between if knot[1] not in (opened, close)), (ticks - 1, close)]


def _folded(values: Floats, low: int, high: int) -> Floats:
    """Return the values thrown back where they leave low and high; what is still outside stays there."""
    turned = np.where(values > high, 2 * high - values, values)
    return np.clip(np.where(turned < low, 2 * low - turned, turned), low, high)


def volume_by_minute(total: int, weights: Floats) -> Ints:
    """Return `total` shares spread over the minutes, at least one in each.

    The parts add up to `total` whenever that is enough for one share a minute.
    """
    spare = max(total - len(weights), 0)
    edges = np.rint(np.cumsum(weights) * (spare / weights.sum())).astype(np.int64)
    edges[-1] = spare
    return np.asarray(np.diff(edges, prepend=0) + 1, dtype=np.int64)


def dollars(cents: int) -> Decimal:
    """Return cents as dollars with two decimals."""
    return _CENT * cents


def minute_bars(session: Session, ticks: Ints, volume: Ints) -> list[MarketBar]:
    """Return the one-minute bars of a path: `ticks` (4 n,) in cents, `volume` (n,) in shares."""
    minutes = ticks.reshape(-1, TICKS_PER_MINUTE)
    columns = (minutes[:, 0], minutes.max(axis=1), minutes.min(axis=1), minutes[:, -1], minutes.sum(axis=1))
    rows = zip(*(column.tolist() for column in columns), volume.tolist(), strict=True)
    return [
        MarketBar(
            at=session.open_at + number * _MINUTE,
            open=dollars(opened),
            high=dollars(high),
            low=dollars(low),
            close=dollars(close),
            volume=shares,
            trades=shares // 100 + 1,
            vwap=_QUARTER_CENT * total,  # the mean of four ticks
        )
        for number, (opened, high, low, close, total, shares) in enumerate(rows)
    ]


def midnight(session: Session) -> datetime:
    """Return when the session's day begins in New York: no clock is changed on a trading day."""
    return session.open_at - _MIDNIGHT


def quote_around(symbol: str, last: int, tick: int, width: float = 1.0) -> Quote:
    """Return the quote around a last price in cents; `width` multiplies the symbol's usual spread."""
    fund = FUNDS[symbol]
    wide = width * (_OPENING_WIDTH if tick < _OPENING_TICKS else 1.0)
    spread = max(round(last * fund.spread_bps * wide * 1e-4), 1)
    bid = max(last - (spread + tick % 2) // 2, 1)
    return Quote(
        bid=dollars(bid),
        ask=dollars(bid + spread),
        bid_size=_shares(symbol, tick),
        ask_size=_shares(symbol, tick + 7),
        last=dollars(last),
    )


def _shares(symbol: str, tick: int) -> int:
    return _AT_THE_TOUCH[symbol] * (1 + (tick * 5 + INDEX[symbol] * 3) % 4)


_AT_THE_TOUCH: Final = {symbol: 100 * max(int(fund.volume**0.5) // 250, 1) for symbol, fund in FUNDS.items()}


def _readonly(values: Floats) -> Floats:
    values.setflags(write=False)
    return values
