# A print of notebooks/features/volatility.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Volatility.

How much a price moves in a year, measured three ways: from closes, from ranges, and with a memory.
"""

# cell 4 of notebooks/features/volatility.ipynb
import math
from dataclasses import dataclass

import numpy as np

from qgtm.features.bars import FloatArray
from qgtm.features.returns import padded, windows

SESSIONS_A_YEAR = 252


@dataclass(frozen=True)
class Params:
    """Windows of the estimators."""

    lookback: int
    centre_of_mass: int
    least_frac: float


PARAMS = Params(
    lookback=63,  # sessions [10, 252]
    centre_of_mass=60,  # sessions [5, 252]
    least_frac=0.75,  # frac of a window that must hold returns [0.5, 1.0]
)
warm_up = PARAMS.lookback


# cell 6 of notebooks/features/volatility.ipynb
def mean_square(values: FloatArray, lookback: int, least_frac: float) -> FloatArray:
    """Return the trailing mean square of what is known, along the last axis.

    NaN until `lookback` values are there, and where fewer than `least_frac` of them are known.
    """
    squares = windows(values * values, lookback)
    mean = squares.sum(axis=-1) / lookback
    if np.isnan(mean).any():
        is_known = ~np.isnan(squares)
        count = is_known.sum(axis=-1)
        mean = np.where(is_known, squares, 0.0).sum(axis=-1) / np.maximum(count, 1)
        mean = np.where(count >= max(1.0, least_frac * lookback), mean, np.nan)
    return padded(mean, values.shape[-1])


def realised_volatility(
    returns: FloatArray, lookback: int = PARAMS.lookback, least_frac: float = PARAMS.least_frac
) -> FloatArray:
    """Return the yearly volatility of daily log returns over `lookback` sessions, along the last axis."""
    return np.sqrt(SESSIONS_A_YEAR * mean_square(returns, lookback, least_frac))


def parkinson_volatility(
    high: FloatArray,
    low: FloatArray,
    lookback: int = PARAMS.lookback,
    least_frac: float = PARAMS.least_frac,
) -> FloatArray:
    """Return the yearly volatility by the daily range (Parkinson 1980), along the last axis."""
    scale = SESSIONS_A_YEAR / (4 * math.log(2))
    return np.sqrt(scale * mean_square(np.log(high / low), lookback, least_frac))


# cell 8 of notebooks/features/volatility.ipynb
@dataclass(frozen=True)
class State:
    """What the exponential estimate remembers: a daily variance, NaN before the first return."""

    variance: float


def start(params: Params = PARAMS) -> State:
    """Return the state before the first return."""
    return State(math.nan)


def update(state: State, x: float, params: Params = PARAMS) -> tuple[State, float]:
    """Take one daily log return in; return the state and the yearly volatility.

    A missing return changes nothing: the estimate of the session before stands.
    """
    if not math.isnan(x):
        decay = params.centre_of_mass / (1 + params.centre_of_mass)
        before = x * x if math.isnan(state.variance) else state.variance
        state = State((1 - decay) * x * x + decay * before)
    return state, math.sqrt(SESSIONS_A_YEAR * state.variance)


def exponential_volatility(returns: FloatArray, params: Params = PARAMS) -> FloatArray:
    """Return the fold of `update` over daily log returns (time,)."""
    state, out = start(params), np.empty(len(returns))
    for i, x in enumerate(returns.tolist()):
        state, out[i] = update(state, x, params)
    return out


__all__ = [
    "PARAMS",
    "SESSIONS_A_YEAR",
    "Params",
    "State",
    "exponential_volatility",
    "mean_square",
    "parkinson_volatility",
    "realised_volatility",
    "start",
    "update",
    "warm_up",
]
