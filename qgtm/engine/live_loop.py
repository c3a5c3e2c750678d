# A print of notebooks/engine/live_loop.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Live loop.

One event in, the facts that follow from it and the things to be done about it out; the same code live and
replayed.
"""

# cell 4 of notebooks/engine/live_loop.ipynb
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any, Final, Protocol

from qgtm.allocation.targets import PARAMS as TARGETS
from qgtm.allocation.targets import Caps, book, last_known
from qgtm.core.codec import canonical
from qgtm.core.effects import (
    AskOrder,
    Cancel,
    Effect,
    FetchBars,
    FetchPositions,
    FetchQuotes,
    PollOrders,
    SampleAccount,
    Submit,
)
from qgtm.core.events import (
    AccountSampled,
    AlertRaised,
    BarsClosed,
    BreakAccepted,
    BreakFound,
    BrokerFound,
    BrokerLost,
    ClosureSeen,
    Event,
    IntentFormed,
    Latched,
    ModeChanged,
    OrderNotFound,
    OrderRejected,
    OrderUpdated,
    PositionsSeen,
    QuotesSeen,
    SessionClosed,
    SessionOpened,
    SignalsComputed,
    StrategyDisabled,
    TargetsReached,
    TargetsSet,
    TimePassed,
    Unlatched,
)
from qgtm.core.ids import epoch_of
from qgtm.core.mode import Latch, Mode
from qgtm.core.order import Order, OrderState
from qgtm.core.record import renewed
from qgtm.core.reducing import is_flattening
from qgtm.core.universe import SYMBOLS, TRADED
from qgtm.engine.intent import Round, Tape, closing_orders, is_two_sided, planned_round
from qgtm.engine.state import NO_MONEY, State, changed
from qgtm.features.bars import Bars, FloatArray
from qgtm.risk.kill_switch import may_grow, may_reduce, moved, must_flatten, size_frac, trigger_for
from qgtm.risk.limits import Limits
from qgtm.risk.var import PARAMS as VALUE_AT_RISK


# cell 6 of notebooks/engine/live_loop.ipynb
@dataclass(frozen=True)
class Params:
    """The knobs of this module, in seconds of venue time but for the samples (process time)."""

    settle_s: int
    last_call_s: int
    round_every_s: int
    order_patience_s: int
    sample_every_s: int
    sample_closed_s: int
    cap_share: float
    resend_after_s: int


PARAMS = Params(
    settle_s=300,  # venue seconds after the open before the first order [0, 3600]
    last_call_s=600,  # venue seconds before the close without new orders [0, 3600]
    round_every_s=60,  # venue seconds between two rounds of orders [10, 900]
    order_patience_s=900,  # venue seconds an order may rest before it is cancelled [30, 3600]
    sample_every_s=10,  # process seconds between two samples of the account in a session [10, 60]
    sample_closed_s=600,  # process seconds between two samples out of hours, which confirm nothing [10, 3600]
    cap_share=0.98,  # part of each cap that the book aims at: the gate counts at the limit price [0.90, 1.00]
    resend_after_s=30,  # venue seconds until an order that the broker does not know is sent again [5, 300]
)


class Views(Protocol):
    """A strategy as the loop sees it."""

    @property
    def name(self) -> str: ...
    @property
    def symbols(self) -> tuple[str, ...]: ...
    @property
    def warm_up(self) -> int: ...
    @property
    def is_stateful(self) -> bool: ...
    def step(self, carried: object | None, bars: Bars) -> tuple[object | None, FloatArray]: ...
    def encode(self, carried: object | None) -> Any: ...
    def decode(self, written: Any) -> object | None: ...


class Past(Protocol):
    """The bars known so far; the newest session is the last row."""

    def __len__(self) -> int: ...
    def bars(self) -> Bars: ...
    def closes(self, symbols: Sequence[str], n: int) -> FloatArray: ...
    def average_volume(self, symbol: str, sessions: int) -> float | None: ...


@dataclass(frozen=True)
class Desk:
    """What the loop works with and never changes: limits, strategies, the bars, the account's rules."""

    limits: Limits
    strategies: tuple[Views, ...]
    history: Past
    is_shorting_allowed: bool = True
    tape_share_frac: float = 1.0  # part of the market's volume that the bars' feed sees
    params: Params = PARAMS


