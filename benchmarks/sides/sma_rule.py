"""The rule of `benchmarks.sweep`, as a print would say it: hold while a fast mean is above a slow one."""

from dataclasses import dataclass

import numpy as np

from benchmarks.sides.sweep_market import SYMBOLS, WEIGHT
from qgtm.features.bars import FloatArray
from qgtm.features.rolling import rolling_mean
from qgtm.features.seen import Seen

NAME = "sma_rule"
symbols = tuple(f"S{i:02d}" for i in range(SYMBOLS))


@dataclass(frozen=True)
class Params:
    """Lengths of both means."""

    fast: int
    slow: int


PARAMS = Params(
    fast=10,  # sessions [2, 100]
    slow=50,  # sessions [5, 252]
)


def signal(seen: Seen, params: Params = PARAMS) -> FloatArray:
    """Return a weight or 0 for each symbol, NaN until both means are there."""
    close = seen.field("close", symbols)
    fast, slow = rolling_mean(close, params.fast), rolling_mean(close, params.slow)
    wanted = WEIGHT * (fast > slow)
    wanted[:, : max(params.fast, params.slow) - 1] = np.nan
    return wanted.T
