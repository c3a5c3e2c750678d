"""From a halt to flat: who is cancelled, what is closed and when again, what is told, and when it is over."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qgtm.core.effects import Cancel, CancelAll, CloseAll, CountCoolOff, FetchPositions, Submit
from qgtm.core.events import (
    AlertRaised,
    BreakFound,
    CloseAllAsked,
    CoolOffCounted,
    Event,
    FlatConfirmed,
    FlattenDelayed,
    IntentFormed,
    Latched,
    MarketHoursSeen,
    ModeChanged,
    OrderNotFound,
    OrderRejected,
    OrderUnknown,
    PositionsSeen,
    SessionClosed,
    SignalsComputed,
    TargetsSet,
)
from qgtm.core.ids import flatten_id
from qgtm.core.mode import Latch, Mode, Trigger
from qgtm.core.order import Order, OrderState
from qgtm.core.record import renewed
from qgtm.core.reducing import is_proven_reducing
from qgtm.core.universe import TRADED
from qgtm.engine.flatten import delays
from qgtm.engine.state import State, changed, folded
from qgtm.risk.exposure import Book
from tests.engine.making import (
    CASH,
    CLOSES,
    NOON,
    SESSION,
    begun,
    booted,
    bought,
    dec,
    formed,
    kinds,
    opened,
    order,
    quotes,
    sampled,
    taken,
    turned,
    updated,
)


def after(seconds: float) -> Any:
    return NOON + timedelta(seconds=seconds)


def halt(trigger: Trigger = Trigger.HARD_CAP, before: Mode = Mode.ACTIVE, **more: Any) -> ModeChanged:
    to = Mode.HALTED_DEAD_MAN if trigger is Trigger.HEARTBEAT_LOST else Mode.HALTED_HARD
    return ModeChanged(trigger=trigger, before=before, after=to, reason="x", at=NOON, **more)


def seen(at: Any = NOON, free: Mapping[str, object] | None = None, **held: object) -> PositionsSeen:
    quantities = {symbol: dec(quantity) for symbol, quantity in held.items()}
    available = {symbol: abs(quantity) for symbol, quantity in quantities.items()}
    available |= {symbol: dec(quantity) for symbol, quantity in (free or {}).items()}
    return PositionsSeen(quantities=quantities, available=available, at=at)


def halted(*facts: Event, **changes: Any) -> State:
    return renewed(begun(*facts, halt()), **changes)


def sent(step: Any) -> list[Order]:
    return [effect.order for effect in step.effects if isinstance(effect, Submit)]


def asked(state: State, now: Any = NOON) -> list[object]:
    return list(taken(state, turned(), now=now).effects)


def hours(is_open: bool, opens_in_h: float, closes_in_h: float) -> MarketHoursSeen:
    return MarketHoursSeen(
        is_open=is_open,
        next_open_at=NOON + timedelta(hours=opens_in_h),
        next_close_at=NOON + timedelta(hours=closes_in_h),
    )


HELD = begun(*bought(4_000), quotes(GLD=100))


@pytest.mark.fault("D7")
@pytest.mark.invariant("V5", "V7")
def test_hard_cap_cancels_everything_and_looks_at_once_and_not_on_the_next_turn() -> None:
    samples = [sampled(870_000, 100.0 + 10 * n, GLD="67.5") for n in range(3)]
    step = taken(HELD, *samples)
    assert kinds(step.events) == ["ModeChanged", "AlertRaised"]
    assert step.effects == (CancelAll(), FetchPositions())
    assert (step.state.switch.mode, step.state.switch.kill_epoch) == (Mode.HALTED_HARD, 1)


@pytest.mark.fault("D5")
def test_position_is_closed_at_market_under_the_id_that_halt_session_symbol_and_attempt_make() -> None:
    step = taken(halted(*bought(4_000)), seen(GLD=4_000))
    (fact,), (made,) = step.events, sent(step)
    assert isinstance(fact, IntentFormed)
    assert fact.order == made
    assert (made.quantity, made.side, made.limit_price, made.is_reducing) == (4_000, "sell", None, True)
    assert made.client_order_id == flatten_id(1, SESSION, "GLD", 0) == "qgtm-1-flatten-20260106-GLD-0"
    assert taken(step.state, seen(GLD=4_000)).events == ()  # one order a symbol at a time


positions = st.dictionaries(st.sampled_from(TRADED), st.integers(-900, 900).filter(bool), max_size=5)


@pytest.mark.fault("A8", "C12")
@pytest.mark.invariant("V8")
@given(positions, st.floats(0, 1))
def test_closing_orders_come_from_the_brokers_book_and_only_reduce(broker, freedom) -> None:
    free = {s: int(abs(q) * freedom) for s, q in broker.items()}
    step = taken(halted(*bought(100)), seen(free=free, **broker))
    orders = sent(step)
    assert {o.symbol for o in orders} == {s for s, q in free.items() if q}
    for made in orders:
        assert made.quantity == free[made.symbol]
        assert made.side.sign * broker[made.symbol] < 0
        assert sum(made.shares.values()) == made.quantity * made.side.sign
        there = Book(
            equity_usd=CASH, positions={s: Decimal(q) for s, q in broker.items()}, orders=(), marks={}
        )
        assert is_proven_reducing(made, there)
    is_held_by_somebody = any(free[s] < abs(q) for s, q in broker.items())
    assert any(isinstance(e, CancelAll) for e in step.effects) is is_held_by_somebody


def test_closing_order_takes_each_owners_part() -> None:
    (made,) = sent(taken(halted(*bought(300, shares={"a": 400, "b": -100})), seen(GLD=300)))
    assert made.shares == {"a": -400, "b": 100}


@pytest.mark.fault("A8", "D4")
def test_only_the_symbol_whose_order_still_lives_waits() -> None:
    state = halted(*bought(100), *bought(70, "SLV", number=1), formed(order(50, "SLV", number=2)))
    step = taken(state, seen(GLD=100, SLV=70))
    assert [made.symbol for made in sent(step)] == ["GLD"]
    assert CancelAll(()) in asked(state)
    assert CancelAll((sent(step)[0].client_order_id,)) in asked(step.state)  # never the flatten's own
    assert not [e for e in asked(step.state, after(10_000)) if isinstance(e, Cancel)]


@pytest.mark.fault("C9", "C15")
def test_what_only_the_broker_counts_is_closed_too() -> None:
    (made,) = sent(taken(halted(), seen(SLV=70)))
    assert (made.symbol, made.quantity, made.shares) == ("SLV", 70, {"residual": -70})


def test_nothing_is_closed_unless_everything_must_be() -> None:
    assert taken(HELD, seen(GLD=4_000)).events == ()


def filled(made: Order, quantity: object, state: OrderState) -> Event:
    return updated(made, quantity, 100, state)


@pytest.mark.fault("C5", "D1")
@pytest.mark.fault("D1")
def test_partial_fill_is_followed_by_the_rest_under_the_next_number() -> None:
    first = taken(halted(*bought(100)), seen(GLD=100))
    (made,) = sent(first)
    state = changed(first.state, filled(made, 30, OrderState.CANCELED))
    (rest,) = sent(taken(state, seen(GLD=70), now=after(3)))
    assert (rest.quantity, rest.client_order_id) == (70, flatten_id(1, SESSION, "GLD", 1))


@pytest.mark.fault("C14", "D4")
@pytest.mark.fault("C14")
def test_tries_come_at_once_at_first_then_slower_but_never_more_than_half_a_minute_apart() -> None:
    state, now, gaps, last = halted(*bought(100)), NOON, [], NOON
    while len(gaps) < 9:
        step = taken(state, seen(now, GLD=100), now=now)
        if made := sent(step):
            gaps.append((now - last).total_seconds())
            refusal = OrderRejected(client_order_id=made[0].client_order_id, code=403, reason="halted")
            state, last = changed(step.state, refusal), now
        now += timedelta(seconds=1)
    assert gaps == [0, 1, 5, 10, 20, 30, 30, 30, 30]
    numbers = [
        o.client_order_id.rpartition("-")[2] for o in state.orders.values() if "flatten" in o.client_order_id
    ]
    assert numbers == [str(n) for n in range(9)]


@pytest.mark.fault("D6")
def test_order_that_the_broker_does_not_have_is_sent_again_under_its_own_id() -> None:
    first = taken(halted(*bought(100)), seen(GLD=100))
    (made,) = sent(first)
    state = changed(first.state, OrderUnknown(client_order_id=made.client_order_id, reason="no reply"))
    lost = OrderNotFound(client_order_id=made.client_order_id)
    for where in (state, changed(state, booted(2)), changed(state, opened(SESSION + timedelta(days=1)))):
        (again,) = sent(taken(where, lost, now=after(2)))
        assert again.client_order_id == made.client_order_id


@pytest.mark.fault("A3", "D6")
@pytest.mark.invariant("V7")
def test_symbol_with_an_order_that_never_arrived_is_closed_within_the_minute_all_the_same() -> None:
    what = order(-50, number=1, is_reducing=True)
    gone = OrderUnknown(client_order_id=what.client_order_id, reason="no reply")
    state, seconds, closing = halted(*bought(100), formed(what), gone), 0, list[Order]()
    while not closing:
        seconds += 2
        assert seconds < 50
        state = taken(state, OrderNotFound(client_order_id=what.client_order_id), now=after(seconds)).state
        closing = sent(taken(state, seen(after(seconds), GLD=100), now=after(seconds)))
    assert [(each.symbol, each.side, each.quantity) for each in closing] == [("GLD", "sell", 100)]


def test_order_of_an_earlier_halt_is_given_up() -> None:
    what = order(-100, purpose="flatten", number=3, is_reducing=True)
    state = begun(*bought(100), formed(what), halt(kill_epoch=5))
    step = taken(state, OrderNotFound(client_order_id=what.client_order_id))
    assert (sent(step), step.state.orders[what.client_order_id].state) == ([], OrderState.EXPIRED)


@pytest.mark.fault("D5", "A5")
@pytest.mark.invariant("V8", "V9")
@given(st.integers(2, 900), st.integers(1, 900), st.integers(0, 900))
def test_id_that_the_watchdog_took_for_another_size_ends_flat_without_a_break(held, ours, theirs) -> None:
    """Walk a broker of three numbers: shares held, those that we see free, those that the other closed."""
    ours, theirs = min(ours, held), min(theirs, held - 1)  # all of it is reconciling's matter
    left, state = held, halted(*bought(held, shares={"a": held - 1, "b": 1}))
    there: dict[str, int] = {} if theirs == 0 else {flatten_id(1, SESSION, "GLD", 0): theirs}
    left -= theirs
    free, seconds = ours, 0
    while not state.is_flat_confirmed:
        seconds += 30
        assert seconds < 300
        now = after(seconds)
        step = taken(state, seen(now, {"GLD": min(free, left)}, **({"GLD": left} if left else {})), now=now)
        state, free = step.state, held
        for made in sent(step):
            if made.client_order_id not in there:
                there[made.client_order_id] = int(made.quantity)
                left -= int(made.quantity)
                assert left >= 0
            else:
                state = changed(state, OrderUnknown(client_order_id=made.client_order_id, reason="another"))
            size = dec(there[made.client_order_id])
            word = replace(updated(made, size, 99, OrderState.FILLED), quantity=size)
            heard = taken(state, word, word, now=now)
            assert heard.events == ()
            state = heard.state
    assert left == sum(there.values()) - held == 0
    assert state.held == {}
    assert state.cash_usd == CASH - held * dec(100) + held * dec(99)
    assert sum(mine.get("GLD", 0) for mine in state.shares.values()) == pytest.approx(0, abs=1e-9)


# --- the end ------------------------------------------------------------------------------------


def test_it_is_flat_when_the_broker_says_so_and_no_order_lives() -> None:
    first = taken(halted(*bought(100)), seen(GLD=100))
    (made,) = sent(first)
    assert taken(first.state, seen(after(2)), now=after(2)).events == ()  # the order still lives
    state = changed(first.state, filled(made, 100, OrderState.FILLED))
    step = taken(state, seen(after(3)), now=after(3))
    assert step.events[0] == FlatConfirmed(epoch=1, took_s=3.0)
    (told,) = step.events[1:]
    assert isinstance(told, AlertRaised)
    assert step.state.is_flat_confirmed
    assert taken(step.state, seen(after(9)), now=after(9)).events == ()
    assert not [e for e in asked(step.state, after(600)) if isinstance(e, FetchPositions)]


@pytest.mark.fault("A14")
@pytest.mark.invariant("V7")
def test_nothing_held_is_not_believed_at_once_while_our_own_count_has_shares() -> None:
    late = taken(halted(*bought(100)), seen(after(0)), now=after(0))  # a read from before our fills
    assert late.events == ()
    later = taken(late.state, seen(after(5), GLD=100), now=after(5))
    (made,) = sent(later)
    assert (made.symbol, made.quantity) == ("GLD", 100)
    gone = taken(late.state, seen(after(14)), now=after(14))
    assert gone.events == ()
    flat = taken(gone.state, seen(after(15)), now=after(15))  # another hand has closed it
    assert flat.events[0] == FlatConfirmed(epoch=1, took_s=15.0)
    put_back = taken(gone.state, seen(after(-86_400)), now=after(-86_400))
    assert isinstance(
        put_back.events[0], FlatConfirmed
    )  # a clock that ran ahead keeps nobody waiting for a day


def test_flat_of_an_earlier_halt_is_not_flat_of_this_one() -> None:
    state = changed(halted(), FlatConfirmed(epoch=1, took_s=0.0))
    back = ModeChanged(
        trigger=Trigger.RESET_CONFIRMED, before=Mode.HALTED_HARD, after=Mode.ACTIVE, reason="x", at=NOON
    )
    again = folded([back, halt(Trigger.HEARTBEAT_LOST)], state)
    assert not again.is_flat_confirmed
    assert FetchPositions() in asked(again)


# --- what is told -------------------------------------------------------------------------------


def told(state: State, seconds: float) -> list[FlattenDelayed]:
    return delays(state, after(seconds))


@pytest.mark.fault("C14", "D2", "D4")
@pytest.mark.invariant("V7")
@pytest.mark.fault("D4")
def test_what_is_left_is_told_within_the_minute_and_again_until_it_is_flat() -> None:
    state = changed(halted(*bought(100), *bought(70, "SLV", number=1)), seen(SLV=70))
    assert told(state, 54) == []
    (first,) = told(state, 55)
    assert first.left == {"SLV": 70}
    state = changed(state, first)
    assert told(state, 354) == []
    assert told(state, 355)
    assert told(changed(state, FlatConfirmed(epoch=1, took_s=60)), 3_600) == []


def test_turn_of_the_loop_tells_it() -> None:
    step = taken(halted(*bought(100)), turned(after(55)), now=after(55))
    assert kinds(step.events) == ["FlattenDelayed", "AlertRaised"]


@pytest.mark.fault("D4")
def test_alert_names_what_is_left_in_red() -> None:
    step = taken(halted(), FlattenDelayed(epoch=1, left={"SLV": dec(70)}, at=NOON))
    (alert,) = step.events
    assert isinstance(alert, AlertRaised)
    assert (alert.level, "70 SLV" in alert.text) == ("red", True)


def test_without_the_brokers_word_our_own_book_and_its_breaks_are_named() -> None:
    found = BreakFound(subject="SLV", ours=dec(0), brokers=dec(70), detail="x")
    (first,) = told(halted(*bought(100), found), 55)
    assert first.left == {"GLD": 100, "SLV": 70}


# --- the market is closed -----------------------------------------------------------------------

SHUT = begun(*bought(100), SessionClosed(session=SESSION), hours(False, 21.5, 28))


def shut(hour: float) -> Any:
    """Return a moment of that evening, New York's hour."""
    return CLOSES + timedelta(hours=hour - 16)


