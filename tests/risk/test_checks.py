"""The gate: each check refuses what it is for, and lets pass what is at its limit."""

from dataclasses import fields, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qgtm.core.mode import Latch, Mode
from qgtm.core.order import Order
from qgtm.core.outcome import Allowed, Denied
from qgtm.risk.case import Circumstances
from qgtm.risk.checks import CHECKS, judge
from qgtm.risk.exposure import Book
from qgtm.risk.kill_switch import KillSwitch
from tests.risk.making import CALM, CLOSE, LIMITS, NOON, OPEN, D, around, book, order, quote

Case = tuple[Order, Book, Circumstances]


def denied_by(wanted: Order, held: Book | None = None, **changed: Any) -> str | None:
    """Return the check that denies, None when the order is allowed."""
    verdict = judge(wanted, held or book(), around(**changed), LIMITS)
    return verdict.check if isinstance(verdict, Denied) else None


def test_one_share_on_a_calm_day_is_allowed() -> None:
    assert judge(order(), book(), CALM, LIMITS) == Allowed()


# For each check: the largest that passes and the smallest that does not, counted by hand.
# Equity is $250,000: 10% are $25,000, which is 125 shares at $200.
AT_THE_LIMIT: dict[str, tuple[Case, Case]] = {
    "order_frac": (
        (order(quantity=125), book(), CALM),
        (order(quantity=126), book(), CALM),
    ),
    "order_shares": (
        (order(quantity=50_000), book(equity_usd=D(10**9)), CALM),
        (order(quantity=50_001), book(equity_usd=D(10**9)), CALM),
    ),
    "order_adv": (
        (order(quantity=100), book(), around(average_volume_shares=2000.0)),
        (order(quantity=101), book(), around(average_volume_shares=2000.0)),
    ),
    "orders_per_minute": (
        (order(), book(), around(orders_last_minute=29)),
        (order(), book(), around(orders_last_minute=30)),
    ),
    "orders_per_day": (
        (order(), book(), around(orders_today=299)),
        (order(), book(), around(orders_today=300)),
    ),
    "same_order": (
        (order(), book(), around(same_last_minute=1)),
        (order(), book(), around(same_last_minute=2)),
    ),
    "turnover": (
        (order(quantity=100), book(), around(turnover_today_usd=D(480_000))),
        (order(quantity=100), book(), around(turnover_today_usd=D(480_001))),
    ),
    "spread": (  # 25 bp of $200 are 50 cents
        (order(), book(), around(quote=quote(half_spread="0.25"))),
        (order(), book(), around(quote=quote(half_spread="0.26"))),
    ),
    "collar": (
        (order(price="204"), book(), CALM),
        (order(price="204.01"), book(), CALM),
    ),
    "quote": (
        (order(), book(), around(quote=quote(age_s=60))),
        (order(), book(), around(quote=quote(age_s=61))),
    ),
    "session": (
        (order(), book(), around(now=OPEN, quote=replace(quote(), at=OPEN))),
        (order(), book(), around(now=CLOSE)),
    ),
    "single_name": (  # GLD 50%: $125,000, which is 625 shares
        (order(quantity=25), book({"GLD": 600}), CALM),
        (order(quantity=26), book({"GLD": 600}), CALM),
    ),
    "sector": (  # gold 60%: $150,000, which is 750 shares of GLD and IAU together
        (order(quantity=50), book({"GLD": 500, "IAU": 200}), CALM),
        (order(quantity=51), book({"GLD": 500, "IAU": 200}), CALM),
    ),
    "gross": (  # 200%: $500,000, which is 2,500 shares long or short
        (order(quantity=100), book({"SIL": 1200, "GDX": -1200}), CALM),
        (order(quantity=101), book({"SIL": 1200, "GDX": -1200}), CALM),
    ),
    "net": (  # 150%: $375,000, which is 1,875 shares
        (order(quantity=75), book({"SIL": 1800}), CALM),
        (order(quantity=76), book({"SIL": 1800}), CALM),
    ),
    "day_loss": (
        (order(), book(), around(day_loss_frac=D("0.0299"))),
        (order(), book(), around(day_loss_frac=D("0.03"))),
    ),
    "week_loss": (
        (order(), book(), around(week_loss_frac=D("0.0499"))),
        (order(), book(), around(week_loss_frac=D("0.05"))),
    ),
    "value_at_risk": (
        (order(), book(), around(value_at_risk_after_frac=0.03)),
        (order(), book(), around(value_at_risk_after_frac=0.0301)),
    ),
    "factors": (
        (order(), book(), around(factor_shares_after={**CALM.factor_shares, "curve": 0.15})),
        (order(), book(), around(factor_shares_after={**CALM.factor_shares, "curve": 0.1501})),
    ),
    "symbol": (
        (order("DUST"), book(), CALM),
        (order("SPY"), book(), CALM),
    ),
    "id": (
        (order(number=3), book(orders=(order(number=2),)), CALM),
        (order(number=2), book(orders=(order(number=2),)), CALM),
    ),
    "quantity": (
        (order(quantity=1), book(), CALM),
        (order(quantity="1.5"), book(), CALM),
    ),
    "price": (
        (order(), book(), CALM),
        (order(limit_price=None), book(), CALM),
    ),
    "flip": (
        (order(side="sell", quantity=10), book({"GLD": 10}), CALM),
        (order(side="sell", quantity=11), book({"GLD": 10}), CALM),
    ),
    "claim": (
        (order(is_reducing=True, side="sell"), book({"GLD": 10}), CALM),
        (order(is_reducing=True), book(), CALM),
    ),
    "equity": (
        (order(), book(equity_usd=D(10_000)), CALM),
        (order(), book(equity_usd=D(0)), CALM),
    ),
    "switch": (
        (order(), book(), CALM),
        (order(), book(), around(switch=KillSwitch(mode=Mode.REDUCING))),
    ),
}


