"""How much a back-test's figures are worth: Sharpe ratios and what luck, trials and overlap make of them.

Returns are daily and simple, (n,) float64, without NaN; ratios are a year's unless the name says otherwise.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb, e
from typing import Final

import numpy as np

from qgtm.core.errors import MarketError
from qgtm.features.bars import FloatArray, IntArray

YEAR: Final = 252
EULER_MASCHERONI: Final = 0.5772156649015329
BLOCK: Final = 21  # sessions: the mean block of the bootstrap, a month, longer than most positions
DRAWS: Final = 1000
COVERED: Final = 0.90
STILL: Final = 1e-12  # a deviation below it is rounding
GROUPS: Final = 10  # of the cross-validation: 252 ways to choose half of them


def sharpe(returns: FloatArray) -> float:
    """Return the yearly Sharpe ratio, 0.0 where nothing ever moved. Source: Sharpe 1994."""
    deviation = float(returns.std(ddof=1)) if len(returns) > 1 else 0.0
    return float(returns.mean()) / deviation * YEAR**0.5 if deviation > STILL else 0.0


def probabilistic_sharpe(returns: FloatArray, benchmark: float) -> float:
    """Return the probability that the true yearly ratio is above `benchmark`, skew and fat tails counted.

    Source: Bailey and Lopez de Prado 2012, equation 11. 0.0 where there is no variation.
    """
    from scipy import stats

    n, ratio = len(returns), sharpe(returns) / YEAR**0.5
    if n < 3 or ratio == 0.0:
        return 0.0
    skew, kurtosis = float(stats.skew(returns)), float(stats.kurtosis(returns, fisher=False))
    width = 1.0 - skew * ratio + (kurtosis - 1.0) / 4.0 * ratio**2
    return float(stats.norm.cdf((ratio - benchmark / YEAR**0.5) * (n - 1) ** 0.5 / max(width, 1e-12) ** 0.5))


def expected_best(trials: Sequence[float]) -> float:
    """Return the highest yearly ratio to be expected of as many trials with no skill and their spread.

    Source: Bailey and Lopez de Prado 2014, equation 1. One trial expects nothing.
    """
    from scipy import stats

    n = len(trials)
    if n < 2:
        return 0.0
    spread = float(np.std(np.asarray(trials, dtype=np.float64), ddof=1))
    first, second = stats.norm.ppf(1 - 1 / n), stats.norm.ppf(1 - 1 / (n * e))
    return spread * float((1 - EULER_MASCHERONI) * first + EULER_MASCHERONI * second)


def deflated_sharpe(returns: FloatArray, trials: Sequence[float]) -> float:
    """Return the probability that the ratio is no luck, given the yearly ratios of all trials that were made.

    Source: Bailey and Lopez de Prado 2014: the probabilistic ratio against the best of no skill.
    """
    return probabilistic_sharpe(returns, expected_best(trials))


def interval(returns: FloatArray, seed: int, draws: int = DRAWS) -> tuple[float, float]:
    """Return where the yearly ratio lies with 90%, by the stationary bootstrap of Politis and Romano 1994."""
    from arch.bootstrap import StationaryBootstrap

    if len(returns) < 2 * BLOCK or not returns.std() > 0:
        return (-np.inf, np.inf)
    drawn = StationaryBootstrap(BLOCK, returns, seed=np.random.default_rng(seed))
    low, high = drawn.conf_int(
        lambda each: np.array([sharpe(each)]), reps=draws, method="percentile", size=COVERED
    ).ravel()
    return float(low), float(high)


def overfit_probability(returns: FloatArray, groups: int = GROUPS) -> float:
    """Return the probability that the best of several configurations is below the median out of sample.

    `returns` is (n, configurations). The sessions are cut into `groups` blocks; each half of the blocks is
    once the sample in which the best is chosen, and the rest is where it is ranked. Source: Bailey,
    Borwein, Lopez de Prado and Zhu 2017 (combinatorially symmetric cross-validation). Raises MarketError
    for an odd number of groups, for fewer than two configurations and for too few sessions.
    """
    n, configurations = returns.shape
    if groups % 2 or configurations < 2 or n < 2 * groups:
        raise MarketError(
            f"{configurations} configurations over {n} sessions in {groups} groups: give at least two, "
            f"an even number of groups and {2 * groups} sessions"
        )
    blocks = np.array_split(returns, groups)
    sums = np.array([block.sum(axis=0) for block in blocks])
    squares = np.array([(block**2).sum(axis=0) for block in blocks])
    lengths = np.array([len(block) for block in blocks])
    inside = np.zeros((comb(groups, groups // 2), groups))
    for row, chosen in zip(inside, combinations(range(groups), groups // 2), strict=True):
        row[list(chosen)] = 1.0
    best = np.argmax(_ratios(sums, squares, lengths, inside), axis=1)[:, None]
    outside = _ratios(sums, squares, lengths, 1.0 - inside)
    its = np.take_along_axis(outside, best, axis=1)
    rank = (outside < its).sum(axis=1) + 0.5 * ((outside == its).sum(axis=1) - 1)
    return float((rank / (configurations - 1) <= 0.5).mean())


def _ratios(sums: FloatArray, squares: FloatArray, lengths: IntArray, chosen: FloatArray) -> FloatArray:
    """Return the ratio (choices, configurations) over the blocks of each choice (choices, blocks)."""
    n = (chosen @ lengths)[:, None]
    mean = chosen @ sums / n
    variance = np.maximum(chosen @ squares / n - mean**2, 0.0)
    ratios: FloatArray = np.divide(mean, np.sqrt(variance), out=np.zeros_like(mean), where=variance > 1e-18)
    return ratios


@dataclass(frozen=True, slots=True)
class Split:
    """One step of a walk forward: the sessions to choose on, and the sessions to judge on."""

    train: slice
    test: slice


def walk_forward(sessions: int, train: int, test: int, purge: int, embargo: int = 0) -> Iterator[Split]:
    """Return the steps of a walk forward whose training window grows from `train` sessions.

    Between both lie `purge` sessions, as many as a position may overlap, so that no label of the training
    reaches into the test, and after each test `embargo` sessions are left out of later training: here all
    of the past comes before the test, so an embargo lengthens the gap. Source: Lopez de Prado 2018,
    chapter 7. Raises ValueError for sizes below 1.
    """
    if min(train, test) < 1 or min(purge, embargo) < 0:
        raise ValueError(f"a walk forward of {train} and {test} sessions, {purge} purged, cannot be made")
    begin = train + purge + embargo
    while begin < sessions:
        end = min(begin + test, sessions)
        yield Split(slice(0, begin - purge - embargo), slice(begin, end))
        begin = end


def rolling_sharpe(returns: FloatArray, sessions: int = YEAR // 2) -> FloatArray:
    """Return the yearly ratio over the last `sessions` (n,), NaN until there are as many."""
    out = np.full(len(returns), np.nan)
    for end in range(sessions, len(returns) + 1):
        out[end - 1] = sharpe(returns[end - sessions : end])
    return out
