"""What the exchange tells its clients: executions and trade updates, activities, accounts, positions."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from qgtm.exchange.order import Order, Side, order_from

UpdateKind = Literal[
    "accepted", "pending_new", "new", "partial_fill", "fill", "canceled", "expired", "rejected",
    "replaced", "pending_cancel", "pending_replace", "order_replace_rejected",
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One fill: `qty` and `price` are of this execution, `cum_qty` and `leaves_qty` of the order after it."""

    seq: int
    id: str
    order_id: str
    client_order_id: str
    symbol: str
    side: Side
    qty: Decimal
    price: Decimal
    cum_qty: Decimal
    leaves_qty: Decimal
    position_qty: Decimal
    executed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeUpdate:
    """One line of the `trade_updates` stream, with the order as it was at that moment."""

    seq: int
    kind: UpdateKind
    at: datetime
    snapshot: tuple[Any, ...]
    execution: Execution | None = None

    @property
    def order_seq(self) -> int:
        """Return the order's number."""
        return int(self.snapshot[0])

    @property
    def order(self) -> Order:
        """Return the order as it was at that moment."""
        return order_from(self.snapshot)


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """A change of cash or shares that is no fill: DIV, SPLIT, CSD (deposit) or CSW (withdrawal)."""

    seq: int
    id: str
    kind: Literal["DIV", "SPLIT", "CSD", "CSW"]
    at: datetime
    day: date
    net_amount: Decimal
    symbol: str | None = None
    qty: Decimal | None = None
    per_share_amount: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountView:
    """The account at a moment, in dollars; `short_market_value` is negative or zero."""

    at: datetime
    cash: Decimal
    equity: Decimal
    last_equity: Decimal
    long_market_value: Decimal
    short_market_value: Decimal
    initial_margin: Decimal
    maintenance_margin: Decimal
    buying_power: Decimal
    regt_buying_power: Decimal
    multiplier: Decimal
    held_usd: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """What the account is worth at a moment, in dollars: the part of `AccountView` that a fund lives by.

    `marks` are the last prices of what is held, by symbol.
    """

    cash: Decimal
    equity: Decimal
    last_equity: Decimal
    marks: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionView:
    """A position at a moment: `qty` negative when short, prices a share, values in dollars."""

    symbol: str
    qty: Decimal
    qty_available: Decimal
    avg_entry_price: Decimal
    cost_basis: Decimal
    current_price: Decimal
    lastday_price: Decimal
    market_value: Decimal
    unrealized_pl: Decimal
    unrealized_intraday_pl: Decimal
