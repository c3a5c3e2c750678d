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
        self.legs: dict[str, list[Order]] = {}

    def add(self, order: Order) -> None:
        """Put in a new order."""
        self.all.append(order)
        self.by_id[order.id] = order
        self.by_client_id[order.client_order_id] = order
        if order.parent_id is not None:
            self.legs.setdefault(order.parent_id, []).append(order)
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
        """Return the shares that live orders of one side still want.

        Of orders of which only one can fill (two exits, an order and its replacement) the larger one
        counts; exits that wait for their entry do not.
        """
        wanted: dict[str, Decimal] = {}
        for order in self.of(symbol, side):
            if order.status != "held" or order.is_replacement_waiting:
                old = self.by_id[order.replaces] if order.replaces and order.status == "held" else None
                group = order.parent_id or (order if old is None else old).id
                open_qty = order.remaining - (ZERO if old is None else old.filled_qty)
                wanted[group] = max(wanted.get(group, ZERO), open_qty)
        return sum(wanted.values(), ZERO)

    def held_usd(self) -> Decimal:
        """Return the buying power of all live orders; of an order and its replacement, the larger one's."""
        return sum((self._hold(order) for order in self.live.values()), ZERO)

    def _hold(self, order: Order) -> Decimal:
        if not order.is_replacement_waiting:
            return order.held_usd
        return max(order.held_usd - self.by_id[order.replaces or ""].held_usd, ZERO)
