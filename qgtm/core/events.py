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
from qgtm.core.request import Credential, Outcome, Person, Proof, Request

type_registry: dict[str, type["Event"]] = {}


class Event:
    """A fact. Every subclass is a frozen dataclass and registers its name as the journal's `kind`."""

    __slots__ = ()
    is_journaled: ClassVar[bool] = True

    def __init_subclass__(cls) -> None:
        type_registry[cls.__name__] = cls


# --- the system ---------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Deployed(Event):
    """Somebody put these prints to work: module name to sha256, and one hash of all that is not printed."""

    manifest_sha: str
    modules: Mapping[str, str]
    by: str
    code_sha: str = ""


@dataclass(frozen=True, kw_only=True)
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
    code_sha: str = ""
    shadows: Mapping[str, str] = field(default_factory=dict)  # that have not passed their gates, and why
    shadow_frac: float = 0.0  # of its size that a shadow may trade


@dataclass(frozen=True, kw_only=True)
class BootStepFinished(Event):
    """One of the eight steps of the boot came to a verdict."""

    number: int
    name: str
    is_ok: bool
    detail: str
    took_s: float


@dataclass(frozen=True, kw_only=True)
class WentLive(Event):
    """All eight boot steps passed."""

    epoch: int


@dataclass(frozen=True, kw_only=True)
class Stopped(Event):
    """The daemon ended on its own will."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class CommandTaken(Event):
    """An operator's command left the inbox. Journaled in one append with all that it led to.

    `command_id` is the inbox's row; they rise, so the last one taken says where to go on.
    """

    command_id: int
    kind: str
    by: str


@dataclass(frozen=True, kw_only=True)
class AlertRaised(Event):
    """Somebody should know: `level` is info, yellow, orange or red; `cause` groups alerts."""

    level: str
    cause: str
    text: str


# --- time and data ------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
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


@dataclass(frozen=True, kw_only=True)
class SessionOpened(Event):
    """The regular session began."""

    session: date
    open_at: datetime
    close_at: datetime


@dataclass(frozen=True, kw_only=True)
class MarketHoursSeen(Event):
    """What the broker's clock says of the market; it wins over the calendar's word."""

    is_open: bool
    next_open_at: datetime
    next_close_at: datetime


@dataclass(frozen=True, kw_only=True)
class ClocksCompared(Event):
    """Our clock was held against the broker's before `turn`: a session's open or close that is due by ours.

    `ahead_s` are the seconds (signed, venue time) by which ours lies ahead of the broker's.
    """

    turn: str
    ahead_s: float


@dataclass(frozen=True, kw_only=True)
class ClosureSeen(Event):
    """The calendar has the market open, and the broker's clock has it closed: nothing is traded."""

    session: date
    opens_at: datetime


@dataclass(frozen=True, kw_only=True)
class SessionClosed(Event):
    """The regular session ended."""

    session: date


