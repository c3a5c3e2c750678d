# A print of notebooks/features/relative_value.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Relative value.

What one price should be, given another: a hedge ratio that drifts, a spread, and how fast it comes back.
"""

# cell 4 of notebooks/features/relative_value.ipynb
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from qgtm.core.universe import LEVERAGE, SYMBOLS
from qgtm.features.bars import FloatArray
from qgtm.features.feature import Feature, Fold
from qgtm.features.returns import CLOSE, DAILY, padded, windows
from qgtm.features.rolling import (
    HOLES,
    change,
    in_blocks,
    rolling_mean,
    rolling_rank,
    rolling_residual,
    rolling_slope,
    rolling_z,
)
from qgtm.features.seen import Seen, folded


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
    return rolling_z(values, lookback, 1.0)


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
def faded_side(held: int, z: float, enter: float, leave: float) -> int:
    """Return 1 for long, -1 for short, 0 for flat: against a z-score, given what is held.

    In beyond `enter`, against it; out once z is within `leave` of the mean or past it. One that is not known
    moves nothing.
    """
    if abs(z) > enter:
        return -1 if z > 0 else 1
    return 0 if held * z > -leave else held


@dataclass(frozen=True)
class Band:
    """When to take a spread, when to leave it (z-scores), and which half-lives to believe (sessions)."""

    entry_z: float
    exit_z: float
    shortest: float
    longest: float


def spread_side(held: int, z: float, sessions: float, band: Band) -> int:
    """Return 1 for long the spread, -1 for short, 0 for flat, given what is held.

    As `faded_side`, and flat whenever the half-life is unknown or outside the band.
    """
    if not band.shortest <= sessions <= band.longest:
        return 0
    return faded_side(held, z, band.entry_z, band.exit_z)


# cell 12 of notebooks/features/relative_value.ipynb
PAIRS = (("GLD", "SLV"), ("GLD", "PPLT"), ("GDX", "GLD"), ("SIL", "SLV"), ("GDXJ", "GDX"), ("CPER", "GLD"))
_Y, _X = ([SYMBOLS.index(pair[leg]) for pair in PAIRS] for leg in (0, 1))
_SPREAD = 252  # sessions of a spread's mean, deviation and half-life
_WIDE = "a close stands in for at most 5 missing ones; not known where a window has a wider hole"
_of_pairs = partial(
    Feature,
    family="relative value",
    symbols=tuple(f"{y}/{x}" for y, x in PAIRS),
    reads=("close",),
    missing=HOLES,
)


def _ratio(seen: Seen) -> FloatArray:
    close = seen.rows(CLOSE)
    return np.log(close[_Y] / close[_X])


def _legs(seen: Seen) -> tuple[FloatArray, FloatArray]:
    returns = seen.rows(DAILY)
    return returns[_Y], returns[_X]


def _of_ratio(
    name: str, formula: str, unit: str, lookback: int, of: Callable[[FloatArray], FloatArray]
) -> Feature:
    return _of_pairs(
        name=name,
        formula=formula,
        unit=unit,
        source="Gatev, Goetzmann and Rouwenhorst 2006, on prices that move together",
        warm_up=lookback + CLOSE.warm_up - 1,
        window=lookback,
        compute=lambda seen: of(_ratio(seen)).T,
    )


def _regressed(name: str, formula: str, unit: str, of: Callable[..., FloatArray]) -> Feature:
    return _of_pairs(
        name=name,
        formula=formula,
        unit=unit,
        source="least squares over a window",
        warm_up=126 + DAILY.warm_up - 1,
        window=126,
        compute=lambda seen: of(*_legs(seen), 126).T,
    )


Beliefs = tuple[State, ...]
_NOTHING = start()  # a slope that no pair has spoken for yet is not known


def _believed(beliefs: Beliefs, row: FloatArray) -> tuple[Beliefs, FloatArray]:
    ys, xs = row.reshape(2, -1).tolist()
    found = [update(each, x, y) for each, y, x in zip(beliefs, ys, xs, strict=True)]
    slopes = [np.nan if state == _NOTHING else slope for state, slope in found]
    return tuple(state for state, _ in found), np.array(slopes)


_BELIEF = Fold(
    view=lambda seen: np.concatenate(_legs(seen)).T,
    start=lambda: tuple(start() for _ in PAIRS),
    update=_believed,
)
HEDGE_RATIO: Feature = _of_pairs(
    name="hedge_ratio",
    formula="the slope that a Kalman filter believes, of y's return on x's",
    unit="dollars of x a dollar of y",
    source="Kalman 1960, with a random walk of slope and intercept",
    missing="a missing return changes nothing",
    warm_up=DAILY.warm_up,
    window=1,
    compute=lambda seen: folded(HEDGE_RATIO, seen)[0],
    fold=_BELIEF,
)


def _spread(name: str, formula: str, unit: str, of: Callable[[FloatArray], FloatArray]) -> Feature:
    def compute(seen: Seen) -> FloatArray:
        logs, hedge = np.log(seen.rows(CLOSE)), seen.rows(HEDGE_RATIO)

        def of_windows(y: FloatArray, x: FloatArray, h: FloatArray) -> FloatArray:
            return of(y - h[..., -1:] * x)

        return in_blocks(of_windows, _SPREAD, logs[_Y], logs[_X], hedge).T

    return _of_pairs(
        name=name,
        formula=formula,
        unit=unit,
        source="Gatev, Goetzmann and Rouwenhorst 2006, with a hedge ratio",
        missing=_WIDE,
        warm_up=_SPREAD + CLOSE.warm_up,
        window=_SPREAD,
        compute=compute,
    )


# cell 13 of notebooks/features/relative_value.ipynb
BASKETS = (("GDX", "GLD", "SPY"), ("GDXJ", "GLD", "SPY"), ("SIL", "SLV", "SPY"), ("SILJ", "SLV", "SPY"))
_LEGS = [[SYMBOLS.index(basket[leg]) for basket in BASKETS] for leg in range(3)]
_of_miners = partial(
    Feature,
    family="relative value",
    symbols=tuple(basket[0] for basket in BASKETS),
    reads=("close",),
    source="Avellaneda and Lee 2010, section 2",
    missing=_WIDE,
)


def _betas(seen: Seen) -> FloatArray:
    returns = seen.rows(DAILY)

    def of_windows(*legs: FloatArray) -> FloatArray:
        return np.concatenate(two_betas(np.stack(legs)))

    return in_blocks(of_windows, 126, *(returns[leg] for leg in _LEGS)).T


MINERS_BETAS = _of_miners(
    name="miners_betas_126",
    formula="slopes of r on the metal's and on SPY's return, 126",
    unit="slope",
    symbols=tuple(f"{basket[0]} on {basket[leg]}" for leg in (1, 2) for basket in BASKETS),
    warm_up=126 + DAILY.warm_up - 1,
    window=126,
    compute=_betas,
)


def _strayed(name: str, formula: str, unit: str, of: Callable[[FloatArray], FloatArray]) -> Feature:
    def compute(seen: Seen) -> FloatArray:
        logs, betas = np.log(seen.rows(CLOSE)), seen.rows(MINERS_BETAS)
        metal, equity = betas[: len(BASKETS)], betas[len(BASKETS) :]

        def of_windows(*each: FloatArray) -> FloatArray:
            y, a, b, beta_a, beta_b = each
            return of(y - beta_a[..., -1:] * a - beta_b[..., -1:] * b)

        return in_blocks(of_windows, 126, *(logs[leg] for leg in _LEGS), metal, equity).T

    return _of_miners(
        name=name,
        formula=formula,
        unit=unit,
        warm_up=126 + DAILY.warm_up - 1,
        window=126,
        compute=compute,
    )


# cell 14 of notebooks/features/relative_value.ipynb
BASES = {"UGL": "GLD", "GLL": "GLD", "AGQ": "SLV", "ZSL": "SLV", "NUGT": "GDX", "DUST": "GDX"}
_FUNDS = [SYMBOLS.index(fund) for fund in BASES]
_BASE = [SYMBOLS.index(base) for base in BASES.values()]
_FACTOR = np.array([[float(LEVERAGE[fund])] for fund in BASES])
_of_levered = partial(
    Feature,
    family="relative value",
    symbols=tuple(BASES),
    reads=("close",),
    source="Avellaneda and Zhang 2010, equation 10",
    missing=HOLES,
)


def _lost(seen: Seen) -> FloatArray:
    returns = seen.rows(DAILY)
    return 63 * rolling_mean(returns[_FUNDS] - _FACTOR * returns[_BASE], 63)


def _due(seen: Seen) -> FloatArray:
    base = seen.rows(DAILY)[_BASE]
    return np.asarray(252 * 0.5 * (_FACTOR * _FACTOR - _FACTOR) * rolling_mean(base * base, 63))


FEATURES: tuple[Feature, ...] = (
    _of_ratio("log_ratio", "ln(y / x)", "log ratio", 1, lambda ratio: ratio),
    _of_ratio("ratio_change_21", "ln(y / x)(t) − ln(y / x)(t−21)", "log ratio", 22, lambda x: change(x, 21)),
    _of_ratio("ratio_z_63", "z(ln(y / x), 63)", "standard deviations", 63, lambda x: rolling_z(x, 63)),
    _of_ratio("ratio_z_252", "z(ln(y / x), 252)", "standard deviations", 252, lambda x: rolling_z(x, 252)),
    _of_ratio("ratio_rank_252", "rank(ln(y / x), 252)", "frac", 252, lambda x: rolling_rank(x, 252)),
    _regressed("pair_beta_126", "slope(r(y), r(x), 126)", "slope", rolling_slope),
    _regressed("pair_residual_126", "r(y) − mean − β (r(x) − mean), 126", "log return", rolling_residual),
    HEDGE_RATIO,
    _spread("spread_z_252", "z(ln y − h(t) ln x, 252)", "standard deviations", last_z),
    _spread("spread_half_life_252", "−ln 2 / ln φ, φ of the spread on itself before", "sessions", half_life),
    MINERS_BETAS,
    _strayed("miners_residual_z_126", "z(ln y − β ln metal − β ln SPY, 126)", "standard deviations", last_z),
    _strayed("miners_half_life_126", "−ln 2 / ln φ of that level", "sessions", half_life),
    _of_levered(
        name="levered_gap_63",
        formula="Σ r(fund) − L r(base), 63",
        unit="log return",
        warm_up=63 + DAILY.warm_up - 1,
        window=63,
        compute=lambda seen: _lost(seen).T,
    ),
    _of_levered(
        name="levered_decay_63",
        formula="½ (L² − L) 252 mean(r(base)², 63)",
        unit="log return a year",
        warm_up=63 + DAILY.warm_up - 1,
        window=63,
        compute=lambda seen: _due(seen).T,
    ),
)


__all__ = [
    "BASES",
    "BASKETS",
    "FEATURES",
    "HEDGE_RATIO",
    "MINERS_BETAS",
    "PAIRS",
    "PARAMS",
    "Band",
    "Beliefs",
    "Params",
    "State",
    "centred",
    "faded_side",
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
