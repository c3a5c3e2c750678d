# A print of notebooks/strategies/gold_silver_ratio.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Gold against silver.

Trade the spread of gold over silver back to its mean, while it has one, hedged by a ratio that follows the
market.
"""

# cell 5 of notebooks/strategies/gold_silver_ratio.ipynb
from dataclasses import dataclass

from qgtm.features import pair
from qgtm.features.bars import FloatArray
from qgtm.features.seen import Seen, walked

NAME = "gold_silver_ratio"
CATEGORY = "C"
FEEDS = ("ohlcv",)
symbols = ("GLD", "SLV")
State = pair.Filtered


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
warm_up = pair.filtered_needed(PARAMS)


def start(params: Params = PARAMS) -> State:
    """Return the state before the first session: no belief, and flat."""
    return pair.filtered_start()


def view(seen: Seen, params: Params = PARAMS) -> FloatArray:
    """Return (rows, 2 lookback): the window of gold's log price, then that of silver's."""
    return pair.filtered_view(seen, params)


def update(state: State, row: FloatArray, params: Params = PARAMS) -> tuple[State, FloatArray]:
    """Take one row of `view` in; return the state and the targets (2,), NaN where there is no view."""
    return pair.filtered_update(state, row, params)


def signal(seen: Seen, params: Params = PARAMS) -> FloatArray:
    """Return the targets (sessions, 2) in [-1, 1] of the budget: the fold of `update` over `view`."""
    rows = view(seen, params)
    return walked(seen, rows, start(params), lambda state, row: update(state, row, params))


__all__ = [
    "CATEGORY",
    "FEEDS",
    "NAME",
    "PARAMS",
    "Params",
    "State",
    "signal",
    "start",
    "symbols",
    "update",
    "view",
    "warm_up",
]