@pytest.mark.mistake(10)
@pytest.mark.invariant("V1", "V2")
@pytest.mark.parametrize("name", [name for name, _ in CHECKS])
def test_check_allows_at_its_limit_and_denies_past_it(name: str) -> None:
    within, past = AT_THE_LIMIT[name]
    assert judge(*within, LIMITS) == Allowed()
    verdict = judge(*past, LIMITS)
    assert isinstance(verdict, Denied)
    assert verdict.check == name
    assert len(verdict.reason) > 20


UNKNOWN: list[tuple[str, object]] = [
    ("session", None),
    ("open_at", None),
    ("close_at", None),
    ("quote", None),
    ("average_volume_shares", None),
    ("average_volume_shares", float("nan")),
    ("average_volume_shares", 0.0),
    ("day_loss_frac", None),
    ("day_loss_frac", D("NaN")),
    ("week_loss_frac", None),
    ("value_at_risk_after_frac", None),
    ("value_at_risk_after_frac", float("nan")),
    ("value_at_risk_after_frac", float("inf")),
    ("factor_shares", None),
    ("factor_shares_after", None),
    ("factor_shares_after", {}),
    ("factor_shares_after", {"dollar": float("nan")}),
]


@pytest.mark.fault("E1", "E14")
@pytest.mark.invariant("V17")
@pytest.mark.parametrize(("name", "value"), UNKNOWN)
def test_what_is_not_known_is_denied_for_an_order_that_grows_and_not_asked_of_one_that_reduces(
    name: str, value: object
) -> None:
    assert denied_by(order(), **{name: value}) is not None
    assert denied_by(order(side="sell"), book({"GLD": 5}), **{name: value}) is None


def test_every_circumstance_that_may_be_unknown_is_in_the_list_above() -> None:
    may_be_none = {field.name for field in fields(Circumstances) if "None" in str(field.type)}
    assert may_be_none == {name for name, value in UNKNOWN if value is None}


@pytest.mark.fault("E3", "E15", "L1")
@pytest.mark.parametrize(
    "bad",
    [
        {"bid": D(0)},
        {"ask": D(0)},
        {"last": D("NaN")},
        {"bid": D(201), "ask": D(199)},
        {"ask": D("Infinity")},
        {"at": NOON + timedelta(seconds=6)},
    ],
)
def test_quote_that_cannot_be_believed_is_denied(bad: dict[str, Any]) -> None:
    assert denied_by(order(), quote=replace(quote(), **bad)) == "quote"


