# A print of notebooks/features/returns.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Returns.

How far a price has moved over a horizon, as a fraction and in logs, with thin symbols carried for a few
sessions.
"""

# cell 5 of notebooks/features/returns.ipynb
from dataclasses import dataclass

import numpy as np

from qgtm.core.universe import SYMBOLS
from qgtm.features.bars import FloatArray
from qgtm.features.feature import Feature


# cell 6 of notebooks/features/returns.ipynb
@dataclass(frozen=True)
class Params:
    """Name the knobs of this notebook; `PARAMS` holds their values."""

    horizon: int
    carry_limit: int


PARAMS = Params(
    horizon=1,  # sessions [1, 252]
    carry_limit=5,  # sessions [0, 21]
)
warm_up = PARAMS.horizon + PARAMS.carry_limit + 1


# cell 8 of notebooks/features/returns.ipynb
def windows(values: FloatArray, lookback: int) -> FloatArray:
    """Return every window of `lookback` values along the last axis, as (..., windows, lookback).

    Nothing is copied where `values` is contiguous; too few values give no window. Raises ValueError for a
    lookback below 1.
    """
    if lookback < 1:
        raise ValueError(f"a window needs at least 1 value, so a lookback of {lookback} cannot be used")
    whole = np.ascontiguousarray(values)
    shape = (*whole.shape[:-1], max(0, whole.shape[-1] - lookback + 1), lookback)
    # numpy's sliding_window_view says the same, and takes twenty times as long on a short window
    return np.ndarray(shape, whole.dtype, whole, 0, (*whole.strides, whole.strides[-1]))


def padded(values: FloatArray, length: int) -> FloatArray:
    """Put NaN before `values` until the last axis has `length`. Raises nothing."""
    lacking = length - values.shape[-1]
    if lacking <= 0:
        return values
    whole = np.empty((*values.shape[:-1], length))
    whole[..., :lacking] = np.nan
    whole[..., lacking:] = values
    return whole


# cell 10 of notebooks/features/returns.ipynb
def carried(close: FloatArray, limit: int = PARAMS.carry_limit) -> FloatArray:
    """Fill holes with the last known close, over at most `limit` sessions.

    `close` has shape (..., time), NaN where no bar is; so has the result. Raises nothing.
    """
    is_hole = np.isnan(close)
    if not is_hole.any():
        return close
    rows = np.arange(close.shape[-1])
    last_known = np.maximum.accumulate(np.where(is_hole, -1, rows), axis=-1)
    is_recent = (last_known >= 0) & (rows - last_known <= limit)
    filled = np.take_along_axis(close, np.maximum(last_known, 0), axis=-1)
    return np.where(is_recent, filled, np.nan)


def together(series: FloatArray) -> FloatArray:
    """Make a hole in every series where one of them has a hole; shape (series, time). Raises nothing."""
    is_hole = np.isnan(series).any(axis=0)
    return np.where(is_hole, np.nan, series) if is_hole.any() else np.ascontiguousarray(series)


# cell 12 of notebooks/features/returns.ipynb
def _ratio(close: FloatArray, horizon: int) -> FloatArray:
    if horizon < 1:
        raise ValueError(f"a return needs at least 1 session, so a horizon of {horizon} cannot be used")
    length = close.shape[-1]
    return padded(close[..., horizon:] / close[..., : max(0, length - horizon)], length)


def simple_returns(close: FloatArray, horizon: int = PARAMS.horizon) -> FloatArray:
    """Return the change over `horizon` sessions as a fraction of the earlier close.

    `close` has shape (..., time); the result has the same, NaN for the first `horizon` columns and beside
    holes. Source: Campbell, Lo and MacKinlay 1997, section 1.4.1. Raises ValueError for a horizon below 1.
    """
    return _ratio(close, horizon) - 1.0


def log_returns(close: FloatArray, horizon: int = PARAMS.horizon) -> FloatArray:
    """Return the natural logarithm of the change over `horizon` sessions.

    `close` has shape (..., time), all prices above zero; the result has the same shape, NaN for the first
    `horizon` columns and beside holes. Source: Campbell, Lo and MacKinlay 1997, section 1.4.1. Raises
    ValueError for a horizon below 1.
    """
    return np.log(_ratio(close, horizon))


# cell 14 of notebooks/features/returns.ipynb
HORIZONS = (1, 2, 5, 10, 21, 42, 63, 126, 252)

CLOSE = Feature(
    name="close",
    family="returns",
    formula=f"c(t), carried over at most {PARAMS.carry_limit} missing sessions",
    unit="dollars",
    source="the exchange's daily bar",
    reads=("close",),
    warm_up=PARAMS.carry_limit + 1,
    missing=f"the last close stands in for at most {PARAMS.carry_limit} missing ones",
    compute=lambda seen: carried(seen.field("close", SYMBOLS)).T,
    symbols=SYMBOLS,
)


def _log_return(horizon: int) -> Feature:
    return Feature(
        name=f"log_return_{horizon}",
        family="returns",
        formula=f"ln c(t) − ln c(t−{horizon})",
        unit="log return",
        source="Campbell, Lo and MacKinlay 1997, section 1.4.1",
        reads=("close",),
        warm_up=horizon + CLOSE.warm_up,
        missing=CLOSE.missing,
        compute=lambda seen: log_returns(seen.rows(CLOSE), horizon).T,
        symbols=SYMBOLS,
        window=horizon + 1,
    )


LOG_RETURN = {horizon: _log_return(horizon) for horizon in HORIZONS}
DAILY = LOG_RETURN[1]
FEATURES: tuple[Feature, ...] = (CLOSE, *LOG_RETURN.values())


__all__ = [
    "CLOSE",
    "DAILY",
    "FEATURES",
    "HORIZONS",
    "LOG_RETURN",
    "PARAMS",
    "Params",
    "carried",
    "log_returns",
    "padded",
    "simple_returns",
    "together",
    "warm_up",
    "windows",
]
