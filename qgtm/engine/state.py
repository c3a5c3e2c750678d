# A print of notebooks/engine/state.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""State.

What the platform knows of itself, as a fold over the journal, and how each fact changes it.
"""

# cell 4 of notebooks/engine/state.ipynb
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

from qgtm.core.events import (
    AccountSampled,
    AttemptRefused,
    BarsClosed,
    BookUnjudged,
    BookValued,
    Booted,
    BreakAccepted,
    BreakFound,
    BrokerFound,
    BrokerLost,
    CashMoved,
    ClocksCompared,
    CloseAllAsked,
    ClosureSeen,
    CommandTaken,
    CoolOffCounted,
    Deployed,
    EquityHistorySeen,
    Event,
    FeedFailed,
    FeedRecovered,
    FlatConfirmed,
    FlattenDelayed,
    IntentFormed,
    Latched,
    LimitsChanged,
    LimitsFileSeen,
    MarketHoursSeen,
    ModeChanged,
    OperatorEnrolled,
    OperatorRevoked,
    OrderAccepted,
    OrderAdopted,
    OrderDenied,
    OrderRejected,
    OrderUnknown,
    OrderUpdated,
    OverrideRevoked,
    PositionsSeen,
    QuotesSeen,
    Reconciled,
    RegimeSeen,
    RequestEnded,
    RequestMade,
    RequestOpened,
    SessionClosed,
    SessionOpened,
    SignalsComputed,
    Stopped,
    StrategiesCrossed,
    StrategyDisabled,
    StrategyEnabled,
    TargetsReached,
    TargetsSet,
    TrialOrderAsked,
    TrialOrderFinished,
    Unlatched,
    WentLive,
)
from qgtm.core.mode import Mode, Trigger
from qgtm.core.order import Order, OrderState, learned, resized
from qgtm.core.position import Position, booked, repriced
from qgtm.core.record import renewed
from qgtm.core.reducing import is_flattening
from qgtm.core.universe import SYMBOLS
from qgtm.engine.authority import (
    Authority,
    attempted,
    ended,
    enrolled,
    made,
    opened,
    proven,
    revoked,
)
from qgtm.risk.drawdown import (
    Drawdown,
    booted,
    flowed,
    is_flow,
    restarted,
    sampled,
    started,
    why_not_believed,
)
from qgtm.risk.exposure import recomputed_usd
from qgtm.risk.kill_switch import (
    CoolOff,
    KillSwitch,
    counted,
    counted_anew,
    halved,
    latched,
    moved,
    must_flatten,
    override_ended,
    session_opened,
    unlatched,
)
from qgtm.risk.limits import Limits, changed_limits

# cell 6 of notebooks/engine/state.ipynb
EMPTY: Final[Mapping[str, Any]] = MappingProxyType({})
NO_MONEY: Final = Decimal(0)
FLOWS_KEPT: Final = 200
ACCEPTED_KEPT: Final = 200
CLOSES_KEPT: Final = 30
RESIDUAL: Final = "residual"  # owns what no strategy does
TRIAL, TRIAL_SYMBOL = "test", "GLD"  # the purpose in the id of a trial order, and its symbol
REJECTED: Final = "rejected"  # stands where a check's name does: the broker refused the symbol's last order


@dataclass(frozen=True, slots=True)
class Refusals:
    """Count the broker's refusals in a row to let a symbol shrink, and say when the last order was formed."""

    count: int
    at: datetime


