# A print of notebooks/engine/live_loop.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Live loop.

One event in, the facts that follow from it and the things to be done about it out; the same code live and
replayed.
"""

# cell 4 of notebooks/engine/live_loop.ipynb
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any, Final

from qgtm.allocation.targets import last_known
from qgtm.core.effects import (
    AskOrder,
    Cancel,
    CancelAll,
    CompareClocks,
    Effect,
    FetchBars,
    FetchEquityHistory,
    FetchPositions,
    FetchQuotes,
    PollOrders,
    SampleAccount,
    Submit,
    ValueBook,
)
from qgtm.core.events import (
    AccountSampled,
    AlertRaised,
    BarsClosed,
    BookUnjudged,
    BookValued,
    BreakAccepted,
    BreakFound,
    BrokerFound,
    BrokerLost,
    ClocksCompared,
    ClosureSeen,
    EquityHistorySeen,
    Event,
    FlatConfirmed,
    FlattenDelayed,
    IntentFormed,
    Latched,
    LimitsChanged,
    ModeChanged,
    OrderNotFound,
    OrderRejected,
    OrderUpdated,
    OverrideRevoked,
    PositionsSeen,
    QuotesSeen,
    SessionClosed,
    SessionOpened,
    SignalsComputed,
    StrategyDisabled,
    TargetsReached,
    TimePassed,
    TrialOrderFinished,
    Unlatched,
)
from qgtm.core.ids import epoch_of
from qgtm.core.instant import new_york_day
from qgtm.core.mode import Latch, Mode, Trigger
from qgtm.core.order import Order, OrderState
from qgtm.core.record import renewed
from qgtm.core.reducing import is_flattening
from qgtm.core.universe import TRADED
from qgtm.engine.desk import Desk, Params
from qgtm.engine.flatten import delays, flatten_care, looked, spared
from qgtm.engine.intent import Round, Tape, is_doubted, is_two_sided, planned_round
from qgtm.engine.mood import regime_after
from qgtm.engine.reconcile import find_history_breaks
from qgtm.engine.state import TRIAL_SYMBOL, State, changed, is_trial
from qgtm.engine.trial import trial_order, trial_words
from qgtm.engine.wanted import halved, viewed, wanted
from qgtm.risk.factors import READ as FACTOR_SYMBOLS
from qgtm.risk.factors import SESSIONS as FACTOR_SESSIONS
from qgtm.risk.factors import factor_moves
from qgtm.risk.kill_switch import HALTED, may_grow, may_reduce, moved, must_flatten, trigger_for
from qgtm.risk.var import PARAMS as VALUE_AT_RISK


# cell 6 of notebooks/engine/live_loop.ipynb
@dataclass(frozen=True)
class Step:
    """What came of one event."""

    state: State
    events: tuple[Event, ...]  # that followed from it, in order
    effects: tuple[Effect, ...]


Decision = tuple[Sequence[Event], Sequence[Effect]]
NOTHING: Final[Decision] = ((), ())
REFUSALS_TOLD: Final = 3  # refusals in a row of what shrinks a symbol, until it is told by name


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
    turn = _turn_due(state, event, now)
    if turn is not None and _may_turn(state, turn, desk.params):
        return [turn], ()
    asked = [] if turn is None else [CompareClocks(_turn_name(turn))]
    is_shut = turn is None and event.is_open and state.is_closed_by_broker(now)
    if is_shut and event.session != state.closed_session and event.session and state.market:
        return [ClosureSeen(session=event.session, opens_at=state.market.next_open_at)], ()
    if not state.is_live:
        return (), asked
    care = [*_order_care(state, now, desk.params), *_overdue(state, event, now, desk)]
    return delays(state, now), [*asked, *care]


def _turn_due(state: State, event: TimePassed, now: datetime) -> SessionOpened | SessionClosed | None:
    is_open = event.is_open and not state.is_closed_by_broker(now)
    is_due = event.session != state.session or _is_cut_short(state, event, now)
    if is_open and event.session and event.open_at and event.close_at and is_due:
        return SessionOpened(session=event.session, open_at=event.open_at, close_at=event.close_at)
    if state.is_open and state.session and not (is_open and event.session == state.session):
        return SessionClosed(session=state.session)
    return None


def _is_cut_short(state: State, event: TimePassed, now: datetime) -> bool:
    """Return whether today's session was ended by the broker's clock, well before the calendar's close.

    Clocks may differ by a minute, so what ends within the last one has ended by the calendar.
    """
    if state.is_open or state.broker_lost or event.close_at is None or event.session == state.bars_session:
        return False
    return event.session == state.session and now < event.close_at - timedelta(minutes=1)


def _turn_name(turn: SessionOpened | SessionClosed) -> str:
    return f"{'open' if isinstance(turn, SessionOpened) else 'close'} {turn.session}"


def _may_turn(state: State, turn: SessionOpened | SessionClosed, params: Params) -> bool:
    """Return whether a session may open or close: the broker's clock was asked for this turn, and agrees.

    While the broker is lost no order goes out, and the session is there to judge the caps by prices alone.
    """
    if state.broker_lost:
        return True
    seen = state.clocks
    return seen is not None and seen.turn == _turn_name(turn) and abs(seen.ahead_s) <= params.clock_off_s


def _on_clocks(state: State, event: ClocksCompared, now: datetime, desk: Desk) -> Decision:
    if abs(event.ahead_s) <= desk.params.clock_off_s:
        return NOTHING
    which = "ahead of" if event.ahead_s > 0 else "behind"
    text = (
        f"This machine's clock is {abs(event.ahead_s):.0f} s {which} the broker's. The broker is believed: "
        f"no session opens or closes by this clock (due was: {event.turn}). Put this machine's clock right."
    )
    return [AlertRaised(level="orange", cause="clock", text=text)], ()


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
    # What the fund was worth at the close is kept, and a market that should be open may open any moment.
    is_near = state.is_open or state.closing is not None or event.is_open
    rest_s = desk.params.sample_every_s if is_near else desk.params.sample_closed_s
    if state.sampled_at_s is None or event.monotonic_s - state.sampled_at_s >= rest_s:
        wanted.append(SampleAccount())
    if _is_account_mute(state, event, desk.params):
        wanted.append(ValueBook(tuple(sorted(state.held))))
    if _is_history_due(state):
        since = date.fromisoformat(min(state.closes_usd))
        wanted.append(FetchEquityHistory(since, state.session or since))
    if must_flatten(state.switch):
        return [*wanted, *flatten_care(state, now)]
    if state.is_trial_asked and state.is_open:
        wanted.append(FetchQuotes((TRIAL_SYMBOL,)))
    elif is_round_due(state, now, desk.params):
        wanted.append(FetchQuotes(_wanted_symbols(state)))
    return wanted


def _is_account_mute(state: State, event: TimePassed, params: Params) -> bool:
    """Return whether the caps must be judged without the broker's word: it has not come for too long."""
    if not (state.is_open and state.held) or state.sampled_at_s is None or state.drawdown is None:
        return False
    return event.monotonic_s - state.sampled_at_s >= params.account_mute_s and not must_flatten(state.switch)