@pytest.mark.fault("D3")
def test_halt_with_the_market_closed_is_told_at_once_with_the_open_and_again_a_minute_after_it() -> None:
    state = changed(SHUT, halt())
    (first,) = told(state, 5 * 3600)
    assert first.opens_at == NOON + timedelta(hours=21.5)
    state = folded([first, opened(SESSION + timedelta(days=1))], state)
    open_s = (opened(SESSION + timedelta(days=1)).open_at - NOON).total_seconds()
    assert [bool(told(state, open_s + s)) for s in (54, 55)] == [False, True]


@pytest.mark.fault("D3")
@pytest.mark.parametrize(("hour", "goes"), [(16.5, False), (18.9, False), (19.1, True), (23.0, True)])
@pytest.mark.fault("D3")
def test_orders_wait_at_the_broker_for_the_open_but_not_before_seven_in_the_evening(hour, goes) -> None:
    orders = sent(taken(changed(SHUT, halt()), seen(shut(hour), GLD=100), now=shut(hour)))
    assert [o.client_order_id for o in orders] == ["qgtm-1-flatten-20260107-GLD-0"] * goes


@pytest.mark.fault("D3")
def test_order_that_waits_for_the_open_outlives_the_night_and_counts_as_a_try_afterwards() -> None:
    night = taken(changed(SHUT, halt()), seen(shut(20), GLD=100), now=shut(20))
    (made,) = sent(night)
    tomorrow = opened(SESSION + timedelta(days=1))
    state = folded([updated(made, 0, 0), tomorrow], night.state)
    assert [o.client_order_id for o in state.live_orders] == [made.client_order_id]
    state = changed(state, filled(made, 100, OrderState.FILLED))
    state = folded([SessionClosed(session=tomorrow.session), opened(SESSION + timedelta(days=2))], state)
    assert made.client_order_id in state.orders  # so that a late reading is not taken for a new one


