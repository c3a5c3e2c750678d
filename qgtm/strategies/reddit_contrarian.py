# A print of notebooks/strategies/reddit_contrarian.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Against the forum.

Sell silver and gold when a forum praises them in one voice and far louder than usual, until either has
passed.
"""

# cell 5 of notebooks/strategies/reddit_contrarian.ipynb
from dataclasses import dataclass

import numpy as np

from qgtm.features import crowd
from qgtm.features.bars import FloatArray
from qgtm.features.feature import named
from qgtm.features.seen import Seen, walked
from qgtm.features.sentiment import FEATURES

NAME = "reddit_contrarian"
CATEGORY = "D"
FEEDS = ("ohlcv", "sentiment")
symbols = crowd.FUNDS
HEAT = named(FEATURES, "crowd_heat_63")
State = crowd.Sides

warm_up = HEAT.warm_up


@dataclass(frozen=True)
class Params:
    """How loud and how hopeful the forum must be, when that has passed, and gold's share of the budget."""

    enter: float
    leave: float
    gold_frac: float


PARAMS = Params(
    enter=1.25,  # standard deviations that tone and attention must both exceed [0.75, 3.0]
    leave=0.5,  # standard deviations, of the lesser of both [0.0, 0.75]
    gold_frac=0.5,  # frac of the budget that gold may have, silver has the rest [0.0, 1.0]
)


def start(params: Params = PARAMS) -> State:
    """Return the state before the first session: flat."""
    return crowd.flat()


def view(seen: Seen, params: Params = PARAMS) -> FloatArray:
    """Return (rows, 2): the forum's heat on gold and on silver, 0 where it is cool, NaN without a view."""
    return np.maximum(crowd.of_metals(seen, (HEAT,)), 0.0)


def update(state: State, row: FloatArray, params: Params = PARAMS) -> tuple[State, FloatArray]:
    """Take one row of `view` in; return the sides and the targets (2,), NaN where there is no view."""
    after = crowd.faded(state, row, params.enter, params.leave)
    return after, crowd.wanted(after, row, params.gold_frac)


def signal(seen: Seen, params: Params = PARAMS) -> FloatArray:
    """Return the targets (sessions, 2) in [-1, 0] of the budget: the fold of `update` over `view`."""
    return walked(seen, view(seen, params), start(params), lambda state, row: update(state, row, params))


__all__ = [
    "CATEGORY",
    "FEEDS",
    "HEAT",
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
