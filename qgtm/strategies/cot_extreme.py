# A print of notebooks/strategies/cot_extreme.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Crowded futures.

Sell gold and silver when managed money has seldom been as long, buy when seldom as short, and stop when it is
usual again.
"""

# cell 5 of notebooks/strategies/cot_extreme.ipynb
from dataclasses import dataclass

from qgtm.features import crowd
from qgtm.features.bars import FloatArray
from qgtm.features.feature import named
from qgtm.features.positioning import FEATURES
from qgtm.features.seen import Seen, walked

NAME = "cot_extreme"
CATEGORY = "D"
FEEDS = ("ohlcv", "cot")
symbols = crowd.FUNDS
CROWD = named(FEATURES, "managed_money_z_52")
State = crowd.Sides

warm_up = CROWD.warm_up


@dataclass(frozen=True)
class Params:
    """When managed money is a crowd and when no longer, and gold's share of the budget."""

    enter: float
    leave: float
    gold_frac: float


PARAMS = Params(
    enter=2.0,  # standard deviations of managed money's net share [1.0, 3.5]
    leave=1.0,  # standard deviations of managed money's net share [0.0, 1.0]
    gold_frac=0.7,  # frac of the budget that gold may have, silver has the rest [0.0, 1.0]
)


def start(params: Params = PARAMS) -> State:
    """Return the state before the first session: flat."""
    return crowd.flat()


def view(seen: Seen, params: Params = PARAMS) -> FloatArray:
    """Return (rows, 2): z of managed money's net share in gold and in silver, NaN where there is no view."""
    return crowd.of_metals(seen, (CROWD,))


def update(state: State, row: FloatArray, params: Params = PARAMS) -> tuple[State, FloatArray]:
    """Take one row of `view` in; return the sides and the targets (2,), NaN where there is no view."""
    after = crowd.faded(state, row, params.enter, params.leave)
    return after, crowd.wanted(after, row, params.gold_frac)


def signal(seen: Seen, params: Params = PARAMS) -> FloatArray:
    """Return the targets (sessions, 2) of the budget: the fold of `update` over `view`."""
    return walked(seen, view(seen, params), start(params), lambda state, row: update(state, row, params))


__all__ = [
    "CATEGORY",
    "CROWD",
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