@dataclass(frozen=True)
class Step:
    """What came of one event."""

    state: State
    events: tuple[Event, ...]  # that followed from it, in order
    effects: tuple[Effect, ...]


Decision = tuple[Sequence[Event], Sequence[Effect]]
NOTHING: Final[Decision] = ((), ())


# cell 8 of notebooks/engine/live_loop.ipynb
def step(state: State, event: Event, now: datetime, desk: Desk) -> Step:
    """Return the state after `event`, the facts that followed and what to do. Pure; raises nothing.

    Facts are taken in the order in which they arose, each with the state that the ones before it made.
    """
    waiting: list[Event] = [event]
    effects: list[Effect] = []
    for fact in waiting:  # grows while it is walked
        state = changed(state, fact)
        decide = DECISIONS.get(type(fact))
        if decide is not None:
            facts, wanted = decide(state, fact, now, desk)
            waiting.extend(facts)
            effects.extend(wanted)
    return Step(state, tuple(waiting[1:]), tuple(effects))


# cell 10 of notebooks/engine/live_loop.ipynb
def _on_time(state: State, event: TimePassed, now: datetime, desk: Desk) -> Decision:
    is_open = event.is_open and not state.is_closed_by_broker(now)
    if is_open and event.session and event.session != state.session and event.open_at and event.close_at:
        return [SessionOpened(session=event.session, open_at=event.open_at, close_at=event.close_at)], ()
    if state.is_open and state.session and not (is_open and event.session == state.session):
        return [SessionClosed(session=state.session)], ()
    is_untold = event.is_open and not is_open and event.session != state.closed_session
    if is_untold and event.session and state.market:
        return [ClosureSeen(session=event.session, opens_at=state.market.next_open_at)], ()
    if not state.is_live:
        return NOTHING
    return (), [*_order_care(state, now, desk.params), *_overdue(state, event, now, desk)]


def _on_closure(state: State, event: ClosureSeen, now: datetime, desk: Desk) -> Decision:
    text = (
        f"The calendar has the market open in session {event.session}, and the broker's clock has it closed "
        f"until {event.opens_at:%Y-%m-%d %H:%M} UTC. The broker is believed: no orders go out."
    )
    return [AlertRaised(level="yellow", cause="market hours", text=text)], ()


def _overdue(state: State, event: TimePassed, now: datetime, desk: Desk) -> list[Effect]:
    wanted: list[Effect] = []
    if (
        state.session
        and not state.is_open
        and (state.bars_session is None or state.bars_session < state.session)
    ):
        wanted.append(FetchBars(state.session, after=state.bars_session))
    rest_s = desk.params.sample_every_s if state.is_open else desk.params.sample_closed_s
    if state.sampled_at_s is None or event.monotonic_s - state.sampled_at_s >= rest_s:
        wanted.append(SampleAccount())
    if must_flatten(state.switch):
        if state.is_open and _is_holding(state) and not state.live_orders:
            wanted.append(FetchPositions())
    elif is_round_due(state, now, desk.params):
        wanted.append(FetchQuotes(_wanted_symbols(state)))
    return wanted


def is_round_due(state: State, now: datetime, params: Params) -> bool:
    """Return whether orders may be planned now: targets pending, market open, nothing in doubt."""
    if not (state.is_pending and state.is_open and state.open_at and state.close_at) or state.live_orders:
        return False
    if state.broker_lost or state.is_blocked or state.switch.latches or state.equity_usd is None:
        return False
    if must_flatten(state.switch) or state.is_closed_by_broker(now):
        return False
    is_in_window = (
        state.open_at + timedelta(seconds=params.settle_s)
        <= now
        <= state.close_at - timedelta(seconds=params.last_call_s)
    )
    is_rested = state.quoted_at is None or now - state.quoted_at >= timedelta(seconds=params.round_every_s)
    return is_in_window and is_rested


