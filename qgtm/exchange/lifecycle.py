"""The few ways in which an order changes; each writes the book, the ledger and the stream together."""

from datetime import datetime
from decimal import Decimal

from qgtm.exchange.desk import Desk
from qgtm.exchange.event import Execution, TradeUpdate, UpdateKind
from qgtm.exchange.order import NEXT_STATUS, TERMINAL, ZERO, Order, Status

_STAMP = {
    "filled": "filled_at",
    "expired": "expired_at",
    "canceled": "canceled_at",
    "rejected": "failed_at",
    "replaced": "replaced_at",
}


def emit(
    desk: Desk, kind: UpdateKind, order: Order, at: datetime, execution: Execution | None = None
) -> None:
    """Put a line on the trade stream, with the order as it is now."""
    desk.update_count += 1
    update = TradeUpdate(
        seq=desk.update_count, kind=kind, at=at, snapshot=order.frozen(), execution=execution
    )
    desk.updates.append(update)


def move(desk: Desk, order: Order, status: Status, at: datetime) -> None:
    """Give an order its next status. Raises `ValueError` for a change that the table forbids."""
    if status not in NEXT_STATUS[order.status]:
        raise ValueError(f"order {order.id} cannot go from {order.status} to {status}; see NEXT_STATUS")
    order.status = status
    order.updated_at = at
    if status in TERMINAL:
        order.held_usd = ZERO
        order.look_at = order.turn_at = None
        setattr(order, _STAMP[status], at)
    desk.book.touch(order)


def begin(desk: Desk, order: Order, at: datetime) -> None:
    """Let an accepted order work: from now on it can be filled."""
    order.working_since = at
    if order.status in ("accepted", "pending_new"):
        move(desk, order, "new", at)
        emit(desk, "new", order, at)


def end(desk: Desk, order: Order, status: Status, at: datetime) -> None:
    """Finish an order without a further fill, and say so on the stream."""
    move(desk, order, status, at)
    kinds: dict[Status, UpdateKind] = {"canceled": "canceled", "expired": "expired", "rejected": "rejected"}
    emit(desk, kinds.get(status, "replaced"), order, at)


def fill(desk: Desk, order: Order, qty: Decimal, price: Decimal, at: datetime) -> Execution:
    """Execute `qty` shares at `price` dollars: cash, position, order, stream."""
    _release(order, qty)
    order.filled_qty += qty
    order.filled_value += qty * price
    position = desk.ledger.trade(order.symbol, order.side, qty, price)
    execution = _execution(desk, order, qty, price, position, at)
    desk.executions.append(execution)
    is_done = execution.leaves_qty == 0
    if is_done:
        move(desk, order, "filled", at)
    elif order.status == "new":
        move(desk, order, "partially_filled", at)
    else:
        order.updated_at = at
        desk.book.touch(order)
    emit(desk, "fill" if is_done else "partial_fill", order, at, execution)
    return execution


def _release(order: Order, qty: Decimal) -> None:
    before = order.remaining
    order.held_usd = order.held_usd * (before - qty) / before if before else ZERO


def _execution(
    desk: Desk, order: Order, qty: Decimal, price: Decimal, position: Decimal, at: datetime
) -> Execution:
    seq = len(desk.executions) + 1
    return Execution(
        seq=seq,
        id=desk.new_id("execution", seq),
        order_id=order.id,
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        side=order.side,
        qty=qty,
        price=price,
        cum_qty=order.filled_qty,
        leaves_qty=order.remaining,
        position_qty=position,
        executed_at=at,
    )
