# A print of notebooks/strategies/donchian_breakout.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Donchian breakout.

Follow a price that leaves the range of its last 55 sessions, until it gives back the range of 20.
"""

# cell 5 of notebooks/strategies/donchian_breakout.ipynb
import math
from dataclasses import dataclass

import numpy as np

from qgtm.features.bars import FloatArray
from qgtm.features.seen import Seen, walked
from qgtm.features.trend import channel_high

NAME = "donchian_breakout"
CATEGORY = "G"
FEEDS = ("ohlcv",)
symbols = ("GLD", "SLV", "GDX", "GDXJ")


@dataclass(frozen=True)
class Params:
    """Lengths of the two channels."""

    entry: int
    leave: int


PARAMS = Params(
    entry=55,  # sessions of the channel that lets in [20, 252]
    leave=20,  # sessions of the channel that lets out [5, 126]
)


def sessions_needed(params: Params) -> int:
    """Return the sessions that the last row of `view` needs: the longer channel, and today."""
    return max(params.entry, params.leave) + 1


warm_up = sessions_needed(PARAMS)


def broken(extremes: FloatArray, rows: int, lookback: int) -> FloatArray:
    """Return 1 where the extreme lies beyond its channel, 0 where not, shape (series, rows)."""
    channel = channel_high(extremes[:, -(rows + lookback) :], lookback)[:, -rows:]
    return np.where(extremes[:, -rows:] > channel, 1.0, 0.0)


def view(seen: Seen, params: Params = PARAMS) -> FloatArray:
    """Return (rows, 4 k): up and down through the long channel, up and down through the short one.

    One row for each session from the first that is warm; NaN for a symbol without a bar. Raises nothing.
    """
    bars = seen.bars
    rows = len(bars) - sessions_needed(params) + 1
    if rows < 1:
        return np.empty((0, 4 * len(bars.symbols)))
    extremes = np.concatenate([bars.high.T, -bars.low.T])
    found = np.stack([broken(extremes, rows, each) for each in (params.entry, params.leave)])
    return np.where(np.isnan(extremes[:, -rows:]), np.nan, found).reshape(-1, rows).T


@dataclass(frozen=True)
class State:
    """What is held of each symbol: 1 long, -1 short, 0 flat."""

    sides: tuple[int, ...]


def start(params: Params = PARAMS) -> State:
    """Return the state before the first session: flat."""
    return State((0,) * len(symbols))


def side(held: int, up_in: float, down_in: float, up_out: float, down_out: float) -> int:
    """Return 1 for long, -1 for short, 0 for flat, given what is held and which channels were broken."""
    if up_in != down_in:
        return 1 if up_in else -1
    if (held > 0 and down_out) or (held < 0 and up_out):
        return 0
    return held


def update(state: State, row: FloatArray, params: Params = PARAMS) -> tuple[State, FloatArray]:
    """Take one row of `view` in; return the state and the targets (k,), NaN where there is no view."""
    k = len(state.sides)
    facts = np.reshape(row, (4, k)).T.tolist()
    pairs = zip(state.sides, facts, strict=True)
    sides = tuple(held if math.isnan(fact[0]) else side(held, *fact) for held, fact in pairs)
    return State(sides), np.where(np.isnan(row[:k]), np.nan, np.array(sides) / k)


def signal(seen: Seen, params: Params = PARAMS) -> FloatArray:
    """Return the targets (sessions, symbols) in [-1, 1] of the budget: the fold of `update` over `view`."""
    return walked(seen, view(seen, params), start(params), lambda state, row: update(state, row, params))


__all__ = [
    "CATEGORY",
    "FEEDS",
    "NAME",
    "PARAMS",
    "Params",
    "State",
    "broken",
    "sessions_needed",
    "side",
    "signal",
    "start",
    "symbols",
    "update",
    "view",
    "warm_up",
]