@dataclass(frozen=True, kw_only=True)
class State:
    """All that decisions depend on, beside the bars. Money and shares are Decimal, weights float."""

    # The system
    epoch: int = 0
    is_live: bool = False
    manifest_sha: str = ""
    code_sha: str = ""  # of all that is not printed, as it was deployed last
    strategies_loaded: int = 0
    strategies_total: int = 0
    command_id: int = 0  # the last command taken from the inbox
    # The session
    session: date | None = None
    is_open: bool = False
    open_at: datetime | None = None
    close_at: datetime | None = None
    bars_session: date | None = None
    market: MarketHoursSeen | None = None  # the broker's clock, as last heard
    closed_session: date | None = None  # open by the calendar, closed by the broker: told once
    clocks: ClocksCompared | None = None  # since the last open or close: ours against the broker's
    # The book
    cash_usd: Decimal = NO_MONEY
    positions: Mapping[str, Position] = field(default_factory=dict)
    orders: Mapping[str, Order] = field(default_factory=dict)  # of this session, ended ones too
    shares: Mapping[str, Mapping[str, Decimal]] = field(default_factory=dict)  # by strategy, by symbol
    marks: Mapping[str, Decimal] = field(default_factory=dict)
    # Decisions
    signals: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)
    carried: Mapping[str, Any] = field(default_factory=dict)
    disabled: Mapping[str, str] = field(default_factory=dict)
    shadows: Mapping[str, float] = field(default_factory=dict)  # share of its size that one may trade
    weights: Mapping[str, float] = field(default_factory=dict)
    by_strategy: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    targets_session: date | None = None
    is_pending: bool = False
    quoted_at: datetime | None = None
    # How many orders each symbol has had, ever: an id is then new whatever a clock does
    numbers: Mapping[str, int] = field(default_factory=dict)
    # Counters of the session
    sent_at: tuple[tuple[datetime, str], ...] = ()  # (when, what), so that rates can be judged
    denied: Mapping[str, str] = field(default_factory=dict)  # symbol -> check, since the last targets
    refused: Mapping[str, Refusals] = field(default_factory=dict)  # by the broker, of orders that reduce
    turnover_usd: Decimal = NO_MONEY
    # Risk
    switch: KillSwitch = field(default_factory=KillSwitch)
    drawdown: Drawdown | None = None  # begins with the first sample of the account
    flow_ids: tuple[str, ...] = ()  # of the cash flows booked last, so that none is booked twice
    equity_usd: Decimal | None = None
    last_equity_usd: Decimal | None = None
    week_start_usd: Decimal | None = None  # at the week's first open, and the owners' money since
    flows_day_usd: Decimal = NO_MONEY  # the owners' money in (+) and out (-) since the last close
    flows_cut_usd: Decimal = NO_MONEY  # the same at that close, for a session that the broker opens again
    sampled_at_s: float | None = None
    unjudged: str | None = None  # why the book cannot be valued while the broker is mute
    is_blocked: bool = False
    ceilings: Mapping[str, Decimal] = field(default_factory=dict)  # signed shares that a soft cap left
    limits: Limits | None = None  # in force; None until the first boot has written them down
    limits_file: Mapping[str, str] = field(default_factory=dict)  # the configuration's, at the last boot
    limits_looser: tuple[str, ...] = ()  # which of those are looser than what is in force
    # A halt, and its way back
    flat_epoch: int = -1  # the last halt that ended flat, by the broker's word
    held_there: Mapping[str, Decimal] = field(default_factory=dict)  # the broker's count, while flattening
    positions_at: datetime | None = None  # when it was heard
    nothing_since: datetime | None = None  # since when it has been nothing, look after look
    told_flat_at: datetime | None = None  # when it was last told that not all is flat
    closed_all_at: datetime | None = None  # when the last rung was tried
    cool_off: CoolOff | None = None  # of the last hard halt
    dead_man_epoch: int = 0  # the lease that the watchdog took: only a later daemon may resume
    is_clean: bool = False  # compared without a break, since boot, halt and loss of the broker
    # Persons
    authority: Authority = field(default_factory=Authority)
    is_trial_asked: bool = False
    # Health
    feeds_failed: Mapping[str, str] = field(default_factory=dict)
    paused: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # strategy -> the feeds it waits for
    regime: RegimeSeen | None = None
    broker_lost: str | None = None
    breaks: Mapping[str, BreakFound] = field(default_factory=dict)
    accepted: tuple[str, ...] = ()  # orders of somebody else's that a person has accepted, the last ones
    reconciled: date | None = None
    foreign: tuple[str, ...] | None = None  # somebody else's orders that the last comparison saw filled
    closing: date | None = None  # a session whose close is not written down yet
    closes_usd: Mapping[str, Decimal] = field(default_factory=dict)  # equity after the close, by session
    history_session: date | None = None  # up to which the broker's own history of it was compared

    @property
    def live_orders(self) -> tuple[Order, ...]:
        """Return the orders that may still fill, oldest first."""
        return tuple(order for order in self.orders.values() if order.is_live)

    def quantity(self, symbol: str) -> Decimal:
        """Return the signed shares held."""
        position = self.positions.get(symbol)
        return NO_MONEY if position is None else position.quantity

    def quantity_there(self, symbol: str) -> Decimal:
        """Return the broker's signed shares, as a break has told them; ours where there is none."""
        found = self.breaks.get(symbol)
        return self.quantity(symbol) + (NO_MONEY if found is None else found.brokers - found.ours)

    @property
    def held(self) -> dict[str, Decimal]:
        """Return the signed shares of every symbol in which either book holds any: the broker's count."""
        found = {symbol: position.quantity for symbol, position in self.positions.items()}
        found |= {symbol: self.quantity_there(symbol) for symbol in self.breaks if symbol in SYMBOLS}
        return {symbol: quantity for symbol, quantity in found.items() if quantity}

    @property
    def is_flat_confirmed(self) -> bool:
        """Return whether the broker has said that the present halt left nothing."""
        return must_flatten(self.switch) and self.flat_epoch == self.switch.kill_epoch

    def is_closed_by_broker(self, now: datetime) -> bool:
        """Return whether the broker's clock, as last heard, has the market closed; False for no word."""
        seen = self.market
        if seen is None:
            return False
        return now < seen.next_open_at and not (seen.is_open and now < seen.next_close_at)