def _is_history_due(state: State) -> bool:
    """Return whether a session has ended whose close the broker's own history was not asked for yet."""
    session = state.session
    if state.is_open or session is None or session != state.bars_session:
        return False
    return session.isoformat() in state.closes_usd and session != state.history_session


def is_round_due(state: State, now: datetime, params: Params) -> bool:
    """Return whether orders may be planned now: targets pending, market open, nothing in doubt."""
    if not (state.is_pending and state.is_open and state.open_at and state.close_at) or state.live_orders:
        return False
    if state.broker_lost or state.is_blocked or _is_held_back(state) or state.equity_usd is None:
        return False
    if must_flatten(state.switch) or state.is_closed_by_broker(now):
        return False
    # The book shrinks past a soft cap at any time of the session: it may open nothing there anyway.
    is_shrinking = state.switch.mode is Mode.REDUCING
    settle_s, last_call_s = (0, 0) if is_shrinking else (params.settle_s, params.last_call_s)
    is_in_window = (
        state.open_at + timedelta(seconds=settle_s) <= now <= state.close_at - timedelta(seconds=last_call_s)
    )
    # the distance, not the age: a clock that was put back must not hold orders up until it has caught up
    rest_s = params.shrink_every_s if is_shrinking else params.round_every_s
    is_rested = state.quoted_at is None or abs(now - state.quoted_at) >= timedelta(seconds=rest_s)
    return is_in_window and is_rested


def _is_held_back(state: State) -> bool:
    """Return whether a latch keeps orders back; a person's halt does not keep a soft cap from halving."""
    is_shrinking = state.switch.mode is Mode.REDUCING
    return not may_reduce(state.switch) if is_shrinking else bool(state.switch.latches)


