"""Two controls of the evidence: it finds an effect that was planted, and finds none where there is none.

All strategies, over 200 markets, are run by hand (`make evidence`); docs/evidence.md has what came out.
"""

from math import comb

import numpy as np
import pytest

from benchmarks.evidence import most, opened, placebo, power
from qgtm.research.made_up_panel import made_up_seen
from qgtm.research.planted import planted, without_effect
from qgtm.strategies import BY_NAME

QUICK = (
    "policy_path", "real_carry", "implied_carry", "tsmom", "cross_sectional_momentum", "overnight_gold",
    "london_fix_drift", "vol_term_structure", "hedging_pressure", "reddit_contrarian", "vix_haven",
)  # fmt: skip
# Prices that answer to a rule have to be found by trying, which takes these ten seconds each: by hand.
BY_HAND = (
    "dollar_dislocation", "gold_platinum_ratio", "gold_silver_ratio", "seasonality",
    "silver_miners_vs_silver",
)  # fmt: skip
MARKETS = 5


@pytest.mark.parametrize("name", [name for name in BY_NAME if name not in BY_HAND])
def test_planted_effect_of_a_strategy_opens_its_gates(name: str) -> None:
    found = power(BY_NAME[name].module)
    assert found["is_open"], found
    assert found["sharpe"] > found["without"] + 1.0


def test_gates_open_for_markets_without_an_effect_no_more_often_than_chance() -> None:
    quick = [BY_NAME[name].module for name in QUICK]
    rows = [row for seed in range(9000, 9000 + MARKETS) for row in placebo(seed, quick, 700)]
    assert len([row for row in rows if row["sharpe"] is not None]) > 0.8 * len(rows)  # or nothing was judged
    assert opened(rows) <= most(len(rows)), [row for row in rows if row["is_open"]]


def test_bound_of_chance_is_that_of_counting_by_hand() -> None:
    def at_most(k: int, n: int) -> float:
        return sum(comb(n, i) * 0.05**i * 0.95 ** (n - i) for i in range(k + 1))

    for n in (55, 200):
        assert at_most(most(n), n) >= 0.999 > at_most(most(n) - 1, n)


def test_planted_market_moves_in_the_session_after_a_view_and_never_before() -> None:
    module, market = BY_NAME["policy_path"].module, made_up_seen(300, 4)
    moved = planted(module.signal, module.PARAMS, market, module.symbols)
    place = market.bars.symbols.index("GLD")
    wanted = np.nan_to_num(module.signal(moved.select(("GLD",))))[:, 0]
    extra = np.diff(np.log(moved.bars.close[:, place])) - np.diff(np.log(market.bars.close[:, place]))
    daily = np.diff(np.log(market.bars.close[:, place])).std()
    np.testing.assert_allclose(extra, daily * np.sign(wanted[:-1]), atol=1e-12)
    assert (moved.bars.high >= np.maximum(moved.bars.open, moved.bars.close) - 1e-9).all()
    assert (moved.bars.low <= np.minimum(moved.bars.open, moved.bars.close) + 1e-9).all()


def test_market_without_an_effect_has_no_drift_and_no_way_back() -> None:
    """By the variance ratio of silver beside gold over 40 sessions, which is 1 for a random walk."""
    rises, ratios = [], []
    for seed in range(12):
        bars = without_effect(700, seed).bars.select(("GLD", "SLV", "AGQ"))
        rises.append((bars.close[1:] / bars.close[:-1] - 1).mean(axis=0) * 252)
        beside = np.log(bars.close[:, 1]) - 1.3 * np.log(bars.close[:, 0])
        ratios.append(np.var(beside[40:] - beside[:-40]) / (40 * np.var(np.diff(beside))))
    spread = np.std(rises, axis=0) / 12**0.5
    assert (np.abs(np.mean(rises, axis=0)) < 3 * spread).all()
    assert 0.8 < np.mean(ratios) < 1.25
