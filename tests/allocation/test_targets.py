"""The wanted book, counted a second time with plain loops and Fractions; every cap by hand."""

import math
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qgtm.allocation.targets import PARAMS, Caps, Params, book, budgeted, covariance, last_known
from qgtm.core.universe import LEVERAGE, SECTOR, TRADED, WRAPPERS
from tests.engine.making import LIMITS

NAN = math.nan
CAPS = Caps(
    volatility_frac=0.12,
    single_name_frac={symbol: float(LIMITS.single_name(symbol)) for symbol in TRADED},
    sector_frac=0.60,
    gross=2.0,
    net=1.5,
)
LOOSE = Caps(
    volatility_frac=100.0, single_name_frac=dict.fromkeys(TRADED, 9.0), sector_frac=99.0, gross=99.0, net=99.0
)
QUIET = Params(covariance_lookback=126, volatility_floor_frac=0.04, gross_cap_frac=1.0)


def walk(volatility: float, seed: int = 1, symbols: int = len(TRADED)) -> np.ndarray:
    """Return 200 closes of independent walks with exactly this annual volatility in the last 126."""
    returns = np.random.default_rng(seed).normal(0, 1, (199, symbols))
    tail = returns[-126:]
    basis, _ = np.linalg.qr(tail)  # columns that are independent in the sample itself, and not by hope
    returns[-126:] = basis * math.sqrt(126 / 252) * volatility
    return 100 * np.exp(np.vstack([np.zeros(symbols), returns.cumsum(axis=0)]))


def by_loops(closes: list[list[float]], lookback: int) -> list[list[float]]:
    """Return the annual covariance, one sum of products at a time."""
    rows, seen = [], [NAN] * len(closes[0])
    for row in closes[-(lookback + 1) :]:
        seen = [new if math.isfinite(new) else old for new, old in zip(row, seen, strict=True)]
        rows.append(seen)
    moves = [
        [math.log(b / a) if a == a and b == b else NAN for a, b in zip(*two, strict=True)]
        for two in pairwise(rows)
    ]
    count = len(moves)
    known = [sum(m[i] == m[i] for m in moves) for i in range(len(closes[0]))]
    enough = [k >= 2 * lookback / 3 for k in known]
    return [
        [
            sum(m[i] * m[j] for m in moves if m[i] == m[i] and m[j] == m[j]) * 252 / count
            if enough[i] and enough[j]
            else NAN
            for j in range(len(enough))
        ]
        for i in range(len(enough))
    ]


prices = st.floats(1.0, 500.0) | st.just(NAN)


@given(st.lists(st.lists(prices, min_size=2, max_size=2), min_size=2, max_size=30), st.integers(2, 20))
def test_covariance_equals_the_one_added_up_by_hand(closes, lookback) -> None:
    ours = covariance(np.array(closes), lookback)
    np.testing.assert_allclose(ours, np.array(by_loops(closes, lookback)), rtol=1e-9, atol=1e-12)


def test_hole_repeats_the_close_before_it_and_the_first_hole_stays() -> None:
    column = np.array([[NAN], [10.0], [NAN], [NAN], [12.0]])
    np.testing.assert_array_equal(last_known(column)[:, 0], [NAN, 10.0, 10.0, 10.0, 12.0])


def test_full_view_of_one_strategy_gets_its_budget_over_its_volatility() -> None:
    # 12% / sqrt(2) / 24% = 0.35355 of equity, for a strategy at full strength beside one without a view.
    got = book({"a": {"GDX": 1.0}, "b": {}}, TRADED, walk(0.24), LOOSE_12, 1.0, QUIET)
    assert got.weights == {"GDX": pytest.approx(0.353553, abs=2e-6)}


LOOSE_12 = Caps(
    volatility_frac=0.12, single_name_frac=LOOSE.single_name_frac, sector_frac=99.0, gross=99.0, net=99.0
)


