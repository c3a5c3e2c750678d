# A print of notebooks/strategies/real_rate_gold.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Real rates and gold.

Long gold while the real yield is low and falling, and the more so the weaker the dollar.
"""

# cell 5 of notebooks/strategies/real_rate_gold.ipynb
from dataclasses import dataclass

import numpy as np

from qgtm.features.bars import FloatArray
from qgtm.features.dollar import FEATURES as DOLLAR_FEATURES
from qgtm.features.feature import named, once_warm
from qgtm.features.real_rates import FEATURES as YIELD_FEATURES
from qgtm.features.real_rates import YIELDS
from qgtm.features.seen import Seen

NAME = "real_rate_gold"
CATEGORY = "A"
FEEDS = ("ohlcv", "fred")
symbols = ("GLD",)

RANK = named(YIELD_FEATURES, "real_yield_rank_252")
CHANGE = named(YIELD_FEATURES, "real_yield_change_z_126")
MOMENTUM = named(DOLLAR_FEATURES, "broad_dollar_momentum_z_252")
TEN_YEARS = YIELDS.index("DFII10")

warm_up = max(RANK.warm_up, CHANGE.warm_up, MOMENTUM.warm_up)


@dataclass(frozen=True)
class Params:
    """How low the yield must be, and how the dollar's momentum sizes the position."""

    lowest_frac: float
    middle: float
    tilt: float


PARAMS = Params(
    lowest_frac=0.3333,  # frac of a year's yields that may lie below today's [0.1, 0.5]
    middle=0.5,  # frac of the budget when the dollar moves as usual [0.25, 1.0]
    tilt=0.25,  # frac of the budget a deviation of the dollar's momentum [0.0, 0.5]
)


def size(rank: FloatArray, moved: FloatArray, dollar: FloatArray, params: Params = PARAMS) -> FloatArray:
    """Return the target, from 0 to 1: the yield opens the door, the dollar says how far; NaN where unknown.

    `rank` is the yield's rank of a year (n,), `moved` the z-score of its month's change, `dollar` that of
    the dollar's momentum. Raises nothing.
    """
    is_cheap_to_hold = (rank < params.lowest_frac) & (moved < 0)
    sized = np.clip(params.middle - params.tilt * dollar, 0.0, 1.0)
    wanted = np.where(is_cheap_to_hold, sized, 0.0)
    return np.where(np.isnan(rank + moved + dollar), np.nan, wanted)


def signal(seen: Seen, params: Params = PARAMS) -> FloatArray:
    """Return the targets (sessions, 1), from 0 to 1 of the budget, NaN where there is no view.

    Source: Barsky and Summers 1988 for the sign; the conditions are the house's. Raises nothing.
    """
    rank, moved = (seen.get(each)[:, TEN_YEARS] for each in (RANK, CHANGE))
    wanted = size(rank, moved, seen.get(MOMENTUM), params)[:, None]
    return once_warm(np.where(np.isnan(seen.bars.close), np.nan, wanted), warm_up)


__all__ = [
    "CATEGORY",
    "CHANGE",
    "FEEDS",
    "MOMENTUM",
    "NAME",
    "PARAMS",
    "RANK",
    "TEN_YEARS",
    "Params",
    "signal",
    "size",
    "symbols",
    "warm_up",
]
