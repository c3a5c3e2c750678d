"""An order at the exchange: what is asked, what it is now, and which status may follow which."""

from dataclasses import dataclass, field, fields
from datetime import datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any, Final, Literal

Side = Literal["buy", "sell"]
Kind = Literal["market", "limit", "stop", "stop_limit", "trailing_stop"]
TimeInForce = Literal["day", "gtc", "opg", "cls", "ioc", "fok"]
PositionIntent = Literal["buy_to_open", "buy_to_close", "sell_to_open", "sell_to_close"]
Status = Literal[
    "new", "partially_filled", "filled", "done_for_day", "canceled", "expired", "replaced",
    "pending_cancel", "pending_replace", "pending_review", "accepted", "pending_new",
    "accepted_for_bidding", "stopped", "rejected", "suspended", "calculated", "held",
]  # fmt: skip

ZERO = Decimal(0)
_ENDINGS: tuple[Status, ...] = ("filled", "canceled", "expired", "rejected")

# Alpaca's states that this exchange uses, each with those that may follow it. A fill may
# still arrive while a cancel or a replace is pending: that race is real.
NEXT_STATUS: dict[Status, tuple[Status, ...]] = {
    "accepted": ("new", "pending_cancel", *_ENDINGS),
    "pending_new": ("new", "pending_cancel", *_ENDINGS),
    "held": ("pending_new", "accepted", "new", "pending_cancel", "canceled", "expired", "rejected"),
    "new": ("partially_filled", "pending_cancel", "pending_replace", "replaced", *_ENDINGS),
    "partially_filled": (
        "partially_filled", "pending_cancel", "pending_replace", "replaced", *_ENDINGS,
    ),
    "pending_cancel": ("pending_cancel", *_ENDINGS),
    "pending_replace": ("pending_replace", "replaced", "new", "partially_filled", *_ENDINGS),
    "filled": (),
    "canceled": (),
    "expired": (),
    "rejected": (),
    "replaced": (),
}  # fmt: skip
TERMINAL: frozenset[Status] = frozenset(s for s, after in NEXT_STATUS.items() if not after)
REPLACEABLE: frozenset[Status] = frozenset({"new", "partially_filled"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Exits:
    """The exits that come with an order, in dollars: a profit's limit; a stop, and perhaps its limit."""

    profit: Decimal | None = None
    stop: Decimal | None = None
    stop_limit: Decimal | None = None


NO_EXITS: Final = Exits()


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRequest:
    """What a client asks for: `qty` in shares or `notional` in dollars, prices in dollars.

    `trail_percent` is in percent, as Alpaca has it (1 means 1%). A missing
    `client_order_id` is given by the exchange.
    """

    symbol: str
    side: Side
    kind: Kind = "market"
    time_in_force: TimeInForce = "day"
    qty: Decimal | None = None
    notional: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    extended_hours: bool = False
    client_order_id: str | None = None
    position_intent: PositionIntent | None = None
    order_class: str = ""
    exits: Exits = NO_EXITS


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A request that was not accepted: HTTP status, Alpaca's code, its sentence, further fields."""

    status: int
    code: int
    message: str
    details: dict[str, object] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Order:
    """An accepted order; `seq` counts from 1 in order of acceptance. Times are aware UTC.

    The exchange hands out its own object: read it, never write to it; `frozen` keeps a moment.
    `look_at` is when the order is matched next, `turn_at` when a pending cancel or replace is done.
    """

    seq: int
    id: str
    client_order_id: str
    symbol: str
    side: Side
    kind: Kind
    time_in_force: TimeInForce
    qty: Decimal | None
    notional: Decimal | None
    limit_price: Decimal | None
    stop_price: Decimal | None
    trail_price: Decimal | None
    trail_percent: Decimal | None
    extended_hours: bool
    position_intent: PositionIntent
    status: Status
    submitted_at: datetime
    updated_at: datetime
    expires_at: datetime | None = None
    filled_qty: Decimal = ZERO
    filled_value: Decimal = ZERO
    filled_at: datetime | None = None
    expired_at: datetime | None = None
    canceled_at: datetime | None = None
    failed_at: datetime | None = None
    replaced_at: datetime | None = None
    replaced_by: str | None = None
    replaces: str | None = None
    hwm: Decimal | None = None
    elected: bool = False
    working_since: datetime | None = None
    look_at: datetime | None = None
    turn_at: datetime | None = None
    looks: int = 0
    held_usd: Decimal = ZERO
    order_class: str = ""
    parent_id: str | None = None

    @property
    def is_replacement_waiting(self) -> bool:
        """Say whether the order waits to take another's place; an exit that waits for its entry does not."""
        return self.status == "held" and self.replaces is not None

    @property
    def is_live(self) -> bool:
        """Say whether the order can still change."""
        return self.status not in TERMINAL

    @property
    def filled_avg_price(self) -> Decimal | None:
        """Return the average price of what is filled, None before the first fill."""
        return self.filled_value / self.filled_qty if self.filled_qty else None

    @property
    def remaining(self) -> Decimal:
        """Return the shares still to be filled; zero for a notional order, which fills whole."""
        return ZERO if self.qty is None else self.qty - self.filled_qty

    def frozen(self) -> tuple[Any, ...]:
        """Return all that the order is now, cheaply; `order_from` makes an order of it again."""
        return _FIELDS(self)


_NAMES = tuple(f.name for f in fields(Order))
_FIELDS = attrgetter(*_NAMES)


def order_from(frozen: tuple[Any, ...]) -> Order:
    """Return the order as it was when `frozen` was taken."""
    return Order(**dict(zip(_NAMES, frozen, strict=True)))