def _wanted_symbols(state: State) -> tuple[str, ...]:
    held = {symbol for symbol, position in state.positions.items() if position.quantity}
    within = {symbol for mine in state.by_strategy.values() for symbol in mine}
    return tuple(sorted(held | set(state.weights) | within))


# cell 12 of notebooks/engine/live_loop.ipynb
POLL_REACHES: Final = timedelta(days=1)  # for sure: one of a Friday's evening rests over the weekend


def _order_care(state: State, now: datetime, params: Params) -> list[Effect]:
    effects: list[Effect] = []
    for order in state.live_orders:
        is_old = abs(now - order.formed_at) > POLL_REACHES
        if is_old or order.state in (OrderState.FORMED, OrderState.UNKNOWN):
            effects.append(AskOrder(order.client_order_id))
        reason = _why_to_cancel(order, state, now, params)
        if order.broker_order_id and reason:
            effects.append(Cancel(order, reason))
    if any(order.state is OrderState.WORKING for order in state.live_orders):
        effects.append(PollOrders())
    return effects


def _why_to_cancel(order: Order, state: State, now: datetime, params: Params) -> str:
    if must_flatten(state.switch):
        return ""  # all that is in the way of a flatten is cancelled by one call
    if not is_wanted(order, state):
        return "trading is stopped"
    if is_trial(order):
        return "the trial order was seen" if order.state is OrderState.WORKING else ""
    is_shrinking = state.switch.mode is Mode.REDUCING
    patience_s = params.shrink_patience_s if is_shrinking else params.order_patience_s
    is_stale = abs(now - order.formed_at) > timedelta(seconds=patience_s) and not is_flattening(order)
    return "it rested too long" if is_stale else ""


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
    if is_flattening(order) and must_flatten(state.switch):
        # Whoever sends it again, there is one order of this id: the broker refuses the second.
        is_of_this = epoch_of(order.client_order_id) == state.switch.kill_epoch
        return ((), [Submit(order)]) if is_of_this else ([_expired(order, now)], ())
    rest = timedelta(seconds=desk.params.resend_after_s)
    is_rested = abs(now - order.formed_at) >= rest
    is_over = not state.is_open or (state.open_at is not None and order.formed_at < state.open_at)
    # After a restart the book is planned anew, on fresh quotes: what an earlier daemon had not got out
    # is not sent again, once the broker has had the time to receive it.
    is_of_old = is_rested and epoch_of(order.client_order_id) != state.epoch
    is_given_up = _is_called_back(order, state) and abs(now - (state.switch.since or now)) >= rest
    if is_over or is_of_old or is_given_up:
        return [_expired(order, now)], ()
    if is_rested and is_wanted(order, state) and (order.is_reducing or not is_doubted(state)):
        return (), [Submit(order)]
    return NOTHING


def _is_called_back(order: Order, state: State) -> bool:
    """Return whether the switch has moved past an order, so that it can only have been sent before."""
    is_growing = not (order.is_reducing or is_flattening(order))
    return must_flatten(state.switch) or (state.switch.mode is Mode.REDUCING and is_growing)


def _expired(order: Order, now: datetime) -> OrderUpdated:
    return OrderUpdated(
        client_order_id=order.client_order_id,
        broker_order_id=order.broker_order_id or "",
        state=OrderState.EXPIRED,
        filled_quantity=order.filled_quantity,
        filled_price=order.filled_price,
        updated_at=now,
    )


# cell 14 of notebooks/engine/live_loop.ipynb
def _on_bars(state: State, event: BarsClosed, now: datetime, desk: Desk) -> Decision:
    facts = viewed(state, event.session, desk)
    if desk.regime is not None:
        facts.append(regime_after(event.session, desk.history.seen(), desk.regime))
    return facts, ()


def _on_disabled(state: State, event: StrategyDisabled, now: datetime, desk: Desk) -> Decision:
    text = f"Strategy {event.strategy} is disabled: {event.reason}. Its positions stay as they are."
    return [AlertRaised(level="orange", cause=f"strategy {event.strategy}", text=text)], ()


def _on_signals(state: State, event: SignalsComputed, now: datetime, desk: Desk) -> Decision:
    return NOTHING if must_flatten(state.switch) else ([wanted(state, event.session, desk)], ())


