# A print of notebooks/features/relative_value.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Relative value.

What one price should be, given another: a hedge ratio that drifts, a spread, and how fast it comes back.
"""

# cell 4 of notebooks/features/relative_value.ipynb
import math
from dataclasses import dataclass

import numpy as np

from qgtm.features.bars import FloatArray
from qgtm.features.returns import padded, windows


@dataclass(frozen=True)
class Params:
    """Noise of the filter, and the window of the spread and the regression."""

    slope_drift: float
    intercept_drift: float
    noise: float
    lookback: int


PARAMS = Params(
    slope_drift=0.005,  # standard deviation of the slope's daily step [0.0005, 0.05]
    intercept_drift=0.00001,  # log return; standard deviation of the intercept's daily step [0.0, 0.001]
    noise=0.008,  # log return; standard deviation of what the other leg leaves unexplained [0.001, 0.05]
    lookback=126,  # sessions [40, 504]
)
warm_up = PARAMS.lookback


# cell 5 of notebooks/features/relative_value.ipynb
@dataclass(frozen=True)
class State:
    """What the filter believes: intercept, slope, and the three numbers of their covariance."""

    intercept: float
    slope: float
    p_intercept: float
    p_cross: float
    p_slope: float


def start(params: Params = PARAMS) -> State:
    """Return the belief before the first pair: a slope of 0, give or take 1, and next to no intercept."""
    return State(0.0, 0.0, params.noise * params.noise / 100, 0.0, 1.0)


def update(state: State, x: float, y: float, params: Params = PARAMS) -> tuple[State, float]:
    """Take one pair of log returns in; return the state and the slope of y on x, the hedge ratio.

    A pair with a hole changes nothing: the slope of the session before stands. Source: Kalman 1960, with a
    random walk of (intercept, slope) seen through y = intercept + slope x + noise. Raises nothing.
    """
    surprise = y - (state.intercept + state.slope * x)
    if math.isnan(surprise):
        return state, state.slope
    p_ii = state.p_intercept + params.intercept_drift * params.intercept_drift
    p_ss = state.p_slope + params.slope_drift * params.slope_drift
    seen_i, seen_s = p_ii + state.p_cross * x, state.p_cross + p_ss * x
    variance = seen_i + seen_s * x + params.noise * params.noise
    gain_i, gain_s = seen_i / variance, seen_s / variance
    after = State(
        intercept=state.intercept + gain_i * surprise,
        slope=state.slope + gain_s * surprise,
        p_intercept=p_ii - gain_i * seen_i,
        p_cross=state.p_cross - gain_i * seen_s,
        p_slope=p_ss - gain_s * seen_s,
    )
    return after, after.slope


def hedge_ratio(x: FloatArray, y: FloatArray, params: Params = PARAMS) -> FloatArray:
    """Return the slope of y on x after each pair of log returns (time,): the fold of `update`."""
    state, out = start(params), np.empty(len(x))
    for i, (each_x, each_y) in enumerate(zip(x.tolist(), y.tolist(), strict=True)):
        state, out[i] = update(state, each_x, each_y, params)
    return out


# cell 7 of notebooks/features/relative_value.ipynb
def centred(windowed: FloatArray) -> FloatArray:
    """Return the windows less their means, along the last axis."""
    less: FloatArray = windowed - windowed.sum(axis=-1, keepdims=True) / windowed.shape[-1]
    return less


def last_z(windowed: FloatArray) -> FloatArray:
    """Return how many standard deviations the last value of each window stands from its mean."""
    away = centred(windowed)
    variance = (away * away).sum(axis=-1) / (windowed.shape[-1] - 1)
    return away[..., -1] / np.sqrt(np.where(variance > 0, variance, np.nan))


def half_life(windowed: FloatArray) -> FloatArray:
    """Return the half-life in sessions of each window as an Ornstein-Uhlenbeck process.

    Infinite where the window does not come back, 0 where it overshoots within a session.
    """
    both = centred(windows(windowed, windowed.shape[-1] - 1))  # all but the last value, all but the first
    moments = (both * both[..., :1, :]).sum(axis=-1)
    slope = moments[..., 1] / np.where(moments[..., 0] > 0, moments[..., 0], np.nan)
    decays = (slope > 0) & (slope < 1)
    sessions = -math.log(2) / np.log(np.where(decays, slope, 0.5))
    return np.where(decays, sessions, np.where(slope >= 1, np.inf, slope * 0))


def z_score(values: FloatArray, lookback: int = PARAMS.lookback) -> FloatArray:
    """Return the trailing z-score over `lookback` values, along the last axis, NaN until warm."""
    return padded(last_z(windows(values, lookback)), values.shape[-1])


# cell 8 of notebooks/features/relative_value.ipynb
def two_betas(yab: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the slopes of y on a and on b, with an intercept, of each window along the last axis.

    `yab` is (3, ..., window): y, a and b. NaN where the two regressors are one and the same.
    """
    three = centred(yab)
    (_, ay, by), (_, aa, ab), (_, _, bb) = (three[:, None] * three).sum(axis=-1)
    determinant = aa * bb - ab * ab
    apart = determinant > 1e-12 * aa * bb
    determinant = np.where(apart, determinant, np.nan)
    return (bb * ay - ab * by) / determinant, (aa * by - ab * ay) / determinant


def two_factor_residual(
    y: FloatArray, a: FloatArray, b: FloatArray, lookback: int = PARAMS.lookback
) -> FloatArray:
    """Return what is left of the newest y in the rolling regression on a and b (time,), NaN until warm."""
    yab = windows(np.stack([y, a, b]), lookback)
    beta_a, beta_b = two_betas(yab)
    last_y, last_a, last_b = centred(yab)[..., -1]
    return padded(last_y - beta_a * last_a - beta_b * last_b, y.shape[-1])


# cell 10 of notebooks/features/relative_value.ipynb
@dataclass(frozen=True)
class Band:
    """When to take a spread, when to leave it (z-scores), and which half-lives to believe (sessions)."""

    entry_z: float
    exit_z: float
    shortest: float
    longest: float


def spread_side(held: int, z: float, sessions: float, band: Band) -> int:
    """Return 1 for long the spread, -1 for short, 0 for flat, given what is held.

    In beyond `entry_z`, against it; out once z is within `exit_z` of the mean or past it; flat
    whenever the half-life is unknown or outside the band.
    """
    if not band.shortest <= sessions <= band.longest:
        return 0
    if abs(z) > band.entry_z:
        return -1 if z > 0 else 1
    return 0 if held * z > -band.exit_z else held


__all__ = [
    "PARAMS",
    "Band",
    "Params",
    "State",
    "centred",
    "half_life",
    "hedge_ratio",
    "last_z",
    "spread_side",
    "start",
    "two_betas",
    "two_factor_residual",
    "update",
    "warm_up",
    "z_score",
]
