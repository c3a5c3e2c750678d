"""What is sent for an order, and what the answer says became of it."""

from decimal import Decimal
from typing import Final

from qgtm.core.order import Order, Side

ID_LENGTH: Final = 128


def problem_of(order: Order) -> str | None:
    """Return why an order must not leave this machine, None when it may.

    The risk checks have said all this before; here it is the last look (guard 16).
    """
    if not _is_above_zero(order.quantity):
        return f"the quantity {order.quantity} is not above zero"
    is_whole = order.quantity == order.quantity.to_integral_value()
    if not is_whole and not (order.is_reducing and order.limit_price is None):
        return f"the quantity {order.quantity} is not whole, and only what closes at market may be a fraction"
    if order.limit_price is not None and not _is_above_zero(order.limit_price):
        return f"the limit price {order.limit_price} is not above zero"
    if not 0 < len(order.client_order_id) <= ID_LENGTH:
        return f"the client order id has {len(order.client_order_id)} characters, not 1 to {ID_LENGTH}"
    return None


def _is_above_zero(value: Decimal) -> bool:
    return value.is_finite() and value > 0


def request_of(order: Order) -> dict[str, object]:
    """Return the body of `POST /v2/orders`: numbers as text, so that no float comes in between."""
    body: dict[str, object] = {
        "symbol": order.symbol,
        "qty": f"{order.quantity.normalize():f}",
        "side": order.side.value,
        "type": "market" if order.limit_price is None else "limit",
        "time_in_force": "day",
        "extended_hours": False,
        "client_order_id": order.client_order_id,
    }
    if order.limit_price is not None:
        body["limit_price"] = f"{order.limit_price:f}"
    if order.is_reducing:
        # the broker checks it: such an order can close a position and never turn it around
        body["position_intent"] = "sell_to_close" if order.side is Side.SELL else "buy_to_close"
    return body
