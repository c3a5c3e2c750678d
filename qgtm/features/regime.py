# A print of notebooks/features/regime.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Regime.

In which of its moods the market is, when it is between two of them, and how wild gold is by its own measure.
"""

# cell 4 of notebooks/features/regime.ipynb
from dataclasses import dataclass

import numpy as np

from qgtm.features.bars import FloatArray
from qgtm.features.feature import Feature
from qgtm.features.returns import carried, log_returns, padded, windows
from qgtm.features.seen import Seen
from qgtm.features.volatility import realised_volatility

LEVELS = ("low", "normal", "elevated", "crisis")
TRANSITION = "transition"
METAL = "GLD"


@dataclass(frozen=True)
class Params:
    """Windows and percentiles of the volatility regime, and when a state is believed."""

    volatility_lookback: int
    rank_lookback: int
    least_rank: int
    percentiles: tuple[float, ...]
    least_odds: float
    most_change: float
    carry_limit: int


PARAMS = Params(
    volatility_lookback=21,  # sessions [10, 63]
    rank_lookback=252,  # sessions of the past in which the volatility is ranked [126, 1260]
    least_rank=189,  # sessions of it that must be known [63, 1260]
    percentiles=(25.0, 75.0, 95.0),  # percent: where normal, elevated and crisis begin
    least_odds=0.5,  # probability that a state must have [0.34, 0.95]
    most_change=0.5,  # probability of a recent change from which on it is a transition [0.1, 0.95]
    carry_limit=5,  # sessions that a close may stand in for a missing one [0, 21]
)
warm_up = PARAMS.rank_lookback + PARAMS.volatility_lookback + PARAMS.carry_limit + 1


# cell 6 of notebooks/features/regime.ipynb
def _bounds(volatility: FloatArray, params: Params = PARAMS) -> FloatArray:
    """Return the volatilities (n, 3) at which normal, elevated and crisis begin; NaN until enough is known.

    `volatility` is (n,), a fraction a year. Source: Hyndman and Fan 1996, type 7.
    """
    past = windows(volatility, params.rank_lookback)
    ordered = np.sort(past, axis=-1)  # what is not known goes last
    known = np.isfinite(ordered).sum(axis=-1)
    rows = np.arange(len(ordered))
    found = []
    for percentile in params.percentiles:
        place = np.maximum(known - 1, 0) * (percentile / 100.0)
        lower = np.floor(place).astype(np.int64)
        upper = np.minimum(lower + 1, np.maximum(known - 1, 0))
        share = place - lower
        value = ordered[rows, lower] * (1.0 - share) + ordered[rows, upper] * share
        found.append(np.where(known >= params.least_rank, value, np.nan))
    return padded(np.stack(found), len(volatility)).T


def _reached(volatility: FloatArray, bounds: FloatArray) -> FloatArray:
    """Return 0 for low, 1 for normal, 2 for elevated, 3 for crisis, (n,); NaN where it can't be judged."""
    above = (volatility[:, None] >= bounds).sum(axis=-1).astype(np.float64)
    return np.where(np.isnan(volatility) | np.isnan(bounds).any(axis=-1), np.nan, above)


def _volatility(seen: Seen, params: Params = PARAMS) -> FloatArray:
    close = carried(seen.field("close", (METAL,)), params.carry_limit)[0]
    return realised_volatility(log_returns(close, 1), params.volatility_lookback)


def _thresholds(seen: Seen) -> FloatArray:
    return _bounds(_volatility(seen))


THRESHOLDS = Feature(
    name="volatility_thresholds",
    family="regime",
    formula="percentiles of gold's volatility over 21 sessions among the last 252",
    unit="frac a year",
    source="Hyndman and Fan 1996, type 7",
    reads=(METAL,),
    warm_up=warm_up,
    missing=f"not known until {PARAMS.least_rank} of {PARAMS.rank_lookback} volatilities are",
    compute=_thresholds,
    symbols=LEVELS[1:],
)


def _level(seen: Seen) -> FloatArray:
    return _reached(_volatility(seen), seen.get(THRESHOLDS))


FEATURES: tuple[Feature, ...] = (
    THRESHOLDS,
    Feature(
        name="volatility_regime",
        family="regime",
        formula="number of thresholds that gold's volatility over 21 sessions has reached",
        unit="0 low, 1 normal, 2 elevated, 3 crisis",
        source="Hyndman and Fan 1996, type 7",
        reads=(METAL,),
        warm_up=warm_up,
        missing="where volatility or thresholds are not known",
        compute=_level,
    ),
)


# cell 8 of notebooks/features/regime.ipynb
def verdict(odds: dict[str, float], change: float, params: Params = PARAMS) -> str:
    """Return the state to be named: the likeliest, or `transition` where none is to be trusted.

    What is not known (NaN) is not trusted either. Raises ValueError when there is no state.
    """
    if not odds:
        raise ValueError("there is no state to choose from: pass the probability of each")
    state, highest = max(odds.items(), key=lambda item: item[1])
    is_sure = highest >= params.least_odds and change < params.most_change
    return state if is_sure and all(p == p for p in odds.values()) else TRANSITION


__all__ = [
    "FEATURES",
    "LEVELS",
    "METAL",
    "PARAMS",
    "THRESHOLDS",
    "TRANSITION",
    "Params",
    "verdict",
    "warm_up",
]
