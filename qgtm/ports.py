"""What the daemon needs of the world: six Protocols, each with a real and a pretended side."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol

from qgtm.core.bar import BarSet
from qgtm.core.events import AlertRaised, CashMoved, Event, QuoteSeen
from qgtm.core.order import Order, OrderState, Side
from qgtm.core.outcome import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One journal row: `hash` is sha256 over the hash before it and the row's canonical text."""

    seq: int
    at: datetime
    event: Event
    hash: str


@dataclass(frozen=True, slots=True)
class Head:
    """The journal's last row: how many there are and the hash of the chain."""

    seq: int
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The account as the broker states it."""

    number: str
    status: str
    equity_usd: Decimal
    last_equity_usd: Decimal
    cash_usd: Decimal
    buying_power_usd: Decimal
    is_blocked: bool
    is_shorting_enabled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerPosition:
    """A position as the broker states it; `quantity` is negative for a short."""

    symbol: str
    quantity: Decimal
    available: Decimal
    mark: Decimal
    mean_entry_price: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerOrder:
    """An order as the broker states it; `status` keeps the broker's own word, known to us or not.

    `side` is None when the broker's word for it is new to us.
    """

    broker_order_id: str
    client_order_id: str
    symbol: str
    quantity: Decimal
    status: str
    state: OrderState
    filled_quantity: Decimal
    filled_price: Decimal
    updated_at: datetime
    side: Side | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketClock:
    """The broker's clock: its word decides whether trading is possible."""

    now: datetime
    is_open: bool
    next_open_at: datetime
    next_close_at: datetime


class Broker(Protocol):
    """Orders and the account. Every call ends within its time limit.

    Reading calls raise BrokerError when no answer came that can be believed;
    `submit` never raises: its third outcome is Unknown.
    """

    def clock(self) -> MarketClock: ...
    def account(self) -> Account: ...
    def positions(self) -> tuple[BrokerPosition, ...]: ...
    def orders(self, *, after: datetime | None = None, is_open: bool = False) -> tuple[BrokerOrder, ...]: ...
    def order(self, client_order_id: str) -> BrokerOrder | None: ...
    def submit(self, order: Order) -> Outcome: ...
    def cancel(self, broker_order_id: str) -> bool: ...
    def cancel_all(self) -> None: ...
    def close_all(self) -> None: ...
    def cash_flows(self, after: date) -> tuple[CashMoved, ...]: ...
    def equity_history(self, since: date) -> Mapping[date, Decimal]: ...  # at the close, by session


class Feed(Protocol):
    """Prices. Raises FeedError when they did not come or came wrong; a missing symbol is left out."""

    def daily(self, symbols: Sequence[str], start: date, end: date) -> tuple[BarSet, ...]:
        """Return the finished sessions' bars, oldest first."""
        ...

    def quotes(self, symbols: Sequence[str]) -> Mapping[str, QuoteSeen]: ...


class Store(Protocol):
    """The local copy of the bars; a session that is appended again is a correction."""

    def load(self) -> tuple[BarSet, ...]: ...
    def append(self, *sets: BarSet) -> None: ...
    def last_session(self) -> date | None: ...


class Journal(Protocol):
    """The append-only record: durable when `append` returns."""

    def append(self, events: Sequence[Event], at: datetime) -> None: ...
    def read(self, after: int = 0) -> Iterator[Entry]: ...
    def head(self) -> Head: ...


class Clock(Protocol):
    """Two times: `now` is venue time (aware UTC), `monotonic` process time in seconds."""

    def now(self) -> datetime: ...
    def monotonic(self) -> float: ...


class Notifier(Protocol):
    """A way to tell the operators something. Never blocks the loop."""

    def send(self, alert: AlertRaised) -> None: ...
