"""The fold: the same facts give the same state, whichever way they were heard; shares and cash are conserved.

Money is counted a second time in Fractions, from the whole list of what the broker said.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qgtm.core.codec import canonical, decode
from qgtm.core.events import (
    BreakAccepted,
    BreakFound,
    CashMoved,
    Deployed,
    Event,
    MarketHoursSeen,
    OrderAccepted,
    OrderRejected,
    OrderUnknown,
    OrderUpdated,
    SignalsComputed,
    StrategiesCrossed,
    StrategyDisabled,
)
from qgtm.core.order import Order, OrderState
from qgtm.engine.state import State, changed, folded
from tests.engine.making import (
    CASH,
    CLOSES,
    NOON,
    OPENS,
    SESSION,
    begun,
    booted,
    bought,
    dec,
    formed,
    opened,
    order,
    quotes,
    sampled,
    targets,
    updated,
)

OWNERS = ("a", "b", "residual")


@st.composite
def told_orders(draw: st.DrawFn, most: int = 4) -> list[tuple[Order, list[OrderUpdated]]]:
    """Draw orders of one session, each with what the broker says of it: counts and mean prices that grow."""
    result = []
    for number in range(draw(st.integers(1, most))):
        quantity = draw(st.integers(1, 400)) * draw(st.sampled_from((1, -1)))
        cut = draw(st.integers(-abs(quantity), abs(quantity)))
        shares = {"a": cut, "b": quantity - cut}
        symbol = draw(st.sampled_from(("GLD", "SLV")))
        what = order(quantity, symbol, number=number, shares=shares)
        result.append((what, draw(tellings(what))))
    return result


@st.composite
def tellings(draw: st.DrawFn, what: Order) -> list[OrderUpdated]:
    counts = sorted(draw(st.lists(st.integers(1, int(what.quantity)), max_size=5, unique=True)))
    told, cents = [updated(what, 0, 0)], 0
    for before, count in pairwise([0, *counts]):
        cents += (count - before) * draw(st.integers(5_000, 15_000))
        mean = (Decimal(cents) / 100 / count).quantize(Decimal("0.0000000001"))
        told.append(updated(what, count, mean))
    end = OrderState.FILLED if counts and counts[-1] == what.quantity else OrderState.CANCELED
    return [*told, replace(told[-1], state=end)]


def spent(orders: Sequence[tuple[Order, list[OrderUpdated]]]) -> Fraction:
    return sum(
        (
            what.side.sign * Fraction(told[-1].filled_quantity) * Fraction(told[-1].filled_price)
            for what, told in orders
        ),
        Fraction(0),
    )


@pytest.mark.fault("C1", "C2")
@pytest.mark.invariant("V10")
@given(told_orders(), st.randoms(use_true_random=False))
def test_state_is_the_same_whichever_way_the_news_of_orders_came(orders, chance) -> None:
    begin = [formed(what) for what, _ in orders]
    straight = begun(*begin, *(news for _, told in orders for news in told))
    shuffled: list[Event] = []
    for what, told in orders:
        others = [OrderUnknown(client_order_id=what.client_order_id, reason="no reply")]
        others += [OrderAccepted(client_order_id=what.client_order_id, broker_order_id=f"b-{what.symbol}")]
        heard = [*others, *told, *chance.choices(told, k=3)]
        chance.shuffle(heard)
        shuffled += [*heard, told[-1]]  # a read by REST comes last
    other = begun(*begin, *shuffled)
    assert other.orders == straight.orders
    assert (other.cash_usd, other.turnover_usd) == (straight.cash_usd, straight.turnover_usd)
    quantity = {symbol: p.quantity for symbol, p in straight.positions.items()}
    assert {symbol: p.quantity for symbol, p in other.positions.items()} == quantity


@pytest.mark.invariant("V9")
@given(told_orders())
def test_cash_positions_and_shares_are_conserved_through_any_fills(orders) -> None:
    state = begun(*(formed(what) for what, _ in orders), *(news for _, told in orders for news in told))
    assert Fraction(state.cash_usd) == Fraction(CASH) - spent(orders)
    for symbol in ("GLD", "SLV"):
        signed = sum(w.side.sign * told[-1].filled_quantity for w, told in orders if w.symbol == symbol)
        assert state.quantity(symbol) == signed
        of_owners = sum((state.shares.get(owner, {}).get(symbol, dec(0)) for owner in OWNERS), dec(0))
        assert abs(of_owners - signed) < Decimal("1e-18")
    worth = sum(Fraction(p.cost_usd) - Fraction(p.realized_usd) for p in state.positions.values())
    assert abs(worth - spent(orders)) < Fraction(1, 10**12)


@pytest.mark.invariant("V11")
@given(told_orders(), st.integers(0, 60))
def test_snapshot_anywhere_and_the_rest_of_the_journal_give_the_whole_state(orders, cut) -> None:
    facts = [
        booted(),
        CashMoved(activity_id="start", kind="start", amount_usd=CASH),
        opened(),
        sampled(),
        targets(GLD=0.25),
        quotes(GLD=101),
        *(formed(what) for what, _ in orders),
        *(news for _, told in orders for news in told),
        SignalsComputed(session=SESSION, signals={"a": {"GLD": 0.5, "SLV": None}}, carried={"a": {"n": 3}}),
        BreakFound(subject="GLD", ours=dec(1), brokers=dec(2), detail="x"),
        opened(SESSION + timedelta(days=1)),
    ]
    whole = folded(facts)
    half = decode(State, json.loads(canonical(folded(facts[:cut]))))
    assert folded(facts[cut:], half) == whole
    assert canonical(folded(facts[cut:], half)) == canonical(whole)


def test_whole_fill_leaves_no_dust_in_the_shares_of_three_owners() -> None:
    what = order(7, shares={"a": "2.333333", "b": "2.333333", "residual": "2.333334"})
    steps = [updated(what, n, "100.3333333333") for n in (1, 3, 7)]
    state = begun(formed(what), *steps)
    assert {owner: mine["GLD"] for owner, mine in state.shares.items()} == what.shares


@pytest.mark.fault("C8")
def test_mean_price_corrected_at_the_same_count_moves_cash_and_cost_by_the_difference() -> None:
    what = order(100)
    state = begun(formed(what), updated(what, 100, "100.00"), updated(what, 100, "100.02", OrderState.FILLED))
    assert state.cash_usd == CASH - Decimal("10002")
    assert state.positions["GLD"].cost_usd == Decimal("10002")
    assert state.turnover_usd == Decimal("10002")


def test_mean_price_corrected_after_a_closing_sale_moves_what_was_realised() -> None:
    sale = order(-100, number=1)
    told = [updated(sale, 100, "110"), updated(sale, 100, "110.05", OrderState.FILLED)]
    state = begun(*bought(100), formed(sale), *told)
    position = state.positions["GLD"]
    assert (position.quantity, position.cost_usd, position.realized_usd) == (0, 0, Decimal("1005"))
    assert state.cash_usd == CASH + Decimal("1005")


@pytest.mark.fault("C4")
def test_broker_that_counts_more_than_was_ordered_changes_the_book_by_the_order_at_most() -> None:
    what = order(100)
    state = begun(formed(what), updated(what, 250, 100))
    assert state.quantity("GLD") == 100
    assert state.orders[what.client_order_id].state is OrderState.FILLED


def test_strategies_that_cross_leave_position_and_cash_and_the_sum_of_shares() -> None:
    before = begun(*bought(100, shares={"a": 100}))
    met = StrategiesCrossed(symbol="GLD", price=dec(100), shares={"a": dec(-30), "b": dec(30)})
    after = changed(before, met)
    assert (after.shares["a"]["GLD"], after.shares["b"]["GLD"]) == (70, 30)
    assert (after.positions, after.cash_usd) == (before.positions, before.cash_usd)


def test_accepted_break_books_the_difference_to_the_residual_and_keeps_what_was_realised() -> None:
    sold = bought(-40, price=110, number=1, shares={"a": -40})
    state = begun(*bought(100, shares={"a": 100}), *sold, quotes(GLD=120))
    found = BreakFound(subject="GLD", ours=dec(60), brokers=dec(75), detail="x")
    accepted = BreakAccepted(subject="GLD", brokers=dec(75), reason="seen", by="OpA")
    after = folded([found, accepted], state)
    assert after.breaks == {}
    assert after.quantity("GLD") == 75
    assert (after.shares["a"]["GLD"], after.shares["residual"]["GLD"]) == (60, 15)
    assert after.positions["GLD"].realized_usd == 400
    assert after.positions["GLD"].cost_usd == 75 * 120


def test_accepted_break_in_cash_or_of_a_foreign_order_leaves_positions() -> None:
    state = begun(*bought(100))
    cash = BreakAccepted(subject="cash", brokers=dec(5), reason="seen", by="OpA")
    foreign = BreakAccepted(subject="by-hand", brokers=dec(3), reason="seen", by="OpA")
    assert changed(state, cash).cash_usd == 5
    assert changed(state, foreign) == replace(state, accepted=("by-hand",))


def test_refused_order_ends_and_its_symbol_waits_for_new_targets() -> None:
    what = order(100)
    state = begun(formed(what), OrderRejected(client_order_id=what.client_order_id, code=403, reason="no"))
    assert state.live_orders == ()
    assert state.denied == {"GLD": "rejected"}
    assert changed(state, targets(GLD=0.1)).denied == {}


@pytest.mark.fault("A17")
@pytest.mark.parametrize("equity", ["0", "500000", "1020000"])
def test_equity_that_our_own_count_does_not_bear_out_is_not_taken(equity) -> None:
    before = begun()
    after = changed(before, sampled(equity, monotonic_s=20.0))
    assert after.equity_usd == CASH
    assert after.drawdown is not None
    assert after.drawdown.doubt
    assert after.sampled_at_s == 20.0


@pytest.mark.fault("A17")
def test_first_sample_that_is_not_believed_sets_no_peak() -> None:
    start = folded([booted(), CashMoved(activity_id="start", kind="start", amount_usd=CASH), opened()])
    assert changed(start, sampled(10 * CASH)).drawdown is None
    assert changed(start, sampled(10 * CASH)).equity_usd is None
    believed = folded([sampled(10 * CASH), sampled(CASH)], start).drawdown
    assert believed is not None
    assert believed.drawdown_frac == 0


def test_new_session_forgets_ended_orders_and_counts_and_keeps_live_ones() -> None:
    done, live = order(100), order(50, "SLV", number=1)
    state = begun(formed(done), updated(done, 100, 100, OrderState.FILLED), formed(live))
    after = changed(state, opened(SESSION + timedelta(days=1)))
    assert list(after.orders) == [live.client_order_id]
    assert (after.sent_at, after.denied, after.turnover_usd) == ((), {}, 0)


def test_deployment_gives_a_failed_strategy_another_chance_warmed_up_anew() -> None:
    state = begun(
        SignalsComputed(session=SESSION, signals={}, carried={"a": {"n": 1}, "b": {"n": 2}}),
        StrategyDisabled(strategy="a", reason="it raised"),
    )
    after = changed(state, Deployed(manifest_sha="new", modules={}, by="OpA"))
    assert (after.disabled, after.carried, after.manifest_sha) == ({}, {"b": {"n": 2}}, "new")


@pytest.mark.fault("F3")
@pytest.mark.parametrize(
    ("is_open", "opens_in_h", "closes_in_h", "is_closed"),
    [
        (True, 20, 4, False),  # open, and until four hours from now
        (True, 20, -1, True),  # it was to close an hour ago
        (False, 1, 7, True),  # closed by the broker's word, until it opens
        (False, -1, 5, False),  # it said closed, and its own opening time has come
    ],
)
def test_market_is_closed_when_the_brokers_clock_says_so(is_open, opens_in_h, closes_in_h, is_closed) -> None:
    hours = MarketHoursSeen(
        is_open=is_open,
        next_open_at=NOON + timedelta(hours=opens_in_h),
        next_close_at=NOON + timedelta(hours=closes_in_h),
    )
    assert begun(hours).is_closed_by_broker(NOON) is is_closed
    assert not begun().is_closed_by_broker(NOON)


@pytest.mark.fault("B10")
def test_news_of_an_order_that_is_not_ours_changes_nothing() -> None:
    state = begun()
    assert changed(state, updated(order(10), 10, 100)) == state
    assert OPENS < NOON < CLOSES
