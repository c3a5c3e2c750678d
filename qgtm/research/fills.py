"""The fills of `backtest` in one compiled kernel, for sweeps: the same figures, many thousand times over."""

from dataclasses import dataclass
from typing import Any, Final

import numba
import numpy as np

from qgtm.features.bars import Bars, FloatArray
from qgtm.features.returns import carried
from qgtm.research.backtest import SESSIONS_A_YEAR

FIGURES: Final = (
    "return_frac",
    "volatility_frac",
    "sharpe",
    "max_drawdown_frac",
    "turnover_a_year",
    "costs_frac",
)


@dataclass(frozen=True, eq=False)
class Prices:
    """Prices with time last and without holes, (k, n), and where there was a bar to trade at."""

    opened: FloatArray
    close: FloatArray
    is_open: Any

    def part(self, columns: slice, rows: slice) -> "Prices":
        """Return some symbols over some sessions; nothing is copied."""
        return Prices(self.opened[columns, rows], self.close[columns, rows], self.is_open[columns, rows])


def prices(bars: Bars) -> Prices:
    """Return what the kernel reads of `bars`: holes only mark what is held, as in `backtest`."""
    close = carried(np.ascontiguousarray(bars.close.T), len(bars))
    close = np.where(np.isnan(close), 1.0, close)
    opened = np.ascontiguousarray(bars.open.T)
    before = np.concatenate([close[:, :1], close[:, :-1]], axis=1)
    return Prices(np.where(np.isnan(opened), before, opened), close, ~np.isnan(opened))


def figures(
    market: Prices, targets: FloatArray, cost_bps: float, band: float = 0.005, borrow_bps: float = 0.0
) -> FloatArray:
    """Return the figures (6,) of one account that trades `targets` (k, n), as `Backtest.figures` has them."""
    return account(market, targets, cost_bps, band, borrow_bps)[0]


def account(
    market: Prices, targets: FloatArray, cost_bps: float, band: float = 0.005, borrow_bps: float = 0.0
) -> tuple[FloatArray, FloatArray]:
    """Return the figures (6,) of one account that trades `targets` (k, n), and its equity (n,)."""
    found, curve = np.empty(len(FIGURES)), np.empty(targets.shape[1])
    costs = np.array([cost_bps / 1e4, borrow_bps / 1e4 / SESSIONS_A_YEAR])
    _account(market.opened, market.close, market.is_open, targets, costs, band, found, curve)
    return found, curve


def each_alone(
    market: Prices, targets: FloatArray, cost_bps: float, band: float = 0.005, borrow_bps: float = 0.0
) -> FloatArray:
    """Return the figures (k, 6) of one account a symbol."""
    found = np.empty((len(targets), len(FIGURES)))
    costs = np.array([cost_bps / 1e4, borrow_bps / 1e4 / SESSIONS_A_YEAR])
    _alone(market.opened, market.close, market.is_open, targets, costs, band, found)
    return found


def _account_in_python(
    opened: Any, close: Any, is_open: Any, targets: Any, costs: Any, band: float, found: Any, curve: Any
) -> None:
    cost, borrow = costs[0], costs[1]
    k, n = targets.shape
    wanted, ordered, shares = np.zeros(k), np.zeros(k), np.zeros(k)
    cash, turnover, borrowed, total, squares, lowest = 1.0, 0.0, 0.0, 0.0, 0.0, 1.0
    first = before = peak = equity = 1.0
    for i in range(n):
        worth, spent, notional = cash, 0.0, 0.0
        for j in range(k):
            worth += shares[j] * opened[j, i]
            if i > 0 and not np.isnan(targets[j, i - 1]):
                wanted[j] = targets[j, i - 1]
        for j in range(k):
            is_moved = abs(wanted[j] - ordered[j]) > band or (wanted[j] == 0.0 and ordered[j] != 0.0)
            if i > 0 and is_moved and is_open[j, i]:
                ordered[j] = wanted[j]
                bought = wanted[j] * worth / opened[j, i] - shares[j]
                shares[j] += bought
                spent += bought * opened[j, i]
                notional += abs(bought * opened[j, i])
        cash -= spent + notional * cost
        turnover += notional / worth
        if borrow > 0.0:
            fee = 0.0
            for j in range(k):
                fee += max(-shares[j], 0.0) * close[j, i] * borrow
            cash -= fee
            borrowed += fee / worth
        equity = cash
        for j in range(k):
            equity += shares[j] * close[j, i]
        curve[i] = equity
        if i == 0:
            first = before = peak = equity
        moved = equity / before - 1.0
        total += moved
        squares += moved * moved
        before = equity
        peak = max(peak, equity)
        lowest = min(lowest, equity / peak)
    _told(found, n, equity / first, total, squares, lowest, turnover, turnover * cost + borrowed)


def _alone_in_python(
    opened: Any, close: Any, is_open: Any, targets: Any, costs: Any, band: float, found: Any
) -> None:
    # The account of a single symbol, all of it in registers: five times as fast as a book of one.
    cost, borrow = costs[0], costs[1]
    n = targets.shape[1]
    for j in range(targets.shape[0]):
        cash, shares, turnover, borrowed, total, squares = 1.0, 0.0, 0.0, 0.0, 0.0, 0.0
        lowest, worth = 1.0, 1.0
        wanted, ordered, before, peak = 0.0, 0.0, 1.0, 1.0
        for i in range(1, n):
            target = targets[j, i - 1]
            if target == target:  # not NaN
                wanted = target
            if borrow > 0.0:
                worth = cash + shares * opened[j, i]
            if wanted != ordered and (abs(wanted - ordered) > band or wanted == 0.0) and is_open[j, i]:
                ordered = wanted
                worth = cash + shares * opened[j, i]
                bought = wanted * worth / opened[j, i] - shares
                notional = abs(bought * opened[j, i])
                cash -= bought * opened[j, i] + notional * cost
                shares += bought
                turnover += notional / worth
            if shares < 0.0 and borrow > 0.0:
                fee = -shares * close[j, i] * borrow
                cash -= fee
                borrowed += fee / worth
            equity = cash + shares * close[j, i]
            moved = equity / before - 1.0
            total += moved
            squares += moved * moved
            before = equity
            peak = max(peak, equity)
            lowest = min(lowest, equity / peak)
        _told(found[j], n, before, total, squares, lowest, turnover, turnover * cost + borrowed)


def _told_in_python(
    found: Any,
    n: int,
    growth: float,
    total: float,
    squares: float,
    lowest: float,
    turnover: float,
    costs: float,
) -> None:
    days = n - 1
    mean = total / days
    deviation = np.sqrt(max(0.0, (squares - total * mean) / (days - 1)))
    found[0] = growth - 1.0
    found[1] = deviation * np.sqrt(SESSIONS_A_YEAR)
    found[2] = mean / deviation * np.sqrt(SESSIONS_A_YEAR) if deviation > 0.0 else 0.0
    found[3] = 1.0 - lowest
    found[4] = turnover * SESSIONS_A_YEAR / days
    found[5] = costs


# Compiled once a machine and kept on disk. Without fast maths: the sums are those of `backtest`.
_told: Any = numba.njit(cache=True, nogil=True)(_told_in_python)
_account: Any = numba.njit(cache=True, nogil=True, error_model="numpy")(_account_in_python)
_alone: Any = numba.njit(cache=True, nogil=True, error_model="numpy")(_alone_in_python)
