# A print of notebooks/strategies/implied_carry.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Implied carry.

Long the metal that has become scarce to borrow, against the other, hedged by the beta between them.
"""

# cell 5 of notebooks/strategies/implied_carry.ipynb
import math
from dataclasses import dataclass

import numpy as np

from qgtm.core.series import OPTION_ROOTS
from qgtm.features.bars import FloatArray
from qgtm.features.feature import named
from qgtm.features.options_vol import FEATURES as OPTION_FEATURES
from qgtm.features.relative_value import FEATURES as PAIR_FEATURES
from qgtm.features.relative_value import PAIRS
from qgtm.features.seen import Seen, walked

NAME = "implied_carry"
CATEGORY = "B"
FEEDS = ("ohlcv", "fred", "options_vol")
symbols = ("GLD", "SLV")

LEASE = named(OPTION_FEATURES, "lease_rate_z_252")
BETA = named(PAIR_FEATURES, "pair_beta_126")
GOLD, SILVER = (OPTION_ROOTS.index(symbol) for symbol in symbols)
PAIR = PAIRS.index(("GLD", "SLV"))

warm_up = max(LEASE.warm_up, BETA.warm_up)


@dataclass(frozen=True)
class Params:
    """How far apart the two lease rates must be to be in, and how near to be out."""

    entry_z: float
    exit_z: float


PARAMS = Params(
    entry_z=1.0,  # standard deviations between the two lease rates [0.5, 3.0]
    exit_z=0.25,  # standard deviations between the two lease rates [0.0, 0.45]
)


def view(seen: Seen, params: Params = PARAMS) -> FloatArray:
    """Return (rows, 2): gold's lease z-score less silver's, and the slope of gold's return on silver's.

    One row for each session from the first that is warm; NaN where not known and where either has no bar.
    """
    first = min(len(seen), warm_up - 1)
    lease = seen.get(LEASE)[first:]
    found = np.stack([lease[:, GOLD] - lease[:, SILVER], seen.get(BETA)[first:, PAIR]], axis=1)
    has_both = np.isfinite(seen.bars.close[first:]).all(axis=1, keepdims=True)
    return np.where(has_both, found, np.nan)


@dataclass(frozen=True)
class State:
    """Which metal is held against the other: 1 gold, -1 silver, 0 neither."""

    side: int


def start(params: Params = PARAMS) -> State:
    """Return the state before the first session: flat."""
    return State(0)


def side(held: int, apart: float, params: Params = PARAMS) -> int:
    """Return 1 for gold, -1 for silver, 0 for neither: the table, given what is held and the distance."""
    if abs(apart) > params.entry_z:
        return 1 if apart > 0 else -1
    return 0 if held * apart < params.exit_z else held


def legs(side: int, beta: float) -> FloatArray:
    """Return the targets of gold and silver: `beta` dollars of silver against one of gold."""
    return np.array([side, -beta * side]) / (1 + beta)


def update(state: State, row: FloatArray, params: Params = PARAMS) -> tuple[State, FloatArray]:
    """Take one row of `view` in; return the state and the targets (2,), NaN where there is no view."""
    apart, beta = row.tolist()
    if math.isnan(apart + beta):
        return state, np.full(2, np.nan)
    after = side(state.side, apart, params) if beta > 0 else 0
    return State(after), legs(after, beta) if after else np.zeros(2)


def signal(seen: Seen, params: Params = PARAMS) -> FloatArray:
    """Return the targets (sessions, 2) in [-1, 1] of the budget: the fold of `update` over `view`."""
    return walked(seen, view(seen, params), start(params), lambda state, row: update(state, row, params))


__all__ = [
    "BETA",
    "CATEGORY",
    "FEEDS",
    "GOLD",
    "LEASE",
    "NAME",
    "PAIR",
    "PARAMS",
    "SILVER",
    "Params",
    "State",
    "legs",
    "side",
    "signal",
    "start",
    "symbols",
    "update",
    "view",
    "warm_up",
]