# cell 16 of notebooks/engine/live_loop.ipynb
def _on_quotes(state: State, event: QuotesSeen, now: datetime, desk: Desk) -> Decision:
    if state.is_trial_asked and TRIAL_SYMBOL in event.quotes and not must_flatten(state.switch):
        return _on_trial(state, event, now, desk)
    if not is_round_due(renewed(state, quoted_at=None), now, desk.params):
        return NOTHING
    limits = state.limits or desk.limits
    plan: Round = planned_round(state, event.quotes, now, limits, partial(_tape, desk))
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
        factors=factor_moves(last_known(desk.history.closes(FACTOR_SYMBOLS, FACTOR_SESSIONS))),
    )


def _on_trial(state: State, event: QuotesSeen, now: datetime, desk: Desk) -> Decision:
    limits = state.limits or desk.limits
    order = trial_order(state, event.quotes[TRIAL_SYMBOL], now, limits, partial(_tape, desk))
    if isinstance(order, Order) and state.session is not None:
        return [IntentFormed(order=order, session=state.session)], [Submit(order)]
    reason = "" if isinstance(order, Order) else order.reason
    return [TrialOrderFinished(is_ok=False, text=f"The trial order was not sent: {reason}.")], ()


def _on_trial_finished(state: State, event: TrialOrderFinished, now: datetime, desk: Desk) -> Decision:
    return [AlertRaised(level="info" if event.is_ok else "yellow", cause="trial order", text=event.text)], ()


def _on_updated(state: State, event: OrderUpdated, now: datetime, desk: Desk) -> Decision:
    order = state.orders.get(event.client_order_id)
    if order is not None and is_trial(order) and not order.is_live:
        is_ok, text = trial_words(order)
        return [TrialOrderFinished(is_ok=is_ok, text=text)], ()
    if order is not None and event.state is OrderState.REJECTED:
        return _stubborn(state, order), ()
    if order is None or event.filled_quantity <= order.quantity:
        return NOTHING
    text = (
        f"The broker counts {event.filled_quantity} shares filled of {order.quantity} in order "
        f"{order.client_order_id}: look at it there. What is too much will show as a break in {order.symbol}."
    )
    return [AlertRaised(level="red", cause=f"order {order.client_order_id}", text=text)], ()


def _on_rejected(state: State, event: OrderRejected, now: datetime, desk: Desk) -> Decision:
    text = f"The broker refused order {event.client_order_id}: {event.reason}"
    facts: list[Event] = [AlertRaised(level="yellow", cause="order rejected", text=text)]
    order = state.orders.get(event.client_order_id)
    if order is not None and is_trial(order):
        facts = [TrialOrderFinished(is_ok=False, text=text)]
    return [*facts, *([] if order is None else _stubborn(state, order))], ()


def _stubborn(state: State, order: Order) -> list[AlertRaised]:
    """Return the word that a symbol does not shrink as it should, after every few refusals in a row."""
    found = state.refused.get(order.symbol)
    if found is None or found.at != order.formed_at or found.count % REFUSALS_TOLD:
        return []
    text = (
        f"The broker has refused {found.count} times in a row to let {order.symbol} shrink; the last was to "
        f"{order.side} {order.quantity:f}. It is tried again, with a new order each time. Look at the broker."
    )
    return [AlertRaised(level="orange", cause=f"refused {order.symbol}", text=text)]


# cell 18 of notebooks/engine/live_loop.ipynb
def _settled(state: State, event: Event, now: datetime, desk: Desk) -> Decision:
    """Return the move that the confirmed fall from the peak asks for; asked again after every move."""
    fall = None if state.drawdown is None else state.drawdown.drawdown_frac
    trigger = None if fall is None else trigger_for(state.switch, fall, state.limits or desk.limits)
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


def _on_unjudged(state: State, event: BookUnjudged, now: datetime, desk: Desk) -> Decision:
    text = (
        f"The broker does not answer for the account, and the fund cannot be valued without it: "
        f"{event.reason}. Whether a cap is reached is not known. What is held stays on."
    )
    return [AlertRaised(level="red", cause="not judged", text=text)], ()


def _on_mode_changed(state: State, event: ModeChanged, now: datetime, desk: Desk) -> Decision:
    facts: list[Event] = [_mode_alert(event)]
    if event.is_new_episode:  # a cap that acts again after its override has halved the book already
        facts.append(halved(state))
    if event.before in HALTED and event.after is Mode.ACTIVE and state.bars_session is not None:
        facts.append(wanted(state, state.bars_session, desk))  # at the size that is allowed now
    is_new_halt = event.after in HALTED and event.before is not event.after
    return facts, [CancelAll(), FetchPositions()] if is_new_halt and state.is_live else []


