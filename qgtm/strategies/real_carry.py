# A print of notebooks/strategies/real_carry.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Real carry.

Long gold while holding it costs unusually little in real terms, until it costs unusually much.
"""

# cell 5 of notebooks/strategies/real_carry.ipynb
import math
from dataclasses import dataclass

import numpy as np

from qgtm.features.bars import FloatArray
from qgtm.features.feature import named
from qgtm.features.real_rates import FEATURES
from qgtm.features.seen import Seen, walked

NAME = "real_carry"
CATEGORY = "B"
FEEDS = ("ohlcv", "fred")
symbols = ("GLD",)

COST = named(FEATURES, "holding_cost_z_252")

warm_up = COST.warm_up


@dataclass(frozen=True)
class Params:
    """How cheap holding gold must be to buy it, and how dear to sell it."""

    entry_z: float
    exit_z: float


PARAMS = Params(
    entry_z=-0.5,  # standard deviations of the cost below which gold is bought [-2.0, 0.0]
    exit_z=0.5,  # standard deviations of the cost above which it is sold [0.0, 2.0]
)


def view(seen: Seen, params: Params = PARAMS) -> FloatArray:
    """Return (rows, 1): z of the cost of holding, from the first warm session; NaN where not known."""
    first = min(len(seen), warm_up - 1)
    return np.where(np.isnan(seen.bars.close[first:]), np.nan, seen.get(COST)[first:, None])


@dataclass(frozen=True)
class State:
    """Whether gold is wanted: 1 or 0."""

    side: int


def start(params: Params = PARAMS) -> State:
    """Return the state before the first session: nothing wanted."""
    return State(0)


def side(held: int, z: float, params: Params = PARAMS) -> int:
    """Return 1 for long and 0 for nothing: the table, given what is held and the cost's z-score."""
    if z < params.entry_z:
        return 1
    return 0 if z > params.exit_z else held


def update(state: State, row: FloatArray, params: Params = PARAMS) -> tuple[State, FloatArray]:
    """Take one row of `view` in; return the state and the target (1,), NaN where there is no view."""
    (z,) = row.tolist()
    if math.isnan(z):
        return state, np.full(1, np.nan)
    after = side(state.side, z, params)
    return State(after), np.array([float(after)])


def signal(seen: Seen, params: Params = PARAMS) -> FloatArray:
    """Return the targets (sessions, 1), 0 or 1 of the budget: the fold of `update` over `view`."""
    return walked(seen, view(seen, params), start(params), lambda state, row: update(state, row, params))


__all__ = [
    "CATEGORY",
    "COST",
    "FEEDS",
    "NAME",
    "PARAMS",
    "Params",
    "State",
    "side",
    "signal",
    "start",
    "symbols",
    "update",
    "view",
    "warm_up",
]
