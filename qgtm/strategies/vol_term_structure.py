# A print of notebooks/strategies/vol_term_structure.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Volatility term structure.

Short miners while the next month is feared more than the next quarter; long both when it is feared far less.
"""

# cell 5 of notebooks/strategies/vol_term_structure.ipynb
from dataclasses import dataclass

import numpy as np

from qgtm.core.series import OPTION_ROOTS
from qgtm.features.bars import FloatArray
from qgtm.features.options_vol import FEATURES
from qgtm.features.rolling import rolling_z
from qgtm.features.seen import Seen

NAME = "vol_term_structure"
CATEGORY = "E"
FEEDS = ("ohlcv", "options_vol")
symbols = ("GLD", "GDX")
SLOPE = {each.name: each for each in FEATURES}["term_slope"]
_PLACES = [OPTION_ROOTS.index(symbol) for symbol in symbols]
_IS_SHORTED = np.array([0.0, 1.0])


@dataclass(frozen=True)
class Params:
    """The window, how steep is steep, and how much of miners is sold when the structure is inverted."""

    lookback: int
    steep_z: float
    short_size: float


PARAMS = Params(
    lookback=252,  # sessions of the z-score [63, 504]
    steep_z=1.0,  # standard deviations of the slope [0.25, 2.5]
    short_size=0.5,  # frac of GDX's share when inverted [0.0, 1.0]
)


def sessions_needed(params: Params) -> int:
    """Return the sessions that the last row needs to be exact."""
    return params.lookback


warm_up = sessions_needed(PARAMS)


def wanted_of(slope: FloatArray, z: FloatArray, params: Params = PARAMS) -> FloatArray:
    """Return the targets (rows, 2) of slopes and their z-scores; NaN where one is not known."""
    inverted = -params.short_size * _IS_SHORTED
    side = np.where(slope < 0, inverted, np.where(z > params.steep_z, 1.0, 0.0))
    return np.where(np.isnan(slope) | np.isnan(z), np.nan, side / len(symbols))


def signal(seen: Seen, params: Params = PARAMS) -> FloatArray:
    """Return the targets (sessions, 2) in [-1, 1] of the budget; NaN where there is no view."""
    targets = np.full(seen.bars.close.shape, np.nan)
    rows = len(seen) - sessions_needed(params) + 1
    if rows < 1:
        return targets
    slope = seen.rows(SLOPE)[_PLACES, -(rows + params.lookback - 1) :]
    z = rolling_z(slope, params.lookback)
    targets[-rows:] = wanted_of(slope[:, -rows:].T, z[:, -rows:].T, params)
    return np.where(np.isnan(seen.bars.close), np.nan, targets)


__all__ = [
    "CATEGORY",
    "FEEDS",
    "NAME",
    "PARAMS",
    "SLOPE",
    "Params",
    "sessions_needed",
    "signal",
    "symbols",
    "wanted_of",
    "warm_up",
]
