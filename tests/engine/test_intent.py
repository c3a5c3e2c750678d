"""From wanted weights to orders: sized by hand, never through zero, inside every cap, owners adding up."""

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qgtm.core.mode import Latch, Mode
from qgtm.core.order import Side
from qgtm.core.universe import TRADED
from qgtm.engine.intent import Round, Tape, crossed, owned, planned_round, wishes
from qgtm.engine.state import State, changed
from qgtm.risk.kill_switch import KillSwitch
from tests.engine.making import (
    CASH,
    LIMITS,
    NOON,
    begun,
    bought,
    dec,
    formed,
    order,
    quote,
    quotes,
    targets,
)

MOVES = np.random.default_rng(5).normal(0, 0.01, (300, 6))
CALM = np.random.default_rng(5).normal(0.0, 0.002, (250, len(TRADED)))
MIDS = {"GLD": 100, "SLV": 25, "GDX": 40}


def planned(state: State, volume: float | None = 1e7, **mids: object) -> Round:
    seen = quotes(**(mids or MIDS))
    state = changed(state, seen)
    tape = Tape(average_volume=dict.fromkeys(seen.quotes, volume), returns=CALM, factors=MOVES)
    return planned_round(state, seen.quotes, NOON, LIMITS, lambda _: tape)


def test_order_has_the_shares_that_a_hand_counts() -> None:
    # 5% of $1,000,000 is $50,000: at a mid of $40.07 that is 1,247.8 shares.
    (made,) = planned(begun(targets(GDX=0.05)), GDX="40.07").orders
    assert (made.symbol, made.side, made.quantity) == ("GDX", Side.BUY, 1247)
    assert made.arrival_price == Decimal("40.07")
    # 5 basis points through the offer of 40.08: 40.10004
    assert made.limit_price == Decimal("40.10")
    assert made.shares == {"a": 1247}


def test_short_order_is_counted_towards_zero_and_priced_through_the_bid() -> None:
    (made,) = planned(begun(targets(GDX=-0.05)), GDX="40.07").orders
    assert (made.side, made.quantity, made.limit_price) == (Side.SELL, 1247, Decimal("40.04"))
    assert made.shares == {"a": -1247}


def test_large_wish_is_cut_to_ninety_five_hundredths_of_what_one_order_may_carry() -> None:
    (made,) = planned(begun(targets(GLD=0.40)), GLD=100).orders
    assert made.quantity == 950  # 10% of a million at 100, times 0.95


def test_order_in_a_thin_symbol_is_cut_to_its_volume() -> None:
    (made,) = planned(begun(targets(GLD=0.08)), volume=10_000.0, GLD=100).orders
    assert made.quantity == 475  # 5% of 10,000, times 0.95


@pytest.mark.parametrize(("held", "traded"), [(951, []), (949, [51]), (950, [50])])
def test_difference_inside_the_band_is_left_alone(held, traded) -> None:
    # The band is half a percent of a million: $5,000 or 50 shares at 100; the target is 1,000 shares.
    state = begun(*bought(held), targets(GLD=0.1))
    assert [int(made.quantity) for made in planned(state, GLD=100).orders] == traded


def test_symbol_that_is_not_wanted_any_more_is_closed_however_small() -> None:
    (made,) = planned(begun(*bought(3), targets(SLV=0.0)), GLD=100, SLV=25).orders
    assert (made.symbol, made.side, made.quantity, made.is_reducing) == ("GLD", Side.SELL, 3, True)


@pytest.mark.parametrize(
    ("held", "weight", "traded"),
    [
        (1000, 0.0990, []),  # 10 of 1,000: what a price's move of a hundredth leaves
        (
            40,
            0.0020,
            [20],
        ),  # half of 40, which is 0.2% of equity: far inside the band, and halved all the same
        (40, 0.0038, []),  # 2 of 40: the twentieth that is left alone
        (40, 0.0037, [3]),
        (1000, 0.0940, [60]),  # outside the band
    ],
)
def test_past_the_soft_cap_small_positions_shrink_and_none_crumbles(held, weight, traded) -> None:
    state = begun(*bought(held), targets(GLD=weight))
    reducing = State(**{**vars_of(state), "switch": KillSwitch(mode=Mode.REDUCING)})
    assert [int(made.quantity) for made in planned(reducing, GLD=100).orders] == traded


