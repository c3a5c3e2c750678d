# A print of notebooks/strategies/policy_path.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Path of policy.

Long gold while the market prices that the Federal Reserve will ease, and has come to price more of it.
"""

# cell 5 of notebooks/strategies/policy_path.ipynb
from dataclasses import dataclass

import numpy as np

from qgtm.features.bars import FloatArray
from qgtm.features.curve import FEATURES
from qgtm.features.feature import named, once_warm
from qgtm.features.seen import Seen

NAME = "policy_path"
CATEGORY = "A"
FEEDS = ("ohlcv", "fred")
symbols = ("GLD",)

GAP, CHANGE = (named(FEATURES, name) for name in ("policy_gap", "two_year_change_21"))

warm_up = max(GAP.warm_up, CHANGE.warm_up) + 1


@dataclass(frozen=True)
class Params:
    """How far below the policy rate the two-year yield must lie, and how far it must have fallen."""

    least_gap: float
    least_fall: float


PARAMS = Params(
    least_gap=0.0,  # percent that the two-year yield must lie below the policy rate [0.0, 1.0]
    least_fall=0.0,  # percent that it must have fallen over 21 sessions [0.0, 0.5]
)


def is_easing(gap: FloatArray, moved: FloatArray, params: Params = PARAMS) -> FloatArray:
    """Return 1 where easing is priced in, else 0, (n,); NaN where one of the two (percent) is not known."""
    found = (gap < -params.least_gap) & (moved < -params.least_fall)
    return np.where(np.isnan(gap + moved), np.nan, found)


def signal(seen: Seen, params: Params = PARAMS) -> FloatArray:
    """Return the targets (sessions, 1), 0 or 1 of the budget, NaN where there is no view."""
    wanted = is_easing(seen.get(GAP), seen.get(CHANGE), params)[:, None]
    return once_warm(np.where(np.isnan(seen.bars.close), np.nan, wanted), warm_up)


__all__ = [
    "CATEGORY",
    "CHANGE",
    "FEEDS",
    "GAP",
    "NAME",
    "PARAMS",
    "Params",
    "is_easing",
    "signal",
    "symbols",
    "warm_up",
]
