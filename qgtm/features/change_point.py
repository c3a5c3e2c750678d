# A print of notebooks/features/change_point.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Change point.

How likely it is that the market's ways changed within the last two weeks, and how long they have held.
"""

# cell 4 of notebooks/features/change_point.ipynb
import math
from dataclasses import dataclass
from functools import cache, partial

import numpy as np

from qgtm.features.bars import FloatArray, IntArray
from qgtm.features.feature import Feature, Fold
from qgtm.features.returns import log_returns
from qgtm.features.seen import Seen, folded

READS = ("GLD",)


@dataclass(frozen=True)
class Params:
    """The hazard, what counts as recent, how much is remembered, and the prior."""

    hazard: float
    short_run: int
    most_runs: int
    least_odds: float
    prior_strength: float
    prior_shape: float
    prior_scale: float
    return_scale: float


PARAMS = Params(
    hazard=0.004,  # odds of a change in a session: one a year [0.0005, 0.05]
    short_run=10,  # sessions within which a change is recent [2, 63]
    most_runs=128,  # run lengths that are kept [16, 1024]
    least_odds=1e-6,  # odds below which a run length is dropped [0, 0.001]
    prior_strength=1.0,  # sessions that the prior mean is worth [0.01, 100]
    prior_shape=1.0,  # shape of the prior of the precision [0.1, 100]
    prior_scale=0.5,  # scale of the prior, in squared percent [0.001, 100]
    return_scale=100.0,  # what a log return is multiplied by before it is seen [1, 10000]
)
warm_up = 2


# cell 5 of notebooks/features/change_point.ipynb
@dataclass(frozen=True, eq=False)
class Runs:
    """Hold the run lengths that are still possible (m,), their odds, and what each has seen: normal-gamma."""

    length: IntArray
    odds: FloatArray
    mean: FloatArray
    strength: FloatArray
    shape: FloatArray
    scale: FloatArray


def start(params: Params = PARAMS) -> Runs:
    """Return the memory before the first session: a run of length 0, for sure."""
    return Runs(
        np.zeros(1, dtype=np.int64),
        np.ones(1),
        np.zeros(1),
        np.array([params.prior_strength]),
        np.array([params.prior_shape]),
        np.array([params.prior_scale]),
    )


@cache
def _gammas(shape: float, upto: int) -> FloatArray:
    """Return the logarithms of the gamma functions' ratio (upto,) by what a run has seen."""
    shapes = [shape + 0.5 * n for n in range(upto)]
    return np.array([math.lgamma(a + 0.5) - math.lgamma(a) for a in shapes])


def _predictive(runs: Runs, x: float) -> FloatArray:
    """Return the density (m,) of `x` under each run: Student's t with 2 shape degrees of freedom."""
    freedom = 2.0 * runs.shape
    width = runs.scale * (runs.strength + 1.0) / (runs.shape * runs.strength)
    longest = int(runs.length[-1])  # the runs are kept in order of their length
    gammas = _gammas(float(runs.shape[0] - 0.5 * runs.length[0]), 2 ** longest.bit_length())[runs.length]
    spread = 1.0 + (x - runs.mean) ** 2 / (freedom * width)
    return np.exp(gammas - 0.5 * np.log(freedom * math.pi * width) - (runs.shape + 0.5) * np.log(spread))


def _learnt(runs: Runs, x: float, odds: FloatArray) -> Runs:
    """Return the runs one session longer, each having seen `x` (Murphy 2007, equations 86 to 89)."""
    return Runs(
        runs.length + 1,
        odds,
        (runs.strength * runs.mean + x) / (runs.strength + 1.0),
        runs.strength + 1.0,
        runs.shape + 0.5,
        runs.scale + runs.strength * (x - runs.mean) ** 2 / (2.0 * (runs.strength + 1.0)),
    )


def update(runs: Runs, x: float, params: Params = PARAMS) -> Runs:
    """Take one observation in; one that is not known changes nothing. Source: Adams and MacKay 2007."""
    if not math.isfinite(x):
        return runs
    weighed = runs.odds * _predictive(runs, x)
    whole = weighed.sum()
    if not whole > 0:  # so far out that no density is left in floats: nothing before it explains it
        return start(params)
    weighed = weighed / whole
    grown = _learnt(runs, x, weighed * (1.0 - params.hazard))
    new = start(params)
    joined = Runs(
        *(
            np.concatenate([getattr(new, name), getattr(grown, name)])
            for name in ("length", "odds", "mean", "strength", "shape", "scale")
        )
    )
    joined.odds[0] = params.hazard
    return _pruned(joined, params)


def _pruned(runs: Runs, params: Params) -> Runs:
    kept = runs.odds >= params.least_odds
    if kept.sum() > params.most_runs:
        least = np.sort(runs.odds)[-params.most_runs]
        kept &= runs.odds >= least
    if kept.all():
        return runs
    odds = runs.odds[kept]
    return Runs(
        runs.length[kept],
        odds / odds.sum(),
        *(getattr(runs, name)[kept] for name in ("mean", "strength", "shape", "scale")),
    )


# cell 6 of notebooks/features/change_point.ipynb
def recent_change(runs: Runs, params: Params = PARAMS) -> float:
    """Return the probability that the present run began within the last `short_run` sessions."""
    return min(1.0, float(runs.odds[runs.length < params.short_run].sum()))


def likeliest_run(runs: Runs) -> float:
    """Return the likeliest run length in sessions."""
    return float(runs.length[int(np.argmax(runs.odds))])


def _seen_by_it(seen: Seen, params: Params) -> FloatArray:
    close = seen.field("close", READS)[0]
    return params.return_scale * log_returns(close, 1)[:, None]


def _step(params: Params, is_length: bool, runs: Runs, row: FloatArray) -> tuple[Runs, FloatArray]:
    after = update(runs, float(row[0]), params)
    if np.isnan(row[0]) and len(after.length) == 1:  # nothing was seen yet that could tell
        return after, np.asarray(np.nan)
    value = likeliest_run(after) if is_length else recent_change(after, params)
    return after, np.asarray(value)


def _feature(name: str, formula: str, unit: str, params: Params, is_length: bool) -> Feature:
    fold = Fold(
        partial(_seen_by_it, params=params), partial(start, params), partial(_step, params, is_length)
    )

    def compute(seen: Seen) -> FloatArray:
        return folded(feature, seen)[0]

    feature = Feature(
        name=name,
        family="regime",
        formula=formula,
        unit=unit,
        source="Adams and MacKay 2007",
        reads=READS,
        warm_up=warm_up,
        missing="a session without a return changes nothing; not known before the first",
        compute=compute,
        fold=fold,
    )
    return feature


FEATURES: tuple[Feature, ...] = (
    _feature(
        "change_point_probability",
        f"P(run length < {PARAMS.short_run} | returns of GLD up to t)",
        "probability",
        PARAMS,
        is_length=False,
    ),
    _feature(
        "run_length",
        "argmax over r of P(run length = r | returns up to t)",
        "sessions",
        PARAMS,
        is_length=True,
    ),
)


__all__ = [
    "FEATURES",
    "PARAMS",
    "READS",
    "Params",
    "Runs",
    "likeliest_run",
    "recent_change",
    "start",
    "update",
    "warm_up",
]
