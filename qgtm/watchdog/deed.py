"""What the watchdog wants done: calls to the broker, the lease, a word to people."""

from dataclasses import dataclass
from datetime import datetime

from qgtm.core.order import Order

# --- calls --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AskClock:
    """Ask for the broker's clock; answered by ClockSeen."""


@dataclass(frozen=True, slots=True)
class AskAccount:
    """Ask whose account this is; answered by AccountSeen."""


@dataclass(frozen=True, slots=True)
class AskOrders:
    """Ask for the open orders, or with `after` (the broker's time) for all that came later: OrdersSeen."""

    after: datetime | None = None


@dataclass(frozen=True, slots=True)
class AskOrder:
    """Ask for one order by our id; answered by OrderSeen."""

    client_order_id: str


@dataclass(frozen=True, slots=True)
class AskPositions:
    """Ask for all positions; answered by PositionsSeen."""


@dataclass(frozen=True, slots=True)
class CancelAll:
    """Cancel every open order; Done says that the wish was taken."""


@dataclass(frozen=True, slots=True)
class Cancel:
    """Cancel one order; Done says that the wish was taken."""

    broker_order_id: str


@dataclass(frozen=True, slots=True)
class Close:
    """Send an order that was proven to reduce; Done says that the broker has it."""

    order: Order


@dataclass(frozen=True, slots=True)
class CloseAll:
    """Let the broker close every position itself: the last rung, since no id protects it."""


Call = AskClock | AskAccount | AskOrders | AskOrder | AskPositions | CancelAll | Cancel | Close | CloseAll

# --- actions ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ask:
    """Make a call; its answer comes back as an event. One is in flight at a time."""

    call: Call


@dataclass(frozen=True, slots=True)
class TakeLease:
    """Take the lease, with an epoch above `least`; answered by LeaseTaken or LeaseFailed."""

    least: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """Tell both operators; `level` is info, yellow, orange or red, `cause` groups."""

    level: str
    cause: str
    text: str


@dataclass(frozen=True, slots=True)
class Note:
    """Write a line into the watchdog's own log."""

    text: str


Action = Ask | TakeLease | Alert | Note