def test_position_goes_to_zero_before_it_turns() -> None:
    (made,) = planned(begun(*bought(300), targets(GLD=-0.05)), GLD=100).orders
    assert (made.side, made.quantity, made.is_reducing) == (Side.SELL, 300, True)


def test_orders_that_shrink_the_book_come_first() -> None:
    state = begun(*bought(500, "SLV", 25), targets(GLD=0.05, GDX=0.05))
    made = planned(state).orders
    assert [(o.symbol, o.is_reducing) for o in made] == [("SLV", True), ("GDX", False), ("GLD", False)]


def test_symbol_that_was_refused_for_good_is_not_asked_again_and_one_that_passes_is() -> None:
    state = begun(targets(GLD=0.05, SLV=0.05))
    for check, expected in {"value_at_risk": ["SLV"], "rejected": ["SLV"], "spread": ["GLD", "SLV"]}.items():
        made = planned(State(**{**vars_of(state), "denied": {"GLD": check}})).orders
        assert [o.symbol for o in made] == expected


def vars_of(state: State) -> dict[str, object]:
    return {name: getattr(state, name) for name in state.__dataclass_fields__}


def test_wide_spread_is_denied_with_its_check_and_may_pass() -> None:
    state = begun(targets(GLD=0.05))
    seen = {"GLD": quote(100, half_spread="1")}
    tape = Tape(average_volume={"GLD": 1e7}, returns=CALM, factors=MOVES)
    plan = planned_round(state, seen, NOON, LIMITS, lambda _: tape)
    assert (plan.orders, [d.check for d in plan.denied], plan.may_pass) == ((), ["spread"], True)


@pytest.mark.parametrize(("age_s", "sold"), [(900, [3]), (901, [])])
def test_old_quote_prices_not_even_an_order_that_reduces(age_s: int, sold: list[int]) -> None:
    state = begun(*bought(3), targets(GLD=0.0))
    seen = {"GLD": quote(100, at=NOON - timedelta(seconds=age_s))}
    tape = Tape(average_volume={"GLD": 1e7}, returns=CALM, factors=MOVES)
    plan = planned_round(state, seen, NOON, LIMITS, lambda _: tape)
    assert [int(made.quantity) for made in plan.orders] == sold
    assert [refusal.check for refusal in plan.denied] == ([] if sold else ["quote"])
    assert plan.may_pass is not bool(sold)


def test_symbol_without_a_two_sided_quote_is_left_out_and_nothing_is_divided_by_zero() -> None:
    state = begun(targets(GLD=0.05, SLV=0.05))
    seen = {"GLD": quote(0, half_spread="0"), "SLV": quote(25)}
    assert [wish.symbol for wish in wishes(state, seen, LIMITS)] == ["SLV"]


def test_nothing_is_planned_without_an_equity() -> None:
    assert planned(State(weights={"GLD": 0.1}), GLD=100).orders == ()


def test_each_order_is_judged_with_the_ones_before_it() -> None:
    # Five orders of 9.5% in a sector of at most 60% of equity: gold has 50% already.
    held = [fact for n in range(5) for fact in bought(950, "GLD", number=n)]
    state = begun(*held, targets(GLD=0.475, IAU=0.09, SGOL=0.09))
    plan = planned(state, GLD=100, IAU=50, SGOL=20)
    assert [o.symbol for o in plan.orders] == ["IAU"]
    assert [(d.symbol, d.check) for d in plan.denied] == [("SGOL", "sector")]


