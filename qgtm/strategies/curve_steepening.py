# A print of notebooks/strategies/curve_steepening.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Bull steepening.

Long gold while the yield curve steepens because its short end falls.
"""

# cell 5 of notebooks/strategies/curve_steepening.ipynb
from dataclasses import dataclass

import numpy as np

from qgtm.features.bars import FloatArray
from qgtm.features.curve import FEATURES
from qgtm.features.feature import named, once_warm
from qgtm.features.seen import Seen

NAME = "curve_steepening"
CATEGORY = "B"
FEEDS = ("ohlcv", "fred")
symbols = ("GLD",)

SLOPE, TWO_YEARS = (named(FEATURES, name) for name in ("curve_slope_change_63", "two_year_change_63"))

warm_up = max(SLOPE.warm_up, TWO_YEARS.warm_up) + 1


@dataclass(frozen=True)
class Params:
    """How far the slope must have risen, and how far the two-year yield must have fallen."""

    least_rise: float
    least_fall: float


PARAMS = Params(
    least_rise=0.0,  # percent that the slope must have risen over 63 sessions [0.0, 0.5]
    least_fall=0.0,  # percent that the two-year yield must have fallen over 63 sessions [0.0, 0.5]
)


def is_bull_steepening(slope: FloatArray, two_years: FloatArray, params: Params = PARAMS) -> FloatArray:
    """Return 1 where the slope rose and the short end fell, else 0, (n,); NaN where one is not known.

    `slope` and `two_years` are changes in percent. Source: Litterman and Scheinkman 1991 for the two factors.
    """
    found = (slope > params.least_rise) & (two_years < -params.least_fall)
    return np.where(np.isnan(slope + two_years), np.nan, found)


def signal(seen: Seen, params: Params = PARAMS) -> FloatArray:
    """Return the targets (sessions, 1), 0 or 1 of the budget, NaN where there is no view."""
    wanted = is_bull_steepening(seen.get(SLOPE), seen.get(TWO_YEARS), params)[:, None]
    return once_warm(np.where(np.isnan(seen.bars.close), np.nan, wanted), warm_up)


__all__ = [
    "CATEGORY",
    "FEEDS",
    "NAME",
    "PARAMS",
    "SLOPE",
    "TWO_YEARS",
    "Params",
    "is_bull_steepening",
    "signal",
    "symbols",
    "warm_up",
]