def _mode_alert(event: ModeChanged) -> AlertRaised:
    level = {Mode.ACTIVE: "info", Mode.REDUCING: "orange"}.get(event.after, "red")
    is_bold = event.trigger in (Trigger.OVERRIDDEN, Trigger.RESET_CONFIRMED, Trigger.RESUMED)
    by = f" By {event.by}." if event.by else ""
    text = f"Trading is now {event.after.replace('_', ' ')}: {event.reason}.{by}"
    return AlertRaised(level="orange" if is_bold else level, cause="kill switch", text=text)


def _on_session_opened(state: State, event: SessionOpened, now: datetime, desk: Desk) -> Decision:
    """Want more where the ramp has made a step; what was wanted yesterday was sized for yesterday."""
    has_stepped = state.switch.ramp_session == event.session and state.switch.mode is Mode.ACTIVE
    if not has_stepped or state.bars_session is None:
        return NOTHING
    return [wanted(state, state.bars_session, desk)], ()


def _on_positions(state: State, event: PositionsSeen, now: datetime, desk: Desk) -> Decision:
    look = looked(state, event, now, state.limits or desk.limits)
    if look.flat is not None:
        return [look.flat], ()
    formed = [IntentFormed(order=order, session=new_york_day(now)) for order in look.orders]
    effects: list[Effect] = [Submit(order) for order in look.orders]
    return [*look.denied, *formed], [CancelAll(spared(state)), *effects] if look.is_in_the_way else effects


def _on_delayed(state: State, event: FlattenDelayed, now: datetime, desk: Desk) -> Decision:
    named = ", ".join(f"{quantity:f} {symbol}" for symbol, quantity in sorted(event.left.items()))
    what = f"Still held, and to be closed: {named or 'an order whose end is not known'}."
    when = f" The market opens at {event.opens_at:%Y-%m-%d %H:%M} UTC." if event.opens_at else ""
    return [AlertRaised(level="red", cause="not flat", text=what + when)], ()


def _on_flat(state: State, event: FlatConfirmed, now: datetime, desk: Desk) -> Decision:
    text = f"All is flat, by the broker's word, {event.took_s:.0f} s after the halt began."
    return [AlertRaised(level="orange", cause="flat", text=text)], ()


# cell 20 of notebooks/engine/live_loop.ipynb
def _on_break(state: State, event: BreakFound, now: datetime, desk: Desk) -> Decision:
    text = (
        f"Break in {event.subject}: we count {event.ours}, the broker {event.brokers}. No new orders until "
        f"it is accepted or put right. {event.detail}"
    )
    return [
        Latched(latch=Latch.BREAK, reason=f"{event.subject} differs"),
        AlertRaised(level="red", cause=f"break {event.subject}", text=text),
    ], ()


def _on_history(state: State, event: EquityHistorySeen, now: datetime, desk: Desk) -> Decision:
    """Hold our closes, and our peak, against the broker's own history of the account."""
    drawdown = state.drawdown
    peak_usd = None if drawdown is None else drawdown.lifetime_peak_usd * drawdown.units
    found = find_history_breaks(state.closes_usd, event.equity_usd, peak_usd)
    return [each for each in found if each.subject not in {*state.breaks, *state.accepted}], ()


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


# cell 22 of notebooks/engine/live_loop.ipynb
Decide = Callable[[State, Any, datetime, Desk], Decision]

DECISIONS: Final[dict[type[Event], Decide]] = {
    TimePassed: _on_time,
    BarsClosed: _on_bars,
    StrategyDisabled: _on_disabled,
    SignalsComputed: _on_signals,
    ClosureSeen: _on_closure,
    ClocksCompared: _on_clocks,
    QuotesSeen: _on_quotes,
    OrderUpdated: _on_updated,
    OrderRejected: _on_rejected,
    OrderNotFound: _on_order_not_found,
    AccountSampled: _settled,
    BookValued: _settled,
    BookUnjudged: _on_unjudged,
    EquityHistorySeen: _on_history,
    SessionClosed: _settled,
    OverrideRevoked: _settled,
    LimitsChanged: _settled,
    SessionOpened: _on_session_opened,
    FlattenDelayed: _on_delayed,
    FlatConfirmed: _on_flat,
    TrialOrderFinished: _on_trial_finished,
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
    "POLL_REACHES",
    "REFUSALS_TOLD",
    "Decide",
    "Decision",
    "Step",
    "is_round_due",
    "is_wanted",
    "step",
]
