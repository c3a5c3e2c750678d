# A print of notebooks/strategies/breakeven_liquidity.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Breakeven inflation and liquidity.

Long gold while expected inflation and the central bank's balance sheet both stand above their year.
"""

# cell 5 of notebooks/strategies/breakeven_liquidity.ipynb
import math
from dataclasses import dataclass

import numpy as np

from qgtm.features.bars import FloatArray
from qgtm.features.feature import named
from qgtm.features.macro import FEATURES, MACRO
from qgtm.features.released import is_release
from qgtm.features.seen import Seen, walked

NAME = "breakeven_liquidity"
CATEGORY = "A"
FEEDS = ("ohlcv", "fred")
symbols = ("GLD",)

UNUSUAL = named(FEATURES, "macro_z_252")
READ = [MACRO.index("T10YIE"), MACRO.index("WALCL")]

warm_up = UNUSUAL.warm_up


@dataclass(frozen=True)
class Params:
    """How far above their year the breakeven and the assets must stand."""

    inflation_z: float
    assets_z: float


PARAMS = Params(
    inflation_z=0.0,  # standard deviations that the breakeven must exceed [-0.5, 1.5]
    assets_z=0.0,  # standard deviations that the assets must exceed [-0.5, 1.5]
)


def view(seen: Seen, params: Params = PARAMS) -> FloatArray:
    """Return (rows, 3): z of the breakeven, z of the assets, and 1 where the assets are newly released.

    One row for each session from the first that is warm; NaN where not known and where GLD has no bar.
    """
    rows = max(0, len(seen) - warm_up + 1)
    first = len(seen) - rows
    is_new = is_release(seen.days("WALCL")[0])[first:]
    found = np.column_stack([seen.get(UNUSUAL)[first:, READ], is_new])
    return np.where(np.isnan(seen.bars.close[first:]), np.nan, found)


@dataclass(frozen=True)
class State:
    """What the last release decided: 1 for long, 0 for nothing."""

    side: int


def start(params: Params = PARAMS) -> State:
    """Return the state before the first release: nothing wanted."""
    return State(0)


def update(state: State, row: FloatArray, params: Params = PARAMS) -> tuple[State, FloatArray]:
    """Take one row of `view` in; return the state and the target (1,), NaN where there is no view."""
    inflation, assets, is_new = row.tolist()
    if math.isnan(inflation + assets):
        return state, np.full(1, np.nan)
    after = int(inflation > params.inflation_z and assets > params.assets_z) if is_new else state.side
    return State(after), np.array([float(after)])


def signal(seen: Seen, params: Params = PARAMS) -> FloatArray:
    """Return the targets (sessions, 1), 0 or 1 of the budget: the fold of `update` over `view`."""
    return walked(seen, view(seen, params), start(params), lambda state, row: update(state, row, params))


__all__ = [
    "CATEGORY",
    "FEEDS",
    "NAME",
    "PARAMS",
    "READ",
    "UNUSUAL",
    "Params",
    "State",
    "signal",
    "start",
    "symbols",
    "update",
    "view",
    "warm_up",
]
