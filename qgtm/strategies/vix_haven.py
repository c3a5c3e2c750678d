# A print of notebooks/strategies/vix_haven.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Haven from fear.

Long gold when equity's fear has leapt while shares are down; short a little when nobody is afraid of
anything.
"""

# cell 5 of notebooks/strategies/vix_haven.ipynb
from dataclasses import dataclass

import numpy as np

from qgtm.core.universe import SYMBOLS
from qgtm.features.bars import FloatArray
from qgtm.features.drawdowns import FEATURES as FALLS
from qgtm.features.feature import named, once_warm
from qgtm.features.seen import Seen
from qgtm.features.stress import FEARS
from qgtm.features.stress import FEATURES as STRESS

NAME = "vix_haven"
CATEGORY = "A"
FEEDS = ("ohlcv", "fred")
symbols = ("GLD", "SPY")

FEAR = named(STRESS, "fear_z_63")
DRAWDOWN = named(FALLS, "drawdown_252")
EQUITY_FEAR, EQUITY = FEARS.index("VIXCLS"), SYMBOLS.index("SPY")

warm_up = max(FEAR.warm_up, DRAWDOWN.warm_up)


@dataclass(frozen=True)
class Params:
    """What counts as fear, as calm and as a fall, and how much is sold in calm."""

    fear_z: float
    calm_z: float
    fall: float
    calm_size: float


PARAMS = Params(
    fear_z=1.5,  # standard deviations of VIX [0.5, 3.0]
    calm_z=-1.5,  # standard deviations of VIX [-3.0, -0.5]
    fall=0.03,  # frac that SPY must have fallen from its high [0.0, 0.15]
    calm_size=0.5,  # frac of the budget that is sold in calm [0.0, 1.0]
)


def size(fear: FloatArray, drawdown: FloatArray, params: Params = PARAMS) -> FloatArray:
    """Return gold's target (n,), from -1 to 1: the table; NaN where one of the two is not known."""
    is_flight = (fear > params.fear_z) & (drawdown > params.fall)
    calm = np.where(fear < params.calm_z, -params.calm_size, 0.0)
    return np.where(np.isnan(fear + drawdown), np.nan, np.where(is_flight, 1.0, calm))


def signal(seen: Seen, params: Params = PARAMS) -> FloatArray:
    """Return the targets (sessions, 2) of gold and SPY, SPY's always 0; NaN where there is no view.

    Source: Baur and Lucey 2010 for the long side. Raises nothing.
    """
    gold = size(seen.get(FEAR)[:, EQUITY_FEAR], seen.get(DRAWDOWN)[:, EQUITY], params)
    wanted = np.stack([gold, 0.0 * gold], axis=1)
    return once_warm(np.where(np.isnan(seen.bars.close), np.nan, wanted), warm_up)


__all__ = [
    "CATEGORY",
    "DRAWDOWN",
    "EQUITY",
    "EQUITY_FEAR",
    "FEAR",
    "FEEDS",
    "NAME",
    "PARAMS",
    "Params",
    "signal",
    "size",
    "symbols",
    "warm_up",
]
