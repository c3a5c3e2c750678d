# A print of notebooks/strategies/gold_silver_ratio.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Gold against silver.

Trade the spread of gold over silver back to its mean, while it has one, hedged by a ratio that follows the
market.
"""

# cell 5 of notebooks/strategies/gold_silver_ratio.ipynb
from dataclasses import dataclass

import numpy as np

from qgtm.features import relative_value
from qgtm.features.bars import FloatArray
from qgtm.features.relative_value import Band, half_life, last_z, spread_side
from qgtm.features.returns import carried, together, windows
from qgtm.features.seen import Seen

NAME = "gold_silver_ratio"
CATEGORY = "C"
FEEDS = ("ohlcv",)
symbols = ("GLD", "SLV")


@dataclass(frozen=True)
class Params:
    """Window of the spread, when to be in and out, half-lives to believe, how far a close is carried."""

    lookback: int
    entry_z: float
    exit_z: float
    shortest: float
    longest: float
    carry_limit: int


PARAMS = Params(
    lookback=252,  # sessions of the spread's mean, deviation and half-life [126, 504]
    entry_z=2.0,  # standard deviations [1.0, 4.0]
    exit_z=0.5,  # standard deviations [0.0, 1.5]
    shortest=10.0,  # sessions of half-life [2.0, 60.0]
    longest=120.0,  # sessions of half-life [30.0, 252.0]
    carry_limit=5,  # sessions that a close may stand in for a missing one [0, 21]
)


def sessions_needed(params: Params) -> int:
    """Return the sessions that the last row of `view` needs to be exact."""
    return params.lookback + params.carry_limit


warm_up = sessions_needed(PARAMS)


# cell 7 of notebooks/strategies/gold_silver_ratio.ipynb
def view(seen: Seen, params: Params = PARAMS) -> FloatArray:
    """Return (rows, 2 lookback): the window of log gold, then that of log silver.

    One row for each session from the first that is warm; NaN where a window has a hole too wide to carry
    over, and where either has no bar today. Raises nothing.
    """
    bars = seen.bars
    rows = len(bars) - sessions_needed(params) + 1
    if rows < 1:
        return np.empty((0, 2 * params.lookback))
    paired = together(bars.close.T)
    logs = np.log(carried(paired, params.carry_limit))[:, -(rows + params.lookback - 1) :]
    found = np.concatenate(list(windows(logs, params.lookback)), axis=1)
    return np.where(np.isnan(paired[0, -rows:, None]), np.nan, found)


# cell 9 of notebooks/strategies/gold_silver_ratio.ipynb
@dataclass(frozen=True)
class State:
    """What is carried: the belief about the hedge ratio, and the side of the spread (1, -1 or 0)."""

    hedge: relative_value.State
    side: int


def start(params: Params = PARAMS) -> State:
    """Return the state before the first session: no belief, and flat."""
    return State(relative_value.start(), 0)


def legs(side: int, ratio: float) -> FloatArray:
    """Return the targets of gold and silver: one dollar against `ratio`, the whole budget in all."""
    return np.array([side, -ratio * side]) / (1 + ratio)


def update(state: State, row: FloatArray, params: Params = PARAMS) -> tuple[State, FloatArray]:
    """Take one row of `view` in; return the state and the targets (2,), NaN where there is no view."""
    if np.isnan(row).any():
        return state, np.full(2, np.nan)
    gold, silver = row[: params.lookback], row[params.lookback :]
    gold_return, silver_return = float(gold[-1] - gold[-2]), float(silver[-1] - silver[-2])
    hedge, ratio = relative_value.update(state.hedge, silver_return, gold_return)
    if ratio <= 0:
        return State(hedge, 0), np.zeros(2)
    spread = gold - ratio * silver
    band = Band(params.entry_z, params.exit_z, params.shortest, params.longest)
    side = spread_side(state.side, float(last_z(spread)), float(half_life(spread)), band)
    return State(hedge, side), legs(side, ratio)


def signal(seen: Seen, params: Params = PARAMS) -> FloatArray:
    """Return the targets (sessions, 2) in [-1, 1] of the budget: the fold of `update` over `view`."""
    state, targets = start(params), np.full(seen.bars.close.shape, np.nan)
    rows = view(seen, params)
    for i, row in enumerate(rows, start=len(seen) - len(rows)):
        state, targets[i] = update(state, row, params)
    return targets


__all__ = [
    "CATEGORY",
    "FEEDS",
    "NAME",
    "PARAMS",
    "Params",
    "State",
    "legs",
    "sessions_needed",
    "signal",
    "start",
    "symbols",
    "update",
    "view",
    "warm_up",
]
