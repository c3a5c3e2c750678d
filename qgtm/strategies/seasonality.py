# A print of notebooks/strategies/seasonality.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Seasonality.

Trade a month, or the turn of one, only after its own past has set it apart from all other days.
"""

# cell 5 of notebooks/strategies/seasonality.ipynb
from dataclasses import dataclass

import numpy as np

from qgtm.core.universe import SYMBOLS
from qgtm.features.bars import FloatArray
from qgtm.features.calendar import FEATURES
from qgtm.features.returns import DAILY
from qgtm.features.seen import Seen, walked
from qgtm.features.timetable import SINCE, TO

NAME = "seasonality"
CATEGORY = "F"
FEEDS = ("ohlcv",)
symbols = ("GLD", "SLV")
_FEATURE = {each.name: each for each in FEATURES}
MONTH, TURN = _FEATURE["month"], _FEATURE["turn_of_month"]
EFFECTS = 13  # twelve months and the turn
_PLACES = [SYMBOLS.index(symbol) for symbol in symbols]
_AHEAD, _BEHIND = TO["MONTH_END"], SINCE["MONTH_END"]


@dataclass(frozen=True)
class Params:
    """How far an effect must stand out, and from how many sessions."""

    threshold: float
    least: int


PARAMS = Params(
    threshold=2.0,  # absolute t-statistic above which an effect counts [1.0, 4.0]
    least=40,  # sessions of an effect before it is judged at all [20, 250]
)


def sessions_needed(params: Params) -> int:
    """Return the sessions that the last row of `view` needs; what came before is in the memory."""
    return DAILY.warm_up


warm_up = sessions_needed(PARAMS)


def view(seen: Seen, params: Params = PARAMS) -> FloatArray:
    """Return (rows, 8): today's month and turn, the next session's, two log returns and two closes.

    The turn is 1 or 0. NaN for a return or a close that is not known, and where the timetable is not.
    """
    rows = len(seen) - sessions_needed(params) + 1
    if rows < 1:
        return np.empty((0, 8))
    month, turn = seen.rows(MONTH)[-rows:], seen.rows(TURN)[-rows:]
    ahead, behind = seen.known(_AHEAD, _BEHIND)[:, -rows:]
    next_month = np.where(ahead == 0, month % 12 + 1, month)
    next_turn = np.where((ahead == 1) | (behind <= 2), 1.0, 0.0)
    days = np.where(np.isnan(turn), np.nan, np.stack([month, turn, next_month, next_turn]))
    return np.vstack([days, seen.rows(DAILY)[_PLACES, -rows:], seen.bars.close[-rows:].T]).T


@dataclass(frozen=True)
class State:
    """Of each symbol's effects and of all its sessions, one after the other: count, sum, sum of squares."""

    counts: tuple[float, ...]
    sums: tuple[float, ...]
    squares: tuple[float, ...]


def start(params: Params = PARAMS) -> State:
    """Return the state before the first session: nothing was seen."""
    nothing = (0.0,) * (len(symbols) * (EFFECTS + 1))
    return State(nothing, nothing, nothing)


def welch(count: FloatArray, total: FloatArray, squares: FloatArray, least: int) -> FloatArray:
    """Return t of each effect against all other sessions, (symbols, effects); 0 where it is not judged.

    The arguments are (symbols, effects + 1), all sessions in the last column. Source: Welch 1947.
    """
    inside = count[:, :-1], total[:, :-1], squares[:, :-1]
    outside = tuple(each[:, -1:] - each[:, :-1] for each in (count, total, squares))
    means, errors = [], []
    for n, summed, squared in (inside, outside):
        safe = np.maximum(n, 2.0)
        means.append(summed / safe)
        errors.append(np.maximum(squared - summed * summed / safe, 0.0) / (safe - 1) / safe)
    error = np.sqrt(errors[0] + errors[1])
    is_judged = (inside[0] >= least) & (outside[0] >= least) & (error > 0)
    return np.where(is_judged, (means[0] - means[1]) / np.where(is_judged, error, 1.0), 0.0)


def sums_of(state: State) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the counts, sums and sums of squares of a memory, each (symbols, effects + 1)."""
    shape = (len(symbols), EFFECTS + 1)
    return np.reshape(state.counts, shape), np.reshape(state.sums, shape), np.reshape(state.squares, shape)


def learnt(state: State, month: float, turn: float, returns: FloatArray) -> State:
    """Return the memory after a session's returns (symbols,); a return that is not known adds nothing."""
    is_hit = np.zeros(EFFECTS + 1)
    is_hit[[int(month) - 1, -1]] = 1.0
    is_hit[EFFECTS - 1] = turn
    is_known = ~np.isnan(returns)[:, None] * is_hit
    moved = np.where(np.isnan(returns), 0.0, returns)[:, None] * is_hit
    added = (is_known, moved, moved * moved)
    before = (state.counts, state.sums, state.squares)
    return State(
        *(tuple((np.array(one) + other.ravel()).tolist()) for one, other in zip(before, added, strict=True))
    )


def update(state: State, row: FloatArray, params: Params = PARAMS) -> tuple[State, FloatArray]:
    """Take one row of `view` in; return the state and the targets (2,), NaN where there is no view."""
    month, turn, next_month, next_turn = row[:4]
    k = len(symbols)
    if np.isnan(month):
        return state, np.full(k, np.nan)
    after = learnt(state, month, turn, row[4 : 4 + k])
    t = welch(*sums_of(after), params.least)
    effect = np.sign(np.where(np.abs(t) > params.threshold, t, 0.0))
    wanted = (effect[:, int(next_month) - 1] + next_turn * effect[:, -1]) / (2 * k)
    return after, np.where(np.isnan(row[4 + k :]), np.nan, wanted)


def signal(seen: Seen, params: Params = PARAMS) -> FloatArray:
    """Return the targets (sessions, 2) in [-1, 1] of the budget: the fold of `update` over `view`."""
    return walked(seen, view(seen, params), start(params), lambda state, row: update(state, row, params))


__all__ = [
    "CATEGORY",
    "EFFECTS",
    "FEEDS",
    "MONTH",
    "NAME",
    "PARAMS",
    "TURN",
    "Params",
    "State",
    "learnt",
    "sessions_needed",
    "signal",
    "start",
    "sums_of",
    "symbols",
    "update",
    "view",
    "warm_up",
    "welch",
]