def _is_holding(state: State) -> bool:
    """Return whether either book shows a position: what is flattened is sized from the broker's."""
    differs = any(found.brokers for subject, found in state.breaks.items() if subject in SYMBOLS)
    return differs or any(position.quantity for position in state.positions.values())


def _wanted_symbols(state: State) -> tuple[str, ...]:
    held = {symbol for symbol, position in state.positions.items() if position.quantity}
    within = {symbol for mine in state.by_strategy.values() for symbol in mine}
    return tuple(sorted(held | set(state.weights) | within))


# cell 12 of notebooks/engine/live_loop.ipynb
def _order_care(state: State, now: datetime, params: Params) -> list[Effect]:
    effects: list[Effect] = []
    for order in state.live_orders:
        if order.state in (OrderState.FORMED, OrderState.UNKNOWN):
            effects.append(AskOrder(order.client_order_id))
        is_stale = now - order.formed_at > timedelta(seconds=params.order_patience_s)
        is_unwanted = not is_wanted(order, state)
        if order.broker_order_id and (is_stale or is_unwanted):
            effects.append(Cancel(order, "trading is stopped" if is_unwanted else "it rested too long"))
    if any(order.state is OrderState.WORKING for order in state.live_orders):
        effects.append(PollOrders())
    return effects


def is_wanted(order: Order, state: State) -> bool:
    """Return whether an order may still be at work: as the gate would judge it now.

    Where everything is to be closed, all else makes room for the orders of the flatten.
    """
    if must_flatten(state.switch) or not order.is_reducing:
        return is_flattening(order) or may_grow(state.switch)
    return may_reduce(state.switch, is_flattening=is_flattening(order))


def _on_order_not_found(state: State, event: OrderNotFound, now: datetime, desk: Desk) -> Decision:
    order = state.orders.get(event.client_order_id)
    if order is None or not order.is_live:
        return NOTHING
    is_rested = now - order.formed_at >= timedelta(seconds=desk.params.resend_after_s)
    is_over = not state.is_open or (state.open_at is not None and order.formed_at < state.open_at)
    # After a restart the book is planned anew, on fresh quotes: what an earlier daemon had not got out
    # is not sent again, once the broker has had the time to receive it.
    is_of_old = is_rested and epoch_of(order.client_order_id) != state.epoch
    if is_over or is_of_old:
        ended = OrderUpdated(
            client_order_id=order.client_order_id,
            broker_order_id=order.broker_order_id or "",
            state=OrderState.EXPIRED,
            filled_quantity=order.filled_quantity,
            filled_price=order.filled_price,
            updated_at=now,
        )
        return [ended], ()
    if is_rested and is_wanted(order, state):
        return (), [Submit(order)]
    return NOTHING


# cell 14 of notebooks/engine/live_loop.ipynb
def _on_bars(state: State, event: BarsClosed, now: datetime, desk: Desk) -> Decision:
    signals: dict[str, Mapping[str, float | None]] = {}
    carried: dict[str, Any] = {}
    facts: list[Event] = []
    bars = desk.history.bars()
    for strategy in desk.strategies:
        name = strategy.name
        if name in state.disabled:
            continue
        try:
            signals[name], carried[name] = _view(strategy, state.carried.get(name), bars)
        except Exception as problem:  # noqa: BLE001 - a strategy may fail in any way, the loop may not
            facts.append(StrategyDisabled(strategy=name, reason=f"{type(problem).__name__}: {problem}"))
    kept = {name: value for name, value in carried.items() if value is not None}
    return [*facts, SignalsComputed(session=event.session, signals=signals, carried=kept)], ()


