# A print of notebooks/strategies/london_fix_drift.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Reversal after the London fix.

Lean against a move into the afternoon fix that the hour after has not yet given back.
"""

# cell 5 of notebooks/strategies/london_fix_drift.ipynb
from dataclasses import dataclass

import numpy as np

from qgtm.features.bars import FloatArray
from qgtm.features.rolling import rolling_correlation, rolling_deviation
from qgtm.features.seen import Seen

NAME = "london_fix_drift"
CATEGORY = "F"
FEEDS = ("ohlcv", "minutes")
symbols = ("GLD",)
INTO, AFTER = "PRE_FIX_GLD", "POST_FIX_GLD"


@dataclass(frozen=True)
class Params:
    """The window, what is a push, what is a full size, and how much reversal there must have been."""

    lookback: int
    least: float
    full: float
    reversal: float


PARAMS = Params(
    lookback=63,  # sessions of deviation and correlation [21, 252]
    least=1.0,  # deviations from which on a move into the fix is a push [0.25, 3.0]
    full=2.0,  # deviations left over at which the whole budget is wanted [0.5, 4.0]
    reversal=0.1,  # correlation below zero that the last quarter must show [0.0, 0.5]
)


def sessions_needed(params: Params) -> int:
    """Return the sessions that the last row needs to be exact."""
    return params.lookback


warm_up = sessions_needed(PARAMS)


def against(
    into: FloatArray, after: FloatArray, usual: FloatArray, together: FloatArray, params: Params = PARAMS
) -> FloatArray:
    """Return what is wanted, from -1 to 1, and 0 where something is not known.

    The two moves, the first one's deviation (log returns) and their correlation, all (rows,).
    """
    left = into + after
    is_push = np.abs(into) >= params.least * usual
    is_left = np.sign(left) == np.sign(into)
    is_meant = is_push & is_left & (together <= -params.reversal)
    size = np.minimum(1.0, np.abs(left) / (params.full * usual))
    return np.where(is_meant, -np.sign(into) * size, 0.0)


def signal(seen: Seen, params: Params = PARAMS) -> FloatArray:
    """Return the targets (sessions, 1) in [-1, 1] of the budget; NaN in a session without a bar."""
    targets = np.full(seen.bars.close.shape, np.nan)
    rows = len(seen) - sessions_needed(params) + 1
    if rows < 1:
        return targets
    is_todays = seen.days(INTO, AFTER) == seen.bars.sessions
    kept = np.where(is_todays, seen.known(INTO, AFTER), np.nan)[:, -(rows + params.lookback - 1) :]
    into, after = np.ascontiguousarray(kept)
    usual = rolling_deviation(into, params.lookback)[-rows:]
    together = rolling_correlation(after, into, params.lookback)[-rows:]
    targets[-rows:, 0] = against(into[-rows:], after[-rows:], usual, together, params)
    return np.where(np.isnan(seen.bars.close), np.nan, targets)


__all__ = [
    "AFTER",
    "CATEGORY",
    "FEEDS",
    "INTO",
    "NAME",
    "PARAMS",
    "Params",
    "against",
    "sessions_needed",
    "signal",
    "symbols",
    "warm_up",
]
