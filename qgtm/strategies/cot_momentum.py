# A print of notebooks/strategies/cot_momentum.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Following the funds.

Go with what managed money has bought or sold over four weeks, until it has become a crowd.
"""

# cell 5 of notebooks/strategies/cot_momentum.ipynb
from dataclasses import dataclass

import numpy as np

from qgtm.features import crowd
from qgtm.features.bars import FloatArray
from qgtm.features.feature import named
from qgtm.features.positioning import FEATURES
from qgtm.features.seen import Seen, walked

NAME = "cot_momentum"
CATEGORY = "D"
FEEDS = ("ohlcv", "cot")
symbols = crowd.FUNDS
READ = (named(FEATURES, "managed_money_z_52"), named(FEATURES, "managed_money_change_4"))
State = crowd.Sides

warm_up = max(each.warm_up for each in READ)


@dataclass(frozen=True)
class Params:
    """What a whole share takes, when managed money is a crowd, and gold's share of the budget."""

    full_frac: float
    crowded_z: float
    usual_z: float
    gold_frac: float


PARAMS = Params(
    full_frac=0.10,  # frac of open interest bought in four weeks that asks for the whole share [0.02, 0.30]
    crowded_z=2.0,  # standard deviations at which managed money becomes a crowd [1.0, 3.5]
    usual_z=1.0,  # standard deviations within which it no longer is one [0.0, 1.0]
    gold_frac=0.7,  # frac of the budget that gold may have, silver has the rest [0.0, 1.0]
)


def start(params: Params = PARAMS) -> State:
    """Return the state before the first session: no crowd."""
    return crowd.flat()


def view(seen: Seen, params: Params = PARAMS) -> FloatArray:
    """Return (rows, 4): z of managed money's net share in gold and silver, then its change in both."""
    return crowd.of_metals(seen, READ)


def followed(moved: FloatArray, params: Params = PARAMS) -> FloatArray:
    """Return what a change of the net share asks for, from -1 to 1."""
    return np.clip(moved / params.full_frac, -1, 1)


def update(state: State, row: FloatArray, params: Params = PARAMS) -> tuple[State, FloatArray]:
    """Take one row of `view` in; return the crowds and the targets (2,), NaN where there is no view."""
    zs, moved = row.reshape(2, -1)
    after = crowd.faded(state, zs, params.crowded_z, params.usual_z)
    is_crowd = np.array([after.gold, after.silver]) != 0
    wanted = np.where(is_crowd, 0.0, followed(moved, params)) * crowd.shares(params.gold_frac)
    return after, np.where(np.isnan(zs + moved), np.nan, wanted)


def signal(seen: Seen, params: Params = PARAMS) -> FloatArray:
    """Return the targets (sessions, 2) in [-1, 1] of the budget: the fold of `update` over `view`."""
    return walked(seen, view(seen, params), start(params), lambda state, row: update(state, row, params))


__all__ = [
    "CATEGORY",
    "FEEDS",
    "NAME",
    "PARAMS",
    "READ",
    "Params",
    "State",
    "followed",
    "signal",
    "start",
    "symbols",
    "update",
    "view",
    "warm_up",
]
