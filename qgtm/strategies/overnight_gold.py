# A print of notebooks/strategies/overnight_gold.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Overnight gold.

Hold gold while its nights earn more than its days by more than it would cost to hold the nights alone.
"""

# cell 5 of notebooks/strategies/overnight_gold.ipynb
from dataclasses import dataclass

import numpy as np

from qgtm.core.universe import SYMBOLS
from qgtm.features.bars import FloatArray
from qgtm.features.overnight import DAY, NIGHT
from qgtm.features.rolling import rolling_mean
from qgtm.features.seen import Seen

NAME = "overnight_gold"
CATEGORY = "F"
FEEDS = ("ohlcv",)
symbols = ("GLD",)
_GLD = SYMBOLS.index("GLD")


@dataclass(frozen=True)
class Params:
    """The window of the means, and what holding one night alone would cost."""

    lookback: int
    night_cost_bps: float


PARAMS = Params(
    lookback=63,  # sessions of the two means [21, 252]
    night_cost_bps=6.0,  # basis points of a purchase and a sale [0.0, 30.0]
)


def sessions_needed(params: Params) -> int:
    """Return the sessions that the last row needs to be exact: the first night needs a close before it."""
    return params.lookback + NIGHT.warm_up - 1


warm_up = sessions_needed(PARAMS)


def is_worth_it(night: FloatArray, day: FloatArray, night_cost_bps: float) -> FloatArray:
    """Return 1 where the mean night beats the mean day by more than the cost and both together rise.

    0 elsewhere, NaN where one is not known; means are log returns.
    """
    is_wanted = (night - day > night_cost_bps / 1e4) & (night + day > 0)
    return np.where(np.isnan(night) | np.isnan(day), np.nan, is_wanted.astype(np.float64))


def signal(seen: Seen, params: Params = PARAMS) -> FloatArray:
    """Return the targets (sessions, 1), 0 or 1 of the budget; NaN where there is no view."""
    targets = np.full(seen.bars.close.shape, np.nan)
    rows = len(seen) - sessions_needed(params) + 1
    if rows < 1:
        return targets
    night, day = (
        rolling_mean(seen.rows(each)[_GLD, -(rows + params.lookback - 1) :], params.lookback)[-rows:]
        for each in (NIGHT, DAY)
    )
    targets[-rows:, 0] = is_worth_it(night, day, params.night_cost_bps)
    return np.where(np.isnan(seen.bars.close), np.nan, targets)


__all__ = [
    "CATEGORY",
    "FEEDS",
    "NAME",
    "PARAMS",
    "Params",
    "is_worth_it",
    "sessions_needed",
    "signal",
    "symbols",
    "warm_up",
]
