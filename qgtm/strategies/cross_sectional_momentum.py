# A print of notebooks/strategies/cross_sectional_momentum.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Cross-sectional momentum.

Long the third of the metals and miners that rose most in half a year, short the third that rose least.
"""

# cell 5 of notebooks/strategies/cross_sectional_momentum.ipynb
from dataclasses import dataclass

import numpy as np

from qgtm.core.universe import SYMBOLS
from qgtm.features.bars import FloatArray
from qgtm.features.returns import CLOSE
from qgtm.features.seen import Seen
from qgtm.features.trend import momentum

NAME = "cross_sectional_momentum"
CATEGORY = "G"
FEEDS = ("ohlcv",)
symbols = ("GLD", "SLV", "PPLT", "PALL", "GDX", "GDXJ", "RING", "SIL", "SILJ", "SLVP")
_PLACES = [SYMBOLS.index(symbol) for symbol in symbols]


@dataclass(frozen=True)
class Params:
    """The return that is ranked, the share that is traded, and how many must be known."""

    lookback: int
    skip: int
    part: int
    fewest: int


PARAMS = Params(
    lookback=126,  # sessions of the return [21, 252]
    skip=5,  # sessions left out at the end [0, 21]
    part=3,  # one in how many is bought, and sold [2, 5]
    fewest=6,  # symbols that must be known [5, 10]
)


def sessions_needed(params: Params) -> int:
    """Return the sessions that the last row needs to be exact."""
    return params.lookback + params.skip + CLOSE.warm_up


warm_up = sessions_needed(PARAMS)


def thirds(scores: FloatArray, params: Params = PARAMS) -> FloatArray:
    """Return the targets of scores (rows, symbols): the highest long, the lowest short, NaN if not known."""
    is_known = ~np.isnan(scores)
    known = is_known.sum(axis=1, keepdims=True)
    order = np.argsort(np.where(is_known, -scores, np.inf), axis=1, kind="stable")  # unknown ones are last
    place = np.argsort(order, axis=1, kind="stable")
    each = np.maximum(known // params.part, 1)
    side = np.where(place < each, 1.0, np.where(place >= known - each, -1.0, 0.0))
    return np.where(is_known & (known >= params.fewest), side / (2 * each), np.nan)


def signal(seen: Seen, params: Params = PARAMS) -> FloatArray:
    """Return the targets (sessions, symbols) in [-1, 1] of the budget; NaN where there is no view."""
    targets = np.full(seen.bars.close.shape, np.nan)
    rows = len(seen) - sessions_needed(params) + 1
    if rows < 1:
        return targets
    close = seen.rows(CLOSE)[_PLACES, -(rows + params.lookback + params.skip) :]
    targets[-rows:] = thirds(momentum(close, params.lookback, params.skip)[:, -rows:].T, params)
    return np.where(np.isnan(seen.bars.close), np.nan, targets)


__all__ = [
    "CATEGORY",
    "FEEDS",
    "NAME",
    "PARAMS",
    "Params",
    "sessions_needed",
    "signal",
    "symbols",
    "thirds",
    "warm_up",
]
