"""What happened, in the past tense: the rows of the journal and all that the engine hears.

State and every view are folds over these. Money and shares are Decimal, moments aware UTC,
weights and signals float (None where a strategy has no view).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import ClassVar

from qgtm.core.mode import Latch, Mode, Trigger
from qgtm.core.order import Order, OrderState, Side

type_registry: dict[str, type["Event"]] = {}


class Event:
    """A fact. Every subclass is a frozen dataclass and registers its name as the journal's `kind`."""

    __slots__ = ()
    is_journaled: ClassVar[bool] = True

    def __init_subclass__(cls) -> None:
        type_registry[cls.__name__] = cls


fact = dataclass(frozen=True, kw_only=True)


# --- the system ---------------------------------------------------------------------------------


@fact
class Deployed(Event):
    """Somebody put these prints to work: module name to sha256."""

    manifest_sha: str
    modules: Mapping[str, str]
    by: str


@fact
class Booted(Event):
    """A daemon took the lease; `epoch` is one more than the last daemon's."""

    epoch: int
    version: str
    venue: str  # "paper" or "live"
    manifest_sha: str
    config_sha: str
    account_number: str
    strategies: tuple[str, ...]  # loaded
    strategies_total: int


@fact
class BootStepFinished(Event):
    """One of the eight steps of the boot came to a verdict."""

    number: int
    name: str
    is_ok: bool
    detail: str
    took_s: float


@fact
class WentLive(Event):
    """All eight boot steps passed."""

    epoch: int


@fact
class Stopped(Event):
    """The daemon ended on its own will."""

    reason: str


@fact
class CommandTaken(Event):
    """An operator's command left the inbox. Journaled in one append with all that it led to.

    `command_id` is the inbox's row; they rise, so the last one taken says where to go on.
    """

    command_id: int
    kind: str
    by: str


@fact
class AlertRaised(Event):
    """Somebody should know: `level` is info, yellow, orange or red; `cause` groups alerts."""

    level: str
    cause: str
    text: str


# --- time and data ------------------------------------------------------------------------------


@fact
class TimePassed(Event):
    """The loop turned. Never journaled and never changes the state by itself.

    `session` is today's session (None on a closed day), with its regular hours;
    `monotonic_s` is process time.
    """

    is_journaled: ClassVar[bool] = False
    session: date | None
    open_at: datetime | None
    close_at: datetime | None
    is_open: bool
    monotonic_s: float


@fact
class SessionOpened(Event):
    """The regular session began."""

    session: date
    open_at: datetime
    close_at: datetime


@fact
class SessionClosed(Event):
    """The regular session ended."""

    session: date


@fact
class BarsClosed(Event):
    """The daily bars of a finished session: open, high, low, close, volume by symbol.

    `refused` names the symbols whose bar was nonsense, with the reason.
    """

    session: date
    known_at: datetime
    bars: Mapping[str, tuple[float, float, float, float, float]]
    refused: Mapping[str, str] = field(default_factory=dict)


@fact
class QuoteSeen:
    """A part of QuotesSeen: best bid and offer, and the last trade."""

    bid: Decimal
    ask: Decimal
    last: Decimal
    at: datetime


@fact
class QuotesSeen(Event):
    """Fresh quotes for a round of orders."""

    quotes: Mapping[str, QuoteSeen]


@fact
class FeedFailed(Event):
    """A feed did not give what it should have given by now."""

    feed: str
    reason: str


@fact
class FeedRecovered(Event):
    """A feed that had failed gave data again."""

    feed: str


@fact
class AccountSampled(Event):
    """What the broker says of the account, beside what we compute from the same moment's marks."""

    equity_usd: Decimal
    cash_usd: Decimal
    last_equity_usd: Decimal  # at the previous close
    marks: Mapping[str, Decimal]  # the broker's price of each position held
    is_blocked: bool
    monotonic_s: float


# --- decisions ----------------------------------------------------------------------------------


