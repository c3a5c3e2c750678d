# A print of notebooks/strategies/silver_miners_vs_silver.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Silver miners against silver.

Trade silver miners back to what silver and the stock market say they should be worth, hedged by their silver
beta.
"""

# cell 5 of notebooks/strategies/silver_miners_vs_silver.ipynb
from dataclasses import dataclass

from qgtm.features import pair
from qgtm.features.bars import FloatArray
from qgtm.features.seen import Seen, walked

NAME = "silver_miners_vs_silver"
CATEGORY = "C"
FEEDS = ("ohlcv",)
symbols = ("SIL", "SLV", "SPY")
State = pair.Regressed


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
warm_up = pair.regressed_needed(PARAMS)


def start(params: Params = PARAMS) -> State:
    """Return the state before the first session: flat."""
    return pair.regressed_start()


def view(seen: Seen, params: Params = PARAMS) -> FloatArray:
    """Return (rows, 4): z of the spread, half-life in sessions, beta on silver, beta on equity."""
    return pair.regressed_view(seen, params)


def update(state: State, row: FloatArray, params: Params = PARAMS) -> tuple[State, FloatArray]:
    """Take one row of `view` in; return the state and the targets (3,), NaN where there is no view."""
    return pair.regressed_update(state, row, params)


def signal(seen: Seen, params: Params = PARAMS) -> FloatArray:
    """Return the targets (sessions, 3) in [-1, 1] of the budget: the fold of `update` over `view`."""
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
