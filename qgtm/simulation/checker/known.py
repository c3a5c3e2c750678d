"""What the durable rows say, folded a second time and in another way than the daemon folds them."""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

ZERO: Final = Decimal(0)
MODES: Final = {"active": Decimal(1), "reducing": Decimal("0.5")}
RAMP: Final = tuple(map(Decimal, ("0.5", "0.6", "0.7", "0.8", "0.9", "1")))

LATER: Final = {
    "formed": 0,
    "unknown": 1,
    "working": 2,
    "canceled": 3,
    "expired": 3,
    "rejected": 4,
    "filled": 4,
}


class Row(Protocol):
    """A row as it lies on the disk."""

    @property
    def seq(self) -> int: ...  # noqa: D102
    @property
    def at(self) -> str: ...  # noqa: D102
    @property
    def kind(self) -> str: ...  # noqa: D102
    @property
    def body(self) -> str: ...  # noqa: D102
    @property
    def prev_hash(self) -> str: ...  # noqa: D102
    @property
    def hash(self) -> str: ...  # noqa: D102


@dataclass(frozen=True)
class Bounds:
    """The limits, as the configuration file says them."""

    order_frac: Decimal
    order_shares: Decimal
    orders_per_minute: int
    orders_per_day: int
    same_order_per_minute: int
    gross_frac: Decimal
    net_frac: Decimal
    single_name_frac: Decimal
    overrides: Mapping[str, Decimal]
    soft_cap_frac: Decimal
    hard_cap_frac: Decimal

    def single_name(self, symbol: str) -> Decimal:
        """Return what one symbol may reach."""
        return self.overrides.get(symbol, self.single_name_frac)


def bounds_from(path: Path) -> Bounds:
    """Return the bounds that a configuration file sets."""
    table = tomllib.loads(path.read_text("utf-8"), parse_float=Decimal)["limits"]
    overrides = {symbol: Decimal(value) for symbol, value in table["single_name_override_frac"].items()}
    numbers: dict[str, Any] = {
        name: table[name] for name in Bounds.__dataclass_fields__ if name != "overrides"
    }
    return Bounds(overrides=overrides, **numbers)


class Intent(NamedTuple):
    """An order as it was written down."""

    client_order_id: str
    symbol: str
    sign: int
    quantity: Decimal
    seq: int
    process_s: float
    lease_epoch: int
    bars_session: str
    session: str
    held: Decimal  # at the exchange, when it was written down
    quote: Mapping[str, Any] | None
    formed_at: str


@dataclass
class Known:
    """The book, the switch and the breaks by the rows alone."""

    intents: dict[str, Intent] = field(default_factory=dict)
    filled: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)
    positions: dict[str, Decimal] = field(default_factory=dict)
    cash: Decimal = ZERO
    mode: str = "active"
    halted_s: float | None = None  # process second at which a halt became durable
    halted_seq: int = 0
    reducing_s: float | None = None
    ramp_step: int = len(RAMP) - 1
    latches: dict[str, int] = field(default_factory=dict)
    lost_seq: int | None = None
    breaks: dict[str, int] = field(default_factory=dict)
    bars_session: str = ""
    quotes: Mapping[str, Any] = field(default_factory=dict)
    quotes_at: str = ""
    epoch: int = 0
    ramp_on: date | None = None  # the last session that a step was counted for, or the reset's day
    head: str = "0" * 64
    seq: int = 0
    alerts: list[tuple[float, str, str, str]] = field(default_factory=list)  # when, level, cause, text
    edges: set[str] = field(default_factory=set)
    states: dict[str, str] = field(default_factory=dict)  # of orders, by what was said of them last

    def frac(self) -> Decimal:
        """Return the share of its normal size that the book may grow to."""
        return min(MODES.get(self.mode, ZERO), RAMP[self.ramp_step], ZERO if self.latches else Decimal(1))

    def hash_of(self, row: Row) -> str:
        """Return the hash that a row must have behind the last one."""
        text = f"{self.head}\n{row.seq}\n{row.at}\n{row.kind}\n{row.body}"
        return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    def order_is(self, client_order_id: str, after: str) -> None:
        """Take in that an order was said to be in a state; an end is left only for late fills."""
        before = self.states.get(client_order_id, "formed")
        if client_order_id in self.intents and LATER[before] < LATER[after]:
            self.states[client_order_id] = after
            self.edges.add(f"order {before} {after}")

    def book(self, client_order_id: str, quantity: Decimal, price: Decimal, there: str | None = None) -> None:
        """Take in what is cumulatively filled of an order of ours: more than before, or nothing.

        A flatten's order is as large as the exchange has it: the other of the two may have sent it.
        """
        intent = self.intents.get(client_order_id)
        if intent is None:
            return
        is_flatten = there is not None and "-flatten-" in client_order_id
        quantity = min(quantity, Decimal(there) if there and is_flatten else intent.quantity)
        before = self.filled.get(client_order_id, (ZERO, ZERO))
        if (quantity, price) <= before:
            return
        self.filled[client_order_id] = (quantity, price)
        more = (quantity - before[0]) * intent.sign
        self.positions[intent.symbol] = self.positions.get(intent.symbol, ZERO) + more
        self.cash -= (quantity * price - before[0] * before[1]) * intent.sign


def body_of(row: Row) -> dict[str, Any]:
    """Return a row's body; numbers with a point as Decimal."""
    found: dict[str, Any] = json.loads(row.body, parse_float=Decimal)
    return found


def seconds_between(earlier: str, later: str) -> float:
    """Return the seconds between two moments as the rows write them."""
    first, second = (datetime.fromisoformat(text) for text in (earlier, later))
    return (second - first).total_seconds()