# cell 8 of notebooks/engine/state.ipynb
def _with_fill(state: State, before: Order, after: Order) -> State:
    quantity = after.filled_quantity - before.filled_quantity
    # By worth and not by price: no division, so the cash is the same whatever news came in which order.
    worth_usd = after.filled_quantity * after.filled_price - before.filled_quantity * before.filled_price
    orders = {**state.orders, after.client_order_id: after}
    if not (quantity or worth_usd):
        return renewed(state, orders=orders)
    sign, position = after.side.sign, state.positions.get(after.symbol, Position())
    if quantity:
        position = booked(position, quantity * sign, worth_usd * sign)
    else:  # the broker corrects the mean price of shares that it has told us of
        position = repriced(position, sign, worth_usd * sign)
    return renewed(
        state,
        orders=orders,
        positions={**state.positions, after.symbol: position},
        cash_usd=state.cash_usd - worth_usd * sign,
        turnover_usd=state.turnover_usd + worth_usd,
        shares=_shared(state.shares, before, after),
    )


def _shared(
    shares: Mapping[str, Mapping[str, Decimal]], before: Order, after: Order
) -> Mapping[str, Mapping[str, Decimal]]:
    """Split by the cumulative count, so that the parts of a whole order are whole again when it is filled."""
    result = dict(shares)
    for strategy, part in after.shares.items():
        mine = result.get(strategy, EMPTY)
        old, new = (part * order.filled_quantity / after.quantity for order in (before, after))
        result[strategy] = {**mine, after.symbol: mine.get(after.symbol, NO_MONEY) + new - old}
    return result


def _known(book: State, client_order_id: str, /, **news: Any) -> State:
    order = book.orders.get(client_order_id)
    if (
        order is None
    ):  # An order that is not ours is a break, found by reconciling; it is no part of our book.
        return book
    told = {
        "state": order.state,
        "filled_quantity": order.filled_quantity,
        "filled_price": order.filled_price,
        **news,
    }
    order = _as_there(order, told.pop("quantity", None))
    # More shares than were ordered cannot be ours: the position then differs, which reconciling reports.
    told["filled_quantity"] = min(told["filled_quantity"], order.quantity)
    after = _with_fill(book, book.orders[client_order_id], learned(order, **told))
    return _unrefused(after, order.symbol) if after.turnover_usd != book.turnover_usd else after


