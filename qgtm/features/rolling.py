# A print of notebooks/features/rolling.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Rolling.

Windows that end today: mean, deviation, z-score, rank, regression, each of them written once for all.
"""

# cell 4 of notebooks/features/rolling.ipynb
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from qgtm.features.bars import FloatArray
from qgtm.features.returns import padded, windows

BLOCK = 2**18  # values that are worked on at once: ten years of windows would not fit in the cache
FLAT = 1e-20  # a variance below this share of the squared mean is rounding


@dataclass(frozen=True)
class Params:
    """The usual window, and how much of it must be known."""

    lookback: int
    least_frac: float


PARAMS = Params(
    lookback=63,  # sessions [5, 252]
    least_frac=0.75,  # frac of a window that must be known [0.5, 1.0]
)
warm_up = PARAMS.lookback + 1
HOLES = (
    "a close stands in for at most 5 missing ones; "
    f"not known where less than {PARAMS.least_frac:.0%} of a window is"
)
STEPS = f"the last published value stands; not known where less than {PARAMS.least_frac:.0%} of a window is"


# cell 5 of notebooks/features/rolling.ipynb
def in_blocks(of_windows: Callable[..., FloatArray], lookback: int, *arrays: FloatArray) -> FloatArray:
    """Return what `of_windows` makes of the windows of the arrays, NaN until the first is full."""
    length = arrays[0].shape[-1]
    every = [windows(array, lookback) for array in arrays]
    size = max(1, BLOCK // (lookback * math.prod(arrays[0].shape[:-1])))
    if length <= size:
        return padded(of_windows(*every), length)
    starts = range(0, max(1, length - lookback + 1), size)
    parts = [of_windows(*(each[..., i : i + size, :] for each in every)) for i in starts]
    return padded(np.concatenate(parts, axis=-1), length)


@dataclass(frozen=True)
class Centred:
    """Windows less their means, with 0 in the holes; `count` is NaN where too little is known."""

    away: FloatArray
    mean: FloatArray
    count: FloatArray

    @property
    def variance(self) -> FloatArray:
        """Return the sample variance of each window, NaN where it is flat."""
        squares = (self.away * self.away).sum(axis=-1)
        found: FloatArray = squares / (self.count - 1)
        return np.where(found > FLAT * self.mean * self.mean, found, np.nan)


def _whole(window: FloatArray) -> Centred:
    size = window.shape[-1]
    mean = window.sum(axis=-1) / size
    return Centred(window - mean[..., None], mean, np.float64(size))  # type: ignore[arg-type]


def _holed(window: FloatArray, least_frac: float) -> Centred:
    is_known = ~np.isnan(window)
    count = is_known.sum(axis=-1).astype(np.float64)
    mean = np.where(is_known, window, 0.0).sum(axis=-1) / np.maximum(count, 1.0)
    enough = np.where(count >= max(2.0, least_frac * window.shape[-1]), count, np.nan)
    return Centred(np.where(is_known, window - mean[..., None], 0.0), mean + 0.0 * enough, enough)


def _centring(least_frac: float, *arrays: FloatArray) -> Callable[[FloatArray], Centred]:
    if any(np.isnan(array).any() for array in arrays):
        return lambda window: _holed(window, least_frac)
    return _whole


# cell 7 of notebooks/features/rolling.ipynb
def rolling_mean(
    values: FloatArray, lookback: int = PARAMS.lookback, least_frac: float = PARAMS.least_frac
) -> FloatArray:
    """Return the mean of the last `lookback` values, along the last axis."""
    centre = _centring(least_frac, values)
    if centre is _whole:
        return in_blocks(lambda window: window.sum(axis=-1) / lookback, lookback, values)
    return in_blocks(lambda window: centre(window).mean, lookback, values)


def rolling_deviation(
    values: FloatArray, lookback: int = PARAMS.lookback, least_frac: float = PARAMS.least_frac
) -> FloatArray:
    """Return the sample standard deviation of the last `lookback` values, NaN where they do not move."""
    centre = _centring(least_frac, values)
    return in_blocks(lambda window: np.sqrt(centre(window).variance), lookback, values)


def rolling_z(
    values: FloatArray, lookback: int = PARAMS.lookback, least_frac: float = PARAMS.least_frac
) -> FloatArray:
    """Return how many deviations each value stands from the mean of the `lookback` values it ends."""
    centre = _centring(least_frac, values)

    def of(window: FloatArray) -> FloatArray:
        found = centre(window)
        last = found.away[..., -1] + 0.0 * window[..., -1]  # a hole today is not known
        return np.asarray(last / np.sqrt(found.variance))

    return in_blocks(of, lookback, values)


def rolling_rank(
    values: FloatArray, lookback: int = PARAMS.lookback, least_frac: float = PARAMS.least_frac
) -> FloatArray:
    """Return the share of the other values of the window that lie below the last, ties counted half."""
    is_whole = _centring(least_frac, values) is _whole

    def of(window: FloatArray) -> FloatArray:
        last = window[..., -1:]
        below = (window < last).sum(axis=-1) + 0.5 * ((window == last).sum(axis=-1) - 1)
        if is_whole:
            return np.asarray(below / (lookback - 1))
        count = (~np.isnan(window)).sum(axis=-1).astype(np.float64)
        is_enough = (count >= max(2.0, least_frac * lookback)) & ~np.isnan(last[..., 0])
        return np.where(is_enough, below / np.maximum(count - 1, 1.0), np.nan)

    return in_blocks(of, lookback, values)


def rolling_highest(
    values: FloatArray, lookback: int = PARAMS.lookback, least_frac: float = PARAMS.least_frac
) -> FloatArray:
    """Return the highest of the last `lookback` values, today's included."""

    def of(window: FloatArray) -> FloatArray:
        highest: FloatArray = np.fmax.reduce(window, axis=-1)  # it passes over NaN
        if is_whole:
            return highest
        is_enough = (~np.isnan(window)).sum(axis=-1) >= least_frac * lookback
        return np.where(is_enough, highest, np.nan)

    is_whole = _centring(least_frac, values) is _whole
    return in_blocks(of, lookback, values)


