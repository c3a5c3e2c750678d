"""All orders of the account, by id, by the client's id, and those that live by symbol."""

from collections.abc import Iterator
from decimal import Decimal

from qgtm.exchange.order import TERMINAL, ZERO, Order, Side


class OrderBook:
    """The orders; only live ones are walked, however many have ended."""

    def __init__(self) -> None:
        self.all: list[Order] = []
        self.by_id: dict[str, Order] = {}
        self.by_client_id: dict[str, Order] = {}
        self.live: dict[int, Order] = {}
        self.dirty: dict[int, Order] = {}

    def add(self, order: Order) -> None:
        """Put in a new order."""
        self.all.append(order)
        self.by_id[order.id] = order
        self.by_client_id[order.client_order_id] = order
        self.touch(order)

    def touch(self, order: Order) -> None:
        """Take note of a change, so that it is stored and a finished order is walked no more."""
        self.dirty[order.seq] = order
        if order.status in TERMINAL:
            self.live.pop(order.seq, None)
        else:
            self.live[order.seq] = order

    def of(self, symbol: str, side: Side | None = None) -> Iterator[Order]:
        """Return the live orders of a symbol, in order of acceptance."""
        return (o for o in self.live.values() if o.symbol == symbol and side in (None, o.side))

    def held_qty(self, symbol: str, side: Side) -> Decimal:
        """Return the shares that live orders of one side still want; a waiting replacement is not counted."""
        return sum((o.remaining for o in self.of(symbol, side) if o.status != "held"), ZERO)

    def held_usd(self) -> Decimal:
        """Return the buying power of all live orders; of an order and its replacement, the larger one's."""
        return sum((self._hold(order) for order in self.live.values()), ZERO)

    def _hold(self, order: Order) -> Decimal:
        if order.status != "held":
            return order.held_usd
        return max(order.held_usd - self.by_id[order.replaces or ""].held_usd, ZERO)
