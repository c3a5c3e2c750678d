"""The features against answers made by another route; which one stands in each file of tests/answers."""

import numpy as np
import pytest

from qgtm.features import relative_value, returns, trend, volatility
from qgtm.features.bars import FloatArray
from tests.answers.read import answer


def assert_agrees(found: FloatArray, expected: FloatArray) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-14, equal_nan=True)
    assert np.isfinite(expected).any()


def test_carried_closes_agree_with_those_filled_by_hand() -> None:
    known = answer("returns")
    assert_agrees(returns.carried(known["close"], 2), known["carried"])


def test_returns_agree_with_fractions_and_decimals() -> None:
    known = answer("returns")
    assert_agrees(returns.simple_returns(known["close"], 3), known["simple_return"])
    assert_agrees(returns.log_returns(known["close"], 3), known["log_return"])


def test_volatilities_agree_with_pandas_and_a_sum_of_decimals() -> None:
    known = answer("volatility")
    daily = returns.log_returns(known["close"], 1)
    assert_agrees(volatility.realised_volatility(daily, 10, 1.0), known["realised"])
    assert_agrees(volatility.parkinson_volatility(known["high"], known["low"], 10, 1.0), known["parkinson"])
    params = volatility.Params(lookback=10, centre_of_mass=60, least_frac=1.0)
    assert_agrees(volatility.exponential_volatility(daily, params), known["exponential"])


def test_channels_agree_with_sorted_lists() -> None:
    known = answer("trend")
    assert_agrees(trend.channel_high(known["high"], 6), known["channel_high"])
    assert_agrees(trend.channel_low(known["low"], 6), known["channel_low"])


def test_true_range_and_momentum_agree_with_fractions() -> None:
    known = answer("trend")
    found = trend.average_true_range(known["high"], known["low"], known["close"], 6)
    assert_agrees(found, known["average_true_range"])
    assert_agrees(trend.momentum(known["close"], 6, 2), known["momentum"])


def test_kalman_hedge_ratio_agrees_with_conditioning_on_all_pairs_at_once() -> None:
    known = answer("kalman")
    params = relative_value.Params(slope_drift=0.005, intercept_drift=0.00001, noise=0.008, lookback=40)
    assert_agrees(relative_value.hedge_ratio(known["x"], known["y"], params), known["slope"])
    state = relative_value.start(params)
    for i, (x, y) in enumerate(zip(known["x"], known["y"], strict=True)):
        state, _ = relative_value.update(state, float(x), float(y), params)
        assert state.intercept == pytest.approx(known["intercept"][i], rel=1e-9)


def test_half_life_and_z_agree_with_a_regression_by_another_library() -> None:
    known = answer("half_life")
    assert_agrees(relative_value.z_score(known["spread"], 40), known["z"])
    lives = relative_value.half_life(returns.windows(known["spread"], 40))
    assert_agrees(returns.padded(lives, len(known["spread"])), known["half_life"])


def test_two_factor_regression_agrees_with_another_library() -> None:
    known = answer("two_factors")
    yab = returns.windows(np.stack([known["y"], known["a"], known["b"]]), 30)
    for found, name in zip(relative_value.two_betas(yab), ("beta_a", "beta_b"), strict=True):
        assert_agrees(returns.padded(found, len(known["y"])), known[name])
    left = relative_value.two_factor_residual(known["y"], known["a"], known["b"], 30)
    assert_agrees(left, known["residual"])