@pytest.mark.parametrize(("strength", "expected"), [(1.0, 0.25), (0.5, 0.125), (-0.5, -0.125), (0.0, 0.0)])
def test_half_a_view_gets_half_the_weight(strength, expected) -> None:
    weights = budgeted(
        np.array([strength]), np.array([[0.16]]), 0.10, PARAMS
    )  # 10% of budget, 40% volatility
    assert weights is not None
    assert weights[0] == pytest.approx(expected)


def test_pair_is_scaled_by_the_risk_of_the_pair_and_keeps_its_ratio() -> None:
    # Two at 20% that move together 90%: the spread has sqrt(2 * 0.04 * (1 - 0.9)) = 8.944%.
    sigma = np.array([[0.04, 0.036], [0.036, 0.04]])
    weights = budgeted(np.array([1.0, -1.0]), sigma, 0.02, PARAMS)
    assert weights is not None
    np.testing.assert_allclose(weights, [0.02 / 0.0894427191, -0.02 / 0.0894427191])


def test_strategy_over_five_symbols_uses_its_whole_budget_when_its_parts_add_up_to_one() -> None:
    # Five uncorrelated at 20%, a fifth each: one dollar has 20% / sqrt(5) = 8.944%, so 6% buys 0.67082.
    weights = budgeted(np.full(5, 0.2), np.diag([0.04] * 5), 0.06, PARAMS)
    assert weights is not None
    np.testing.assert_allclose(weights, 0.67082039 / 5)
    np.testing.assert_allclose(np.sqrt((weights**2 * 0.04).sum()), 0.06)  # counted from the result


def test_direction_too_quiet_to_be_believed_counts_as_four_per_cent_and_no_strategy_passes_its_cap() -> None:
    quiet = budgeted(np.array([1.0]), np.array([[0.0001]]), 0.01, PARAMS)
    assert quiet is not None
    assert quiet[0] == pytest.approx(0.25)  # 1% over the floor of 4%
    large = budgeted(np.array([1.0]), np.array([[0.0001]]), 0.06, PARAMS)
    assert large is not None
    assert large[0] == 1.0


def test_symbol_whose_risk_is_not_known_is_not_bought_and_it_is_said() -> None:
    closes = walk(0.2)
    closes[:-20, TRADED.index("SIL")] = NAN
    got = book({"a": {"SIL": 1.0, "GLD": 0.5}, "b": {"SLV": 0.5}}, TRADED, closes, LOOSE_12, 1.0, PARAMS)
    assert set(got.weights) == {"SLV"}
    assert got.by_strategy["a"] == {}
    assert got.notes == ("a wants a symbol whose risk is not known yet, so it stands aside",)


def test_book_too_wild_is_scaled_to_the_volatility_target() -> None:
    # Two strategies that want the same: together sqrt(2) times the target, so each is cut by sqrt(2).
    got = book({"a": {"GDX": 1.0}, "b": {"GDX": 1.0}}, TRADED, walk(0.40), LOOSE_12, 1.0, QUIET)
    assert got.weights["GDX"] == pytest.approx(0.12 / 0.40, abs=1e-6)
    assert got.by_strategy["a"]["GDX"] == pytest.approx(0.15, abs=1e-6)


def test_gold_past_its_cap_overflows_to_the_next_wrappers_in_order() -> None:
    caps = Caps(
        volatility_frac=9.0, single_name_frac=CAPS.single_name_frac, sector_frac=9.0, gross=9.0, net=9.0
    )
    params = Params(covariance_lookback=126, volatility_floor_frac=0.04, gross_cap_frac=0.9)
    got = book({"a": {"GLD": 1.0}}, TRADED, walk(0.05), caps, 1.0, params)
    assert got.weights == {"GLD": 0.5, "IAU": 0.25, "GLDM": 0.15}
    both = book({"a": {"GLD": 1.0}, "b": {"IAU": 1.0}}, TRADED, walk(0.05), caps, 1.0, params)
    assert both.weights == {"GLD": 0.5, "IAU": 0.25, "GLDM": 0.25, "SGOL": 0.25}
    assert any("GLD is cut by 55.0% of equity" in note for note in both.notes)


