"""How much could be held at worst, counted from the exchange's own book and marks."""

from decimal import Decimal
from typing import Any, Final

from qgtm.exchange.core import Exchange
from qgtm.simulation.checker.known import ZERO, Bounds

COLLAR: Final = Decimal("1.03")  # the price collar, and what a price may move while an order is on its way


def live_of(exchange: Exchange, symbol: str) -> list[Any]:
    """Return the exchange's live orders in a symbol."""
    return [order for order in exchange.desk.book.live.values() if order.symbol == symbol]


def truth_of(exchange: Exchange) -> tuple[dict[str, Decimal], Decimal, dict[str, Decimal]]:
    """Return the exchange's positions, cash, and what is filled of each order, by executions alone."""
    filled: dict[str, Decimal] = {}
    for order in exchange.truth.orders:
        filled[order.client_order_id] = ZERO
    for execution in exchange.truth.executions:
        filled[execution.client_order_id] = filled.get(execution.client_order_id, ZERO) + execution.qty
    return exchange.truth.positions(), exchange.truth.cash(), filled


def size_problem(
    exchange: Exchange, bounds: Bounds, order: Any, quantity: Decimal, equity: Decimal
) -> str | None:
    """Return why an order is larger than one may be."""
    if quantity > bounds.order_shares:
        return f"{quantity} shares are more than {bounds.order_shares}"
    mark = exchange.desk.mark(order.symbol)
    most = bounds.order_frac * equity * COLLAR
    if quantity * mark > most:
        return f"it is worth {quantity * mark:.0f}, more than {most:.0f}"
    return None


def exposure_problem(
    exchange: Exchange, bounds: Bounds, order: Any, frac: Decimal, equity: Decimal
) -> str | None:
    """Return which limit the worst subset of live orders would break, if they all filled."""
    held: dict[str, Decimal] = {lot: position.qty for lot, position in exchange.desk.ledger.lots.items()}
    worst: dict[str, Decimal] = {}
    for symbol in sorted({*held, *(live.symbol for live in exchange.desk.book.live.values())}):
        worst[symbol] = _worst(held.get(symbol, ZERO), live_of(exchange, symbol)) * exchange.desk.mark(symbol)
    slack = COLLAR * frac * equity
    symbol = order.symbol
    if worst[symbol] > bounds.single_name(symbol) * slack + exchange.desk.mark(symbol):
        return f"{symbol} could reach {worst[symbol]:.0f} of {equity:.0f}"
    gross = sum(worst.values(), ZERO)
    return (
        f"the gross exposure could reach {gross:.0f} of {equity:.0f}"
        if gross > bounds.gross_frac * slack
        else None
    )


def _worst(held: Decimal, orders: list[Any]) -> Decimal:
    buys = sum((order.qty - order.filled_qty for order in orders if order.side == "buy"), ZERO)
    sells = sum((order.qty - order.filled_qty for order in orders if order.side == "sell"), ZERO)
    return max(abs(held + buys), abs(held - sells))
