# A print of notebooks/strategies/vol_risk_premium.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Volatility risk premium.

Hold gold while options pay for its risk: not when the pay is poor, and less of it when it is rich.
"""

# cell 5 of notebooks/strategies/vol_risk_premium.ipynb
from dataclasses import dataclass

import numpy as np

from qgtm.core.series import OPTION_ROOTS
from qgtm.features.bars import FloatArray
from qgtm.features.options_vol import FEATURES
from qgtm.features.rolling import rolling_rank
from qgtm.features.seen import Seen

NAME = "vol_risk_premium"
CATEGORY = "E"
FEEDS = ("ohlcv", "fred", "options_vol")
symbols = ("GLD",)
PREMIUM = {each.name: each for each in FEATURES}["volatility_premium"]
_GLD = OPTION_ROOTS.index("GLD")


@dataclass(frozen=True)
class Params:
    """The window, the two places that part poor from usual and rich, and how much is held when rich."""

    lookback: int
    poor: float
    rich: float
    rich_size: float


PARAMS = Params(
    lookback=252,  # sessions among which the premium is placed [63, 504]
    poor=0.25,  # frac of the window, at or below which nothing is held [0.05, 0.45]
    rich=0.75,  # frac of the window, from which on less is held [0.55, 0.95]
    rich_size=0.5,  # frac of the budget when rich [0.1, 1.0]
)


def sessions_needed(params: Params) -> int:
    """Return the sessions that the last row needs to be exact: a window of premiums, each with its own."""
    return params.lookback + PREMIUM.warm_up - 1


warm_up = sessions_needed(PARAMS)


def size(place: FloatArray, params: Params = PARAMS) -> FloatArray:
    """Return what is wanted at each place of the premium, from 0 to 1; NaN where the place is not known."""
    held = np.where(place >= params.rich, params.rich_size, np.where(place <= params.poor, 0.0, 1.0))
    return np.where(np.isnan(place), np.nan, held)


def signal(seen: Seen, params: Params = PARAMS) -> FloatArray:
    """Return the targets (sessions, 1) in [0, 1] of the budget; NaN where there is no view."""
    targets = np.full(seen.bars.close.shape, np.nan)
    rows = len(seen) - sessions_needed(params) + 1
    if rows < 1:
        return targets
    premium = seen.rows(PREMIUM)[_GLD, -(rows + params.lookback - 1) :]
    targets[-rows:, 0] = size(rolling_rank(premium, params.lookback)[-rows:], params)
    return np.where(np.isnan(seen.bars.close), np.nan, targets)


__all__ = [
    "CATEGORY",
    "FEEDS",
    "NAME",
    "PARAMS",
    "PREMIUM",
    "Params",
    "sessions_needed",
    "signal",
    "size",
    "symbols",
    "warm_up",
]
