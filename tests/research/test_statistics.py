"""The statistics of evidence, each against another route: a paper's numbers, brute force, simulation."""

import math
from itertools import combinations

import numpy as np
import pytest
from statsmodels.stats.stattools import robust_kurtosis  # type: ignore[import-untyped]

from qgtm.core.errors import MarketError
from qgtm.research.statistics import (
    YEAR,
    deflated_sharpe,
    expected_best,
    interval,
    overfit_probability,
    probabilistic_sharpe,
    rolling_sharpe,
    sharpe,
    walk_forward,
)

DRAW = np.random.default_rng(7)
RETURNS = DRAW.standard_t(5, 1000) * 0.006 + 0.0004


def test_sharpe_by_hand() -> None:
    assert sharpe(np.array([0.01, 0.03])) == pytest.approx(0.02 / (0.01 * 2**0.5) * 252**0.5)
    assert sharpe(np.full(10, 0.01)) == 0.0
    assert sharpe(np.array([0.01])) == 0.0


def test_probabilistic_ratio_of_normal_returns_is_the_t_test() -> None:
    """Without skew and with three as the fourth moment the width is 1 + ratio² / 2, Lo's (2002)."""
    half = DRAW.standard_normal(500) * 0.01
    returns = np.concatenate([half, -half]) + 0.0005
    ratio = returns.mean() / returns.std(ddof=1)
    fourth = float(robust_kurtosis(returns, excess=False)[0])
    z = ratio * 999**0.5 / math.sqrt(1 + (fourth - 1) / 4 * ratio**2)
    assert probabilistic_sharpe(returns, 0.0) == pytest.approx(0.5 * math.erfc(-z / 2**0.5), abs=1e-9)


def test_bailey_and_lopez_de_prado_s_example() -> None:
    """Their 2014 paper, section "A numerical example": 100 trials, variance 1/2 a year, 1,250 days."""
    spread = np.array([1.0, -1.0] * 50)
    trials = spread * math.sqrt(0.5) / spread.std(ddof=1)
    assert expected_best(trials.tolist()) / 250**0.5 == pytest.approx(0.1132, abs=5e-4)


def test_expected_best_is_that_of_a_simulation() -> None:
    drawn = DRAW.standard_normal((20_000, 30))
    trials = np.linspace(-1, 1, 30)
    trials /= trials.std(ddof=1)
    assert expected_best(trials.tolist()) == pytest.approx(drawn.max(axis=1).mean(), rel=0.02)


def test_more_trials_leave_less_of_the_same_record() -> None:
    few, many = [0.1, 0.6, 0.3], [0.1, 0.6, 0.3] * 40
    assert deflated_sharpe(RETURNS, many) < deflated_sharpe(RETURNS, few) < probabilistic_sharpe(RETURNS, 0.0)
    assert deflated_sharpe(RETURNS, [0.5]) == probabilistic_sharpe(RETURNS, 0.0)


def test_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    truth = 0.0005 / 0.01 * YEAR**0.5
    hits = 0
    for seed in range(60):
        returns = np.random.default_rng(seed).normal(0.0005, 0.01, 750)
        low, high = interval(returns, seed, draws=200)
        hits += low <= truth <= high
    assert 47 <= hits <= 60  # 54 expected, and the odds of fewer than 47 are one in a hundred


def test_interval_of_next_to_nothing_says_nothing() -> None:
    assert interval(np.zeros(500), 1) == (-math.inf, math.inf)
    assert interval(RETURNS[:10], 1) == (-math.inf, math.inf)


def by_hand(returns: np.ndarray, groups: int) -> float:
    """Cross-validation written out with means and deviations of the rows themselves."""
    blocks = np.array_split(np.arange(len(returns)), groups)
    below = []
    for chosen in combinations(range(groups), groups // 2):
        inside = np.concatenate([blocks[k] for k in chosen])
        outside = np.setdiff1d(np.arange(len(returns)), inside)
        best = np.argmax(returns[inside].mean(axis=0) / returns[inside].std(axis=0))
        ranked = returns[outside].mean(axis=0) / returns[outside].std(axis=0)
        below.append(ranked[best] <= np.median(ranked))
    return float(np.mean(below))


def test_overfit_probability_is_that_of_the_definition() -> None:
    for seed in range(5):
        returns = np.random.default_rng(seed).normal(0, 0.01, (240, 7))
        assert overfit_probability(returns, 6) == pytest.approx(by_hand(returns, 6))


def test_overfit_probability_is_high_for_noise_and_low_for_skill() -> None:
    noise = DRAW.normal(0, 0.01, (1000, 20))
    skilled = noise.copy()
    skilled[:, 3] += 0.002
    assert overfit_probability(noise) > 0.3
    assert overfit_probability(skilled) == 0.0


def test_nonsense_is_refused() -> None:
    with pytest.raises(MarketError, match="1 configurations"):
        overfit_probability(np.zeros((100, 1)))
    with pytest.raises(MarketError, match="9 groups"):
        overfit_probability(np.zeros((100, 2)), 9)
    with pytest.raises(ValueError, match="cannot be made"):
        list(walk_forward(100, 0, 10, 5))


def test_walk_forward_never_trains_on_what_it_judges_nor_beside_it() -> None:
    splits = list(walk_forward(1000, 300, 100, purge=20, embargo=5))
    judged = np.concatenate([np.arange(1000)[split.test] for split in splits])
    assert judged.tolist() == list(range(325, 1000))
    for split in splits:
        assert split.test.start - split.train.stop == 25
        assert split.train.start == 0


def test_rolling_ratio_is_the_ratio_of_each_window() -> None:
    found = rolling_sharpe(RETURNS, 126)
    assert np.isnan(found[:125]).all()
    assert found[500] == sharpe(RETURNS[375:501])