def test_closed_market_is_looked_at_rarely() -> None:
    state = folded([halt(), seen(shut(20), GLD=100)], SHUT)
    looks = [FetchPositions() in asked_shut(state, shut(20) + timedelta(seconds=s)) for s in (2, 599, 600)]
    assert looks == [False, False, True]


def asked_shut(state: State, now: Any) -> list[object]:
    return list(taken(state, turned(now, is_open=False), now=now).effects)


# --- the last rung and the cool-off -------------------------------------------------------------


def in_vain(times: int) -> State:
    state = halted(*bought(100))
    for n in range(times):
        step = taken(state, seen(after(60 * n), GLD=100), now=after(60 * n))
        (made,) = sent(step)
        state = changed(step.state, OrderRejected(client_order_id=made.client_order_id, code=403, reason="x"))
    return state


@pytest.mark.fault("C14")
def test_broker_is_asked_to_close_all_when_our_own_tries_come_to_nothing() -> None:
    assert CloseAll(1) not in asked(in_vain(4), after(301))
    assert CloseAll(1) not in asked(in_vain(5), after(299))
    state = in_vain(5)
    assert CloseAll(1) in asked(state, after(301))
    state = changed(state, CloseAllAsked(epoch=1, at=after(301)))
    assert [CloseAll(1) in asked(state, after(301 + s)) for s in (299, 300)] == [False, True]


