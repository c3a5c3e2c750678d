# A print of notebooks/features/trend.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Trend.

Where a price stands against its own past: momentum, the channel of its extremes, the size of its days.
"""

# cell 4 of notebooks/features/trend.ipynb
import math
from dataclasses import dataclass
from functools import partial

import numpy as np

from qgtm.core.universe import SYMBOLS
from qgtm.features.bars import FloatArray
from qgtm.features.feature import Feature
from qgtm.features.returns import CLOSE, DAILY, LOG_RETURN, carried, log_returns, padded, windows
from qgtm.features.rolling import HOLES, in_blocks, rolling_deviation, rolling_mean
from qgtm.features.seen import Seen


@dataclass(frozen=True)
class Params:
    """Length of the channel, sessions that momentum skips, and how far a close is carried."""

    lookback: int
    skip: int
    carry_limit: int


PARAMS = Params(
    lookback=55,  # sessions [5, 252]
    skip=0,  # sessions [0, 21]
    carry_limit=5,  # sessions [0, 21]
)
warm_up = PARAMS.lookback + PARAMS.skip + 1 + PARAMS.carry_limit


# cell 5 of notebooks/features/trend.ipynb
def momentum(close: FloatArray, lookback: int = PARAMS.lookback, skip: int = PARAMS.skip) -> FloatArray:
    """Return the log return from `lookback + skip` to `skip` sessions ago, along the last axis."""
    length = close.shape[-1]
    return padded(log_returns(close[..., : max(0, length - skip)], lookback), length)


# cell 6 of notebooks/features/trend.ipynb
def channel_high(high: FloatArray, lookback: int = PARAMS.lookback) -> FloatArray:
    """Return the highest high of the `lookback` sessions before each one, along the last axis.

    NaN until warm, and where fewer than half of those sessions had a bar.
    """
    before = windows(high[..., :-1], lookback)
    highest = np.fmax.reduce(before, axis=-1)  # fmax passes over NaN, and a maximum knows no rounding
    if np.isnan(high).any():
        is_known = 2 * np.isnan(before).sum(axis=-1) <= lookback
        highest = np.where(is_known, highest, np.nan)
    return padded(highest, high.shape[-1])


def channel_low(low: FloatArray, lookback: int = PARAMS.lookback) -> FloatArray:
    """Return the lowest low of the `lookback` sessions before each one, as `channel_high` does."""
    return -channel_high(-low, lookback)


# cell 7 of notebooks/features/trend.ipynb
def true_range(
    high: FloatArray, low: FloatArray, close: FloatArray, limit: int = PARAMS.carry_limit
) -> FloatArray:
    """Return each session's range in dollars, the night before it included, along the last axis."""
    before = carried(close, limit)[..., :-1]
    spread = np.maximum(high[..., 1:], before) - np.minimum(low[..., 1:], before)
    return padded(spread, high.shape[-1])


def average_true_range(
    high: FloatArray, low: FloatArray, close: FloatArray, lookback: int = PARAMS.lookback
) -> FloatArray:
    """Return the mean true range in dollars over `lookback` sessions, NaN where one of them is missing."""
    ranges = windows(true_range(high, low, close), lookback)
    return padded(ranges.sum(axis=-1) / lookback, high.shape[-1])


# cell 9 of notebooks/features/trend.ipynb
_of_trend = partial(Feature, family="trend", reads=("close",), symbols=SYMBOLS, missing=HOLES)


def _momentum(lookback: int, skip: int) -> Feature:
    return _of_trend(
        name=f"momentum_{lookback}_{skip}",
        formula=f"ln c(t−{skip}) − ln c(t−{lookback + skip})",
        unit="log return",
        source="Asness, Moskowitz and Pedersen 2013, section I",
        warm_up=lookback + skip + CLOSE.warm_up,
        window=lookback + skip + 1,
        compute=lambda seen: momentum(seen.rows(CLOSE), lookback, skip).T,
    )


def _scaled(horizon: int) -> Feature:
    return _of_trend(
        name=f"scaled_return_{horizon}",
        formula=f"(ln c(t) − ln c(t−{horizon})) / (s(r, 63) √{horizon})",
        unit="standard deviations",
        source="Moskowitz, Ooi and Pedersen 2012, section 2",
        warm_up=max(63, horizon) + CLOSE.warm_up,
        window=63,
        compute=lambda seen: (
            (
                seen.rows(LOG_RETURN[horizon])
                / (rolling_deviation(seen.rows(DAILY), 63) * math.sqrt(horizon))
            ).T
        ),
    )


def _rising(lookback: int) -> Feature:
    return _of_trend(
        name=f"rising_share_{lookback}",
        formula=f"share of the last {lookback} sessions with r > 0",
        unit="frac",
        source="Campbell, Lo and MacKinlay 1997, section 2.2",
        warm_up=lookback + CLOSE.warm_up,
        window=lookback,
        compute=lambda seen: rolling_mean(_is_rising(seen.rows(DAILY)), lookback).T,
    )


