"""Cancel and replace: what a client may still do to an order that it has placed."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from qgtm.exchange.desk import Desk
from qgtm.exchange.draw import uniform
from qgtm.exchange.lifecycle import emit, end, move
from qgtm.exchange.order import REPLACEABLE, Order, OrderRequest, Refusal, TimeInForce
from qgtm.exchange.rules import cost_usd, readmit
from qgtm.exchange.shape import shape_refusal
from qgtm.exchange.timing import Timing, timing_of

_VALUE = 42210000


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """What a replace asks to change; None leaves the old order's value. `trail` is in its old unit."""

    qty: Decimal | None = None
    time_in_force: TimeInForce | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail: Decimal | None = None
    client_order_id: str | None = None


def unknown_order(order_id: str) -> Refusal:
    """Return the refusal for an id that no order has."""
    return Refusal(status=404, code=40410000, message=f"order not found for {order_id}")


def ask_cancel(desk: Desk, order: Order, now: datetime) -> Order | Refusal:
    """Ask for a cancel: taken means asked for, and a fill may still come first."""
    if not order.is_live or order.status == "pending_replace" or order.is_replacement_waiting:
        return _closed(order, "canceled")
    if order.status == "pending_cancel":
        return order
    order.turn_at = now if order.status == "held" else _cancel_at(desk, order, now)
    move(desk, order, "pending_cancel", now)
    emit(desk, "pending_cancel", order, now)
    return order


def cancel_now(desk: Desk, order: Order, now: datetime) -> None:
    """Cancel at once, as the close-all call does before it sells."""
    if order.status == "pending_replace" or order.is_replacement_waiting or not order.is_live:
        return
    end(desk, order, "canceled", now)


def ask_replace(desk: Desk, order: Order, new: Order, now: datetime) -> Order:
    """Put the replacement in the book, waiting; the caller has checked it with `replace_refusal`."""
    move(desk, order, "pending_replace", now)
    new.turn_at = now + timedelta(seconds=desk.habits.cancel_s)
    desk.book.add(new)
    emit(desk, "pending_replace", order, now)
    return new


def replaced_request(order: Order, change: Replacement) -> OrderRequest:
    """Return the request that the old order and the change make together."""
    return OrderRequest(
        symbol=order.symbol,
        side=order.side,
        kind=order.kind,
        time_in_force=change.time_in_force or order.time_in_force,
        qty=change.qty if change.qty is not None else order.qty,
        limit_price=change.limit_price if change.limit_price is not None else order.limit_price,
        stop_price=_stop(order, change),
        trail_price=_trail(order.trail_price, change.trail),
        trail_percent=_trail(order.trail_percent, change.trail),
        extended_hours=order.extended_hours,
        client_order_id=change.client_order_id,
    )


def replace_refusal(desk: Desk, order: Order, request: OrderRequest, now: datetime) -> Refusal | None:
    """Return why an order cannot be replaced by this request, None when it can."""
    if order.status not in REPLACEABLE:
        return _closed(order, "replaced")
    if order.notional is not None:
        return Refusal(status=422, code=_VALUE, message="notional orders cannot be replaced")
    if request.client_order_id in desk.book.by_client_id:
        return Refusal(status=422, code=40010001, message="client_order_id must be unique")
    refused = shape_refusal(request)
    if refused is not None:
        return refused
    if request.qty is not None and request.qty <= order.filled_qty:
        return Refusal(status=422, code=_VALUE, message="qty must be greater than filled_qty")
    return _reach(desk, order, request) or readmit(desk, order, request, now)


def _reach(desk: Desk, order: Order, request: OrderRequest) -> Refusal | None:
    """Refuse a larger replacement without the shares for what it adds."""
    more = (request.qty or Decimal(0)) - (order.qty or Decimal(0))
    position = abs(desk.ledger.qty(order.symbol))
    closes = order.position_intent in ("sell_to_close", "buy_to_close")
    free = position - desk.book.held_qty(order.symbol, order.side)
    if closes and more > free:
        message = f"insufficient qty available for order (requested: {request.qty}, available: {free:f})"
        return Refusal(status=403, code=40310000, message=message)
    return None


def new_hold(desk: Desk, order: Order, request: OrderRequest, now: datetime) -> Decimal:
    """Return the buying power that the replacement holds by itself."""
    quote = desk.prices.quote(order.symbol, now)
    return order.held_usd if quote is None else cost_usd(request, order.position_intent, quote)


def _stop(order: Order, change: Replacement) -> Decimal | None:
    if order.kind == "trailing_stop":
        return None
    return change.stop_price if change.stop_price is not None else order.stop_price


def _trail(old: Decimal | None, new: Decimal | None) -> Decimal | None:
    return new if old is not None and new is not None else old


def _cancel_at(desk: Desk, order: Order, now: datetime) -> datetime:
    hours = desk.prices.calendar.current(now)
    is_slow = uniform(desk.seed, order.seq, 3) < desk.habits.slow_cancel_frac
    if is_slow and hours.phase(now) != "regular":
        return hours.open_at if now < hours.open_at else desk.prices.calendar.after(hours).open_at
    return now + timedelta(seconds=desk.habits.cancel_s)


def _closed(order: Order, what: str) -> Refusal:
    message = f'order cannot be {what}: it is in "{order.status}" state'
    return Refusal(status=422, code=_VALUE, message=message)


def timing_or(order: Order, request: OrderRequest, now: datetime, desk: Desk) -> Timing:
    """Return the replacement's hours; where they would be refused, the old order's end stays."""
    timing = timing_of(request, now, desk.prices.calendar, overnight=True)
    return Timing(now, order.expires_at) if isinstance(timing, Refusal) else timing
