# A print of notebooks/strategies/miners_vs_metal.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Miners against metal.

Trade gold miners back to what gold and the stock market say they should be worth, hedged by their gold beta.
"""

# cell 5 of notebooks/strategies/miners_vs_metal.ipynb
import math
from dataclasses import dataclass

import numpy as np

from qgtm.features.bars import FloatArray
from qgtm.features.relative_value import Band, half_life, last_z, spread_side, two_betas
from qgtm.features.returns import carried, together, windows
from qgtm.features.seen import Seen

NAME = "miners_vs_metal"
CATEGORY = "C"
FEEDS = ("ohlcv",)
symbols = ("GDX", "GLD", "SPY")


@dataclass(frozen=True)
class Params:
    """Window of regression and spread, when to be in and out, half-lives to believe, the carrying."""

    lookback: int
    entry_z: float
    exit_z: float
    shortest: float
    longest: float
    carry_limit: int


PARAMS = Params(
    lookback=126,  # sessions of the regression and of the spread [60, 252]
    entry_z=2.0,  # standard deviations [1.0, 4.0]
    exit_z=0.5,  # standard deviations [0.0, 1.5]
    shortest=10.0,  # sessions of half-life [2.0, 60.0]
    longest=120.0,  # sessions of half-life [30.0, 252.0]
    carry_limit=5,  # sessions that a close may stand in for a missing one [0, 21]
)


def sessions_needed(params: Params) -> int:
    """Return the sessions that the last row of `view` needs: a window of returns takes one close more."""
    return params.lookback + 1 + params.carry_limit


warm_up = sessions_needed(PARAMS)


# cell 7 of notebooks/strategies/miners_vs_metal.ipynb
def residual(logs: FloatArray, lookback: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the accumulated residual's windows (rows, lookback) and the betas on gold and on equity.

    `logs` is (3, time): log miners, gold, equity. Each row is a window that ends at a session, from
    the first that has `lookback` returns. Source: Avellaneda and Lee 2010, section 2. Raises nothing.
    """
    beta_gold, beta_equity = two_betas(windows(logs[:, 1:] - logs[:, :-1], lookback))
    miners, gold, equity = windows(logs[:, 1:], lookback)
    return miners - beta_gold[:, None] * gold - beta_equity[:, None] * equity, beta_gold, beta_equity


def view(seen: Seen, params: Params = PARAMS) -> FloatArray:
    """Return (rows, 4): z of the spread, half-life in sessions, beta on gold, beta on equity.

    One row for each session from the first that is warm; NaN where a window has a hole too wide to carry
    over, and where one of the three has no bar today. Raises nothing.
    """
    bars = seen.bars
    rows = len(bars) - sessions_needed(params) + 1
    if rows < 1:
        return np.empty((0, 4))
    joint = together(bars.close.T)
    logs = np.log(carried(joint, params.carry_limit))[:, -(rows + params.lookback) :]
    spread, beta_gold, beta_equity = residual(logs, params.lookback)
    found = np.stack([last_z(spread), half_life(spread), beta_gold, beta_equity], axis=1)
    return np.where(np.isnan(joint[0, -rows:, None]), np.nan, found)


# cell 8 of notebooks/strategies/miners_vs_metal.ipynb
@dataclass(frozen=True)
class State:
    """What is carried: the side of the spread that is held (1, -1 or 0)."""

    side: int


def start(params: Params = PARAMS) -> State:
    """Return the state before the first session: flat."""
    return State(0)


def legs(side: int, beta: float) -> FloatArray:
    """Return the targets of miners, gold and equity: one dollar against `beta`, equity never traded."""
    return np.array([side, -beta * side, 0.0]) / (1 + beta)


def update(state: State, row: FloatArray, params: Params = PARAMS) -> tuple[State, FloatArray]:
    """Take one row of `view` in; return the state and the targets (3,), NaN where there is no view."""
    z, sessions, beta, _ = row.tolist()
    if math.isnan(z) or math.isnan(beta):
        return state, np.full(3, np.nan)
    band = Band(params.entry_z, params.exit_z, params.shortest, params.longest)
    side = spread_side(state.side, z, sessions, band) if beta > 0 else 0
    return State(side), legs(side, beta) if side else np.zeros(3)


def signal(seen: Seen, params: Params = PARAMS) -> FloatArray:
    """Return the targets (sessions, 3) in [-1, 1] of the budget: the fold of `update` over `view`."""
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
    "residual",
    "sessions_needed",
    "signal",
    "start",
    "symbols",
    "update",
    "view",
    "warm_up",
]