def _as_there(order: Order, quantity: Decimal | None) -> Order:
    """Return a flatten's order as large as the broker has it: the watchdog may have sent it first."""
    return order if quantity is None or not is_flattening(order) else resized(order, quantity)


def _rejected(state: State, event: OrderRejected) -> State:
    """End the order; no other in its symbol is tried until the targets change."""
    order = state.orders.get(event.client_order_id)
    is_no_news = order is None or is_trial(order)
    denied = state.denied if is_no_news or order is None else {**state.denied, order.symbol: REJECTED}
    after = _known(renewed(state, denied=denied), event.client_order_id, state=OrderState.REJECTED)
    return _refused(after, order)


def _updated(state: State, event: OrderUpdated) -> State:
    before = state.orders.get(event.client_order_id)
    after = _known(
        state,
        event.client_order_id,
        state=event.state,
        filled_quantity=event.filled_quantity,
        filled_price=event.filled_price,
        broker_order_id=event.broker_order_id,
        quantity=event.quantity,
    )
    is_refused = event.state is OrderState.REJECTED and before is not None and before.is_live
    return _refused(after, before) if is_refused else after


def _refused(state: State, order: Order | None) -> State:
    """Count a refusal of an order that reduces, which is tried again after a rest. Only a live one counts."""
    if order is None or not order.is_live or not order.is_reducing or is_flattening(order):
        return state
    before = state.refused.get(order.symbol)
    count = 1 if before is None else before.count + 1
    news = {**state.refused, order.symbol: Refusals(count, order.formed_at)}
    return renewed(state, refused=news, denied={**state.denied, order.symbol: REJECTED})


def _unrefused(state: State, symbol: str) -> State:
    """Forget the refusals in a symbol that has shrunk since."""
    if symbol not in state.refused:
        return state
    return renewed(state, refused=_less(state.refused, symbol), denied=_without(state.denied, symbol))


def _less(refused: Mapping[str, Refusals], gone: str) -> dict[str, Refusals]:
    return {symbol: each for symbol, each in refused.items() if symbol != gone}


# cell 10 of notebooks/engine/state.ipynb
def _deployed(state: State, event: Deployed) -> State:
    """Give strategies that failed another chance with the new prints; they warm up anew."""
    carried = {name: value for name, value in state.carried.items() if name not in state.disabled}
    return renewed(
        state, manifest_sha=event.manifest_sha, code_sha=event.code_sha, disabled={}, carried=carried
    )


def _booted(state: State, event: Booted) -> State:
    return renewed(
        state,
        epoch=event.epoch,
        is_live=False,
        manifest_sha=event.manifest_sha,
        strategies_loaded=len(event.strategies),
        strategies_total=event.strategies_total,
        shadows=dict.fromkeys(event.shadows, event.shadow_frac),
        sampled_at_s=None,  # process time began anew
        drawdown=state.drawdown and booted(state.drawdown),
        cool_off=state.cool_off and counted_anew(state.cool_off),
        is_clean=False,
        closing=None,  # who was away at a close does not know what the fund was worth then
    )


def _session_opened(state: State, event: SessionOpened) -> State:
    if event.session == state.session:  # the broker had closed it for a while: what was counted today stays
        return renewed(
            state,
            is_open=True,
            open_at=event.open_at,
            close_at=event.close_at,
            clocks=None,
            quoted_at=None,
            flows_day_usd=state.flows_day_usd + state.flows_cut_usd,
            flows_cut_usd=NO_MONEY,
            switch=session_opened(state.switch, event.session),
            closing=None,
        )
    is_new_week = state.session is None or state.session.isocalendar()[:2] != event.session.isocalendar()[:2]
    # A session that opens over one whose close was never seen ends that one's override.
    switch = override_ended(state.switch) if state.is_open else state.switch
    return renewed(
        state,
        session=event.session,
        is_open=True,
        open_at=event.open_at,
        close_at=event.close_at,
        orders={
            order.client_order_id: order
            for order in state.orders.values()
            if order.is_live or _is_kept(state, order)
        },
        clocks=None,
        denied={},
        refused={},
        sent_at=(),
        quoted_at=None,
        turnover_usd=NO_MONEY,
        switch=session_opened(switch, event.session),
        closing=None,
        week_start_usd=state.equity_usd if is_new_week else state.week_start_usd,
    )