@fact
class SignalsComputed(Event):
    """Every strategy's view after a session, in [-1, 1] by symbol, and what it carries on."""

    session: date
    signals: Mapping[str, Mapping[str, float | None]]
    carried: Mapping[str, object]


@fact
class StrategyDisabled(Event):
    """A strategy raised or returned garbage; its last targets stay frozen."""

    strategy: str
    reason: str


@fact
class TargetsSet(Event):
    """Wanted weights (shares of equity, signed), whole and by strategy; pending until the next open."""

    session: date
    weights: Mapping[str, float]
    by_strategy: Mapping[str, Mapping[str, float]]
    notes: tuple[str, ...] = ()


@fact
class TargetsReached(Event):
    """The book is as near to the targets as the band and the checks allow."""

    session: date


@fact
class IntentFormed(Event):
    """An order that passed every check; durable before it is sent."""

    order: Order
    session: date


@fact
class OrderDenied(Event):
    """We refused an order ourselves; `check` names the check."""

    session: date
    symbol: str
    side: Side
    quantity: Decimal
    check: str
    reason: str


@fact
class StrategiesCrossed(Event):
    """Strategies that wanted opposite shares met inside the book; `shares` adds up to zero."""

    symbol: str
    price: Decimal
    shares: Mapping[str, Decimal]


# --- the broker's answers -----------------------------------------------------------------------


@fact
class OrderAccepted(Event):
    """The broker has the order."""

    client_order_id: str
    broker_order_id: str


@fact
class OrderRejected(Event):
    """The broker refused the order."""

    client_order_id: str
    code: int
    reason: str


@fact
class OrderUnknown(Event):
    """The broker's answer cannot be believed; the exposure stays reserved until it is found out."""

    client_order_id: str
    reason: str


@fact
class OrderUpdated(Event):
    """What the broker says of an order: cumulative shares and their mean price."""

    client_order_id: str
    broker_order_id: str
    state: OrderState
    filled_quantity: Decimal
    filled_price: Decimal
    updated_at: datetime


@fact
class OrderNotFound(Event):
    """The broker knows no order of this id; right after an unanswered submit that proves nothing."""

    client_order_id: str


@fact
class CancelRequested(Event):
    """We asked the broker to cancel an order; it may still fill."""

    client_order_id: str
    reason: str


@fact
class BrokerLost(Event):
    """The broker's stream or its answers are gone."""

    reason: str


@fact
class BrokerFound(Event):
    """The broker answers again, and what was missed has been fetched."""


# --- reconciliation -----------------------------------------------------------------------------


@fact
class BreakFound(Event):
    """Our number differs from the broker's. `subject` is a symbol, "cash" or an order id."""

    subject: str
    ours: Decimal
    brokers: Decimal
    detail: str


@fact
class BreakAccepted(Event):
    """OpA took the broker's number for ours, with a reason."""

    subject: str
    brokers: Decimal
    reason: str
    by: str


@fact
class Reconciled(Event):
    """Both books were compared; `breaks` are the open ones."""

    breaks: tuple[str, ...]
    positions: Mapping[str, Decimal]
    cash_usd: Decimal


@fact
class PositionsSeen(Event):
    """The broker's positions for closing: signed shares, and how many of them no order holds."""

    quantities: Mapping[str, Decimal]
    available: Mapping[str, Decimal]


@fact
class CashMoved(Event):
    """Money came in (+) or went out (-) that no trade explains; `kind` as the broker calls it."""

    activity_id: str
    kind: str
    amount_usd: Decimal


# --- risk ---------------------------------------------------------------------------------------


@fact
class ModeChanged(Event):
    """The kill switch moved."""

    trigger: Trigger
    before: Mode
    after: Mode
    reason: str
    at: datetime
    drawdown_frac: Decimal | None = None


@fact
class Latched(Event):
    """New orders are stopped until a person clears it."""

    latch: Latch
    reason: str


@fact
class Unlatched(Event):
    """A person cleared a latch."""

    latch: Latch
    reason: str
    by: str
