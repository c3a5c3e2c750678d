"""The grid of `benchmarks.sweep` in a loop written for it alone: this rule, its six figures, no more."""

import sys
from pathlib import Path

import numba
import numpy as np

from benchmarks.sides.sweep_market import COST_BPS, PAIRS, WEIGHT, Floats, market
from benchmarks.sides.sweep_timed import timed


@numba.njit
def means(close, lookbacks, out):
    for w in range(len(lookbacks)):
        n = lookbacks[w]
        for j in range(close.shape[0]):
            total = 0.0
            for i in range(close.shape[1]):
                total += close[j, i]
                if i >= n:
                    total -= close[j, i - n]
                out[w, j, i] = total / n if i >= n - 1 else np.nan


@numba.njit(parallel=True)
def loop(opened, close, mean, pairs, weight, cost, out):
    n = close.shape[1]
    for p in numba.prange(len(pairs)):
        fast, slow = mean[pairs[p, 0]], mean[pairs[p, 1]]
        for j in range(close.shape[0]):
            cash, shares, held, before, peak = 1.0, 0.0, False, 1.0, 1.0
            total, squares, fall, turnover = 0.0, 0.0, 0.0, 0.0
            for i in range(1, n):
                wanted = fast[j, i - 1] > slow[j, i - 1]
                if wanted != held:
                    price = opened[j, i]
                    worth = cash + shares * price
                    bought = (weight * worth / price if wanted else 0.0) - shares
                    notional = abs(bought * price)
                    cash -= bought * price + notional * cost
                    shares += bought
                    turnover += notional / worth
                    held = wanted
                equity = cash + shares * close[j, i]
                moved = equity / before - 1.0
                total += moved
                squares += moved * moved
                before = equity
                peak = max(peak, equity)
                fall = max(fall, 1.0 - equity / peak)
            mean_moved = total / (n - 1)
            deviation = np.sqrt(max(0.0, (squares - total * mean_moved) / (n - 2)))
            out[p, j, 0] = before - 1.0
            out[p, j, 1] = deviation * np.sqrt(252)
            out[p, j, 2] = mean_moved / deviation * np.sqrt(252) if deviation > 0 else 0.0
            out[p, j, 3] = fall
            out[p, j, 4] = turnover * 252 / (n - 1)
            out[p, j, 5] = turnover * cost


def side() -> Floats:
    opened, close = (np.ascontiguousarray(each.T) for each in market())
    lookbacks = np.array(sorted({each for pair in PAIRS for each in pair}))
    mean = np.empty((len(lookbacks), *close.shape))
    means(close, lookbacks, mean)
    out = np.empty((len(PAIRS), len(close), 6))
    loop(opened, close, mean, np.searchsorted(lookbacks, np.array(PAIRS)), WEIGHT, COST_BPS / 1e4, out)
    return out


if __name__ == "__main__":
    numba.set_num_threads(min(2, numba.config.NUMBA_NUM_THREADS))
    timed(side, Path(sys.argv[1]))
