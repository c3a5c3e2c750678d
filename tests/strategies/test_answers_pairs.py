"""The pairs against their rules by another route, and neutral in what they claim.

The routes are a Kalman filter in matrices, least squares by numpy, pandas, and tables by hand, on closes of a
made-up market; no function of the features or strategies is used for an answer.
"""

import math
from datetime import date
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from qgtm.features import pair, relative_value
from qgtm.features.bars import FIELDS, Bars, FloatArray
from qgtm.features.seen import Seen
from qgtm.research.history import history_from_folder
from qgtm.research.made_up_panel import made_up_seen
from qgtm.strategies import (
    gold_platinum_ratio,
    gold_silver_ratio,
    levered_decay,
    miners_vs_metal,
    silver_miners_vs_silver,
)

LENGTH = 900
FILTERED = pytest.mark.parametrize("module", [gold_silver_ratio, gold_platinum_ratio])
REGRESSED = pytest.mark.parametrize("module", [miners_vs_metal, silver_miners_vs_silver])


@pytest.fixture(scope="module")
def market() -> Seen:
    """Return the market on which all rules are worked out twice."""
    return made_up_seen(LENGTH, 26)


def closes(seen: Seen, symbols: tuple[str, ...]) -> FloatArray:
    return np.column_stack([seen.bars.close[:, seen.bars.symbols.index(symbol)] for symbol in symbols])


def least_squares(y: FloatArray, *xs: FloatArray) -> npt.NDArray[np.float64]:
    """Return the slopes of y on the xs, with an intercept."""
    found, *_ = np.linalg.lstsq(np.column_stack([*xs, np.ones(len(y))]), y)
    return np.asarray(found[:-1])


def stands(spread: FloatArray) -> tuple[float, float]:
    """Return the last z-score of a spread and its half-life, by pandas and least squares."""
    series = pd.Series(spread)
    (slope,) = least_squares(spread[1:], spread[:-1])
    life = 0.0 if slope <= 0 else math.inf if slope >= 1 else math.log(0.5) / math.log(slope)
    return float((series.iloc[-1] - series.mean()) / series.std()), life


def side_after(held: int, z: float, life: float) -> int:
    """Return the side by the table of the notebooks, row by row."""
    if life < 10 or life > 120:
        return 0
    if z > 2:
        return -1
    if z < -2:
        return 1
    if (held == 1 and z > -0.5) or (held == -1 and z < 0.5):
        return 0
    return held


def filter_in_matrices(y: FloatArray, x: FloatArray) -> list[float]:
    """Return the slope after each pair of returns: Kalman's five lines, with the notebook's noises."""
    belief, spread_of = np.zeros(2), np.diag([0.008**2 / 100, 1.0])
    drift, noise, found = np.diag([0.00001**2, 0.005**2]), 0.008**2, []
    for each_y, each_x in zip(y, x, strict=True):
        seen_by = np.array([1.0, each_x])
        predicted = spread_of + drift
        gain = predicted @ seen_by / (seen_by @ predicted @ seen_by + noise)
        belief = belief + gain * (each_y - seen_by @ belief)
        spread_of = (np.eye(2) - np.outer(gain, seen_by)) @ predicted
        found.append(float(belief[1]))
    return found


def agree(module: Any, seen: Seen, wanted: FloatArray) -> None:
    """Hold the targets against `wanted` (n, k), which must hold both sides."""
    found = module.signal(seen.select(module.symbols))
    np.testing.assert_allclose(found, wanted, rtol=1e-7, atol=1e-11, equal_nan=True)
    assert set(np.unique(np.sign(wanted[module.warm_up :, 0]))) == {-1.0, 0.0, 1.0}


