# A print of notebooks/strategies/vol_skew.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Volatility skew.

Buy gold when fear of a fall was dear and has begun to cheapen.
"""

# cell 5 of notebooks/strategies/vol_skew.ipynb
import math
from dataclasses import dataclass

import numpy as np

from qgtm.core.series import OPTION_ROOTS
from qgtm.features.bars import FloatArray
from qgtm.features.options_vol import FEATURES
from qgtm.features.rolling import change, rolling_z
from qgtm.features.seen import Seen, walked

NAME = "vol_skew"
CATEGORY = "E"
FEEDS = ("ohlcv", "options_vol")
symbols = ("GLD",)
SKEW = {each.name: each for each in FEATURES}["put_skew"]
_GLD = OPTION_ROOTS.index("GLD")


@dataclass(frozen=True)
class Params:
    """The window, when to be in and out, over how long the skew must have eased, how long to wait."""

    lookback: int
    entry_z: float
    exit_z: float
    easing: int
    longest: int


PARAMS = Params(
    lookback=126,  # sessions of the z-score [42, 252]
    entry_z=1.5,  # standard deviations of put skew [1.0, 3.0]
    exit_z=0.0,  # standard deviations of put skew [-1.0, 0.9]
    easing=5,  # sessions over which the skew must have fallen [1, 21]
    longest=21,  # sessions held at most [5, 63]
)


def sessions_needed(params: Params) -> int:
    """Return the sessions that the last row of `view` needs."""
    return max(params.lookback, params.easing + 1)


warm_up = sessions_needed(PARAMS)


def view(seen: Seen, params: Params = PARAMS) -> FloatArray:
    """Return (rows, 2): z of the put skew and its change; NaN where not known and where GLD has no bar."""
    needed = sessions_needed(params)
    rows = len(seen) - needed + 1
    if rows < 1:
        return np.empty((0, 2))
    skew = seen.rows(SKEW)[_GLD, -(rows + needed - 1) :]
    found = np.stack([rolling_z(skew, params.lookback), change(skew, params.easing)], axis=1)[-rows:]
    return np.where(np.isnan(seen.bars.close[-rows:]), np.nan, found)


@dataclass(frozen=True)
class State:
    """How many sessions gold has been wanted for; 0 when it is not."""

    held: int


def start(params: Params = PARAMS) -> State:
    """Return the state before the first session: nothing held."""
    return State(0)


def update(state: State, row: FloatArray, params: Params = PARAMS) -> tuple[State, FloatArray]:
    """Take one row of `view` in; return the state and the target (1,), NaN where there is no view."""
    z, eased = row.tolist()
    if math.isnan(z) or math.isnan(eased):
        return state, np.full(1, np.nan)
    if state.held:
        is_over = z <= params.exit_z or state.held >= params.longest
        held = 0 if is_over else state.held + 1
    else:
        held = int(z > params.entry_z and eased < 0)
    return State(held), np.array([1.0 if held else 0.0])


def signal(seen: Seen, params: Params = PARAMS) -> FloatArray:
    """Return the targets (sessions, 1), 0 or 1 of the budget: the fold of `update` over `view`."""
    return walked(seen, view(seen, params), start(params), lambda state, row: update(state, row, params))


__all__ = [
    "CATEGORY",
    "FEEDS",
    "NAME",
    "PARAMS",
    "SKEW",
    "Params",
    "State",
    "sessions_needed",
    "signal",
    "start",
    "symbols",
    "update",
    "view",
    "warm_up",
]