def _is_kept(state: State, order: Order) -> bool:
    """Return whether an order that has ended is kept: a halt's own, so that none is taken for a new one."""
    return must_flatten(state.switch) and is_flattening(order)


def _signals_computed(state: State, event: SignalsComputed) -> State:
    """Keep the last view where a strategy has none today (its symbol did not trade)."""
    signals = dict(state.signals)
    for name, view in event.signals.items():
        before = signals.get(name, EMPTY)
        signals[name] = {s: before.get(s) if value is None else value for s, value in view.items()}
    carried = {**state.carried, **event.carried}
    return renewed(state, signals=signals, carried=carried, paused=event.paused)


def _targets_set(state: State, event: TargetsSet) -> State:
    return renewed(
        state,
        weights=event.weights,
        by_strategy=event.by_strategy,
        targets_session=event.session,
        is_pending=True,
        denied={},
        refused={},
        quoted_at=None,
    )


def _quotes_seen(state: State, event: QuotesSeen) -> State:
    is_trial_only = state.is_trial_asked and event.quotes.keys() <= {TRIAL_SYMBOL}  # no round of orders
    at = event.at or max((quote.at for quote in event.quotes.values()), default=state.quoted_at)
    at = state.quoted_at if is_trial_only else at
    marks = {symbol: (quote.bid + quote.ask) / 2 for symbol, quote in event.quotes.items()}
    return renewed(state, quoted_at=at, marks={**state.marks, **marks})


def _intent_formed(state: State, event: IntentFormed) -> State:
    order = event.order
    what = f"{order.side} {order.quantity} {order.symbol}"
    return renewed(
        state,
        orders={**state.orders, order.client_order_id: order},
        numbers={**state.numbers, order.symbol: state.numbers.get(order.symbol, 0) + 1},
        sent_at=(*state.sent_at, (order.formed_at, what)),
        is_trial_asked=state.is_trial_asked and not is_trial(order),
    )


def _crossed(state: State, event: StrategiesCrossed) -> State:
    shares = dict(state.shares)
    for strategy, quantity in event.shares.items():
        mine = shares.get(strategy, EMPTY)
        shares[strategy] = {**mine, event.symbol: mine.get(event.symbol, NO_MONEY) + quantity}
    return renewed(state, shares=shares)


def _account_sampled(state: State, event: AccountSampled) -> State:
    """Take the sample in; an equity that our own count does not bear out sizes no order and sets no peak."""
    marks = {**state.marks, **event.marks}
    own_usd = recomputed_usd(_cash_there_usd(state), state.held, marks)
    after = renewed(
        state, marks=marks, sampled_at_s=event.monotonic_s, is_blocked=event.is_blocked, unjudged=None
    )
    if why_not_believed(event.equity_usd, own_usd) is None and event.equity_usd > 0:
        after = _believed(after, event)
    if after.drawdown is None:
        return after
    drawdown = sampled(after.drawdown, event.equity_usd, own_usd, event.monotonic_s, is_regular=state.is_open)
    return renewed(after, drawdown=drawdown)


def _cash_there_usd(state: State) -> Decimal:
    """Return the cash; where the books differ the broker's, whose equity is the first of the two sources."""
    broken = state.breaks.get("cash")
    return state.cash_usd + (NO_MONEY if broken is None else broken.brokers - broken.ours)