@FILTERED
def test_pair_hedged_by_a_filter_agrees_with_matrices_and_a_table(module: Any, market: Seen) -> None:
    y, x = np.log(closes(market, module.symbols)).T
    wanted, held, first = np.full((LENGTH, 2), np.nan), 0, module.warm_up - 1
    slopes = filter_in_matrices(np.diff(y)[first - 1 :], np.diff(x)[first - 1 :])
    for i, slope in enumerate(slopes, start=first):
        window = slice(i - 251, i + 1)
        held = side_after(held, *stands(y[window] - slope * x[window])) if slope > 0 else 0
        wanted[i] = np.array([held, -slope * held]) / (1 + slope)
    agree(module, market, wanted)


@REGRESSED
def test_pair_hedged_by_a_regression_agrees_with_least_squares_and_a_table(module: Any, market: Seen) -> None:
    logs = np.log(closes(market, module.symbols))
    wanted, held = np.full((LENGTH, 3), np.nan), 0
    for i in range(module.warm_up - 1, LENGTH):
        y, x, equity = logs[i - 126 : i + 1].T
        beta, beta_equity = least_squares(np.diff(y), np.diff(x), np.diff(equity))
        left = y[1:] - beta * x[1:] - beta_equity * equity[1:]
        held = side_after(held, *stands(left)) if beta > 0 else 0
        wanted[i] = np.array([held, -beta * held, 0.0]) / (1 + beta)
    agree(module, market, wanted)


def test_levered_decay_agrees_with_the_rule_in_pandas(market: Seen) -> None:
    wanted = np.zeros((LENGTH, 6))
    for column, base in enumerate(("GLD", "SLV", "GDX")):
        returns = pd.Series(np.log(closes(market, (base,))[:, 0])).diff()
        volatility = (returns**2).rolling(21).mean() ** 0.5
        below = volatility.rolling(252).apply(lambda x: (x[:-1] < x[-1]).sum() / 251, raw=True)
        multiple = np.where((market.bars.sessions < 737515) & (base == "GDX"), 3, 2)  # 31 March 2020
        held = np.where(below > 0.6667, 1 / 3, 0.0)
        wanted[:, column], wanted[:, column + 3] = -held / (1 + multiple), held * multiple / (1 + multiple)
    wanted[: levered_decay.warm_up - 1] = np.nan
    found = levered_decay.signal(market.select(levered_decay.symbols))
    np.testing.assert_allclose(found, wanted, rtol=1e-12, equal_nan=True)
    assert (np.nan_to_num(wanted) < 0).any(axis=0).tolist() == [True] * 3 + [False] * 3


def test_nugt_is_held_against_three_times_its_base_until_it_was_cut() -> None:
    around = [date(2020, 3, 30), date(2020, 3, 31), date(2020, 4, 1)]
    factor = levered_decay.leverage(np.array([each.toordinal() for each in around]))
    assert factor.tolist() == [[2, 2, 3], [2, 2, 2], [2, 2, 2]]
    ugl, agq, nugt, gld, slv, gdx = levered_decay.legs(factor)[0].tolist()
    assert (ugl, agq, nugt) == pytest.approx((-1 / 9, -1 / 9, -1 / 12))
    assert (gld, slv, gdx) == pytest.approx((2 / 9, 2 / 9, 3 / 12))


@pytest.mark.mistake(15)
def test_levered_pairs_move_with_no_base_by_their_leverage() -> None:
    days = np.arange(date(2020, 1, 2).toordinal(), date(2021, 12, 31).toordinal(), dtype=np.int64)
    prices = np.exp(np.cumsum(np.random.default_rng(3).normal(0, 0.01, (len(days), 6)), axis=0))
    seen = Seen(Bars(days, levered_decay.symbols, prices, prices, prices, prices, np.ones_like(prices)))
    held = levered_decay.signal(seen)[levered_decay.warm_up - 1 :]
    left = levered_decay.leverage(days)[levered_decay.warm_up - 1 :] * held[:, :3] + held[:, 3:]
    np.testing.assert_allclose(left, 0.0, atol=1e-15)
    assert (held[:, :3] < 0).any(axis=0).all()
    assert np.abs(held).sum(axis=1).max() <= 1 + 1e-12


