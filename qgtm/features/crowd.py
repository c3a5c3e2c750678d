# A print of notebooks/features/crowd.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Crowd.

What the rules that lean against a crowd in gold and silver have in common: what they see, what they hold,
what they want.
"""

# cell 4 of notebooks/features/crowd.ipynb
from dataclasses import dataclass

import numpy as np

from qgtm.features.bars import FloatArray
from qgtm.features.feature import Feature
from qgtm.features.relative_value import faded_side
from qgtm.features.seen import Seen

METALS = {"GOLD": "GLD", "SILVER": "SLV"}
FUNDS = tuple(METALS.values())


@dataclass(frozen=True)
class Sides:
    """What is carried: the side that is held of gold and of silver, 1, -1 or 0."""

    gold: int
    silver: int


def flat() -> Sides:
    """Return the state before the first session: nothing held."""
    return Sides(0, 0)


def of_metals(seen: Seen, features: tuple[Feature, ...]) -> FloatArray:
    """Return (rows, 2 k): for each feature gold's value and silver's, NaN where the fund has no bar.

    The bars of `seen` are those of `FUNDS`. One row for each session from the first in which all features are
    warm. Raises ValueError when a feature knows nothing of gold or silver.
    """
    first = min(len(seen), max(each.warm_up for each in features) - 1)
    is_there = ~np.isnan(seen.bars.close[first:])
    columns = [seen.get(each)[first:, [each.symbols.index(metal) for metal in METALS]] for each in features]
    return np.hstack([np.where(is_there, each, np.nan) for each in columns])


def faded(state: Sides, zs: FloatArray, enter: float, leave: float) -> Sides:
    """Return the sides after the z-scores (2,) of gold's and silver's crowd; an unknown one moves nothing."""
    gold, silver = zs.tolist()
    return Sides(
        gold=faded_side(state.gold, gold, enter, leave),
        silver=faded_side(state.silver, silver, enter, leave),
    )


def shares(gold_frac: float) -> FloatArray:
    """Return what gold and silver may have of the budget, (2,)."""
    return np.array([gold_frac, 1 - gold_frac])


def wanted(state: Sides, zs: FloatArray, gold_frac: float) -> FloatArray:
    """Return the targets (2,) of GLD and SLV: side times share, NaN where the z-score is not known."""
    return np.where(np.isnan(zs), np.nan, np.array([state.gold, state.silver]) * shares(gold_frac))


__all__ = [
    "FUNDS",
    "METALS",
    "Sides",
    "faded",
    "flat",
    "of_metals",
    "shares",
    "wanted",
]