def change(values: FloatArray, horizon: int = PARAMS.lookback) -> FloatArray:
    """Return the values less those of `horizon` steps before, along the last axis."""
    length = values.shape[-1]
    return padded(values[..., horizon:] - values[..., : max(0, length - horizon)], length)


# cell 9 of notebooks/features/rolling.ipynb
def _joint(y: FloatArray, x: FloatArray) -> tuple[FloatArray, FloatArray]:
    is_hole = np.isnan(y) | np.isnan(x)
    if is_hole.any():
        return np.where(is_hole, np.nan, y), np.where(is_hole, np.nan, x)
    return y, x


def _of_two(
    y: FloatArray,
    x: FloatArray,
    lookback: int,
    least_frac: float,
    of: Callable[[Centred, Centred, FloatArray], FloatArray],
) -> FloatArray:
    y, x = _joint(y, x)
    centre = _centring(least_frac, y, x)

    def of_windows(y_window: FloatArray, x_window: FloatArray) -> FloatArray:
        one, other = centre(y_window), centre(x_window)
        return of(one, other, (one.away * other.away).sum(axis=-1) / (one.count - 1))

    return in_blocks(of_windows, lookback, y, x)


def rolling_slope(
    y: FloatArray,
    x: FloatArray,
    lookback: int = PARAMS.lookback,
    least_frac: float = PARAMS.least_frac,
) -> FloatArray:
    """Return the slope of y on x, with an intercept, over the last `lookback` pairs."""
    return _of_two(y, x, lookback, least_frac, lambda one, other, both: both / other.variance)


def rolling_correlation(
    y: FloatArray,
    x: FloatArray,
    lookback: int = PARAMS.lookback,
    least_frac: float = PARAMS.least_frac,
) -> FloatArray:
    """Return Pearson's correlation over the last `lookback` pairs."""
    return _of_two(
        y, x, lookback, least_frac, lambda one, other, both: both / np.sqrt(one.variance * other.variance)
    )


def rolling_residual(
    y: FloatArray,
    x: FloatArray,
    lookback: int = PARAMS.lookback,
    least_frac: float = PARAMS.least_frac,
) -> FloatArray:
    """Return what is left of the newest y in the regression on x over the last `lookback` pairs."""

    def of(one: Centred, other: Centred, both: FloatArray) -> FloatArray:
        return np.asarray(one.away[..., -1] - both / other.variance * other.away[..., -1])

    return _of_two(y, x, lookback, least_frac, of) + 0.0 * (y + x)


def accumulated_z(
    values: FloatArray, lookback: int = PARAMS.lookback, least_frac: float = PARAMS.least_frac
) -> FloatArray:
    """Return the z-score of today's sum among the running sums of the window's values; a hole adds 0."""
    is_hole = np.isnan(values)
    safe = np.where(is_hole, 0.0, values) if is_hole.any() else values
    enough = rolling_mean(np.where(is_hole, np.nan, 0.0), lookback, least_frac)

    def of(window: FloatArray) -> FloatArray:
        sums = _whole(np.cumsum(window, axis=-1))
        return np.asarray(sums.away[..., -1] / np.sqrt(sums.variance))

    return in_blocks(of, lookback, safe) + enough


__all__ = [
    "BLOCK",
    "FLAT",
    "HOLES",
    "PARAMS",
    "STEPS",
    "Centred",
    "Params",
    "accumulated_z",
    "change",
    "in_blocks",
    "rolling_correlation",
    "rolling_deviation",
    "rolling_highest",
    "rolling_mean",
    "rolling_rank",
    "rolling_residual",
    "rolling_slope",
    "rolling_z",
    "warm_up",
]