@pytest.mark.fault("L2", "L5")
@pytest.mark.parametrize("bad", ["0", "-1", "NaN", "sNaN", "Infinity", "-Infinity", "0.5", "1e-300"])
def test_quantity_that_is_no_whole_number_above_zero_is_denied(bad: str) -> None:
    assert denied_by(order(quantity=bad)) == "quantity"


@pytest.mark.fault("I3", "L1")
@pytest.mark.parametrize("bad", ["1e308", "1e5000", "1e12"])
def test_huge_quantity_is_denied_and_nothing_overflows(bad: str) -> None:
    assert denied_by(order(quantity=bad)) == "order_frac"


@pytest.mark.fault("L1", "L2")
@pytest.mark.parametrize("bad", ["0", "-200", "NaN", "Infinity"])
def test_price_that_is_none_is_denied(bad: str) -> None:
    assert denied_by(order(price=bad)) == "price"


@pytest.mark.fault("A17", "L4")
@pytest.mark.parametrize("bad", ["0", "-5", "NaN", "Infinity"])
def test_equity_that_cannot_be_believed_is_denied(bad: str) -> None:
    assert denied_by(order(), book(equity_usd=D(bad))) == "equity"


def test_limit_far_below_the_market_harms_no_buyer_and_is_allowed() -> None:
    assert denied_by(order(price="100")) is None
    assert denied_by(order(side="sell", price="300")) is None
    assert denied_by(order(side="sell", price="195.99")) == "collar"


@pytest.mark.mistake(4)
@pytest.mark.invariant("V1")
def test_order_is_judged_with_all_live_orders_and_not_alone() -> None:
    live = tuple(order(quantity=125, number=number) for number in range(2, 7))  # five orders: all of 50%
    assert denied_by(order(quantity=1), book(orders=live)) == "single_name"
    assert denied_by(order(quantity=1), book(orders=live[:4])) is None


def test_live_sale_makes_no_room_before_it_has_filled() -> None:
    held = book({"GLD": 625}, (order(side="sell", quantity=100, number=2),))
    assert denied_by(order(quantity=1), held) == "single_name"


def test_leveraged_fund_counts_by_what_it_moves_in_sector_and_by_its_dollars_in_single_name() -> None:
    # $62,500 of AGQ are 25% of equity and move 50%; the sector stops at 60%, which is 375 shares.
    assert denied_by(order("AGQ", quantity=12), book({"AGQ": 300})) is None
    assert denied_by(order("AGQ", quantity=13), book({"AGQ": 300})) == "single_name"
    assert denied_by(order("UGL", quantity=64), book({"AGQ": 312})) == "sector"


def test_inverse_fund_offsets_in_net_and_adds_in_gross() -> None:
    held = book({"SIL": 1800, "ZSL": 100})  # $360,000 long; $20,000 of ZSL are $40,000 short
    assert denied_by(order(quantity=115), held) is None  # 360 - 40 + 23 = 343 < 375
    assert denied_by(order("GLL", quantity=101), book({"SIL": 1150, "GDX": -1150})) == "gross"


@pytest.mark.fault("E14")
@pytest.mark.mistake(5)
def test_held_symbol_without_a_mark_denies_every_growth() -> None:
    assert denied_by(order(), book({"SIL": 10}, marks={})) == "gross"


def test_exposure_limits_shrink_with_the_ramp() -> None:
    half = KillSwitch(ramp_step=0)
    held = book({"GLD": 300})  # 24% held, half of the 50% limit is 25%, which is 312 shares
    assert denied_by(order(quantity=12), held, switch=half) is None
    assert denied_by(order(quantity=13), held, switch=half) == "single_name"