def _book_valued(state: State, event: BookValued) -> State:
    """Value the book without the broker's word: by bid and ask, and by the last trades; both must agree."""
    after = renewed(state, marks={**state.marks, **event.mids}, unjudged=None)
    if state.drawdown is None:
        return after
    cash_usd = _cash_there_usd(state)
    by_mid, by_last = (recomputed_usd(cash_usd, state.held, each) for each in (event.mids, event.lasts))
    drawdown = sampled(state.drawdown, by_last, by_mid, event.monotonic_s, is_regular=state.is_open)
    return renewed(after, drawdown=drawdown)


def _believed(state: State, event: AccountSampled) -> State:
    return renewed(
        state,
        equity_usd=event.equity_usd,
        last_equity_usd=event.last_equity_usd,
        week_start_usd=event.last_equity_usd if state.week_start_usd is None else state.week_start_usd,
        drawdown=state.drawdown or started(event.equity_usd),
        closing=None,
        closes_usd=state.closes_usd if state.closing is None else _closes(state, state.closing, event),
    )


def _closes(state: State, session: date, event: AccountSampled) -> dict[str, Decimal]:
    kept = dict(list(state.closes_usd.items())[-CLOSES_KEPT + 1 :])
    return {**kept, session.isoformat(): event.equity_usd}


def _cash_moved(state: State, event: CashMoved) -> State:
    """Book money that no trade explains; only the owners' own changes the count of units."""
    is_owners = is_flow(event.kind) and state.drawdown is not None
    flow_usd = event.amount_usd if is_owners else NO_MONEY
    start_usd = state.week_start_usd
    return renewed(
        state,
        flows_day_usd=state.flows_day_usd + flow_usd,
        week_start_usd=None if start_usd is None else start_usd + flow_usd,
        cash_usd=state.cash_usd + event.amount_usd,
        flow_ids=(*state.flow_ids, event.activity_id)[-FLOWS_KEPT:],
        drawdown=flowed(state.drawdown, event.amount_usd) if is_owners and state.drawdown else state.drawdown,
    )


def _break_accepted(state: State, event: BreakAccepted) -> State:
    rest = {subject: found for subject, found in state.breaks.items() if subject != event.subject}
    if event.subject == "cash":
        return renewed(state, breaks=rest, cash_usd=event.brokers)
    if event.subject not in SYMBOLS:  # an order of somebody else's: nothing of ours changes
        return renewed(state, breaks=rest, accepted=(*state.accepted, event.subject)[-ACCEPTED_KEPT:])
    before = state.positions.get(event.subject, Position())
    mark = state.marks.get(event.subject, NO_MONEY)
    position = replace(before, quantity=event.brokers, cost_usd=event.brokers * mark)
    mine = state.shares.get(RESIDUAL, EMPTY)  # no strategy asked for the difference
    rest_of_it = mine.get(event.subject, NO_MONEY) + event.brokers - before.quantity
    return renewed(
        state,
        breaks=rest,
        positions={**state.positions, event.subject: position},
        shares={**state.shares, RESIDUAL: {**mine, event.subject: rest_of_it}},
    )


def _without(names: Mapping[str, str], gone: str) -> dict[str, str]:
    return {name: reason for name, reason in names.items() if name != gone}


def is_trial(order: Order) -> bool:
    """Return whether an order is the trial of one share, which is cancelled as soon as it is seen."""
    return f"-{TRIAL}-" in order.client_order_id


# cell 12 of notebooks/engine/state.ipynb
def _mode_changed(state: State, event: ModeChanged) -> State:
    switch = moved(state.switch, event.trigger, event.at, event.drawdown_frac, kill_epoch=event.kill_epoch)
    after = renewed(state, switch=switch, dead_man_epoch=max(state.dead_man_epoch, event.lease_epoch))
    if switch.kill_epoch != state.switch.kill_epoch:
        after = _halted(after, switch, event.at)
    if event.trigger is Trigger.RESET_CONFIRMED and after.drawdown is not None and switch is not state.switch:
        after = renewed(after, drawdown=restarted(after.drawdown))
    if event.proof is not None:
        key = event.proof.credential_id
        after = renewed(after, authority=proven(after.authority, key, event.count, event.nonce))
    if event.is_new_episode:
        held = {
            symbol: position.quantity for symbol, position in state.positions.items() if position.quantity
        }
        return renewed(after, ceilings=halved(held))
    return after if switch.mode is Mode.REDUCING else renewed(after, ceilings={})


