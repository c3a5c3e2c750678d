"""What an order gets at one look at the market: a price and how many shares, or nothing."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, Decimal

from qgtm.exchange.draw import uniform
from qgtm.exchange.market.port import MarketBar, Quote
from qgtm.exchange.order import Order
from qgtm.exchange.price import CENT
from qgtm.exchange.setting import Habits

MINUTE = timedelta(minutes=1)
_SHARE = Decimal("0.000000001")
_HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True)
class Offer:
    """A price in dollars at which up to `size` shares can be had now."""

    price: Decimal
    size: Decimal
    is_whole: bool = False


def offer_at_quote(order: Order, quote: Quote) -> Offer | None:
    """Return what the touch offers: buys at the ask, sells at the bid, within the order's limit."""
    buys = order.side == "buy"
    price, size = (quote.ask, quote.ask_size) if buys else (quote.bid, quote.bid_size)
    limit = price if order.limit_price is None else order.limit_price
    if (price > limit) if buys else (price < limit):
        return None
    return Offer(price, Decimal(max(size, 1)))


def offer_in_bar(order: Order, bar: MarketBar, habits: Habits) -> Offer | None:
    """Return what a resting limit order gets from a minute that traded through its price.

    Touching the limit is not enough: who stands first in the queue is unknown.
    """
    limit = order.limit_price
    if limit is None or not trades_through(order, bar):
        return None
    size = (habits.participation_frac * bar.volume).to_integral_value(rounding=ROUND_DOWN)
    return Offer(limit, max(size, Decimal(1)))


def trades_through(order: Order, bar: MarketBar) -> bool:
    """Say whether a minute traded beyond the order's limit, not merely at it."""
    limit = order.limit_price
    if limit is None:
        return False
    return bar.low < limit if order.side == "buy" else bar.high > limit


def elects(order: Order, low: Decimal, high: Decimal) -> bool:
    """Say whether prices between `low` and `high` set off the order's stop."""
    stop = order.stop_price
    if stop is None:
        return False
    return high >= stop if order.side == "buy" else low <= stop


def trailed(order: Order, low: Decimal, high: Decimal) -> tuple[Decimal, Decimal]:
    """Return the water mark and the stop of a trailing order after prices between `low` and `high`."""
    falls = order.side == "sell"
    edge = high if falls else low
    mark = edge if order.hwm is None else (max(order.hwm, edge) if falls else min(order.hwm, edge))
    trail = order.trail_price
    if trail is None:
        trail = mark * (order.trail_percent or Decimal(0)) / _HUNDRED
    if falls:
        return mark, (mark - trail).quantize(CENT, rounding=ROUND_FLOOR)
    return mark, (mark + trail).quantize(CENT, rounding=ROUND_CEILING)


def fill_qty(order: Order, offer: Offer, habits: Habits, seed: int) -> Decimal:
    """Return the shares of this execution, zero when a fill-or-kill order cannot have them all.

    Fractional and notional orders fill whole; of the others one in ten comes in parts.
    """
    if order.qty is None:
        return ((order.notional or Decimal(0)) / offer.price).quantize(_SHARE, rounding=ROUND_DOWN)
    wanted = order.remaining
    if offer.is_whole or wanted != wanted.to_integral_value():
        return wanted
    if order.time_in_force == "fok":
        return wanted if offer.size >= wanted else Decimal(0)
    qty = min(wanted, offer.size)
    if qty < 2 or uniform(seed, order.seq, order.looks, 1) >= habits.partial_fill_frac:
        return qty
    part = Decimal(repr(0.2 + 0.6 * uniform(seed, order.seq, order.looks, 2)))
    return max((qty * part).to_integral_value(rounding=ROUND_DOWN), Decimal(1))


def bar_ending_at(bars: Sequence[MarketBar], at: datetime) -> MarketBar | None:
    """Return the one-minute bar that ends at `at`, None when there is none."""
    start = at - MINUTE
    index = bisect_left(bars, start, key=_begin)
    return bars[index] if index < len(bars) and bars[index].at == start else None


def _begin(bar: MarketBar) -> datetime:
    return bar.at


def next_minute(at: datetime) -> datetime:
    """Return the end of the minute in which `at` lies; a full minute later when it is a boundary."""
    return at.replace(second=0, microsecond=0) + MINUTE


def first_trigger(order: Order, bars: Sequence[MarketBar], since: datetime) -> datetime | None:
    """Return the end of the first whole minute from `since` on that can fill or elect the order."""
    waits = order.kind in ("stop", "stop_limit") and not order.elected
    for bar in bars:
        if bar.at < since:
            continue
        if elects(order, bar.low, bar.high) if waits else trades_through(order, bar):
            return bar.at + MINUTE
    return None