def _view(strategy: Views, written: Any, bars: Bars) -> tuple[dict[str, float | None], Any]:
    if strategy.is_stateful and written is None:
        carried, targets = _warmed(strategy, bars)
    else:
        carried, targets = strategy.step(strategy.decode(written), bars)
    values = targets.tolist()
    if any(abs(value) > 1.0 for value in values):  # NaN is no view and passes
        raise ValueError(f"a view lies outside [-1, 1]: {values}")
    view = {s: None if v != v else v for s, v in zip(strategy.symbols, values, strict=True)}
    written = strategy.encode(carried)
    canonical((view, written))  # what the journal could not hold is this strategy's fault, not the loop's
    return view, written


def _warmed(strategy: Views, bars: Bars) -> tuple[object | None, FloatArray]:
    """Walk all that is known once, so that a carried state starts where the history does."""
    carried, targets = strategy.step(None, bars.head(1))
    for n in range(2, len(bars) + 1):
        carried, targets = strategy.step(carried, bars.head(n))
    return carried, targets


def _on_disabled(state: State, event: StrategyDisabled, now: datetime, desk: Desk) -> Decision:
    text = f"Strategy {event.strategy} is disabled: {event.reason}. Its positions stay as they are."
    return [AlertRaised(level="orange", cause=f"strategy {event.strategy}", text=text)], ()


# cell 16 of notebooks/engine/live_loop.ipynb
def _on_signals(state: State, event: SignalsComputed, now: datetime, desk: Desk) -> Decision:
    if must_flatten(state.switch):
        return NOTHING
    views = {
        name: {s: value for s, value in mine.items() if value is not None and s in TRADED}
        for name, mine in state.signals.items()
    }
    closes = desk.history.closes(TRADED, TARGETS.covariance_lookback + 1)
    # A latch stops orders, not views: what is wanted is known the moment that it is cleared.
    size = float(size_frac(replace(state.switch, latches=())))
    wanted = book(views, TRADED, closes, _caps(desk.limits, desk.params.cap_share), size, TARGETS)
    return [_shrinking(state, _long_only(wanted_targets(event.session, wanted), desk))], ()


def wanted_targets(session: date, wanted: Any) -> TargetsSet:
    """Return a book as the fact that it is wanted from the next open on."""
    return TargetsSet(
        session=session, weights=wanted.weights, by_strategy=wanted.by_strategy, notes=wanted.notes
    )


def _caps(limits: Limits, share: float) -> Caps:
    return Caps(
        volatility_frac=float(limits.volatility_target_frac),
        single_name_frac={symbol: share * float(limits.single_name(symbol)) for symbol in TRADED},
        sector_frac=share * float(limits.sector_frac),
        gross=share * float(limits.gross_frac),
        net=share * float(limits.net_frac),
    )


def _scaled(targets: TargetsSet, factors: Mapping[str, float], note: str) -> TargetsSet:
    """Return the targets with each symbol's weight, whole and by strategy, times its factor."""
    return replace(
        targets,
        weights={s: round(w * factors[s], 6) for s, w in targets.weights.items() if round(w * factors[s], 6)},
        by_strategy={
            name: {s: w * factors.get(s, 1.0) for s, w in mine.items()}
            for name, mine in targets.by_strategy.items()
        },
        notes=(*targets.notes, note),
    )


def _long_only(targets: TargetsSet, desk: Desk) -> TargetsSet:
    if desk.is_shorting_allowed or all(weight >= 0 for weight in targets.weights.values()):
        return targets
    factors = {symbol: float(weight >= 0) for symbol, weight in targets.weights.items()}
    return _scaled(targets, factors, "short weights are left out: the account may not sell short")


def _shrinking(state: State, targets: TargetsSet) -> TargetsSet:
    if state.switch.mode is not Mode.REDUCING:
        return targets
    factors = {
        symbol: _shrink_factor(weight, held_weight(state, symbol))
        for symbol, weight in targets.weights.items()
    }
    return _scaled(targets, factors, "past the soft cap: nothing may be opened or enlarged")


