# A print of notebooks/strategies/dollar_dislocation.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Dollar dislocation.

Trade gold back to what the dollar says it should be worth, while the two still move against each other.
"""

# cell 5 of notebooks/strategies/dollar_dislocation.ipynb
import math
from dataclasses import dataclass

import numpy as np

from qgtm.features.bars import FloatArray
from qgtm.features.dollar import FEATURES, METALS
from qgtm.features.feature import named
from qgtm.features.relative_value import faded_side
from qgtm.features.seen import Seen, walked

NAME = "dollar_dislocation"
CATEGORY = "A"
FEEDS = ("ohlcv", "fred")
symbols = ("GLD",)

READ = tuple(
    named(FEATURES, name) for name in ("dollar_residual_z_126", "dollar_beta_126", "dollar_correlation_126")
)
GOLD = METALS.index("GLD")

warm_up = max(each.warm_up for each in READ)


@dataclass(frozen=True)
class Params:
    """When to be in and out, and how firmly gold must still answer to the dollar."""

    entry_z: float
    exit_z: float
    weakest: float


PARAMS = Params(
    entry_z=2.0,  # standard deviations of the accumulated residual [1.0, 4.0]
    exit_z=0.5,  # standard deviations of the accumulated residual [0.0, 1.0]
    weakest=-0.2,  # correlation that must be undercut [-0.6, 0.0]
)


def view(seen: Seen, params: Params = PARAMS) -> FloatArray:
    """Return (rows, 3): z of the accumulated residual, gold's slope on the dollar, and their correlation.

    One row for each session from the first that is warm; NaN where not known and where GLD has no bar.
    """
    rows = max(0, len(seen) - warm_up + 1)
    first = len(seen) - rows
    found = np.stack([seen.get(each)[first:, GOLD] for each in READ], axis=1)
    return np.where(np.isnan(seen.bars.close[first:]), np.nan, found)


@dataclass(frozen=True)
class State:
    """The side of gold that is held: 1, -1 or 0."""

    side: int


def start(params: Params = PARAMS) -> State:
    """Return the state before the first session: flat."""
    return State(0)


def side(held: int, z: float, is_linked: bool, params: Params = PARAMS) -> int:
    """Return 1 for long, -1 for short, 0 for flat: the table, given what is held, the gap and the link."""
    if not is_linked:
        return 0
    enter = math.nextafter(params.entry_z, 0.0)  # at the bound already, not only beyond it
    return faded_side(held, z, enter, params.exit_z)


def update(state: State, row: FloatArray, params: Params = PARAMS) -> tuple[State, FloatArray]:
    """Take one row of `view` in; return the state and the target (1,), NaN where there is no view."""
    z, beta, correlation = row.tolist()
    if math.isnan(z + beta + correlation):
        return state, np.full(1, np.nan)
    after = side(state.side, z, beta < 0 and correlation < params.weakest, params)
    return State(after), np.array([float(after)])


def signal(seen: Seen, params: Params = PARAMS) -> FloatArray:
    """Return the targets (sessions, 1), -1, 0 or 1 of the budget: the fold of `update` over `view`."""
    return walked(seen, view(seen, params), start(params), lambda state, row: update(state, row, params))


__all__ = [
    "CATEGORY",
    "FEEDS",
    "GOLD",
    "NAME",
    "PARAMS",
    "READ",
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
