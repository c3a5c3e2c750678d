# A print of notebooks/features/trend.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Trend.

Where a price stands against its own past: momentum, the channel of its extremes, the size of its days.
"""

# cell 4 of notebooks/features/trend.ipynb
from dataclasses import dataclass

import numpy as np

from qgtm.features.bars import FloatArray
from qgtm.features.returns import carried, log_returns, padded, windows


@dataclass(frozen=True)
class Params:
    """Length of the channel, sessions that momentum skips, and how far a close is carried."""

    lookback: int
    skip: int
    carry_limit: int


PARAMS = Params(
    lookback=55,  # sessions [5, 252]
    skip=0,  # sessions [0, 21]
    carry_limit=5,  # sessions [0, 21]
)
warm_up = PARAMS.lookback + PARAMS.skip + 1 + PARAMS.carry_limit


# cell 5 of notebooks/features/trend.ipynb
def momentum(close: FloatArray, lookback: int = PARAMS.lookback, skip: int = PARAMS.skip) -> FloatArray:
    """Return the log return from `lookback + skip` to `skip` sessions ago, along the last axis."""
    length = close.shape[-1]
    return padded(log_returns(close[..., : max(0, length - skip)], lookback), length)


# cell 6 of notebooks/features/trend.ipynb
def channel_high(high: FloatArray, lookback: int = PARAMS.lookback) -> FloatArray:
    """Return the highest high of the `lookback` sessions before each one, along the last axis.

    NaN until warm, and where fewer than half of those sessions had a bar.
    """
    before = windows(high[..., :-1], lookback)
    highest = np.fmax.reduce(before, axis=-1)  # fmax passes over NaN, and a maximum knows no rounding
    if np.isnan(high).any():
        is_known = 2 * np.isnan(before).sum(axis=-1) <= lookback
        highest = np.where(is_known, highest, np.nan)
    return padded(highest, high.shape[-1])


def channel_low(low: FloatArray, lookback: int = PARAMS.lookback) -> FloatArray:
    """Return the lowest low of the `lookback` sessions before each one, as `channel_high` does."""
    return -channel_high(-low, lookback)


# cell 7 of notebooks/features/trend.ipynb
def true_range(
    high: FloatArray, low: FloatArray, close: FloatArray, limit: int = PARAMS.carry_limit
) -> FloatArray:
    """Return each session's range in dollars, the night before it included, along the last axis."""
    before = carried(close, limit)[..., :-1]
    spread = np.maximum(high[..., 1:], before) - np.minimum(low[..., 1:], before)
    return padded(spread, high.shape[-1])


def average_true_range(
    high: FloatArray, low: FloatArray, close: FloatArray, lookback: int = PARAMS.lookback
) -> FloatArray:
    """Return the mean true range in dollars over `lookback` sessions, NaN where one of them is missing."""
    ranges = windows(true_range(high, low, close), lookback)
    return padded(ranges.sum(axis=-1) / lookback, high.shape[-1])


__all__ = [
    "PARAMS",
    "Params",
    "average_true_range",
    "channel_high",
    "channel_low",
    "momentum",
    "true_range",
    "warm_up",
]