def _shrink_factor(weight: float, held: float) -> float:
    if weight * held <= 0:
        return 0.0
    return min(1.0, held / weight)


def held_weight(state: State, symbol: str) -> float:
    """Return what is held of `symbol` as a signed share of equity; 0 when equity or price are not known."""
    if not state.equity_usd or state.equity_usd <= 0:
        return 0.0
    return float(state.quantity(symbol) * state.marks.get(symbol, NO_MONEY) / state.equity_usd)


# cell 18 of notebooks/engine/live_loop.ipynb
def _on_quotes(state: State, event: QuotesSeen, now: datetime, desk: Desk) -> Decision:
    if not is_round_due(renewed(state, quoted_at=None), now, desk.params):
        return NOTHING
    plan: Round = planned_round(state, event.quotes, now, desk.limits, partial(_tape, desk))
    # A refusal that is known already is not written down again each minute.
    denied = [refusal for refusal in plan.denied if state.denied.get(refusal.symbol) != refusal.check]
    if not plan.orders:
        quoted = {symbol for symbol, quote in event.quotes.items() if is_two_sided(quote)}
        is_done = not plan.may_pass and quoted >= set(_wanted_symbols(state))
        reached = [TargetsReached(session=state.session)] if state.session and is_done else []
        return [*denied, *plan.crossed, *reached], ()
    formed = [IntentFormed(order=order, session=plan.session) for order in plan.orders]
    return [*denied, *plan.crossed, *formed], [Submit(order) for order in plan.orders]


def _tape(desk: Desk, symbols: Sequence[str]) -> Tape:
    volumes = {symbol: desk.history.average_volume(symbol, 20) for symbol in symbols}
    closes = last_known(desk.history.closes(TRADED, VALUE_AT_RISK.window + 1))
    return Tape(
        average_volume={s: None if v is None else v / desk.tape_share_frac for s, v in volumes.items()},
        returns=closes[1:] / closes[:-1] - 1.0,
    )


def _on_updated(state: State, event: OrderUpdated, now: datetime, desk: Desk) -> Decision:
    order = state.orders.get(event.client_order_id)
    if order is None or event.filled_quantity <= order.quantity:
        return NOTHING
    text = (
        f"The broker counts {event.filled_quantity} shares filled of {order.quantity} in order "
        f"{order.client_order_id}: look at it there. What is too much will show as a break in {order.symbol}."
    )
    return [AlertRaised(level="red", cause=f"order {order.client_order_id}", text=text)], ()


def _on_rejected(state: State, event: OrderRejected, now: datetime, desk: Desk) -> Decision:
    text = f"The broker refused order {event.client_order_id}: {event.reason}"
    return [AlertRaised(level="yellow", cause="order rejected", text=text)], ()


# cell 20 of notebooks/engine/live_loop.ipynb
def _on_account(state: State, event: AccountSampled, now: datetime, desk: Desk) -> Decision:
    fall = None if state.drawdown is None else state.drawdown.drawdown_frac
    trigger = None if fall is None else trigger_for(state.switch, fall, desk.limits)
    if trigger is None or fall is None:
        return NOTHING
    after = moved(state.switch, trigger, now, fall)
    change = ModeChanged(
        trigger=trigger,
        before=state.switch.mode,
        after=after.mode,
        reason=f"the fall from the peak is {fall:.2%}",
        at=now,
        drawdown_frac=fall,
        is_new_episode=after.episode > state.switch.episode,
    )
    return [change], ()


def _on_mode_changed(state: State, event: ModeChanged, now: datetime, desk: Desk) -> Decision:
    level = {Mode.ACTIVE: "info", Mode.REDUCING: "orange"}.get(event.after, "red")
    text = f"Trading is now {event.after.replace('_', ' ')}: {event.reason}."
    facts: list[Event] = [AlertRaised(level=level, cause="kill switch", text=text)]
    if event.is_new_episode:  # a cap that acts again after its override has halved the book already
        facts.append(_halved(state))
    return facts, ()


