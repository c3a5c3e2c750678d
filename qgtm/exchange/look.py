"""One look of one order at the market: begin, fill, and when to look again.

The moments at which an order looks depend on the order and the price path only, never on how
often the exchange is asked to advance: arrival, then either two seconds after a part that
the touch could not fill, or the end of the first minute that trades through its price.
"""

from datetime import datetime, timedelta

from qgtm.exchange.desk import Desk
from qgtm.exchange.hours import Hours
from qgtm.exchange.lifecycle import begin, end, fill
from qgtm.exchange.market.port import MarketBar, Quote
from qgtm.exchange.matching import (
    Offer,
    bar_ending_at,
    elects,
    fill_qty,
    first_trigger,
    next_minute,
    offer_at_quote,
    offer_in_bar,
    trailed,
)
from qgtm.exchange.order import Order


def look(desk: Desk, order: Order, at: datetime) -> None:
    """Match an order at `at` and set `look_at` to the moment of its next look, None for never."""
    order.looks += 1
    halt = desk.halt_at(order.symbol, at)
    if halt is not None:
        order.look_at = halt.until_at
        return
    if order.working_since is None:
        begin(desk, order, at)
    hours = desk.prices.calendar.current(at)
    if order.time_in_force in ("opg", "cls"):
        _auction(desk, order, hours, at)
    elif _is_tradable(desk, order, hours, at):
        _continuous(desk, order, hours, at)
    else:
        order.look_at = _next_open(desk, order, hours, at)
    if order.is_live and order.time_in_force in ("ioc", "fok"):
        end(desk, order, "canceled", at)


def _is_tradable(desk: Desk, order: Order, hours: Hours, at: datetime) -> bool:
    """Regular orders trade from the open to the last minute's end, if the symbol trades at all that day."""
    if hours.open_at <= at <= hours.close_at:
        return desk.prices.has_trades(order.symbol, hours.day)
    return order.extended_hours


def _auction(desk: Desk, order: Order, hours: Hours, at: datetime) -> None:
    quote = desk.prices.quote(order.symbol, at)
    if quote is None or not desk.prices.has_trades(order.symbol, hours.day):
        order.look_at = None
        return
    limit = order.limit_price
    if limit is None or (quote.last <= limit if order.side == "buy" else quote.last >= limit):
        _take(desk, order, Offer(quote.last, order.remaining, is_whole=True), at)
    order.look_at = None


def _continuous(desk: Desk, order: Order, hours: Hours, at: datetime) -> None:
    bar = _own_minute(desk, order, hours, at)
    quote = desk.prices.quote(order.symbol, at)
    offer = None if quote is None else _offer(desk, order, quote, bar)
    if offer is not None:
        _take(desk, order, offer, at)
    if order.is_live:
        order.look_at = _next_look(desk, order, hours, at, took=offer is not None)


def _own_minute(desk: Desk, order: Order, hours: Hours, at: datetime) -> MarketBar | None:
    """Return the minute that ends now, if the order rested through all of it."""
    since = order.working_since
    rests = order.kind != "market" and since is not None and since < at and at.second == at.microsecond == 0
    if not rests or not hours.open_at < at <= hours.close_at:
        return None
    bar = bar_ending_at(desk.prices.minutes(order.symbol, hours.day), at)
    return bar if bar is not None and since is not None and bar.at >= since else None


def _offer(desk: Desk, order: Order, quote: Quote, bar: MarketBar | None) -> Offer | None:
    if order.kind in ("stop", "stop_limit", "trailing_stop") and not order.elected:
        low, high = (bar.low, bar.high) if bar is not None else (quote.last, quote.last)
        order.elected = elects(order, low, high)
        if not order.elected and order.kind == "trailing_stop":
            order.hwm, order.stop_price = trailed(order, low, high)
        desk.book.touch(order)
        return offer_at_quote(order, quote) if order.elected else None
    if bar is not None:
        through = offer_in_bar(order, bar, desk.habits)
        if through is not None:
            return through
    return offer_at_quote(order, quote)


def _take(desk: Desk, order: Order, offer: Offer, at: datetime) -> None:
    qty = fill_qty(order, offer, desk.habits, desk.seed)
    if order.qty is None and order.side == "sell":
        qty = min(qty, max(desk.ledger.qty(order.symbol), qty * 0))
    if qty > 0:
        fill(desk, order, qty, offer.price, at)
    elif order.qty is None:
        end(desk, order, "canceled", at)


def _next_look(desk: Desk, order: Order, hours: Hours, at: datetime, *, took: bool) -> datetime | None:
    if not hours.open_at <= at < hours.close_at:
        return _next_open(desk, order, hours, at)
    if order.kind == "market" or (order.elected and order.limit_price is None):
        later: datetime | None = at + timedelta(seconds=desk.habits.refill_s)
    elif order.kind == "trailing_stop" or at.second or at.microsecond:
        later = next_minute(at)
        if took:
            later = min(later, at + timedelta(seconds=desk.habits.refill_s))
    else:
        later = first_trigger(order, desk.prices.minutes(order.symbol, hours.day), at)
        if took and order.working_since == at:
            later = at + timedelta(seconds=desk.habits.refill_s)
    if later is None or later > hours.close_at:
        return _next_open(desk, order, hours, at)
    return later


def _next_open(desk: Desk, order: Order, hours: Hours, at: datetime) -> datetime | None:
    opens = hours.open_at if at < hours.open_at else desk.prices.calendar.after(hours).open_at
    return opens if order.expires_at is None or opens < order.expires_at else None
