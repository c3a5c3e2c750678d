# A print of notebooks/strategies/tail_hedge.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Tail hedge.

A little of the fund that falls when miners rise, more of it as stress rises, and never more than the year's
premium.
"""

# cell 5 of notebooks/strategies/tail_hedge.ipynb
import math
from dataclasses import dataclass

import numpy as np

from qgtm.core.universe import SYMBOLS
from qgtm.features import drawdowns
from qgtm.features.bars import FloatArray
from qgtm.features.returns import DAILY, LOG_RETURN
from qgtm.features.rolling import rolling_z
from qgtm.features.seen import Seen, walked

NAME = "tail_hedge"
CATEGORY = "H"
FEEDS = ("ohlcv", "fred")
symbols = ("DUST", "GDX", "VIXY", "HYG")
FALL = {each.name: each for each in drawdowns.FEATURES}["drawdown_63"]
MOVED = LOG_RETURN[21]
_DUST, _GDX, _VIXY, _HYG = (SYMBOLS.index(symbol) for symbol in symbols)


@dataclass(frozen=True)
class Params:
    """The window of stress, how the hedge grows with it, and what it may cost."""

    lookback: int
    standing: float
    calm_z: float
    alarm_z: float
    sleeve_frac: float
    budget_bps: float
    memory: int


PARAMS = Params(
    lookback=252,  # sessions of the z-scores [126, 504]
    standing=0.1,  # frac of the sleeve that is always held [0.0, 0.5]
    calm_z=0.5,  # stress from which on the hedge grows [0.0, 1.0]
    alarm_z=2.0,  # stress at which the whole sleeve is held [1.25, 4.0]
    sleeve_frac=0.05,  # frac of the fund's equity that the whole sleeve is taken to be [0.01, 0.20]
    budget_bps=50.0,  # basis points of the fund's equity a year [10.0, 200.0]
    memory=252,  # sessions over which what was used up is forgotten [63, 504]
)


def sessions_needed(params: Params) -> int:
    """Return the sessions that the last row of `view` needs: a window of falls, each with its own."""
    return params.lookback + max(FALL.warm_up, MOVED.warm_up) - 1


warm_up = sessions_needed(PARAMS)


def view(seen: Seen, params: Params = PARAMS) -> FloatArray:
    """Return (rows, 6): stress, DUST's log return of the session, four closes; NaN for what is not known."""
    rows = len(seen) - sessions_needed(params) + 1
    if rows < 1:
        return np.empty((0, 6))
    moved, fall = seen.rows(MOVED), seen.rows(FALL)
    gauges = np.stack([moved[_VIXY], -moved[_HYG], seen.known("GVZCLS")[0], fall[_GDX]])
    scores = rolling_z(np.ascontiguousarray(gauges[:, -(rows + params.lookback - 1) :]), params.lookback)
    stress = scores[:, -rows:].sum(axis=0) / len(gauges)
    return np.vstack([stress, seen.rows(DAILY)[_DUST, -rows:], seen.bars.close[-rows:].T]).T


@dataclass(frozen=True)
class State:
    """What the hedge has used up (frac of the fund's equity, >= 0), and what share of it is wanted."""

    used_frac: float
    wanted: float


def start(params: Params = PARAMS) -> State:
    """Return the state before the first session: nothing used, nothing held."""
    return State(0.0, 0.0)


def grown(stress: float, params: Params = PARAMS) -> float:
    """Return the share of the sleeve that stress asks for, from `standing` to 1."""
    risen = (stress - params.calm_z) / (params.alarm_z - params.calm_z)
    return params.standing + (1 - params.standing) * min(1.0, max(0.0, risen))


def used(state: State, log_return: float, params: Params = PARAMS) -> float:
    """Return what the hedge has used up after a session; a return that is not known costs nothing."""
    earned = 0.0 if math.isnan(log_return) else params.sleeve_frac * state.wanted * math.expm1(log_return)
    return max(0.0, state.used_frac * (1 - 1 / params.memory) - earned)


def update(state: State, row: FloatArray, params: Params = PARAMS) -> tuple[State, FloatArray]:
    """Take one row of `view` in; return the state and the targets (4,): DUST's, and 0 for what is read."""
    stress, log_return = row[:2].tolist()
    spent = used(state, log_return, params)
    if math.isnan(stress):
        return State(spent, state.wanted), np.full(len(symbols), np.nan)
    left = max(0.0, 1 - spent / (params.budget_bps / 2e4))  # half: the other half is what a year forgets
    wanted = grown(stress, params) * left
    targets = np.array([wanted, 0.0, 0.0, 0.0])
    return State(spent, wanted), np.where(np.isnan(row[2:]), np.nan, targets)


def signal(seen: Seen, params: Params = PARAMS) -> FloatArray:
    """Return the targets (sessions, 4) in [0, 1] of the budget: the fold of `update` over `view`."""
    return walked(seen, view(seen, params), start(params), lambda state, row: update(state, row, params))


__all__ = [
    "CATEGORY",
    "FALL",
    "FEEDS",
    "MOVED",
    "NAME",
    "PARAMS",
    "Params",
    "State",
    "grown",
    "sessions_needed",
    "signal",
    "start",
    "symbols",
    "update",
    "used",
    "view",
    "warm_up",
]