@pytest.mark.fault("D13")
@pytest.mark.mistake(1)
def test_clocks_are_read_each_minute_of_a_hard_halt_until_it_has_cooled_off() -> None:
    state = halted()
    assert CountCoolOff() in asked(state)
    state = changed(state, CoolOffCounted(monotonic_s=0.0, wall_at=NOON, broker_at=NOON))
    assert [CountCoolOff() in asked(state, after(s)) for s in (59, 60)] == [False, True]
    day = CoolOffCounted(monotonic_s=86_400.0, wall_at=after(86_400), broker_at=after(86_400))
    assert CountCoolOff() not in asked(changed(state, day), after(90_000))
    assert CountCoolOff() not in asked(begun(halt(Trigger.HEARTBEAT_LOST)))


# --- and back -----------------------------------------------------------------------------------


@pytest.mark.mistake(2)
@pytest.mark.invariant("V19")
def test_reset_wants_half_of_what_the_views_ask_for_now_and_restarts_the_risk_peak() -> None:
    fallen = taken(HELD, *[sampled(870_000, 100.0 + 10 * n, GLD="67.5") for n in range(3)]).state
    view = SignalsComputed(session=SESSION, signals={"a": {"GLD": 1.0}}, carried={})
    fallen = renewed(changed(fallen, view), bars_session=SESSION, weights={"GLD": 0.4}, is_pending=True)
    back = ModeChanged(
        trigger=Trigger.RESET_CONFIRMED, before=Mode.HALTED_HARD, after=Mode.ACTIVE, reason="x", at=NOON
    )
    step = taken(fallen, back)
    (wants,) = [e for e in step.events if isinstance(e, TargetsSet)]
    full = taken(renewed(fallen, switch=HELD.switch), view).events[0]
    assert isinstance(full, TargetsSet)
    assert wants.weights["GLD"] == pytest.approx(full.weights["GLD"] / 2, abs=1e-6)
    assert step.state.drawdown is not None
    assert step.state.drawdown.drawdown_frac == 0
    assert step.state.drawdown.lifetime_frac == Decimal("0.13")


@pytest.mark.invariant("V20")
def test_each_session_of_the_ramp_wants_a_step_more() -> None:
    view = SignalsComputed(session=SESSION, signals={"a": {"GLD": 1.0}}, carried={})
    back = ModeChanged(
        trigger=Trigger.RESET_CONFIRMED, before=Mode.HALTED_HARD, after=Mode.ACTIVE, reason="x", at=NOON
    )
    step = taken(renewed(halted(view), bars_session=SESSION), back)
    weights = [step.state.weights["GLD"]]
    for day in range(1, 7):
        step = taken(step.state, opened(SESSION + timedelta(days=day)))
        weights.append(step.state.weights["GLD"])
    assert [round(w / weights[-1], 4) for w in weights] == [0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.0]


@pytest.mark.invariant("V7")
def test_latch_does_not_keep_a_flatten_back() -> None:
    state = begun(*bought(100), BreakFound(subject="GLD", ours=dec(100), brokers=dec(90), detail="x"), halt())
    state = renewed(state, switch=changed(state, Latched(latch=Latch.BREAK, reason="x")).switch)
    assert [made.quantity for made in sent(taken(state, seen(GLD=90)))] == [90]
    assert Latch.BREAK in state.switch.latches
