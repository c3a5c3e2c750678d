"""What really happened, for a checker that must not ask the daemon: no client's call reaches this."""

from collections import deque
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from qgtm.exchange.desk import Desk
from qgtm.exchange.event import Execution
from qgtm.exchange.order import ZERO, Order


@dataclass(frozen=True, slots=True)
class Seen:
    """A request that reached the exchange, whether or not its answer reached the client."""

    at: datetime
    method: str
    path: str
    client_order_id: str | None


_REQUESTS_KEPT = 200_000


class Truth:
    """The accepted orders, executions and requests, and the position and cash that follow from them.

    `positions` and `cash` are folds over executions and activities, not the ledger's own
    figures, so that the two can be held against each other.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.requests: deque[Seen] = deque(maxlen=_REQUESTS_KEPT)

    @property
    def orders(self) -> tuple[Order, ...]:
        """Return every order that was ever accepted."""
        return tuple(self._desk.book.all)

    @property
    def executions(self) -> tuple[Execution, ...]:
        """Return every execution, in order."""
        return tuple(self._desk.executions)

    def positions(self) -> dict[str, Decimal]:
        """Return shares by symbol, without those at zero."""
        lots: dict[str, Decimal] = {}
        for execution in self._desk.executions:
            signed = execution.qty if execution.side == "buy" else -execution.qty
            lots[execution.symbol] = lots.get(execution.symbol, ZERO) + signed
        for activity in self._desk.activities:
            if activity.kind == "SPLIT" and activity.symbol is not None:
                lots[activity.symbol] = lots.get(activity.symbol, ZERO) + (activity.qty or ZERO)
        return {symbol: qty for symbol, qty in sorted(lots.items()) if qty}

    def cash(self) -> Decimal:
        """Return the cash in dollars that executions and activities leave of the opening cash."""
        cash = self._desk.ledger.opening_cash
        for execution in self._desk.executions:
            value = execution.qty * execution.price
            cash += value if execution.side == "sell" else -value
        return cash + sum((activity.net_amount for activity in self._desk.activities), ZERO)