def _is_rising(returns: FloatArray) -> FloatArray:
    return np.where(np.isnan(returns), np.nan, (returns > 0).astype(np.float64))


def _gap(lookback: int) -> Feature:
    return _of_trend(
        name=f"average_gap_{lookback}",
        formula=f"ln(c(t) / mean(c, {lookback}))",
        unit="log ratio",
        source="Brock, Lakonishok and LeBaron 1992, section I",
        warm_up=lookback + CLOSE.warm_up - 1,
        window=lookback,
        compute=lambda seen: np.log(seen.rows(CLOSE) / rolling_mean(seen.rows(CLOSE), lookback)).T,
    )


def _place(lookback: int) -> Feature:
    return _of_trend(
        name=f"channel_place_{lookback}",
        formula=f"(c(t) − L) / (H − L), H and L of the {lookback} sessions before",
        unit="frac of the channel",
        source="Donchian's channel, as in Faith 2003",
        reads=("high", "low", "close"),
        missing="not known where less than half of the channel's sessions have a bar, or none today",
        warm_up=lookback + 1,
        compute=lambda seen: _placed(*_high_low_close(seen), lookback).T,
    )


def _high_low_close(seen: Seen) -> tuple[FloatArray, FloatArray, FloatArray]:
    return seen.field("high", SYMBOLS), seen.field("low", SYMBOLS), seen.field("close", SYMBOLS)


def _placed(high: FloatArray, low: FloatArray, close: FloatArray, lookback: int) -> FloatArray:
    ceiling, floor = channel_high(high, lookback), channel_low(low, lookback)
    return (close - floor) / np.where(ceiling > floor, ceiling - floor, np.nan)


_TRUE_RANGE = _of_trend(
    name="true_range",
    formula="max(h, c(t−1)) − min(l, c(t−1))",
    unit="dollars",
    source="Wilder 1978",
    reads=("high", "low", "close"),
    warm_up=1 + CLOSE.warm_up,
    compute=lambda seen: true_range(*_high_low_close(seen)).T,
)


def _range(lookback: int) -> Feature:
    return _of_trend(
        name=f"average_true_range_{lookback}",
        formula=f"mean(max(h, c(t−1)) − min(l, c(t−1)), {lookback})",
        unit="dollars",
        source="Wilder 1978, with a plain mean",
        reads=("high", "low", "close"),
        warm_up=lookback + CLOSE.warm_up,
        window=lookback,
        compute=lambda seen: rolling_mean(seen.rows(_TRUE_RANGE), lookback).T,
    )


def _efficiency(lookback: int) -> Feature:
    return _of_trend(
        name=f"efficiency_{lookback}",
        formula=f"|ln c(t) − ln c(t−{lookback})| / Σ|r|",
        unit="frac",
        source="Kaufman 1995, the efficiency ratio",
        missing=f"{CLOSE.missing}; not known where the window has a wider hole",
        warm_up=lookback + CLOSE.warm_up,
        window=lookback,
        compute=lambda seen: _efficient(seen.rows(DAILY), seen.rows(LOG_RETURN[lookback]), lookback).T,
    )


def _efficient(daily: FloatArray, whole: FloatArray, lookback: int) -> FloatArray:
    path = lookback * rolling_mean(np.abs(daily), lookback, 1.0)
    return np.abs(whole) / np.where(path > 0, path, np.nan)


def _straight(lookback: int) -> Feature:
    return _of_trend(
        name=f"straightness_{lookback}",
        formula=f"correlation of ln c with the number of the session, {lookback}",
        unit="correlation",
        source="Pearson's correlation with time",
        missing=f"{CLOSE.missing}; not known where the window has a wider hole",
        warm_up=lookback + CLOSE.warm_up - 1,
        window=lookback,
        compute=lambda seen: _straightness(seen.rows(CLOSE), lookback).T,
    )


def _straightness(close: FloatArray, lookback: int) -> FloatArray:
    # the same numbers in every window, so that a longer history changes no bit
    number = np.arange(lookback, dtype=np.float64)
    number = number - (lookback - 1) / 2

    def of(window: FloatArray) -> FloatArray:
        away = window - window.sum(axis=-1, keepdims=True) / lookback
        both, squares = (away * number).sum(axis=-1), (away * away).sum(axis=-1)
        return np.asarray(both / np.sqrt(np.where(squares > 0, squares, np.nan) * (number * number).sum()))

    return in_blocks(of, lookback, np.log(close))


FEATURES: tuple[Feature, ...] = (
    _momentum(126, 5),
    _momentum(231, 21),
    *(_scaled(horizon) for horizon in (21, 63, 252)),
    *(_rising(lookback) for lookback in (21, 63)),
    *(_gap(lookback) for lookback in (50, 200)),
    *(_place(lookback) for lookback in (20, 55, 252)),
    _TRUE_RANGE,
    _range(20),
    _efficiency(21),
    _straight(63),
)


__all__ = [
    "FEATURES",
    "PARAMS",
    "Params",
    "average_true_range",
    "channel_high",
    "channel_low",
    "momentum",
    "true_range",
    "warm_up",
]