def _halved(state: State) -> TargetsSet:
    """Return half of what is held as the new targets: the soft cap's one halving per episode."""
    weights = {s: round(held_weight(state, s) / 2, 6) for s, p in state.positions.items() if p.quantity}
    parts = {
        name: {s: _part(state, s, quantity) * weights.get(s, 0.0) for s, quantity in mine.items()}
        for name, mine in state.shares.items()
    }
    session = state.session or date.min
    return TargetsSet(session=session, weights=weights, by_strategy=parts, notes=("halved at the soft cap",))


def _part(state: State, symbol: str, quantity: Any) -> float:
    held = state.quantity(symbol)
    return float(quantity / held) if held else 0.0


def _on_positions(state: State, event: PositionsSeen, now: datetime, desk: Desk) -> Decision:
    if not (must_flatten(state.switch) and state.is_open and state.session) or state.live_orders:
        return NOTHING
    orders = closing_orders(state, event, now)
    return [IntentFormed(order=order, session=state.session) for order in orders], [Submit(o) for o in orders]


# cell 22 of notebooks/engine/live_loop.ipynb
def _on_break(state: State, event: BreakFound, now: datetime, desk: Desk) -> Decision:
    text = (
        f"Break in {event.subject}: we count {event.ours}, the broker {event.brokers}. No new orders until "
        f"it is accepted or put right. {event.detail}"
    )
    return [
        Latched(latch=Latch.BREAK, reason=f"{event.subject} differs"),
        AlertRaised(level="red", cause=f"break {event.subject}", text=text),
    ], ()


def _on_break_accepted(state: State, event: BreakAccepted, now: datetime, desk: Desk) -> Decision:
    if state.breaks or Latch.BREAK not in state.switch.latches:
        return NOTHING
    return [Unlatched(latch=Latch.BREAK, reason=event.reason, by=event.by)], ()


def _on_broker_lost(state: State, event: BrokerLost, now: datetime, desk: Desk) -> Decision:
    """Stop new orders and cancel what rests; positions stay. OpA acknowledges when it is back."""
    text = (
        f"The broker is disconnected: {event.reason}. Open orders are cancelled, positions stay as they are."
    )
    resting = [order for order in state.live_orders if order.broker_order_id]
    return [
        Latched(latch=Latch.DISCONNECTED, reason=event.reason),
        AlertRaised(level="red", cause="broker", text=text),
    ], [Cancel(order, "the broker is disconnected") for order in resting]


def _on_broker_found(state: State, event: BrokerFound, now: datetime, desk: Desk) -> Decision:
    return [AlertRaised(level="info", cause="broker", text="The broker answers again.")], ()


# cell 24 of notebooks/engine/live_loop.ipynb
Decide = Callable[[State, Any, datetime, Desk], Decision]

DECISIONS: Final[dict[type[Event], Decide]] = {
    TimePassed: _on_time,
    BarsClosed: _on_bars,
    StrategyDisabled: _on_disabled,
    SignalsComputed: _on_signals,
    ClosureSeen: _on_closure,
    QuotesSeen: _on_quotes,
    OrderUpdated: _on_updated,
    OrderRejected: _on_rejected,
    OrderNotFound: _on_order_not_found,
    AccountSampled: _on_account,
    ModeChanged: _on_mode_changed,
    PositionsSeen: _on_positions,
    BreakFound: _on_break,
    BreakAccepted: _on_break_accepted,
    BrokerLost: _on_broker_lost,
    BrokerFound: _on_broker_found,
}


__all__ = [
    "DECISIONS",
    "NOTHING",
    "PARAMS",
    "Decide",
    "Decision",
    "Desk",
    "Params",
    "Past",
    "Step",
    "Views",
    "held_weight",
    "is_round_due",
    "is_wanted",
    "step",
    "wanted_targets",
]
