"""The rule of `benchmarks.book`, from numpy alone: one account over twenty symbols, alike on every side."""

import numpy as np

from benchmarks.sides.sweep_market import SYMBOLS, Floats, market

FAST, SLOW = 10, 50
WEIGHT = (
    0.9 / SYMBOLS
)  # nine tenths of the account when all are held, so that no side needs to borrow for costs
COST_BPS = 3.0
CASH = 100_000.0
NAMES = tuple(f"S{i:02d}" for i in range(SYMBOLS))

__all__ = ["CASH", "COST_BPS", "FAST", "NAMES", "SLOW", "WEIGHT", "is_held", "market"]


def mean(close: Floats, n: int) -> Floats:
    """Return the mean of the last `n` closes, (sessions, symbols), NaN before there are as many."""
    found = np.full(close.shape, np.nan)
    found[n - 1 :] = np.lib.stride_tricks.sliding_window_view(close, n, axis=0).mean(axis=-1)
    return found


def is_held(close: Floats) -> Floats:
    """Return 1 where a symbol is to be held from the next open on, 0 elsewhere."""
    return (mean(close, FAST) > mean(close, SLOW)).astype(np.float64)
