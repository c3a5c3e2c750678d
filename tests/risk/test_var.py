"""Value at risk against pandas, a spreadsheet's order statistics, and hand-made books."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qgtm.risk.var import PARAMS, filled_weights, filtered_frac, historical_frac, profits, value_at_risk_frac
from tests.risk.making import D, book, order


def made_up(sessions: int, symbols: int, seed: int = 3) -> np.ndarray:
    """Return seeded returns with fat tails, (sessions, symbols)."""
    return np.random.default_rng(seed).standard_t(4, (sessions, symbols)) * 0.01


@pytest.mark.parametrize(("sessions", "rank"), [(100, 1), (101, 2), (150, 2), (252, 3), (504, 6)])
def test_historical_value_is_the_worst_but_a_few_counted_in_a_sorted_list(sessions: int, rank: int) -> None:
    # Of n losses the 99th percentile lies at position 0.99 (n - 1); rounded up it leaves rank - 1 above it.
    made = made_up(sessions, 1)[:, 0]
    losses = sorted((-each for each in made.tolist()), reverse=True)
    assert rank == sessions - math.ceil(0.99 * (sessions - 1))
    assert historical_frac(made) == losses[rank - 1]


def test_filtered_value_agrees_with_pandas_exponential_mean() -> None:
    made = made_up(300, 1, seed=9)[:, 0]
    seed_variance = float(np.mean(made[:20] ** 2))
    chain = pd.Series([seed_variance, *(made[20:] ** 2)])
    variances = chain.ewm(alpha=0.06, adjust=False).mean().to_numpy()
    scaled = pd.Series(-made[20:] / np.sqrt(variances[:-1]))
    expected = np.sqrt(variances[-1]) * scaled.quantile(0.99, interpolation="higher")
    assert filtered_frac(made) == pytest.approx(float(expected), rel=1e-12)


def test_worse_of_both_counts() -> None:
    one = np.array([1.0])
    calm_after_storm = np.concatenate([made_up(200, 1) * 4, made_up(100, 1)])
    storm_after_calm = calm_after_storm[::-1].copy()
    for history in (calm_after_storm, storm_after_calm):
        both = historical_frac(history[:, 0]), filtered_frac(history[:, 0])
        assert value_at_risk_frac(one, history) == max(both)
    assert historical_frac(calm_after_storm[:, 0]) > filtered_frac(calm_after_storm[:, 0])
    assert historical_frac(storm_after_calm[:, 0]) < filtered_frac(storm_after_calm[:, 0])


@given(st.floats(0.01, 3.0), st.integers(0, 10))
def test_risk_grows_in_proportion_to_the_book(scale: float, seed: int) -> None:
    returns = made_up(200, 3, seed)
    weights = np.array([0.4, -0.2, 0.3])
    whole = value_at_risk_frac(weights, returns)
    assert value_at_risk_frac(scale * weights, returns) == pytest.approx(scale * whole, rel=1e-9)


def test_equal_and_opposite_legs_in_one_thing_risk_nothing() -> None:
    leg = made_up(200, 1)
    assert value_at_risk_frac(np.array([0.5, -0.5]), np.hstack([leg, leg])) == pytest.approx(0.0, abs=1e-15)


def test_session_without_a_return_of_a_held_symbol_is_left_out_and_others_do_not_matter() -> None:
    returns = made_up(200, 2)
    returns[50, 0] = np.nan
    returns[:, 1] = np.nan
    held = profits(np.array([1.0, 0.0]), returns)
    assert held.size == 199
    assert np.isnan(value_at_risk_frac(np.array([0.0, 1.0]), returns))


@pytest.mark.mistake(14)
def test_too_short_a_history_or_an_unknown_weight_is_not_judged() -> None:
    returns = made_up(PARAMS.least, 1)
    assert np.isfinite(value_at_risk_frac(np.array([1.0]), returns))
    assert np.isnan(value_at_risk_frac(np.array([1.0]), returns[1:]))
    assert np.isnan(value_at_risk_frac(np.array([np.nan]), returns))


def test_empty_book_risks_nothing_even_without_history() -> None:
    assert value_at_risk_frac(np.zeros(2), np.empty((0, 2))) == 0.0


def test_first_move_after_a_dead_calm_is_not_judged() -> None:
    dead = np.zeros(200)
    dead[150] = -0.01
    assert np.isnan(filtered_frac(dead))
    assert filtered_frac(np.zeros(200)) == 0.0


def test_what_lies_before_the_window_does_not_count() -> None:
    old = np.vstack([np.full((10, 1), -0.5), made_up(PARAMS.window, 1)])
    assert value_at_risk_frac(np.array([1.0]), old) == value_at_risk_frac(np.array([1.0]), old[10:])


@pytest.mark.mistake(5)
def test_weights_count_every_live_order_as_filled() -> None:
    held = book({"GLD": 100}, (order(quantity=50, number=2), order("SLV", "sell", 10, 30, number=3)))
    # 150 shares at $200 of $250,000 are 12%; 10 shares short at $30 are 0.12%.
    weights = filled_weights(held, ("GDX", "GLD", "SLV"))
    assert weights.tolist() == pytest.approx([0.0, 0.12, -0.0012])


@pytest.mark.fault("E14")
@pytest.mark.mistake(5)
def test_weights_are_unknown_when_a_symbol_or_a_price_is_missing() -> None:
    held = book({"GLD": 100})
    assert np.isnan(filled_weights(held, ("SLV",))).all()
    assert np.isnan(filled_weights(book({"GLD": 100}, marks={}), ("GLD",))).all()
    assert np.isnan(filled_weights(book({"GLD": 100}, equity_usd=D(0)), ("GLD",))).all()
    assert np.isnan(filled_weights(book({"GLD": 100}, equity_usd=D("NaN")), ("GLD",))).all()
    assert np.isnan(filled_weights(book({"GLD": "NaN"}), ("GLD",))).all()
