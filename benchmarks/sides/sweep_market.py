"""The grid and the market of `benchmarks.sweep`, from numpy alone, so that every side has the same."""

import itertools

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
SESSIONS, SYMBOLS = 2520, 20
FAST = tuple(range(5, 30))
SLOW = tuple(range(40, 240, 5))
PAIRS = tuple(itertools.product(FAST, SLOW))
WEIGHT = 0.5  # of the account, since vectorbt lends no cash for the costs of a whole one
COST_BPS = 3.0
ROUNDS = 3  # in one process, after one that compiles; the best counts


def market() -> tuple[Floats, Floats]:
    """Return opens and closes (sessions, symbols)."""
    rng = np.random.default_rng(20)
    close = 100 * np.exp(np.cumsum(rng.normal(0.0, 0.01, (SESSIONS, SYMBOLS)), axis=0))
    before = np.concatenate([close[:1], close[:-1]])
    return before * np.exp(rng.normal(0.0, 0.003, close.shape)), close
