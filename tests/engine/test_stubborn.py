"""What shrinks the book is not given up: refused it is tried again, halved it is whole, in doubt it goes."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest

from qgtm.core.effects import Cancel, Submit
from qgtm.core.events import AlertRaised, ModeChanged, OrderDenied, OrderNotFound, OrderRejected, OrderUnknown
from qgtm.core.mode import Mode, Trigger
from qgtm.core.order import Order, OrderState
from qgtm.engine.desk import PARAMS
from qgtm.engine.live_loop import is_round_due
from qgtm.engine.state import State, changed
from tests.engine.making import (
    NOON,
    begun,
    bought,
    dec,
    formed,
    kinds,
    order,
    quotes,
    sampled,
    taken,
    targets,
    turned,
    updated,
)

HELD = begun(*bought(4_000), quotes(GLD=100))


def shrinking(state: State) -> State:
    """Return the state past the soft cap, with half of what is held to go."""
    change = ModeChanged(
        trigger=Trigger.SOFT_CAP,
        before=Mode.ACTIVE,
        after=Mode.REDUCING,
        reason="x",
        at=NOON,
        drawdown_frac=dec("0.09"),
        is_new_episode=True,
    )
    return taken(state, change).state


def rounds(
    state: State, seconds: int, every_s: int = 1, code: int | None = 403
) -> Iterator[tuple[int, Order]]:
    """Yield each order with its second, in a market that quotes each second; the broker refuses every one."""
    for second in range(0, seconds, every_s):
        now = NOON + timedelta(seconds=second)
        if not is_round_due(state, now, PARAMS):
            continue
        after = taken(state, quotes(now, GLD=100), now=now)
        state = after.state
        for each in [effect.order for effect in after.effects if isinstance(effect, Submit)]:
            yield second, each
            no = OrderRejected(client_order_id=each.client_order_id, code=code or 0, reason="no")
            state = taken(state, no).state


# --- refused ------------------------------------------------------------------------------------


@pytest.mark.fault("A7", "A8", "A9")
@pytest.mark.invariant("V6")
def test_halving_that_the_broker_refuses_is_tried_again_slower_and_under_new_ids() -> None:
    tried = list(rounds(shrinking(HELD), 600))
    moments = [second for second, _ in tried]
    assert moments == [0, 15, 45, 105, 225, 345, 465, 585]  # by hand: 15, 30, 60 and then 120 s apart
    assert len({each.client_order_id for _, each in tried}) == len(tried)
    assert all(each.is_reducing and each.quantity == 2_000 for _, each in tried)


def test_exit_that_the_broker_refuses_is_tried_again_too_and_the_targets_stay_open() -> None:
    tried = [second for second, _ in rounds(changed(HELD, targets()), 400)]
    assert tried == [0, 60, 120, 180, 300]  # no sooner than a round comes, every minute


def test_opening_order_that_is_refused_is_not_tried_again() -> None:
    assert len(list(rounds(changed(begun(*bought(10)), targets(GLD=0.05)), 600))) == 1


@pytest.mark.fault("A9")
def test_third_refusal_in_a_row_is_told_with_the_symbols_name() -> None:
    state, told = shrinking(HELD), list[AlertRaised]()
    for number in range(1, 4):
        what = order(-2_000, number=number, formed_at=NOON + timedelta(minutes=number), is_reducing=True)
        no = OrderRejected(client_order_id=what.client_order_id, code=403, reason="no")
        after = taken(state, formed(what), no)
        state = after.state
        told += [e for e in after.events if isinstance(e, AlertRaised) and e.cause == "refused GLD"]
        assert len(told) == (number == 3)
    assert (told[0].level, "3 times" in told[0].text, "GLD" in told[0].text) == ("orange", True, True)


def test_order_that_was_taken_and_then_rejected_counts_once_however_often_it_is_heard() -> None:
    what = order(-2_000, number=1, is_reducing=True)
    word = updated(what, 0, 0, OrderState.REJECTED)
    no = OrderRejected(client_order_id=what.client_order_id, code=403, reason="no")
    state = taken(shrinking(HELD), formed(what), word, word, no).state
    assert state.refused["GLD"].count == 1


def test_fill_forgets_the_refusals() -> None:
    what, other = (order(-500, number=n, is_reducing=True) for n in (1, 2))
    no = OrderRejected(client_order_id=what.client_order_id, code=403, reason="no")
    state = taken(shrinking(HELD), formed(what), no, formed(other), updated(other, 500, 100)).state
    assert (state.refused, state.denied) == ({}, {})


# --- whole, and one round after the other ---------------------------------------------------------


@pytest.mark.invariant("V6")
@pytest.mark.parametrize(("price", "shares"), [(100, 4_000), (1, 3_000_000)])
def test_halving_goes_whole_past_what_one_order_may_carry(price: int, shares: int) -> None:
    # 10% of a million is 1,000 shares at $100; and 50,000 shares are less than half of three million
    held = begun(*bought(shares, price=price), sampled(1_000_000, GLD=price), quotes(GLD=price))
    (effect,) = taken(shrinking(held), quotes(GLD=price)).effects
    assert isinstance(effect, Submit)
    assert abs(effect.order.quantity - shares // 2) <= Decimal(shares) / 100_000
    assert effect.order.is_reducing


def test_strategys_exit_is_still_cut_to_what_one_order_may_carry() -> None:
    (effect,) = taken(changed(HELD, targets()), quotes(GLD=100)).effects
    assert isinstance(effect, Submit)
    assert effect.order.quantity == 950


@pytest.mark.fault("D1")
@pytest.mark.invariant("V6")
def test_thin_book_is_halved_within_ten_minutes_of_rounds_that_follow_each_other() -> None:
    """Let each order fill a tenth of what is held at once, and no more until it is cancelled."""
    state, held = shrinking(HELD), 4_000
    for second in range(600):
        now = NOON + timedelta(seconds=second)
        is_due = is_round_due(state, now, PARAMS)
        after = taken(state, quotes(now, GLD=100) if is_due else turned(now), now=now)
        state = after.state
        for each in [effect.order for effect in after.effects if isinstance(effect, Submit)]:
            part = min(int(each.quantity), 400)
            held -= part
            state = changed(state, updated(each, part, 100))
        for each in [effect.order for effect in after.effects if isinstance(effect, Cancel)]:
            state = changed(state, updated(each, each.filled_quantity, 100, OrderState.CANCELED))
    assert held == 2_000


# --- in doubt -------------------------------------------------------------------------------------


DOUBTED = changed(HELD, sampled(300_000, 20.0, GLD=100))  # our own count says a million


@pytest.mark.fault("A17")
def test_while_the_two_counts_of_equity_differ_nothing_is_opened_and_what_reduces_goes_on() -> None:
    state = changed(DOUBTED, targets(GLD=0.2, SLV=0.05))
    after = taken(state, quotes(GLD=100, SLV=25))
    assert [(e.symbol, e.check) for e in after.events if isinstance(e, OrderDenied)] == [("SLV", "doubt")]
    assert [each.order.symbol for each in after.effects if isinstance(each, Submit)] == ["GLD"]


@pytest.mark.fault("A17")
def test_opening_order_goes_out_once_both_counts_agree_again() -> None:
    state = changed(changed(DOUBTED, targets(GLD=0.4, SLV=0.05)), quotes(GLD=100))
    waits = taken(state, quotes(GLD=100, SLV=25), now=NOON + timedelta(minutes=1))
    assert (kinds(waits.effects), waits.state.is_pending) == ([], True)
    agreed = changed(waits.state, sampled(1_000_000, 30.0, GLD=100))
    now = NOON + timedelta(minutes=2)
    after = taken(agreed, quotes(now, GLD=100, SLV=25), now=now)
    assert [each.order.symbol for each in after.effects if isinstance(each, Submit)] == ["SLV"]


@pytest.mark.fault("A17", "A3")
@pytest.mark.parametrize(("signed", "goes"), [(100, False), (-100, True)])
def test_order_that_never_arrived_is_sent_again_in_doubt_only_where_it_reduces(
    signed: int, goes: bool
) -> None:
    what = order(signed, number=1, is_reducing=signed < 0)
    lost = [formed(what), OrderUnknown(client_order_id=what.client_order_id, reason="no reply")]
    state = taken(DOUBTED, *lost).state
    never = OrderNotFound(client_order_id=what.client_order_id)
    after = taken(state, never, now=NOON + timedelta(seconds=31))
    assert bool(after.effects) is goes
