"""An order, from the wish to its end, and the table of status changes that are allowed.

FORMED      written down, not known to be sent
UNKNOWN     sent, no answer that can be believed: it may be working
WORKING     the broker has it
FILLED CANCELED EXPIRED REJECTED   the end

What is learned about an order may come twice and in any order. So quantities only grow,
an end stays an end, and the same facts in any order give the same order.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

from qgtm.core.errors import OrderError

ZERO: Final = Decimal(0)


class Side(StrEnum):
    """Buy or sell."""

    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        """Return +1 for a buy, -1 for a sell."""
        return 1 if self is Side.BUY else -1


class OrderState(StrEnum):
    """Where an order is, in our words."""

    FORMED = "formed"
    UNKNOWN = "unknown"
    WORKING = "working"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"


S = OrderState
ENDS: Final = frozenset({S.FILLED, S.CANCELED, S.EXPIRED, S.REJECTED})
ALLOWED: Final[dict[OrderState, frozenset[OrderState]]] = {
    S.FORMED: frozenset({S.UNKNOWN, S.WORKING}) | ENDS,
    S.UNKNOWN: frozenset({S.WORKING}) | ENDS,
    S.WORKING: frozenset({S.FILLED, S.CANCELED, S.EXPIRED, S.REJECTED}),
    # A fill that was on its way when the order ended is a fact (faults C6); nothing else moves an end.
    S.CANCELED: frozenset({S.FILLED}),
    S.EXPIRED: frozenset({S.FILLED}),
    S.REJECTED: frozenset(),
    S.FILLED: frozenset(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One order. `filled_quantity` and `filled_price` (its mean) are cumulative, as the broker counts."""

    client_order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    limit_price: Decimal | None  # None: at market (closing orders only)
    arrival_price: Decimal
    formed_at: datetime
    is_reducing: bool = False
    # signed, by strategy; adds up to the order
    shares: Mapping[str, Decimal] = field(default_factory=dict, hash=False)
    state: OrderState = OrderState.FORMED
    broker_order_id: str | None = None
    filled_quantity: Decimal = ZERO
    filled_price: Decimal = ZERO

    @property
    def remaining(self) -> Decimal:
        """Return the shares that may still fill: none once it has ended."""
        return ZERO if self.state in ENDS else self.quantity - self.filled_quantity

    @property
    def is_live(self) -> bool:
        """Return whether the order may still fill, as far as is known."""
        return self.state not in ENDS


def learned(
    order: Order,
    state: OrderState,
    filled_quantity: Decimal,
    filled_price: Decimal,
    broker_order_id: str | None = None,
) -> Order:
    """Return `order` with what the broker says of it added.

    Raises OrderError when the broker counts more shares than were ordered. Old news (a smaller
    count, an earlier state) changes nothing; of two prices for one count the higher holds, so that
    it does not matter which was heard first.
    """
    if filled_quantity > order.quantity:
        raise OrderError(
            f"{order.client_order_id}: the broker counts {filled_quantity} filled of {order.quantity}; "
            "treat it as a break and look at the order at the broker"
        )
    count, price = max((order.filled_quantity, order.filled_price), (filled_quantity, filled_price))
    return replace(
        order,
        state=S.FILLED if count == order.quantity else later(order.state, state),
        broker_order_id=min(filter(None, (order.broker_order_id, broker_order_id)), default=None),
        filled_quantity=count,
        filled_price=price,
    )


def resized(order: Order, quantity: Decimal) -> Order:
    """Return `order` with the shares (> 0) that the broker has under its id; each owner's part changes alike.

    What is no quantity changes nothing.
    """
    if not quantity.is_finite() or quantity <= 0 or quantity == order.quantity:
        return order
    parts = {name: part * quantity / order.quantity for name, part in order.shares.items()}
    if parts:
        largest = max(parts, key=lambda name: (abs(parts[name]), name))
        parts[largest] += quantity * order.side.sign - sum(parts.values(), ZERO)
    return replace(order, quantity=quantity, shares=parts)


def later(known: OrderState, news: OrderState) -> OrderState:
    """Return which of two states of one order holds, whichever was heard first."""
    if news in ALLOWED[known]:
        return news
    if news is known or known in ALLOWED[news]:
        return known
    # Two different ends: only one can be the broker's; the alphabet decides the same way each time.
    return min(known, news)