def test_number_in_the_id_rises_with_each_order_of_a_symbol() -> None:
    state = begun(*bought(100), targets(GLD=0.05))
    (made,) = planned(state, GLD=100).orders
    assert made.client_order_id == "qgtm-1-trade-20260106-GLD-1"


@given(
    held=st.integers(-950, 950),
    weight=st.floats(-0.5, 0.5, allow_nan=False),
    cents=st.integers(1_000, 30_000),
    mode=st.sampled_from(list(Mode)),
    latches=st.sets(st.sampled_from(list(Latch))),
)
def test_no_order_turns_a_position_or_passes_a_cap(held, weight, cents, mode, latches) -> None:
    price = Decimal(cents) / 100
    state = begun(*(bought(held, price=price) if held else ()), targets(GLD=round(weight, 6)))
    switch = KillSwitch(mode=mode, latches=tuple(sorted(latches)))
    state = State(**{**vars_of(state), "switch": switch})
    for made in planned(state, GLD=price).orders:
        after = held + made.quantity * made.side.sign
        assert held * after >= 0
        assert made.quantity == made.quantity.to_integral_value() > 0
        is_halving = mode is Mode.REDUCING and held * made.side.sign < 0
        assert is_halving or made.quantity * price <= Decimal("0.1") * CASH
        assert sum(made.shares.values()) == made.quantity * made.side.sign
        if mode is not Mode.ACTIVE or latches:
            assert abs(after) < abs(held)
        if Latch.BREAK in latches or Latch.DISCONNECTED in latches:
            pytest.fail("no order goes out while the book is in doubt")


parts = st.dictionaries(
    st.sampled_from("abcdef"), st.decimals(-500, 500, places=6, allow_nan=False).filter(bool), max_size=5
)


@given(parts, st.integers(-500, 500).filter(bool))
def test_owners_add_up_to_the_order_exactly(lacking, signed) -> None:
    shares = owned(lacking, dec(signed))
    assert sum(shares.values()) == signed
    whole = sum(map(Fraction, lacking.values()))
    if shares.keys() == {"residual"}:
        assert whole * signed <= 0 or abs(signed) > 2 * abs(whole)
    else:
        for name, part in shares.items():
            assert abs(Fraction(part) - Fraction(lacking[name]) * signed / whole) < Fraction(1, 10**5)


@given(parts)
def test_what_meets_inside_the_book_adds_up_to_nothing_and_takes_no_one_past_its_wish(lacking) -> None:
    state = begun(targets(GLD=0.1))
    (wish,) = wishes(state, {"GLD": quote(100)}, LIMITS)
    met = crossed(type(wish)("GLD", dec(0), lacking, wish.quote))
    buys = sum(part for part in lacking.values() if part > 0)
    sells = -sum(part for part in lacking.values() if part < 0)
    if met is None:
        assert min(buys, sells) < Decimal("0.000001")
        return
    assert sum(met.shares.values()) == 0
    assert met.price == 100
    for name, part in met.shares.items():
        assert part * lacking[name] >= 0
        assert abs(part) <= abs(lacking[name]) + Decimal("0.00001")


def test_strategies_that_want_the_opposite_share_one_order_by_their_wishes() -> None:
    # a lacks 300, b lacks -100: the order of 200 is 300 for a and -100 for b.
    assert owned({"a": dec(300), "b": dec(-100)}, dec(200)) == {"a": 300, "b": -100}
    assert owned({"a": dec(300), "b": dec(-100)}, dec(100)) == {"a": 150, "b": -50}
    assert owned({"a": dec(300), "b": dec(-290)}, dec(100)) == {"residual": 100}


def test_live_order_counts_against_the_caps_of_the_next() -> None:
    resting = order(900, "GLD")
    held = [fact for n in range(1, 5) for fact in bought(950 - 10 * n, "GLD", number=n)]
    plan = planned(begun(formed(resting), *held, targets(GLD=0.475)), GLD=100)
    assert plan.orders == ()
    assert [d.check for d in plan.denied] == ["single_name"]
