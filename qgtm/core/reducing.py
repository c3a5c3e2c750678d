"""The one proof that an order can only reduce: the daemon's gate and the watchdog share it.

An order proven here skips every limit but this: it closes what is held, and no more of it than no
other live order is closing already; it carries one of our ids, and not one that is at work.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Protocol

from qgtm.core.ids import FLATTEN as FLATTEN
from qgtm.core.ids import FORM, epoch_of
from qgtm.core.order import ZERO, Order, Side


class Holdings(Protocol):
    """What is held: signed shares by symbol, and the orders that may still fill."""

    @property
    def positions(self) -> Mapping[str, Decimal]:
        """Return signed shares by symbol."""
        ...

    @property
    def orders(self) -> tuple[Order, ...]:
        """Return the orders that may still fill."""
        ...


def available(symbol: str, side: Side, holdings: Holdings) -> Decimal:
    """Return the shares (>= 0) of `symbol` that an order on `side` can close.

    That is what is held the other way, less what live orders on this side may still close. Raises
    decimal.InvalidOperation when the position is no number.
    """
    held = -side.sign * holdings.positions.get(symbol, ZERO)
    closing = sum(
        (order.remaining for order in holdings.orders if order.symbol == symbol and order.side is side), ZERO
    )
    return max(ZERO, held - closing)


def why_not_reducing(order: Order, holdings: Holdings) -> str | None:
    """Return why `order` is not proven to reduce, None when it is. Raises nothing."""
    return _wrong_id(order, holdings) or _wrong_quantity(order) or _not_covered(order, holdings)


def _wrong_id(order: Order, holdings: Holdings) -> str | None:
    if epoch_of(order.client_order_id) is None:
        return f"{order.client_order_id!r} is not one of our order ids"
    if any(live.client_order_id == order.client_order_id for live in holdings.orders):
        return f"an order {order.client_order_id} is at work already"
    return None


def _wrong_quantity(order: Order) -> str | None:
    if not order.quantity.is_finite() or order.quantity <= 0:
        return f"{order.quantity} shares are no quantity"
    if order.limit_price is not None and order.quantity != order.quantity.to_integral_value():
        return f"{order.quantity} shares with a fraction can be closed at market only"
    return None


def _not_covered(order: Order, holdings: Holdings) -> str | None:
    held = holdings.positions.get(order.symbol, ZERO)
    if not held.is_finite():
        return f"the position in {order.symbol} is {held}, which is no number"
    free = available(order.symbol, order.side, holdings)
    if order.quantity > free:
        return (
            f"to {order.side} {order.quantity} {order.symbol} is more than reducing: {held} are held "
            f"and {free} can be closed that way"
        )
    return None


def is_proven_reducing(order: Order, holdings: Holdings) -> bool:
    """Return whether `order` closes part or all of a position and can do nothing else. Raises nothing."""
    return why_not_reducing(order, holdings) is None


def is_flattening(order: Order) -> bool:
    """Return whether the order's id says that it belongs to a flatten (sized from the broker's book)."""
    match = FORM.fullmatch(order.client_order_id)
    return match is not None and match["purpose"] == FLATTEN
