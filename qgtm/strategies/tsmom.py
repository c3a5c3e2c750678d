# A print of notebooks/strategies/tsmom.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Time-series momentum.

Long what has risen and short what has fallen over a month, a quarter and a year, each at the same volatility.
"""

# cell 5 of notebooks/strategies/tsmom.ipynb
from dataclasses import dataclass

import numpy as np

from qgtm.features.bars import FloatArray
from qgtm.features.returns import carried, log_returns, padded
from qgtm.features.seen import Seen
from qgtm.features.volatility import realised_volatility

NAME = "tsmom"
CATEGORY = "G"
FEEDS = ("ohlcv",)
symbols = ("GLD", "SLV", "GDX", "PPLT", "PALL")


@dataclass(frozen=True)
class Params:
    """Horizons of the signs, the window and level of volatility, and how far a close is carried."""

    horizons: tuple[int, ...]
    volatility_lookback: int
    target_volatility: float
    carry_limit: int


PARAMS = Params(
    horizons=(21, 63, 252),  # sessions, of the three returns whose signs are averaged
    volatility_lookback=63,  # sessions [21, 252]
    target_volatility=0.10,  # frac a year that each symbol is scaled to [0.02, 0.40]
    carry_limit=5,  # sessions that a close may stand in for a missing one [0, 21]
)


def sessions_needed(params: Params) -> int:
    """Return the sessions that the last row needs to be exact."""
    return max(*params.horizons, params.volatility_lookback) + 1 + params.carry_limit


warm_up = sessions_needed(PARAMS)


def direction(close: FloatArray, rows: int, horizons: tuple[int, ...]) -> FloatArray:
    """Return the mean sign of the returns over `horizons`, shape (symbols, rows), from -1 to 1.

    `close` is (symbols, time), holes carried; the last `rows` sessions are computed. Raises nothing.
    """
    today, n = close[:, -rows:], close.shape[-1]
    signs = [np.sign(today - close[:, n - rows - each : n - each]) for each in horizons]
    total = signs[0]
    for sign in signs[1:]:
        total = total + sign
    return total / len(horizons)


def volatility(close: FloatArray, rows: int, lookback: int) -> FloatArray:
    """Return the yearly volatility of the last `rows` sessions, shape (symbols, rows), NaN where it is 0."""
    daily = log_returns(close[:, -(rows + lookback) :], 1)[:, 1:]
    found = realised_volatility(daily, lookback)[:, -rows:]
    return np.where(found > 0, found, np.nan)


def signal(seen: Seen, params: Params = PARAMS) -> FloatArray:
    """Return the targets (sessions, symbols) in [-1, 1] of the budget, NaN where there is no view.

    Source: Moskowitz, Ooi and Pedersen 2012, section 4.1, with three horizons. Raises nothing.
    """
    bars = seen.bars
    rows = len(bars) - sessions_needed(params) + 1
    if rows < 1:
        return np.full(bars.close.shape, np.nan)
    known = np.ascontiguousarray(bars.close.T)
    close = carried(known, params.carry_limit)
    scale = params.target_volatility / volatility(close, rows, params.volatility_lookback)
    targets = np.clip(direction(close, rows, params.horizons) * scale, -1, 1) / len(bars.symbols)
    return padded(np.where(np.isnan(known[:, -rows:]), np.nan, targets), len(bars)).T


__all__ = [
    "CATEGORY",
    "FEEDS",
    "NAME",
    "PARAMS",
    "Params",
    "direction",
    "sessions_needed",
    "signal",
    "symbols",
    "volatility",
    "warm_up",
]
