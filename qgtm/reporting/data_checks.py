"""Checks on columns of numbers by day, which bars and series share. A fault is a set of rows, and why.

A spike is a move of more than `SIGMAS` robust deviations (1.4826 times the median absolute move near it:
Hampel 1974) that is taken back at once; a change of unit is one that is not, or after which all moves are of
another size. A move that a second source bears out is neither.
"""

from collections.abc import Callable, Iterator
from datetime import date
from typing import Final

import numpy as np
import numpy.typing as npt

from qgtm.features.bars import FloatArray

BoolArray = npt.NDArray[np.bool_]
SIGMAS: Final = 10.0
NEAR: Final = 63  # moves on each side by which a move is judged
TAKEN_BACK: Final = 0.3  # of a spike may stay
FACTOR: Final = 30.0  # by which the size of moves changes with a unit
TO_SIGMA: Final = 1.4826
Rows = list[int]


def repeated(days: list[date]) -> Rows:
    """Return rows whose day stood there before."""
    seen: set[date] = set()
    return [row for row, day in enumerate(days) if day in seen or seen.add(day)]  # type: ignore[func-returns-value]


def unordered(days: list[date]) -> Rows:
    """Return rows whose day is before that of the row above."""
    return [row for row in range(1, len(days)) if days[row] < days[row - 1]]


def missing(days: list[date], expected: list[date]) -> list[date]:
    """Return the expected days that are not there."""
    there = set(days)
    return [day for day in expected if day not in there]


def runs(rows: Rows) -> Iterator[Rows]:
    """Yield rows that follow each other."""
    run: Rows = []
    for row in rows:
        if run and row != run[-1] + 1:
            yield run
            run = []
        run.append(row)
    if run:
        yield run


def deviation(moves: FloatArray) -> FloatArray:
    """Return, for each move, the robust deviation of those around it, itself left out."""
    size = np.abs(moves)
    width = 2 * NEAR + 1
    padded = np.concatenate([np.full(NEAR, np.nan), size, np.full(NEAR, np.nan)])
    around = np.lib.stride_tricks.sliding_window_view(padded, width).copy()
    around[:, NEAR] = np.nan
    around.sort(axis=1)  # what is no number comes last
    middle = np.maximum(np.isfinite(around).sum(axis=1) - 1, 0) // 2
    near = np.nan_to_num(around[np.arange(len(size)), middle])
    every = float(np.nanmedian(size)) if np.isfinite(size).any() else 0.0
    bound: FloatArray = TO_SIGMA * np.maximum(near, every / 3)
    return bound


def spikes(moves: FloatArray, least: float, sigmas: float = SIGMAS) -> Rows:
    """Return rows of the values after which a great move is taken back; `moves[i]` leads to row i + 1."""
    bound = np.maximum(sigmas * deviation(moves), least)
    is_great = np.abs(moves) > bound
    both = is_great[:-1] & is_great[1:]
    is_back = np.abs(moves[:-1] + moves[1:]) < TAKEN_BACK * np.abs(moves[:-1])
    return (np.flatnonzero(both & is_back) + 1).tolist()


def shifts(moves: FloatArray, least: float, sigmas: float = SIGMAS) -> Rows:
    """Return rows at which the level changes by much more than it ever moves, and stays there."""
    great = np.flatnonzero(np.abs(moves) > np.maximum(sigmas * deviation(moves), least))
    spiked = set(spikes(moves, least, sigmas))
    return [row + 1 for row in great.tolist() if row + 1 not in spiked and row not in spiked]


def resized(moves: FloatArray, near: int = 21) -> Rows:
    """Return rows from which on moves are `FACTOR` times as large, or as small, as before; one a change."""
    size = np.abs(moves)
    if len(size) < 2 * near:
        return []
    median = np.median(np.lib.stride_tricks.sliding_window_view(size, near), axis=1)
    before, after = median[:-near], median[near:]
    is_known = (before > 0) & (after > 0)
    ratio = np.ones(len(before))
    ratio[is_known] = np.abs(np.log(after[is_known] / before[is_known]))
    found = np.flatnonzero(is_known & (ratio > np.log(FACTOR))).tolist()
    return [max(run, key=lambda at: ratio[at]) + near for run in runs(found)]


def tick(values: FloatArray) -> float:
    """Return the step in which nearly all values are told, 0.0 when they are told in full."""
    for step in (1.0, 0.1, 0.01, 0.001, 0.0001):
        if np.mean(_is_on(values, step)) >= 0.97:
            return step
    return 0.0


def _is_on(values: FloatArray, step: float) -> BoolArray:
    parts = values / step
    found: BoolArray = np.abs(parts - np.round(parts)) < 1e-6 * np.maximum(1.0, np.abs(parts))
    return found


def off_tick(values: FloatArray, step: float) -> Rows:
    """Return rows between the steps in which a series is told."""
    return np.flatnonzero(~_is_on(values, step)).tolist() if step else []


def linear(values: FloatArray, least: int) -> Rows:
    """Return rows inside runs of at least `least` rows that lie on a straight line with a slope."""
    second = np.diff(values, n=2)
    scale = np.maximum(np.abs(values[1:-1]), 1e-12)
    is_straight = (np.abs(second) <= 1e-9 * scale) & (np.abs(np.diff(values)[:-1]) > 1e-9 * scale)
    found = np.flatnonzero(is_straight).tolist()
    return [row + 1 for run in runs(found) if len(run) >= least for row in run]


def stuck(values: FloatArray, least: int) -> Rows:
    """Return rows that repeat the row before, in runs of at least `least` repetitions."""
    same = (np.flatnonzero(np.diff(values) == 0) + 1).tolist()
    return [row for run in runs(same) if len(run) >= least for row in run]


def moves_of(values: FloatArray) -> tuple[FloatArray, bool]:
    """Return the moves from value to value, and whether they are of the logarithm: far from zero alone."""
    is_far = bool((values > 0).all()) and float(values.min()) > 0.02 * float(np.median(values))
    return (np.diff(np.log(values)) if is_far else np.diff(values)), is_far


def borne_out(moves: FloatArray, row: int, others: list[Callable[[int], float | None]]) -> bool:
    """Return whether another source moved the same way, by a third as much at least, at that row."""
    move = float(moves[row - 1])
    seen = [other(row) for other in others]
    return any(m is not None and m * move > 0 and abs(m) > abs(move) / 3 for m in seen)
