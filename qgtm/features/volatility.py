# A print of notebooks/features/volatility.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Volatility.

How much a price moves in a year, measured three ways: from closes, from ranges, and with a memory.
"""

# cell 4 of notebooks/features/volatility.ipynb
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from qgtm.core.universe import SYMBOLS
from qgtm.features.bars import FloatArray
from qgtm.features.feature import Feature, Fold
from qgtm.features.returns import CLOSE, DAILY, padded, windows
from qgtm.features.rolling import HOLES, change, rolling_deviation, rolling_mean, rolling_rank
from qgtm.features.seen import folded

SESSIONS_A_YEAR = 252


@dataclass(frozen=True)
class Params:
    """Windows of the estimators."""

    lookback: int
    centre_of_mass: int
    least_frac: float


PARAMS = Params(
    lookback=63,  # sessions [10, 252]
    centre_of_mass=60,  # sessions [5, 252]
    least_frac=0.75,  # frac of a window that must hold returns [0.5, 1.0]
)
warm_up = PARAMS.lookback


# cell 6 of notebooks/features/volatility.ipynb
def mean_square(values: FloatArray, lookback: int, least_frac: float) -> FloatArray:
    """Return the trailing mean square of what is known, along the last axis.

    NaN until `lookback` values are there, and where fewer than `least_frac` of them are known.
    """
    squares = windows(values * values, lookback)
    mean = squares.sum(axis=-1) / lookback
    if np.isnan(mean).any():
        is_known = ~np.isnan(squares)
        count = is_known.sum(axis=-1)
        mean = np.where(is_known, squares, 0.0).sum(axis=-1) / np.maximum(count, 1)
        mean = np.where(count >= max(1.0, least_frac * lookback), mean, np.nan)
    return padded(mean, values.shape[-1])


def realised_volatility(
    returns: FloatArray, lookback: int = PARAMS.lookback, least_frac: float = PARAMS.least_frac
) -> FloatArray:
    """Return the yearly volatility of daily log returns over `lookback` sessions, along the last axis."""
    return np.sqrt(SESSIONS_A_YEAR * mean_square(returns, lookback, least_frac))


def parkinson_volatility(
    high: FloatArray,
    low: FloatArray,
    lookback: int = PARAMS.lookback,
    least_frac: float = PARAMS.least_frac,
) -> FloatArray:
    """Return the yearly volatility by the daily range (Parkinson 1980), along the last axis."""
    scale = SESSIONS_A_YEAR / (4 * math.log(2))
    return np.sqrt(scale * mean_square(np.log(high / low), lookback, least_frac))


# cell 8 of notebooks/features/volatility.ipynb
@dataclass(frozen=True)
class State:
    """What the exponential estimate remembers: a daily variance, NaN before the first return."""

    variance: float


def start(params: Params = PARAMS) -> State:
    """Return the state before the first return."""
    return State(math.nan)


def update(state: State, x: float, params: Params = PARAMS) -> tuple[State, float]:
    """Take one daily log return in; return the state and the yearly volatility.

    A missing return changes nothing: the estimate of the session before stands.
    """
    if not math.isnan(x):
        decay = params.centre_of_mass / (1 + params.centre_of_mass)
        before = x * x if math.isnan(state.variance) else state.variance
        state = State((1 - decay) * x * x + decay * before)
    return state, math.sqrt(SESSIONS_A_YEAR * state.variance)


def exponential_volatility(returns: FloatArray, params: Params = PARAMS) -> FloatArray:
    """Return the fold of `update` over daily log returns (time,)."""
    state, out = start(params), np.empty(len(returns))
    for i, x in enumerate(returns.tolist()):
        state, out[i] = update(state, x, params)
    return out


# cell 10 of notebooks/features/volatility.ipynb
_of_volatility = partial(
    Feature, family="volatility", unit="frac a year", symbols=SYMBOLS, missing=HOLES, reads=("close",)
)
_RANGES = ("open", "high", "low", "close")
_BARLESS = "a session without a bar is left out; not known where less than 75% of a window is"


def _part(name: str, of: Callable[..., FloatArray]) -> Feature:
    return _of_volatility(
        name=f"part_{name}",
        formula="the session's own part",
        source="see the estimator",
        reads=_RANGES,
        warm_up=CLOSE.warm_up + 1,
        window=2,
        compute=lambda seen: of(*(seen.field(each, SYMBOLS) for each in _RANGES)).T,
    )


def _parkinson_day(opened: FloatArray, high: FloatArray, low: FloatArray, close: FloatArray) -> FloatArray:
    reach = np.log(high / low)
    return np.asarray(reach * reach / (4 * math.log(2)))


def _garman_klass_day(opened: FloatArray, high: FloatArray, low: FloatArray, close: FloatArray) -> FloatArray:
    reach, way = np.log(high / low), np.log(close / opened)
    return np.asarray(0.5 * reach * reach - (2 * math.log(2) - 1) * way * way)


def _rogers_satchell_day(
    opened: FloatArray, high: FloatArray, low: FloatArray, close: FloatArray
) -> FloatArray:
    up, down, way = np.log(high / opened), np.log(low / opened), np.log(close / opened)
    return np.asarray(up * (up - way) + down * (down - way))


_PARKINSON = _part("parkinson", _parkinson_day)
_GARMAN_KLASS = _part("garman_klass", _garman_klass_day)
_ROGERS_SATCHELL = _part("rogers_satchell", _rogers_satchell_day)
_BY_DAY = _part("by_day", lambda opened, high, low, close: np.log(close / opened))
_BY_NIGHT = _of_volatility(
    name="part_by_night",
    formula="ln(o(t) / c(t−1))",
    source="Yang and Zhang 2000",
    reads=("open", "close"),
    warm_up=CLOSE.warm_up + 1,
    window=2,
    compute=lambda seen: _night(seen.field("open", SYMBOLS), seen.rows(CLOSE)).T,
)


def _night(opened: FloatArray, close: FloatArray) -> FloatArray:
    return padded(np.log(opened[..., 1:] / close[..., :-1]), opened.shape[-1])


def _yearly(variance: FloatArray) -> FloatArray:
    return np.asarray(np.sqrt(SESSIONS_A_YEAR * np.maximum(variance, 0.0)))


def _averaged(name: str, words: str, source: str, part: Feature, lookback: int) -> Feature:
    return _of_volatility(
        name=f"{name}_volatility_{lookback}",
        formula=f"√(252 mean({words}, {lookback}))",
        source=source,
        reads=_RANGES,
        missing=_BARLESS,
        warm_up=lookback + part.warm_up,
        window=lookback,
        compute=lambda seen: _yearly(rolling_mean(seen.rows(part), lookback)).T,
    )


def _realised(lookback: int) -> Feature:
    return _of_volatility(
        name=f"realised_volatility_{lookback}",
        formula=f"√(252 mean(r², {lookback}))",
        source="Moskowitz, Ooi and Pedersen 2012, with a mean of 0",
        warm_up=lookback + CLOSE.warm_up,
        window=lookback,
        compute=lambda seen: realised_volatility(seen.rows(DAILY), lookback).T,
    )


def _yang_zhang(lookback: int) -> Feature:
    weight = 0.34 / (1.34 + (lookback + 1) / (lookback - 1))

    def of(night: FloatArray, day: FloatArray, rest: FloatArray) -> FloatArray:
        by_night, by_day = rolling_deviation(night, lookback), rolling_deviation(day, lookback)
        least = (1 - weight) * rolling_mean(rest, lookback)
        return np.asarray(by_night * by_night + weight * by_day * by_day + least)

    return _of_volatility(
        name=f"yang_zhang_volatility_{lookback}",
        formula=f"√(252 (s²(night) + k s²(day) + (1 − k) rs)), k = {weight:.4f}",
        source="Yang and Zhang 2000",
        reads=_RANGES,
        missing=_BARLESS,
        warm_up=lookback + CLOSE.warm_up + 1,
        window=lookback,
        compute=lambda seen: _yearly(of(*map(seen.rows, (_BY_NIGHT, _BY_DAY, _ROGERS_SATCHELL)))).T,
    )


def _remembered(variance: FloatArray, row: FloatArray, params: Params = PARAMS) -> tuple[Any, FloatArray]:
    decay = params.centre_of_mass / (1 + params.centre_of_mass)
    squares = row * row
    first = np.where(np.isnan(variance), squares, variance)
    after = np.where(np.isnan(row), variance, (1 - decay) * squares + decay * first)
    return after, np.sqrt(SESSIONS_A_YEAR * after)


_MEMORY = Fold(
    view=lambda seen: seen.get(DAILY),
    start=lambda: np.full(len(SYMBOLS), np.nan),
    update=_remembered,
)
EXPONENTIAL: Feature = _of_volatility(
    name="exponential_volatility",
    formula=f"√(252 v(t)), v(t) = (1 − d) r² + d v(t−1), d / (1 − d) = {PARAMS.centre_of_mass}",
    source="Moskowitz, Ooi and Pedersen 2012, section 2.4",
    missing="a missing return changes nothing",
    warm_up=DAILY.warm_up,
    window=1,
    compute=lambda seen: folded(EXPONENTIAL, seen)[0],
    fold=_MEMORY,
)


# cell 12 of notebooks/features/volatility.ipynb
REALISED = {lookback: _realised(lookback) for lookback in (21, 63, 126)}
_SHORT, _LONG = REALISED[21], REALISED[126]


def _falls(returns: FloatArray) -> FloatArray:
    return np.where(returns < 0, returns * returns, 0.0 * returns)


_STANDING: tuple[Feature, ...] = (
    _of_volatility(
        name="volatility_ratio",
        formula="ln(σ(21) / σ(126))",
        unit="log ratio",
        source="Müller and others 1997, short against long",
        warm_up=_LONG.warm_up,
        window=1,
        compute=lambda seen: np.log(seen.get(_SHORT) / _positive(seen.get(_LONG))),
    ),
    _of_volatility(
        name="volatility_rank",
        formula="rank(σ(21), 252)",
        unit="frac",
        source="Hyndman and Fan 1996, ties counted half",
        warm_up=252 + _SHORT.warm_up - 1,
        window=252,
        compute=lambda seen: rolling_rank(seen.rows(_SHORT), 252).T,
    ),
    _of_volatility(
        name="volatility_change",
        formula="σ(21)(t) − σ(21)(t−21)",
        source="difference of Moskowitz, Ooi and Pedersen's estimate",
        warm_up=21 + _SHORT.warm_up,
        window=22,
        compute=lambda seen: change(seen.rows(_SHORT), 21).T,
    ),
    _of_volatility(
        name="volatility_of_volatility",
        formula="s(σ(21), 63)",
        source="sample deviation of the estimate",
        warm_up=63 + _SHORT.warm_up - 1,
        window=63,
        compute=lambda seen: rolling_deviation(seen.rows(_SHORT), 63).T,
    ),
    _of_volatility(
        name="downside_share",
        formula="Σ r² over sessions with r < 0 / Σ r², 63",
        unit="frac",
        source="Barndorff-Nielsen, Kinnebrock and Shephard 2010, realised semivariance",
        warm_up=REALISED[63].warm_up,
        window=63,
        compute=lambda seen: (
            (
                SESSIONS_A_YEAR
                * rolling_mean(_falls(seen.rows(DAILY)), 63)
                / _positive(seen.rows(REALISED[63]) * seen.rows(REALISED[63]))
            ).T
        ),
    ),
)


def _positive(values: FloatArray) -> FloatArray:
    return np.where(values > 0, values, np.nan)


FEATURES: tuple[Feature, ...] = (
    *REALISED.values(),
    *(_averaged("parkinson", "ln²(h/l) / 4 ln 2", "Parkinson 1980", _PARKINSON, n) for n in (21, 63)),
    *(
        _averaged("garman_klass", "½ ln²(h/l) − 0.386 ln²(c/o)", "Garman and Klass 1980", _GARMAN_KLASS, n)
        for n in (21, 63)
    ),
    *(
        _averaged("rogers_satchell", "u(u−c) + d(d−c)", "Rogers and Satchell 1991", _ROGERS_SATCHELL, n)
        for n in (21, 63)
    ),
    *(_yang_zhang(n) for n in (21, 63)),
    EXPONENTIAL,
    *_STANDING,
)


__all__ = [
    "EXPONENTIAL",
    "FEATURES",
    "PARAMS",
    "REALISED",
    "SESSIONS_A_YEAR",
    "Params",
    "State",
    "exponential_volatility",
    "mean_square",
    "parkinson_volatility",
    "realised_volatility",
    "start",
    "update",
    "warm_up",
]