@pytest.mark.mistake(15)
def test_levered_pair_without_a_bar_of_one_leg_has_no_view_of_the_other(market: Seen) -> None:
    window = market.select(levered_decay.symbols)
    fields = {name: getattr(window.bars, name).copy() for name in FIELDS}
    for values in fields.values():
        values[500, 1], values[510, 3] = np.nan, np.nan  # AGQ, then GLD
    targets = levered_decay.signal(Seen(Bars(window.bars.sessions, window.bars.symbols, **fields)))
    assert np.isnan(targets[500]).tolist() == [False, True, False, False, True, False]
    assert np.isnan(targets[510]).tolist() == [True, False, False, True, False, False]


def realised_beta(seen: Seen, targets: FloatArray, on: int) -> float:
    """Return the beta on one symbol of the pair, as long in its first leg, from each close to the next."""
    returns = np.diff(np.log(seen.bars.close), axis=0)
    held = np.nan_to_num(targets[:-1])
    is_in = (held[:, 0] != 0) & ~np.isnan(returns).any(axis=1)
    pair_return = (held * returns).sum(axis=1)[is_in] * np.sign(held[is_in, 0])
    return float(least_squares(pair_return, returns[is_in, on])[0])


@pytest.mark.mistake(15)
@pytest.mark.parametrize("module", [gold_platinum_ratio, silver_miners_vs_silver])
def test_pair_moves_little_with_the_leg_that_hedges_it(module: Any, market: Seen) -> None:
    window = market.select(module.symbols)
    targets = module.signal(window)
    alone = targets * np.eye(len(module.symbols))[0]
    assert (np.nan_to_num(targets[:, 0]) != 0).sum() > 100
    assert abs(realised_beta(window, targets, 1)) < 0.25 * realised_beta(window, alone, 1)


def test_pairs_on_real_prices_move_little_with_what_hedges_them(shared_data: Any) -> None:
    bars = history_from_folder(shared_data / "bars_2020_2023")
    for module in (gold_platinum_ratio, silver_miners_vs_silver):
        window = Seen(bars).select(module.symbols)
        targets = module.signal(window)
        alone = targets * np.eye(len(module.symbols))[0]
        assert abs(realised_beta(window, targets, 1)) < 0.25 * realised_beta(window, alone, 1)


def test_leveraged_funds_on_real_prices_multiply_their_base_as_assumed(shared_data: Any) -> None:
    bars = history_from_folder(shared_data / "bars_2020_2023").select(levered_decay.symbols)
    returns = np.diff(bars.close, axis=0) / bars.close[:-1]
    returns = returns[~np.isnan(returns).any(axis=1)]
    found = [least_squares(returns[:, i], returns[:, i + 3])[0] for i in range(3)]
    assert found == pytest.approx([2.0, 2.0, 2.0], abs=0.1)


@pytest.mark.parametrize(("slope", "side"), [(0.3, -1), (-0.3, 0)])
def test_spread_is_let_alone_where_the_filter_believes_in_no_hedge(slope: float, side: int) -> None:
    knobs = SimpleNamespace(
        lookback=126, entry_z=1.2, exit_z=0.5, shortest=10.0, longest=120.0, carry_limit=5
    )
    gap = np.cos(2 * np.pi * np.arange(125, -1, -1) / 40)  # at its highest today
    belief = relative_value.State(0.0, slope, 0.0, 0.0, 0.0)
    row = np.concatenate([gap, np.ones(126)])
    state, targets = pair.filtered_update(pair.Filtered(belief, 0), row, knobs)
    assert state.side == side
    assert targets.tolist() == pytest.approx([side / 1.3, -0.3 * side / 1.3])


@pytest.mark.parametrize(("ratio", "wanted"), [(0.25, (0.8, -0.2)), (1.0, (0.5, -0.5)), (1.5, (0.4, -0.6))])
def test_legs_by_hand(ratio: float, wanted: tuple[float, float]) -> None:
    assert pair.legs(1, ratio).tolist() == pytest.approx(wanted)
    assert pair.legs(-1, ratio).tolist() == pytest.approx([-each for each in wanted])
    assert not pair.legs(0, ratio).any()
