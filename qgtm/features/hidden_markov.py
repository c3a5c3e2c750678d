# A print of notebooks/features/hidden_markov.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Hidden Markov model.

Which of three hidden states the market is in, from what was seen up to now and nothing later.
"""

# cell 4 of notebooks/features/hidden_markov.ipynb
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from qgtm.features.bars import FloatArray
from qgtm.features.feature import Feature, Fold
from qgtm.features.returns import carried, log_returns
from qgtm.features.seen import Seen, folded
from qgtm.features.volatility import realised_volatility

STATES = ("risk_on", "risk_off", "crisis")
READS = ("SPY", "HYG")


@dataclass(frozen=True)
class Params:
    """How the three things that are seen are made from closes."""

    return_scale: float
    volatility_lookback: int
    credit_lookback: int
    least_frac: float
    carry_limit: int


PARAMS = Params(
    return_scale=100.0,  # what a log return is multiplied by before it is seen [1, 10000]
    volatility_lookback=21,  # sessions [10, 63]
    credit_lookback=5,  # sessions [1, 21]
    least_frac=0.75,  # frac of the window of volatility that must hold returns [0.5, 1.0]
    carry_limit=5,  # sessions that a close may stand in for a missing one [0, 21]
)
warm_up = PARAMS.volatility_lookback + PARAMS.carry_limit + 1


# cell 6 of notebooks/features/hidden_markov.ipynb
@dataclass(frozen=True)
class Model:
    """Hold a hidden Markov model with normal emissions: k states in the order of STATES, d things seen.

    `start` (k,) and the rows of `transition` (k, k) add up to 1; `means` and `variances` are (k, d), the
    variances above zero. Raises ValueError for anything else.
    """

    start: tuple[float, ...]
    transition: tuple[tuple[float, ...], ...]
    means: tuple[tuple[float, ...], ...]
    variances: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        k, d = len(STATES), 3
        for name, rows, width in (
            ("start", (self.start,), k),
            ("transition", self.transition, k),
            ("means", self.means, d),
            ("variances", self.variances, d),
        ):
            if len(rows) != (1 if name == "start" else k) or any(len(row) != width for row in rows):
                raise ValueError(f"{name} has not {k} states by {width}: fit the model anew")
            if not all(math.isfinite(value) for row in rows for value in row):
                raise ValueError(f"{name} holds what is no finite number: fit the model anew")
        for row in (self.start, *self.transition):
            if min(row) < 0 or abs(math.fsum(row) - 1.0) > 1e-9:
                raise ValueError(f"{row} are no odds that add up to 1: fit the model anew")
        if min(min(row) for row in self.variances) <= 0:
            raise ValueError("a variance is not above zero: fit the model anew")


# cell 8 of notebooks/features/hidden_markov.ipynb
def observations(seen: Seen, params: Params = PARAMS) -> FloatArray:
    """Return what the model sees (n, 3): equity's return, the log of its volatility, credit's return.

    Returns are logs times `return_scale`, the volatility is in percent a year; NaN where not known.
    """
    closes = carried(np.ascontiguousarray(seen.bars.select(READS).close.T), params.carry_limit)
    daily = log_returns(closes[0], 1)
    moved = realised_volatility(daily, params.volatility_lookback, params.least_frac)
    known = np.where(moved > 0, moved, np.nan)
    return np.stack(
        [
            params.return_scale * daily,
            np.log(100.0 * known),
            params.return_scale * log_returns(closes[1], params.credit_lookback),
        ],
        axis=1,
    )


# cell 10 of notebooks/features/hidden_markov.ipynb
Logs = tuple[float, ...]


def _sum_log(logs: Sequence[float]) -> float:
    highest = max(logs)
    if highest == -math.inf:
        return -math.inf
    return highest + math.log(math.fsum(math.exp(each - highest) for each in logs))


def _log(odds: float) -> float:
    return math.log(odds) if odds > 0 else -math.inf


def _emission(model: Model, state: int, row: Sequence[float]) -> float:
    total = 0.0
    for x, mean, variance in zip(row, model.means[state], model.variances[state], strict=True):
        total -= 0.5 * (math.log(2 * math.pi * variance) + (x - mean) ** 2 / variance)
    return total


def filtered(model: Model, before: Logs | None, row: FloatArray) -> tuple[Logs, FloatArray]:
    """Take a session's observations (d,) in: return the log probabilities and the probabilities (k,).

    A row with a hole in it is not seen: the probabilities move by the transition alone. Source: Rabiner
    1989, equations 19 and 20. Raises nothing.
    """
    k = len(model.start)
    if before is None:
        prior = [_log(odds) for odds in model.start]
    else:
        prior = [_sum_log([before[i] + _log(model.transition[i][j]) for i in range(k)]) for j in range(k)]
    values = row.tolist()
    is_seen = all(math.isfinite(x) for x in values)
    joint = [prior[j] + _emission(model, j, values) for j in range(k)] if is_seen else prior
    whole = _sum_log(joint)
    logs = tuple(each - whole for each in joint) if math.isfinite(whole) else tuple(prior)
    return logs, np.array([math.exp(each) for each in logs])


# cell 11 of notebooks/features/hidden_markov.ipynb
def odds_feature(model: Model, params: Params = PARAMS) -> Feature:
    """Return the probabilities of the states as a feature with a memory, a column each; `model` is fitted."""
    fold = Fold(partial(observations, params=params), lambda: None, partial(filtered, model))

    def compute(seen: Seen) -> FloatArray:
        return folded(feature, seen)[0].reshape(len(seen), len(STATES))

    feature = Feature(
        name="regime_odds",
        family="regime",
        formula="P(state | all that was seen up to t)",
        unit="probability",
        source="Rabiner 1989, forward recursion; Hamilton 1989",
        reads=READS,
        warm_up=warm_up,
        missing="a session that was not seen moves the odds by the transition alone",
        compute=compute,
        symbols=STATES,
        fold=fold,
    )
    return feature


__all__ = [
    "PARAMS",
    "READS",
    "STATES",
    "Logs",
    "Model",
    "Params",
    "filtered",
    "observations",
    "odds_feature",
    "warm_up",
]
