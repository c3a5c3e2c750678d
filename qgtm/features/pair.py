# A print of notebooks/features/pair.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Pair.

What the pairs have in common: the spread of two legs, its two kinds of hedge, and the legs' sizes.
"""

# cell 4 of notebooks/features/pair.ipynb
import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from qgtm.features import relative_value
from qgtm.features.bars import FloatArray
from qgtm.features.relative_value import Band, half_life, last_z, spread_side, two_betas
from qgtm.features.returns import carried, together, windows
from qgtm.features.seen import Seen


class Knobs(Protocol):
    """The knobs of a pair: the `Params` of each of the four has them."""

    @property
    def lookback(self) -> int:
        """Return the sessions of the spread's mean, deviation and half-life."""
        ...

    @property
    def entry_z(self) -> float:
        """Return the standard deviations beyond which the spread is taken."""
        ...

    @property
    def exit_z(self) -> float:
        """Return the standard deviations within which it is let go."""
        ...

    @property
    def shortest(self) -> float:
        """Return the shortest half-life to believe, in sessions."""
        ...

    @property
    def longest(self) -> float:
        """Return the longest."""
        ...

    @property
    def carry_limit(self) -> int:
        """Return the sessions that a close may stand in for a missing one."""
        ...


def band(knobs: Knobs) -> Band:
    """Return when to be in and out."""
    return Band(knobs.entry_z, knobs.exit_z, knobs.shortest, knobs.longest)


def legs(side: int, ratio: float) -> FloatArray:
    """Return the targets of the two legs: one dollar against `ratio`, the whole budget in all."""
    return np.array([side, -ratio * side]) / (1 + ratio)


# cell 6 of notebooks/features/pair.ipynb
@dataclass(frozen=True)
class Filtered:
    """What is carried: the belief about the hedge ratio, and the side of the spread (1, -1 or 0)."""

    hedge: relative_value.State
    side: int


def filtered_start() -> Filtered:
    """Return the state before the first session: no belief, and flat."""
    return Filtered(relative_value.start(), 0)


def filtered_needed(knobs: Knobs) -> int:
    """Return the sessions that the last row of `filtered_view` needs to be exact."""
    return knobs.lookback + knobs.carry_limit


def filtered_view(seen: Seen, knobs: Knobs) -> FloatArray:
    """Return (rows, 2 lookback): the window of the first leg's log price, then that of the second's.

    One row for each session from the first that is warm; NaN where a window has a hole too wide to carry
    over, and where either has no bar today. Raises nothing.
    """
    bars = seen.bars
    rows = len(bars) - filtered_needed(knobs) + 1
    if rows < 1:
        return np.empty((0, 2 * knobs.lookback))
    paired = together(bars.close.T)
    logs = np.log(carried(paired, knobs.carry_limit))[:, -(rows + knobs.lookback - 1) :]
    found = np.concatenate(list(windows(logs, knobs.lookback)), axis=1)
    return np.where(np.isnan(paired[0, -rows:, None]), np.nan, found)


def filtered_update(state: Filtered, row: FloatArray, knobs: Knobs) -> tuple[Filtered, FloatArray]:
    """Take one row of `filtered_view` in; return the state and the targets (2,), NaN without a view."""
    if np.isnan(row).any():
        return state, np.full(2, np.nan)
    y, x = row[: knobs.lookback], row[knobs.lookback :]
    hedge, ratio = relative_value.update(state.hedge, float(x[-1] - x[-2]), float(y[-1] - y[-2]))
    if ratio <= 0:
        return Filtered(hedge, 0), np.zeros(2)
    spread = y - ratio * x
    side = spread_side(state.side, float(last_z(spread)), float(half_life(spread)), band(knobs))
    return Filtered(hedge, side), legs(side, ratio)


# cell 8 of notebooks/features/pair.ipynb
@dataclass(frozen=True)
class Regressed:
    """What is carried: the side of the spread that is held (1, -1 or 0)."""

    side: int


def regressed_start() -> Regressed:
    """Return the state before the first session: flat."""
    return Regressed(0)


def regressed_needed(knobs: Knobs) -> int:
    """Return the sessions that the last row of `regressed_view` needs: returns take one close more."""
    return knobs.lookback + 1 + knobs.carry_limit


def _left_over(logs: FloatArray, lookback: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    beta_x, beta_equity = two_betas(windows(logs[:, 1:] - logs[:, :-1], lookback))
    y, x, equity = windows(logs[:, 1:], lookback)
    return y - beta_x[:, None] * x - beta_equity[:, None] * equity, beta_x, beta_equity


def regressed_view(seen: Seen, knobs: Knobs) -> FloatArray:
    """Return (rows, 4): z of the spread, half-life in sessions, beta on the second leg, beta on equity.

    The symbols are the two legs and equity, which is only read. One row for each session from the first
    that is warm; NaN where a window has a hole too wide to carry over, and where one of the three has no
    bar today. Source: Avellaneda and Lee 2010, section 2. Raises nothing.
    """
    bars = seen.bars
    rows = len(bars) - regressed_needed(knobs) + 1
    if rows < 1:
        return np.empty((0, 4))
    joint = together(bars.close.T)
    logs = np.log(carried(joint, knobs.carry_limit))[:, -(rows + knobs.lookback) :]
    spread, beta_x, beta_equity = _left_over(logs, knobs.lookback)
    found = np.stack([last_z(spread), half_life(spread), beta_x, beta_equity], axis=1)
    return np.where(np.isnan(joint[0, -rows:, None]), np.nan, found)


def regressed_update(state: Regressed, row: FloatArray, knobs: Knobs) -> tuple[Regressed, FloatArray]:
    """Take one row of `regressed_view` in; return the state and the targets (3,), NaN without a view."""
    z, sessions, beta, _ = row.tolist()
    if math.isnan(z) or math.isnan(beta):
        return state, np.full(3, np.nan)
    side = spread_side(state.side, z, sessions, band(knobs)) if beta > 0 else 0
    return Regressed(side), np.append(legs(side, beta), 0.0) if side else np.zeros(3)


__all__ = [
    "Filtered",
    "Knobs",
    "Regressed",
    "band",
    "filtered_needed",
    "filtered_start",
    "filtered_update",
    "filtered_view",
    "legs",
    "regressed_needed",
    "regressed_start",
    "regressed_update",
    "regressed_view",
]