def test_short_overflows_short() -> None:
    caps = Caps(
        volatility_frac=9.0, single_name_frac=CAPS.single_name_frac, sector_frac=9.0, gross=9.0, net=9.0
    )
    params = Params(covariance_lookback=126, volatility_floor_frac=0.04, gross_cap_frac=0.5)
    got = book({"a": {"SLV": -1.0}}, TRADED, walk(0.05), caps, 1.0, params)
    assert got.weights == {"SIVR": -0.15, "SLV": -0.35}


def test_opposite_views_of_one_metal_net_to_nothing_and_stand_against_each_other() -> None:
    got = book({"a": {"GLD": 0.5}, "b": {"IAU": -0.5}}, TRADED, walk(0.2), LOOSE_12, 1.0, QUIET)
    assert got.weights == {}
    assert got.by_strategy["a"]["GLD"] == pytest.approx(-got.by_strategy["b"].get("GLD", 0.0), abs=1e-6)


def test_leveraged_fund_counts_in_its_sector_by_what_it_moves() -> None:
    got = book({"a": {"NUGT": 0.5}, "b": {"ZSL": 0.5}}, TRADED, walk(0.05), CAPS, 1.0, QUIET)
    used = sum(abs(weight * LEVERAGE[symbol]) for symbol, weight in got.weights.items())
    assert used == pytest.approx(0.60, abs=1e-5)


def test_smaller_size_shrinks_the_capped_book_and_its_caps_alike() -> None:
    views = {"a": {"GLD": 1.0}, "b": {"SLV": 1.0}, "c": {"GDX": -1.0}}
    full = book(views, TRADED, walk(0.05), CAPS, 1.0, PARAMS).weights
    half = book(views, TRADED, walk(0.05), CAPS, 0.5, PARAMS).weights
    assert half == {symbol: pytest.approx(weight / 2, abs=1e-6) for symbol, weight in full.items()}
    assert half["GLD"] <= 0.25


views = st.dictionaries(
    st.sampled_from(("a", "b", "c", "d")),
    st.dictionaries(st.sampled_from(TRADED), st.floats(-1, 1), max_size=4),
    min_size=1,
)


@given(views, st.floats(0.02, 0.8), st.floats(0, 1))
def test_every_cap_holds_and_strategies_add_up_to_the_book(signals, volatility, size) -> None:
    got = book(signals, TRADED, walk(volatility), CAPS, size, PARAMS)
    slack = 1e-5
    for symbol, weight in got.weights.items():
        assert abs(weight) <= CAPS.single_name_frac[symbol] * size + slack
    moved = {symbol: Fraction(weight) * LEVERAGE.get(symbol, 1) for symbol, weight in got.weights.items()}
    assert sum(map(abs, moved.values())) <= 2.0 * size + slack
    assert abs(sum(moved.values())) <= 1.5 * size + slack
    for sector in set(SECTOR.values()):
        assert sum(abs(w) for s, w in moved.items() if SECTOR[s] == sector) <= 0.6 * size + slack
    assert math.sqrt(sum((w * volatility) ** 2 for w in got.weights.values())) <= 0.12 * size + slack
    wrapped = {name for names in WRAPPERS.values() for name in names}
    for symbol in TRADED:
        mine = sum(weights.get(symbol, 0.0) for weights in got.by_strategy.values())
        assert mine == pytest.approx(got.weights.get(symbol, 0.0), abs=slack) or symbol in wrapped
    assert set(got.by_strategy) == set(signals)


def common(correlation: float, seed: int = 5) -> np.ndarray:
    """Return closes at 20% a year that move together, a wrapper exactly as the first of its metal."""
    chance = np.random.default_rng(seed)
    alone, market = chance.normal(0, 1, (200, len(TRADED))), chance.normal(0, 1, (200, 1))
    moves = (correlation**0.5 * market + (1 - correlation) ** 0.5 * alone) * 0.20 / 252**0.5
    for first, *others in WRAPPERS.values():
        for other in others:
            moves[:, TRADED.index(other)] = moves[:, TRADED.index(first)]
    return 100 * np.exp(moves.cumsum(axis=0))