@dataclass(frozen=True, kw_only=True)
class BarsClosed(Event):
    """The daily bars of a finished session: open, high, low, close, volume by symbol.

    `refused` names the symbols whose bar was nonsense, with the reason. `known` is what else was known at
    the close: by series the newest value, and the ordinal of the day that it describes.
    """

    session: date
    known_at: datetime
    bars: Mapping[str, tuple[float, float, float, float, float]]
    refused: Mapping[str, str] = field(default_factory=dict)
    known: Mapping[str, tuple[float, int]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class QuoteSeen:
    """A part of QuotesSeen: best bid and offer, and the last trade."""

    bid: Decimal
    ask: Decimal
    last: Decimal
    at: datetime


@dataclass(frozen=True, kw_only=True)
class QuotesSeen(Event):
    """Fresh quotes for a round of orders; `at` is when they were asked for, a quote may be older."""

    quotes: Mapping[str, QuoteSeen]
    at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class FeedFailed(Event):
    """A feed did not give what it should have given by now."""

    feed: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class FeedRecovered(Event):
    """A feed that had failed gave data again."""

    feed: str


@dataclass(frozen=True, kw_only=True)
class AccountSampled(Event):
    """What the broker says of the account, beside what we compute from the same moment's marks."""

    equity_usd: Decimal
    cash_usd: Decimal
    last_equity_usd: Decimal  # at the previous close
    marks: Mapping[str, Decimal]  # the broker's price of each position held
    is_blocked: bool
    monotonic_s: float


@dataclass(frozen=True, kw_only=True)
class BookValued(Event):
    """The account has been mute for long: fresh prices of all that is held, the middle and the last trade."""

    mids: Mapping[str, Decimal]
    lasts: Mapping[str, Decimal]
    monotonic_s: float


@dataclass(frozen=True, kw_only=True)
class BookUnjudged(Event):
    """The account has been mute for long, and prices that could stand in for it did not come."""

    reason: str


# --- decisions ----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class SignalsComputed(Event):
    """Every strategy's view after a session, in [-1, 1] by symbol, and what it carries on.

    `paused` names the strategies that gave none because a feed of theirs is stale, with the feeds: their last
    view stands.
    """

    session: date
    signals: Mapping[str, Mapping[str, float | None]]
    carried: Mapping[str, object]
    paused: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class RegimeSeen(Event):
    """The market's regime after a session: the state that is named, and all that it was judged by.

    `odds` are the filtered probabilities by state, `change` the probability of a change within two weeks,
    `thresholds` the volatilities at which normal, elevated and crisis begin. None is "not known yet".
    """

    session: date
    state: str
    odds: Mapping[str, float | None]
    change: float | None
    run_length: float | None  # sessions
    volatility: str | None
    thresholds: tuple[float | None, ...]  # fraction a year


@dataclass(frozen=True, kw_only=True)
class StrategyDisabled(Event):
    """A strategy raised or returned garbage; its last targets stay frozen."""

    strategy: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class TargetsSet(Event):
    """Wanted weights (shares of equity, signed), whole and by strategy; pending until the next open."""

    session: date
    weights: Mapping[str, float]
    by_strategy: Mapping[str, Mapping[str, float]]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TargetsReached(Event):
    """The book is as near to the targets as the band and the checks allow."""

    session: date


@dataclass(frozen=True, kw_only=True)
class IntentFormed(Event):
    """An order that passed every check; durable before it is sent."""

    order: Order
    session: date


@dataclass(frozen=True, kw_only=True)
class OrderDenied(Event):
    """We refused an order ourselves; `check` names the check."""

    session: date
    symbol: str
    side: Side
    quantity: Decimal
    check: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class StrategiesCrossed(Event):
    """Strategies that wanted opposite shares met inside the book; `shares` adds up to zero."""

    symbol: str
    price: Decimal
    shares: Mapping[str, Decimal]


# --- the broker's answers -----------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class OrderAccepted(Event):
    """The broker has the order."""

    client_order_id: str
    broker_order_id: str


@dataclass(frozen=True, kw_only=True)
class OrderRejected(Event):
    """The broker refused the order."""

    client_order_id: str
    code: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class OrderUnknown(Event):
    """The broker's answer cannot be believed; the exposure stays reserved until it is found out."""

    client_order_id: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class OrderUpdated(Event):
    """What the broker says of an order: cumulative shares and their mean price."""

    client_order_id: str
    broker_order_id: str
    state: OrderState
    filled_quantity: Decimal
    filled_price: Decimal
    updated_at: datetime
    quantity: Decimal | None = None  # the shares it was sent with, as the broker has them


@dataclass(frozen=True, kw_only=True)
class OrderNotFound(Event):
    """The broker knows no order of this id; right after an unanswered submit that proves nothing."""

    client_order_id: str


@dataclass(frozen=True, kw_only=True)
class CancelRequested(Event):
    """We asked the broker to cancel an order; it may still fill."""

    client_order_id: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class OrderAdopted(Event):
    """An order of the watchdog's flatten is taken into our book: it is the fund's own."""

    order: Order


@dataclass(frozen=True, kw_only=True)
class BrokerLost(Event):
    """The broker's stream or its answers are gone."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class BrokerFound(Event):
    """The broker answers again, and what was missed has been fetched."""


# --- reconciliation -----------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class BreakFound(Event):
    """Our number differs from the broker's. `subject` is a symbol, "cash" or an order id."""

    subject: str
    ours: Decimal
    brokers: Decimal
    detail: str


@dataclass(frozen=True, kw_only=True)
class BreakAccepted(Event):
    """OpA took the broker's number for ours, with a reason."""

    subject: str
    brokers: Decimal
    reason: str
    by: str


@dataclass(frozen=True, kw_only=True)
class Reconciled(Event):
    """Both books were compared; `breaks` are the open ones.

    `foreign` are the orders of somebody else's that had filled by then, None where nobody looked.
    """

    breaks: tuple[str, ...]
    positions: Mapping[str, Decimal]
    cash_usd: Decimal
    foreign: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class EquityHistorySeen(Event):
    """The broker's own history of the account: equity at the close, by session, up to `session`."""

    session: date
    equity_usd: Mapping[str, Decimal]


@dataclass(frozen=True, kw_only=True)
class PositionsSeen(Event):
    """The broker's positions for closing: signed shares, and how many of them no order holds."""

    quantities: Mapping[str, Decimal]
    available: Mapping[str, Decimal]
    at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class CashMoved(Event):
    """Money came in (+) or went out (-) that no trade explains; `kind` as the broker calls it."""

    activity_id: str
    kind: str
    amount_usd: Decimal


# --- risk ---------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class ModeChanged(Event):
    """The kill switch moved."""

    trigger: Trigger
    before: Mode
    after: Mode
    reason: str
    at: datetime
    drawdown_frac: Decimal | None = None
    is_new_episode: bool = False  # a soft cap that was not overridden before: the book is halved once
    kill_epoch: int = 0  # the watchdog's count of halts, where it was the one to halt
    lease_epoch: int = 0  # the lease that the watchdog took: older daemons are fenced
    by: str = ""  # the person, where it took one
    proof: Proof | None = None  # the person's, where one was asked for
    count: int = 0  # of the key that proved
    nonce: str = ""  # that the proof signed, so that it counts once


@dataclass(frozen=True, kw_only=True)
class Latched(Event):
    """New orders are stopped until a person clears it."""

    latch: Latch
    reason: str


@dataclass(frozen=True, kw_only=True)
class Unlatched(Event):
    """A person cleared a latch."""

    latch: Latch
    reason: str
    by: str


@dataclass(frozen=True, kw_only=True)
class OverrideRevoked(Event):
    """The soft cap's override ended before its time, by the word of either operator."""

    reason: str
    by: str


@dataclass(frozen=True, kw_only=True)
class FlatConfirmed(Event):
    """The broker shows no position and no live order of ours after a halt that closes everything."""

    epoch: int
    took_s: float


@dataclass(frozen=True, kw_only=True)
class FlattenDelayed(Event):
    """A minute after it could have been done, not all is flat: what is left, by the broker's count.

    `opens_at` is the next open when the market is closed, and the orders wait for it.
    """

    epoch: int
    left: Mapping[str, Decimal]
    at: datetime
    opens_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class CloseAllAsked(Event):
    """The last rung: the broker was asked to close everything by orders of its own."""

    epoch: int
    at: datetime


@dataclass(frozen=True, kw_only=True)
class CoolOffCounted(Event):
    """What three clocks say during a halt: process time (seconds), the wall's, the broker's own."""

    monotonic_s: float
    wall_at: datetime
    broker_at: datetime


@dataclass(frozen=True, kw_only=True)
class LimitsFileSeen(Event):
    """The configuration's limits, by name, as this boot found them; `looser` are not in force."""

    limits: Mapping[str, str]
    looser: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class LimitsChanged(Event):
    """Limits took new values, by name; `request_id` names the approval where one was looser."""

    limits: Mapping[str, str]
    reason: str
    by: str
    request_id: str = ""


@dataclass(frozen=True, kw_only=True)
class StrategyEnabled(Event):
    """A person let a disabled strategy try again."""

    strategy: str
    reason: str
    by: str


@dataclass(frozen=True, kw_only=True)
class DataReleased(Event):
    """A person found a value true that was held back: `item` names series or symbol, day and value."""

    item: str
    reason: str
    by: str


@dataclass(frozen=True, kw_only=True)
class TrialOrderAsked(Event):
    """A person wants one share ordered far below the market, seen at the broker, and cancelled."""

    by: str


@dataclass(frozen=True, kw_only=True)
class TrialOrderFinished(Event):
    """The test order has ended: seen at the broker and cancelled, or why not."""

    is_ok: bool
    text: str


# --- two persons --------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class OperatorEnrolled(Event):
    """An operator's key counts from now on; `request_id` names the approval where it replaced one."""

    credential: Credential
    by: str
    request_id: str = ""


@dataclass(frozen=True, kw_only=True)
class OperatorRevoked(Event):
    """An operator's key counts no more."""

    credential_id: str
    reason: str
    by: str
    request_id: str = ""


@dataclass(frozen=True, kw_only=True)
class RequestMade(Event):
    """One operator asks for what takes both.

    `monotonic_s` is process time of the daemon with this lease `epoch`: by it the request expires, too.
    """

    request: Request
    monotonic_s: float
    epoch: int


@dataclass(frozen=True, kw_only=True)
class RequestOpened(Event):
    """OpB sees the request, and this token's hash (bound to it) opens it."""

    request_id: str
    token_hash: str
    by: Person


@dataclass(frozen=True, kw_only=True)
class RequestEnded(Event):
    """A request is over; an approved one carries the proof, whole, so that anybody can verify it again."""

    request_id: str
    outcome: Outcome
    by: str
    reason: str
    proof: Proof | None = None
    count: int = 0  # of the key that proved: nothing at or below it counts again


@dataclass(frozen=True, kw_only=True)
class AttemptRefused(Event):
    """Somebody tried what was not his to do, or did it wrongly."""

    what: str
    by: str
    reason: str
    request_id: str = ""
