"""The thin back-test: next-open fills, costs on turnover, and vectorbt agrees where it is asked."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from qgtm.features.bars import Bars, FloatArray
from qgtm.research.backtest import backtest, next_open_orders
from qgtm.research.made_up_panel import made_up_seen
from qgtm.strategies import STRATEGIES


def two_day_bars(opened: list[float], close: list[float]) -> Bars:
    o, c = np.array(opened, dtype=np.float64)[:, None], np.array(close, dtype=np.float64)[:, None]
    return Bars(np.arange(len(o)), ("GLD",), o, np.fmax(o, c), np.fmin(o, c), c, np.ones_like(o))


def column(*values: float) -> FloatArray:
    return np.array(values)[:, None]


def test_target_is_filled_at_the_next_open_and_never_at_its_own_close() -> None:
    bars = two_day_bars([100, 110, 120], [105, 115, 125])
    orders = next_open_orders(bars, column(0.5, 0.5, 0.5))
    assert np.array_equal(orders, column(np.nan, 0.5, np.nan), equal_nan=True)


def test_target_without_a_view_leaves_the_last_one_standing() -> None:
    bars = two_day_bars([100] * 5, [100] * 5)
    orders = next_open_orders(bars, column(0.5, np.nan, np.nan, 0.0, np.nan))
    assert np.array_equal(orders, column(np.nan, 0.5, np.nan, np.nan, 0.0), equal_nan=True)


@pytest.mark.mistake(14)
def test_session_without_a_bar_trades_nothing_and_the_wish_waits() -> None:
    bars = two_day_bars([100, np.nan, 100, 100], [100, np.nan, 100, 100])
    orders = next_open_orders(bars, column(0.5, np.nan, 0.5, 0.5))
    assert np.array_equal(orders, column(np.nan, np.nan, 0.5, np.nan), equal_nan=True)


def test_change_within_the_band_is_not_traded_but_going_flat_always_is() -> None:
    bars = two_day_bars([100] * 5, [100] * 5)
    orders = next_open_orders(bars, column(0.004, 0.3, 0.301, 0.0, 0.0), band=0.005)
    assert np.array_equal(orders, column(np.nan, np.nan, 0.3, np.nan, 0.0), equal_nan=True)


@pytest.mark.mistake(16)
def test_equity_agrees_with_fractions_by_hand() -> None:
    bars = two_day_bars([100, 110, 120, 90], [105, 115, 80, 100])
    done = backtest(bars, column(0.5, 0.5, 0.0, 0.0), cost_bps=10)
    shares = Fraction(1, 2) / 110  # half of 1 dollar at the open of the second session
    cash = 1 - Fraction(1, 2) - Fraction(1, 2) / 1000
    sold = shares * 90
    wanted = [Fraction(1), cash + shares * 115, cash + shares * 80, cash + sold - sold / 1000]
    np.testing.assert_allclose(done.equity, [float(each) for each in wanted], rtol=1e-14)
    assert done.drawdown.max() == pytest.approx(float(1 - wanted[2] / wanted[1]))


@pytest.mark.mistake(16)
def test_short_gains_when_the_price_falls_and_pays_costs_on_both_sides() -> None:
    bars = two_day_bars([100, 100, 80, 80], [100, 80, 80, 80])
    done = backtest(bars, column(-1.0, 0.0, 0.0, 0.0), cost_bps=0)
    assert done.equity[-1] == pytest.approx(1.2)
    dear = backtest(bars, column(-1.0, 0.0, 0.0, 0.0), cost_bps=100)
    assert dear.equity[-1] == pytest.approx(1.2 - 0.01 - 0.008)


@pytest.mark.mistake(16)
def test_what_is_short_pays_a_yearly_fee_on_its_value_at_each_close() -> None:
    bars = two_day_bars([100, 100, 80, 80], [100, 80, 90, 80])
    done = backtest(bars, column(-1.0, -1.0, 0.0, 0.0), cost_bps=0, borrow_bps=504)
    a_session = Fraction(504, 10000) / 252
    first, second = a_session * Fraction(80, 100), a_session * Fraction(90, 100)
    wanted = [Fraction(1), Fraction(12, 10) - first, Fraction(11, 10) - first - second]
    wanted.append(2 - Fraction(80, 100) - first - second)  # bought back at the open, and nothing due since
    np.testing.assert_allclose(done.equity, [float(each) for each in wanted], rtol=1e-14)
    assert done.costs_frac == pytest.approx(float(first + second / (2 - Fraction(80, 100) - first)))


def test_what_is_long_borrows_nothing() -> None:
    bars = two_day_bars([100, 100, 80, 80], [100, 80, 90, 80])
    free, dear = (backtest(bars, column(1.0, 1.0, 0.0, 0.0), 3.0, borrow_bps=fee) for fee in (0.0, 900.0))
    assert free.equity.tolist() == dear.equity.tolist()


def test_figures_agree_with_their_definitions() -> None:
    bars = two_day_bars([100, 100, 100, 100], [100, 110, 99, 108.9])
    figures = backtest(bars, column(1.0, 1.0, 1.0, 1.0), cost_bps=0).figures()
    daily = np.array([0.1, -0.1, 0.1])
    assert figures["return_frac"] == pytest.approx(0.089)
    assert figures["volatility_frac"] == pytest.approx(daily.std(ddof=1) * 252**0.5)
    assert figures["sharpe"] == pytest.approx(daily.mean() / daily.std(ddof=1) * 252**0.5)
    assert figures["max_drawdown_frac"] == pytest.approx(0.1)
    assert figures["turnover_a_year"] == pytest.approx(1.0 * 252 / 3)


def test_equity_that_never_moves_has_a_sharpe_ratio_of_zero() -> None:
    bars = two_day_bars([100] * 3, [100] * 3)
    assert backtest(bars, column(0.0, 0.0, 0.0), 5).figures()["sharpe"] == 0.0


@pytest.mark.parametrize("module", STRATEGIES, ids=[module.NAME for module in STRATEGIES])
def test_cutting_the_future_changes_no_equity_up_to_there(module: Any) -> None:
    seen = made_up_seen(360, 5)
    whole, cut = seen.select(module.symbols), seen.head(330).select(module.symbols)
    equity = backtest(whole.bars, module.signal(whole), 3.0).equity
    assert backtest(cut.bars, module.signal(cut), 3.0).equity.tolist() == equity[:330].tolist()