def _halted(state: State, switch: KillSwitch, at: datetime) -> State:
    return renewed(
        state,
        held_there={},
        positions_at=None,
        nothing_since=None,
        told_flat_at=None,
        closed_all_at=None,
        cool_off=CoolOff(kill_epoch=switch.kill_epoch, began_at=at),
        is_clean=False,
        is_trial_asked=False,
    )


def _positions_seen(state: State, event: PositionsSeen) -> State:
    if not must_flatten(state.switch):
        return state
    held = {symbol: quantity for symbol, quantity in event.quantities.items() if quantity}
    since = None if held else state.nothing_since or event.at
    return renewed(state, held_there=held, positions_at=event.at, nothing_since=since)


def _cooled(state: State, event: CoolOffCounted) -> State:
    if state.cool_off is None:
        return state
    return renewed(state, cool_off=counted(state.cool_off, event.monotonic_s, event.wall_at, event.broker_at))


def _limits_changed(state: State, event: LimitsChanged) -> State:
    """Take the new values in; the first such fact holds them all."""
    limits = changed_limits(state.limits, event.limits)
    looser = tuple(name for name in state.limits_looser if name not in event.limits)
    return renewed(state, limits=limits, limits_looser=looser)


def _strategy_enabled(state: State, event: StrategyEnabled) -> State:
    """Let it try again; what it carried is forgotten, so that it warms up anew."""
    carried = {name: value for name, value in state.carried.items() if name != event.strategy}
    return renewed(state, disabled=_without(state.disabled, event.strategy), carried=carried)


# cell 14 of notebooks/engine/state.ipynb
def _of_authority(change: Callable[[Authority, Any], Authority]) -> Callable[[State, Any], State]:
    return lambda state, event: renewed(state, authority=change(state.authority, event))


# cell 16 of notebooks/engine/state.ipynb
Change = Callable[[State, Any], State]

