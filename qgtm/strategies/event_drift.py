# A print of notebooks/strategies/event_drift.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Drift after releases.

Follow the first half hour after the Fed's decision, consumer prices or payrolls for one to three sessions.
"""

# cell 5 of notebooks/strategies/event_drift.ipynb
import math
from dataclasses import dataclass

import numpy as np

from qgtm.core.universe import SYMBOLS
from qgtm.features.bars import FloatArray
from qgtm.features.rolling import rolling_deviation
from qgtm.features.seen import Seen, walked
from qgtm.features.timetable import SINCE
from qgtm.features.trend import FEATURES

NAME = "event_drift"
CATEGORY = "F"
FEEDS = ("ohlcv", "minutes")
symbols = ("GLD",)
RANGE = {each.name: each for each in FEATURES}["average_true_range_20"]
RELEASES = tuple(SINCE[event] for event in ("FOMC", "CPI", "EMPLOYMENT"))
USUAL, AFTER = "FIRST30_GLD", "EVENT30_GLD"
_GLD = SYMBOLS.index("GLD")


@dataclass(frozen=True)
class Params:
    """The window of the usual half hour, what counts and what is a full size, and the three ways out."""

    lookback: int
    least: float
    full: float
    longest: int
    take: float
    stop: float


PARAMS = Params(
    lookback=63,  # sessions of the usual half hour [21, 252]
    least=1.0,  # deviations from which on a half hour counts [0.25, 1.75]
    full=2.0,  # deviations at which the whole budget is wanted [1.8, 4.0]
    longest=3,  # sessions held at most [1, 3]
    take=1.5,  # average true ranges in favour [0.5, 4.0]
    stop=1.0,  # average true ranges against [0.5, 3.0]
)


def sessions_needed(params: Params) -> int:
    """Return the sessions that the last row of `view` needs."""
    return max(params.lookback, RANGE.warm_up)


warm_up = sessions_needed(PARAMS)


def view(seen: Seen, params: Params = PARAMS) -> FloatArray:
    """Return (rows, 4): the half hour in deviations, 0 without a release; GLD's open, close and range.

    A release whose half hour, or whose usual half hour, is not known counts as none. NaN without a bar.
    """
    needed = sessions_needed(params)
    rows = len(seen) - needed + 1
    if rows < 1:
        return np.empty((0, 4))
    usual, after = seen.known(USUAL, AFTER)[:, -(rows + needed - 1) :]
    is_new = (seen.known(*RELEASES) == 0).any(axis=0) & (seen.days(AFTER)[0] == seen.bars.sessions)
    moved = after[-rows:] / rolling_deviation(usual, params.lookback)[-rows:]
    shock = np.where(is_new[-rows:] & ~np.isnan(moved), moved, 0.0)
    bars = seen.bars
    prices = (bars.open[-rows:, 0], bars.close[-rows:, 0], seen.rows(RANGE)[_GLD, -rows:])
    found = np.stack([shock, *prices], axis=1)
    return np.where(np.isnan(bars.close[-rows:]), np.nan, found)


@dataclass(frozen=True)
class State:
    """A trade: its size with its sign (0 for none), sessions held, entry price in dollars, range then."""

    size: float
    held: int
    entry: float
    reach: float


def start(params: Params = PARAMS) -> State:
    """Return the state before the first session: no trade."""
    return State(0.0, 0, math.nan, math.nan)


def size(shock: float, params: Params = PARAMS) -> float:
    """Return what a half hour asks for, from -1 to 1; 0 for one that does not count."""
    if abs(shock) < params.least:
        return 0.0
    return math.copysign(min(1.0, abs(shock) / params.full), shock)


def kept(trade: State, opened: float, close: float, params: Params = PARAMS) -> State:
    """Return the trade after one more session, or none when it has reached one of its three ends."""
    if trade.size == 0:
        return trade
    entry = opened if math.isnan(trade.entry) else trade.entry
    gained = math.copysign(1.0, trade.size) * (close - entry) / trade.reach
    is_over = gained >= params.take or gained <= -params.stop or trade.held + 1 >= params.longest
    return start(params) if is_over else State(trade.size, trade.held + 1, entry, trade.reach)


def update(state: State, row: FloatArray, params: Params = PARAMS) -> tuple[State, FloatArray]:
    """Take one row of `view` in; return the state and the target (1,), NaN in a session without a bar."""
    shock, opened, close, reach = row.tolist()
    if math.isnan(close):
        return state, np.full(1, np.nan)
    wanted_size = size(shock, params)
    after = State(wanted_size, 0, math.nan, reach) if wanted_size else kept(state, opened, close, params)
    return after, np.array([after.size])


def signal(seen: Seen, params: Params = PARAMS) -> FloatArray:
    """Return the targets (sessions, 1) in [-1, 1] of the budget: the fold of `update` over `view`."""
    return walked(seen, view(seen, params), start(params), lambda state, row: update(state, row, params))


__all__ = [
    "AFTER",
    "CATEGORY",
    "FEEDS",
    "NAME",
    "PARAMS",
    "RANGE",
    "RELEASES",
    "USUAL",
    "Params",
    "State",
    "kept",
    "sessions_needed",
    "signal",
    "size",
    "start",
    "symbols",
    "update",
    "view",
    "warm_up",
]