def moved(weights, closes) -> float:
    """Return the annual volatility that this book would have had, from its own day by day."""
    days = np.diff(np.log(closes[-127:]), axis=0)
    mine = [sum(days[t, TRADED.index(s)] * w for s, w in weights.items()) for t in range(126)]
    return math.sqrt(252 * math.fsum(day * day for day in mine) / 126)


CANDID = Caps(
    volatility_frac=0.12,
    single_name_frac=CAPS.single_name_frac,
    sector_frac=0.60,
    gross=2.0,
    net=1.5,
    is_shorting_allowed=False,
)


@given(views, st.sampled_from((0.0, 0.5, 0.9, 0.99)), st.sampled_from((CAPS, CANDID)))
def test_book_keeps_the_volatility_target_whatever_is_cut_of_its_hedges(signals, correlation, caps) -> None:
    closes = common(correlation)
    assert moved(book(signals, TRADED, closes, caps, 1.0, PARAMS).weights, closes) <= 0.12 + 1e-5


def test_cap_on_one_leg_of_a_hedge_calms_the_whole_book_and_says_so() -> None:
    # Gold against half of silver and half of miners stands still; a fifth of the gold lets them move.
    closes, pairs = common(0.99), {"a": {"GLD": 0.5, "SLV": -0.5}, "b": {"GLD": 0.5, "GDX": -0.5}}
    small = replace(LOOSE_12, single_name_frac=LOOSE.single_name_frac | dict.fromkeys(WRAPPERS["GLD"], 0.05))
    got = book(pairs, TRADED, closes, small, 1.0, QUIET)
    assert moved({"GLD": 0.2, "SLV": -0.5, "GDX": -0.5}, closes) > 0.13
    assert moved(got.weights, closes) == pytest.approx(0.12, abs=1e-5)
    assert got.weights["SLV"] / got.weights["GLD"] == pytest.approx(-10, rel=1e-4)
    assert [note.split(" of ")[0] for note in got.notes] == ["GLD is cut by 80.0%", "volatility"]


def test_account_that_may_not_sell_short_is_judged_without_its_shorts() -> None:
    # With the shorts the book stands still, so nothing would be cut; what is really held moves.
    closes, pair = common(0.99), {"GLD": 0.5, "SLV": -0.5}
    hedged = book({"a": pair}, TRADED, closes, LOOSE_12, 1.0, QUIET)
    assert hedged.weights["GLD"] == pytest.approx(0.5)
    alone = book({"a": pair, "b": {"GDX": 1.0}, "c": {"GDX": 1.0}}, TRADED, closes, CANDID, 1.0, QUIET)
    assert all(weight > 0 for weight in alone.weights.values())
    assert "SLV" not in alone.by_strategy["a"]
    assert moved(alone.weights, closes) <= 0.12 + 1e-5
    assert alone.notes[0] == "short weights are left out: the account may not sell short"


def test_wrapper_without_a_history_is_passed_over() -> None:
    closes, caps = walk(0.05), replace(LOOSE_12, single_name_frac=CAPS.single_name_frac)
    closes[:, TRADED.index("IAU")] = NAN
    got = book({"a": {"GLD": 1.0}}, TRADED, closes, caps, 1.0, QUIET)
    assert got.weights == {"GLD": 0.5, "GLDM": 0.25, "SGOL": 0.25}


@given(views)
def test_book_does_not_depend_on_the_order_in_which_views_are_read(signals) -> None:
    closes = walk(0.3)
    turned = {n: dict(reversed(list(v.items()))) for n, v in reversed(list(signals.items()))}
    assert book(signals, TRADED, closes, CAPS, 1.0, PARAMS) == book(turned, TRADED, closes, CAPS, 1.0, PARAMS)