CHANGES: Final[dict[type[Event], Change]] = {
    Deployed: _deployed,
    Booted: _booted,
    CommandTaken: lambda s, e: renewed(s, command_id=e.command_id),
    WentLive: lambda s, e: renewed(s, is_live=True),
    Stopped: lambda s, e: renewed(s, is_live=False),
    SessionOpened: _session_opened,
    SessionClosed: lambda s, e: renewed(
        s,
        session=e.session,
        is_open=False,
        switch=override_ended(s.switch),
        flows_day_usd=NO_MONEY,
        flows_cut_usd=s.flows_day_usd,
        closing=e.session,
        clocks=None,
    ),
    EquityHistorySeen: lambda s, e: renewed(s, history_session=e.session),
    BarsClosed: lambda s, e: renewed(
        s, bars_session=e.session, marks={**s.marks, **{k: Decimal(repr(b[3])) for k, b in e.bars.items()}}
    ),
    QuotesSeen: _quotes_seen,
    MarketHoursSeen: lambda s, e: renewed(s, market=e),
    ClocksCompared: lambda s, e: renewed(s, clocks=e),
    ClosureSeen: lambda s, e: renewed(s, closed_session=e.session),
    FeedFailed: lambda s, e: renewed(s, feeds_failed={**s.feeds_failed, e.feed: e.reason}),
    FeedRecovered: lambda s, e: renewed(s, feeds_failed=_without(s.feeds_failed, e.feed)),
    AccountSampled: _account_sampled,
    BookValued: _book_valued,
    BookUnjudged: lambda s, e: renewed(s, unjudged=e.reason),
    SignalsComputed: _signals_computed,
    StrategyDisabled: lambda s, e: renewed(s, disabled={**s.disabled, e.strategy: e.reason}),
    RegimeSeen: lambda s, e: renewed(s, regime=e),
    TargetsSet: _targets_set,
    TargetsReached: lambda s, e: renewed(s, is_pending=False),
    IntentFormed: _intent_formed,
    OrderDenied: lambda s, e: renewed(s, denied={**s.denied, e.symbol: e.check}),
    StrategiesCrossed: _crossed,
    OrderAccepted: lambda s, e: _known(
        s, e.client_order_id, state=OrderState.WORKING, broker_order_id=e.broker_order_id
    ),
    OrderRejected: _rejected,
    OrderUnknown: lambda s, e: _known(s, e.client_order_id, state=OrderState.UNKNOWN),
    OrderUpdated: _updated,
    BrokerLost: lambda s, e: renewed(s, broker_lost=e.reason, is_clean=False),
    BrokerFound: lambda s, e: renewed(s, broker_lost=None),
    BreakFound: lambda s, e: renewed(s, breaks={**s.breaks, e.subject: e}, is_clean=False),
    BreakAccepted: _break_accepted,
    Reconciled: lambda s, e: renewed(s, reconciled=s.session, is_clean=not e.breaks, foreign=e.foreign),
    CashMoved: _cash_moved,
    ModeChanged: _mode_changed,
    OverrideRevoked: lambda s, e: renewed(s, switch=override_ended(s.switch)),
    PositionsSeen: _positions_seen,
    FlatConfirmed: lambda s, e: renewed(s, flat_epoch=e.epoch, held_there={}, is_clean=False),
    FlattenDelayed: lambda s, e: renewed(s, told_flat_at=e.at),
    CloseAllAsked: lambda s, e: renewed(s, closed_all_at=e.at),
    CoolOffCounted: _cooled,
    OrderAdopted: lambda s, e: renewed(s, orders={**s.orders, e.order.client_order_id: e.order}),
    LimitsChanged: _limits_changed,
    LimitsFileSeen: lambda s, e: renewed(s, limits_file=e.limits, limits_looser=e.looser),
    StrategyEnabled: _strategy_enabled,
    TrialOrderAsked: lambda s, e: renewed(s, is_trial_asked=True),
    TrialOrderFinished: lambda s, e: renewed(s, is_trial_asked=False),
    Latched: lambda s, e: renewed(s, switch=latched(s.switch, e.latch)),
    Unlatched: lambda s, e: renewed(s, switch=unlatched(s.switch, e.latch)),
    OperatorEnrolled: _of_authority(lambda a, e: enrolled(a, e.credential)),
    OperatorRevoked: _of_authority(lambda a, e: revoked(a, e.credential_id)),
    RequestMade: _of_authority(lambda a, e: made(a, e.request, e.epoch, e.monotonic_s)),
    RequestOpened: _of_authority(lambda a, e: opened(a, e.request_id, e.token_hash)),
    RequestEnded: _of_authority(lambda a, e: ended(a, e.request_id, e.proof, e.count)),
    AttemptRefused: _of_authority(lambda a, e: attempted(a, e.request_id)),
}


def changed(state: State, event: Event) -> State:
    """Return the state after one fact; a fact that the table does not list changes nothing."""
    change = CHANGES.get(type(event))
    return state if change is None else change(state, event)


def folded(events: Iterable[Event], state: State | None = None) -> State:
    """Return the state that the facts add up to, from `state` or from nothing."""
    result = State() if state is None else state
    for event in events:
        result = changed(result, event)
    return result


__all__ = [
    "ACCEPTED_KEPT",
    "CHANGES",
    "CLOSES_KEPT",
    "EMPTY",
    "FLOWS_KEPT",
    "NO_MONEY",
    "REJECTED",
    "RESIDUAL",
    "TRIAL",
    "TRIAL_SYMBOL",
    "Change",
    "Refusals",
    "State",
    "changed",
    "folded",
    "is_trial",
]