@pytest.mark.mistake(10)
@pytest.mark.invariant("V5", "V6")
@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("latches", [(), *((latch,) for latch in Latch), tuple(sorted(Latch))])
def test_switch_lets_grow_only_when_active_and_unlatched_and_lets_reduce_as_written(
    mode: Mode, latches: tuple[Latch, ...]
) -> None:
    switch = KillSwitch(mode=mode, latches=latches)
    grows = denied_by(order(), switch=switch) is None
    reduces = denied_by(order(side="sell"), book({"GLD": 5}), switch=switch) is None
    flatten = order(side="sell", client_order_id="qgtm-1-flatten-20260302-GLD-1")
    flattens = denied_by(flatten, book({"GLD": 5}), switch=switch) is None
    assert grows is (mode is Mode.ACTIVE and latches == ())
    assert reduces is (Latch.BREAK not in latches and Latch.DISCONNECTED not in latches)
    assert flattens


@pytest.mark.fault("C12")
@pytest.mark.mistake(3)
@pytest.mark.invariant("V8")
def test_order_of_a_flatten_that_grows_is_denied_like_any_other() -> None:
    grows = order(client_order_id="qgtm-1-flatten-20260302-GLD-1")
    assert denied_by(grows, switch=KillSwitch(mode=Mode.HALTED_HARD)) == "switch"


STORM = around(
    now=CLOSE,
    session=None,
    quote=None,
    average_volume_shares=None,
    orders_last_minute=10**6,
    orders_today=10**6,
    same_last_minute=10**6,
    turnover_today_usd=D(10**12),
    day_loss_frac=D(1),
    week_loss_frac=D(1),
    value_at_risk_after_frac=9.0,
    factor_shares_after=dict.fromkeys(LIMITS.factor_share_frac, 9.0),
)


def test_order_that_only_reduces_passes_whatever_else_is_wrong() -> None:
    out = order("GLD", "sell", 60_000, limit_price=None, is_reducing=True)
    assert judge(out, book({"GLD": 60_000}, equity_usd=D(-1), marks={}), STORM, LIMITS) == Allowed()
    foreign = order("XYZ", "sell", 3, limit_price=None, is_reducing=True)
    assert judge(foreign, book({"XYZ": 3}), STORM, LIMITS) == Allowed()


@pytest.mark.mistake(4)
@pytest.mark.invariant("V1")
@given(
    st.integers(-900, 900),
    st.lists(st.tuples(st.sampled_from(["buy", "sell"]), st.integers(1, 300)), max_size=4),
    st.lists(st.tuples(st.sampled_from(["buy", "sell"]), st.integers(1, 130)), max_size=6),
)
def test_allowed_orders_never_take_any_subset_past_the_limits(
    held: int, live: list[tuple[str, int]], wanted: list[tuple[str, int]]
) -> None:
    """V1 for one symbol: what passes the gate keeps every outcome within 50% of equity, or nearer to it."""
    orders = tuple(order(side=side, quantity=n, number=i) for i, (side, n) in enumerate(live, start=10))
    before = worst(held, orders)
    for number, (side, quantity) in enumerate(wanted, start=20):
        one_more = order(side=side, quantity=quantity, number=number)
        if judge(one_more, book({"GLD": held}, orders, marks={"GLD": D(200)}), CALM, LIMITS) == Allowed():
            orders = (*orders, one_more)
    assert worst(held, orders) <= max(D(625), before)


def worst(held: int, orders: tuple[Order, ...]) -> Decimal:
    """Return the most shares that any subset of the orders can leave, long or short, one subset at a time."""
    reached = {Decimal(held)}
    for each in orders:
        reached |= {start + each.side.sign * each.quantity for start in reached}
    return max(map(abs, reached))


@pytest.mark.mistake(10)
@pytest.mark.parametrize("factor", list(LIMITS.factor_share_frac))
def test_order_is_denied_past_a_factors_share_unless_it_makes_it_no_larger(factor: str) -> None:
    limit = float(LIMITS.factor_share_frac[factor])

    def shares(share: float) -> dict[str, float]:
        return dict.fromkeys(LIMITS.factor_share_frac, 0.0) | {factor: share}

    assert denied_by(order(), factor_shares_after=shares(limit)) is None
    past = shares(limit + 0.001)
    assert denied_by(order(), factor_shares_after=past) == "factors"
    assert denied_by(order(), factor_shares=shares(limit + 0.0005), factor_shares_after=past) == "factors"
    assert denied_by(order(), factor_shares=past, factor_shares_after=past) is None  # a hedge that helps
