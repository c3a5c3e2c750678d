"""What the watchdog sees, and what it is told: files, the lease, the broker's answers. Values only."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from qgtm.core.order import Side

# --- files --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far the daemon's loop has come: any other value than the last is progress."""

    boot_id: str
    pid: int
    epoch: int
    counter: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KillWord:
    """What the daemon says of its kill switch; `command_id` is the last command that it took."""

    mode: str
    kill_epoch: int
    command_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A command in the inbox that makes the fund safer; `kind` is Halt or Flatten."""

    command_id: int
    kind: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """One look at the state folder.

    `asked_s` is the monotone second before the first file was opened; the moment after the last one is
    the `now_s` that goes with it. None: there is no such file, or none that can be read.
    """

    asked_s: float
    wall_at: datetime
    progress: Progress | None
    kill: KillWord | None = None
    wishes: tuple[Wish, ...] | None = ()


@dataclass(frozen=True, slots=True)
class LeaseTaken:
    """The lease is ours, and whoever had it before sends nothing more."""

    epoch: int


@dataclass(frozen=True, slots=True)
class LeaseFailed:
    """The lease could not be taken."""

    reason: str


# --- the broker's answers -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockSeen:
    """The broker's clock, aware UTC."""

    now: datetime
    is_open: bool
    next_open_at: datetime


@dataclass(frozen=True, slots=True)
class AccountSeen:
    """The account that these keys open."""

    number: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenOrder:
    """An order at the broker. `kind` and `status` are its words; `remaining` shares may still fill."""

    broker_order_id: str
    client_order_id: str
    symbol: str
    side: Side | None
    kind: str
    status: str
    remaining: Decimal

    @property
    def is_over(self) -> bool:
        """Return whether it fills no more; a status that is new to us says nothing of the kind."""
        return self.status in ("filled", "canceled", "expired", "rejected", "replaced")


@dataclass(frozen=True, slots=True)
class OrdersSeen:
    """The orders that were asked for."""

    orders: tuple[SeenOrder, ...]


@dataclass(frozen=True, slots=True)
class OrderSeen:
    """One order by our id; None when the broker has none, which right after a sending proves nothing."""

    order: SeenOrder | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenPosition:
    """A position: signed shares, and how many of them (>= 0) no order holds."""

    symbol: str
    quantity: Decimal
    available: Decimal


@dataclass(frozen=True, slots=True)
class PositionsSeen:
    """All positions."""

    positions: tuple[SeenPosition, ...]


@dataclass(frozen=True, slots=True)
class Done:
    """The broker took what was asked of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The broker says no, and has done nothing."""

    status: int
    reason: str

    @property
    def is_known_id(self) -> bool:
        """Return whether an order with this id is there already."""
        return self.status == 422 and "unique" in self.reason


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """No answer that can be believed: what was asked for may have been done.

    `wait_s` above zero: a call limit kept it from being done, and for how long.
    """

    reason: str
    wait_s: float = 0.0


Answer = ClockSeen | AccountSeen | OrdersSeen | OrderSeen | PositionsSeen | Done | Refused | NoAnswer
