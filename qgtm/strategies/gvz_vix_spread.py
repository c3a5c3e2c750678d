# A print of notebooks/strategies/gvz_vix_spread.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Gold's volatility against equity's.

Long gold while its options are cheap beside those on shares and getting cheaper; out when they are dear and
rising.
"""

# cell 5 of notebooks/strategies/gvz_vix_spread.ipynb
import math
from dataclasses import dataclass

import numpy as np

from qgtm.features.bars import FloatArray
from qgtm.features.rolling import change, rolling_z
from qgtm.features.seen import Seen, walked
from qgtm.features.stress import FEATURES

NAME = "gvz_vix_spread"
CATEGORY = "E"
FEEDS = ("ohlcv", "fred")
symbols = ("GLD",)
SPREAD = {each.name: each for each in FEATURES}["gvz_vix_spread"]


@dataclass(frozen=True)
class Params:
    """The window, how far from its mean the spread must be, and over how long its change is taken."""

    lookback: int
    reach: float
    horizon: int


PARAMS = Params(
    lookback=252,  # sessions of the z-score [63, 504]
    reach=0.5,  # standard deviations on either side [0.0, 2.0]
    horizon=21,  # sessions of the change [5, 63]
)


def sessions_needed(params: Params) -> int:
    """Return the sessions that the last row of `view` needs."""
    return max(params.lookback, params.horizon + 1)


warm_up = sessions_needed(PARAMS)


def view(seen: Seen, params: Params = PARAMS) -> FloatArray:
    """Return (rows, 2): z of the spread and its change; NaN where not known and where GLD has no bar."""
    needed = sessions_needed(params)
    rows = len(seen) - needed + 1
    if rows < 1:
        return np.empty((0, 2))
    spread = seen.rows(SPREAD)[-(rows + needed - 1) :]
    found = np.stack([rolling_z(spread, params.lookback), change(spread, params.horizon)], axis=1)[-rows:]
    return np.where(np.isnan(seen.bars.close[-rows:]), np.nan, found)


@dataclass(frozen=True)
class State:
    """Whether gold is wanted: 1 or 0."""

    side: int


def start(params: Params = PARAMS) -> State:
    """Return the state before the first session: nothing wanted."""
    return State(0)


def side(held: int, z: float, moved: float, reach: float) -> int:
    """Return 1 for long and 0 for nothing, given what is held, the spread's z-score and its change."""
    if z < -reach and moved < 0:
        return 1
    if z > reach and moved > 0:
        return 0
    return held


def update(state: State, row: FloatArray, params: Params = PARAMS) -> tuple[State, FloatArray]:
    """Take one row of `view` in; return the state and the target (1,), NaN where there is no view."""
    z, moved = row.tolist()
    if math.isnan(z) or math.isnan(moved):
        return state, np.full(1, np.nan)
    after = side(state.side, z, moved, params.reach)
    return State(after), np.array([float(after)])


def signal(seen: Seen, params: Params = PARAMS) -> FloatArray:
    """Return the targets (sessions, 1), 0 or 1 of the budget: the fold of `update` over `view`."""
    return walked(seen, view(seen, params), start(params), lambda state, row: update(state, row, params))


__all__ = [
    "CATEGORY",
    "FEEDS",
    "NAME",
    "PARAMS",
    "SPREAD",
    "Params",
    "State",
    "sessions_needed",
    "side",
    "signal",
    "start",
    "symbols",
    "update",
    "view",
    "warm_up",
]
