"""What a strategy's record is worth: judged on sessions that its parameters were not chosen on.

Walked forward: in each step the best set of a small grid is taken by the past alone, a gap is left as long as
a position may overlap, and the next quarter is judged, at the open's prices and with all costs. Every set
that was tried counts as a trial. An option that can flatter: a finer grid finds better pasts, and pays for
it in `deflated`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from importlib import import_module
from typing import Any, Final

import numpy as np

from qgtm.core.gate import NOT_MEASURED, Measured, Verdict, judged
from qgtm.core.series import FeedName
from qgtm.features.bars import Bars, FloatArray
from qgtm.features.seen import Seen
from qgtm.research.fills import account
from qgtm.research.grid import Value, ranges
from qgtm.research.inputs import read_by, worth
from qgtm.research.recorded import covered
from qgtm.research.statistics import (
    DRAWS,
    YEAR,
    Split,
    deflated_sharpe,
    interval,
    overfit_probability,
    sharpe,
    walk_forward,
)
from qgtm.research.stress import in_stress
from qgtm.research.trials import Rule, Trials, held_sessions, returns_of, small_grid, tried

TRAIN: Final = YEAR  # sessions of the first choice, a year
JUDGED: Final = 63  # sessions between two choices, a quarter
EMBARGO: Final = 5  # sessions more, for what reaches beyond a position: a week
LEAST_GAP, MOST_GAP = 5, 63  # sessions that are purged
LEAST: Final = YEAR // 2  # sessions out of sample below which nothing is judged
PARTICIPATION: Final = 0.05  # of a session's volume that the fund may be
SYNTHETIC: Final = "synthetic"


@dataclass(frozen=True, eq=False)
class Evidence:
    """Hold what was found of one strategy, and what the gates say of it.

    `out` are the returns of the sessions that were judged, `rows` their rows in the bars.
    """

    name: str
    inputs: Mapping[str, str]
    trials: Trials
    out: FloatArray
    rows: slice
    proof: Mapping[str, Any]

    @property
    def measured(self) -> Measured:
        """Return what the gates look at."""
        return Measured(**{each: self.proof[each] for each in ("sharpe", "overfit", "deflated")})

    @property
    def verdict(self) -> Verdict:
        """Return what the gates say."""
        return judged(self.measured, self.inputs)


def found(
    names: Any,
    everything: Seen,
    recorded: str,
    cost_bps: float,
    seed: int = 0,
    borrow_bps: float = 0.0,
    draws: int = DRAWS,
) -> Evidence:
    """Return the evidence for a strategy by its names (`NAME FEEDS symbols PARAMS signal`).

    Each fill costs `cost_bps`, and `borrow_bps` a year what is short at a close. `recorded` says what bars
    and series are worth. The record ends where a series that is read does. Raises KeyError for bars that lack
    one of its symbols.
    """
    seen = everything.select(names.symbols)
    read = read_by(names.signal, names.PARAMS, seen)
    return weighed(
        names.signal,
        names.PARAMS,
        printed_ranges(names.NAME),
        covered(seen, read),
        name=names.NAME,
        inputs=worth(names.FEEDS, read, seen, recorded),
        cost_bps=cost_bps,
        borrow_bps=borrow_bps,
        seed=seed,
        draws=draws,
    )


def printed_ranges(name: str) -> dict[str, tuple[float, float]]:
    """Return the ranges of the knobs of a printed strategy, none for one that has not been printed."""
    try:
        return ranges(import_module(f"qgtm.strategies.{name}"))
    except ModuleNotFoundError:
        return {}


def weighed(
    rule: Rule,
    params: Any,
    ranges: Mapping[str, tuple[float, float]],
    seen: Seen,
    *,
    name: str,
    inputs: Mapping[str, str],
    cost_bps: float,
    borrow_bps: float = 0.0,
    seed: int = 0,
    draws: int = DRAWS,
) -> Evidence:
    """Return the evidence for a rule over `seen`, which holds its own symbols.

    `ranges` are those of its knobs (`grid.ranges`), `inputs` say of each feed whether it was recorded; `seed`
    and `draws` are the bootstrap's, which is left out without any. Raises what the rule raises, but a
    ValueError of a set of parameters.
    """
    trials = tried(rule, params, small_grid(params, ranges), seen, cost_bps, borrow_bps)
    steps = _steps(trials, len(seen))
    out, chosen, rows = _walked(trials, steps, cost_bps, borrow_bps)
    low, high = interval(out, seed, draws) if draws and len(out) >= LEAST else (-np.inf, np.inf)
    proof = _record(trials, steps, chosen, out, rows) | {"low": _finite(low), "high": _finite(high)}
    proof |= _market(trials, seen.bars, rows, inputs)
    return Evidence(name, dict(inputs), trials, out, rows, proof)


# -- the walk ----------------------------------------------------------------------------------------


def _steps(trials: Trials, sessions: int) -> list[Split]:
    """Return the steps in rows of the bars; the record begins with the rule's first view."""
    begins = trials.begins
    first = trials.targets[:, :, begins : begins + TRAIN]
    held = max((held_sessions(each) for each in first), default=0.0)
    purge = int(np.clip(round(held), LEAST_GAP, MOST_GAP))
    left = max(0, sessions - begins)
    return [
        Split(*(slice(part.start + begins, part.stop + begins) for part in (each.train, each.test)))
        for each in walk_forward(left, TRAIN, JUDGED, purge, EMBARGO)
    ]


def _walked(
    trials: Trials, steps: list[Split], cost_bps: float, borrow_bps: float
) -> tuple[FloatArray, list[int], slice]:
    n = trials.targets.shape[2]
    if not steps:
        return np.empty(0), [], slice(n, n)
    wanted = np.zeros(trials.targets.shape[1:])
    chosen = [_best(trials, each.train) for each in steps]
    for best, step in zip(chosen, steps, strict=True):
        # what is held in a session was decided by the close before it
        rows = slice(step.test.start - 1, step.test.stop - 1)
        wanted[:, rows] = trials.targets[best][:, rows]
    rows = slice(steps[0].test.start, steps[-1].test.stop)
    wanted[:, rows.stop - 1] = wanted[:, rows.stop - 2]
    _, equity = account(trials.market, wanted, cost_bps, borrow_bps=borrow_bps)
    return returns_of(equity)[rows], chosen, rows


def _best(trials: Trials, rows: slice) -> int:
    ratios = [sharpe(each[rows]) for each in trials.returns]
    best = int(np.argmax(ratios))
    return trials.printed if ratios[trials.printed] == ratios[best] else best


# -- what it comes to --------------------------------------------------------------------------------


def _record(
    trials: Trials, steps: list[Split], chosen: list[int], out: FloatArray, rows: slice
) -> dict[str, Any]:
    ratios = [sharpe(each[rows]) for each in trials.returns] if len(out) else []
    inside = [sharpe(trials.returns[best][step.train]) for best, step in zip(chosen, steps, strict=True)]
    is_enough = len(out) >= LEAST
    return {
        "sharpe": sharpe(out) if is_enough else None,
        "deflated": deflated_sharpe(out, ratios) if is_enough else None,
        "overfit": _overfit(trials) if is_enough else None,
        "trials": len(trials.grid),
        "sessions": len(out),
        "steps": len(steps),
        "gap_sessions": steps[0].test.start - steps[0].train.stop if steps else None,
        "in_sample": float(np.mean(inside)) if inside else None,
        "last_half_year": sharpe(out[-LEAST:]) if is_enough else None,
        "printed": ratios[trials.printed] if ratios else None,
        "grid_worst": min(ratios, default=None),
        "grid_median": float(np.median(ratios)) if ratios else None,
        "chosen": [_plain(trials.points()[best]) for best in chosen],
    }


def _overfit(trials: Trials) -> float | None:
    record = trials.returns[:, trials.begins :].T
    return overfit_probability(record) if len(trials.grid) > 1 else None


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _plain(point: Mapping[str, Value]) -> dict[str, float]:
    return {name: float(value) for name, value in point.items()}


# -- in the market -----------------------------------------------------------------------------------


def _market(trials: Trials, bars: Bars, rows: slice, inputs: Mapping[str, str]) -> dict[str, Any]:
    printed = trials.returns[trials.printed]
    is_real = SYNTHETIC not in inputs.values()  # a made-up market has days, but not what happened on them
    record = slice(trials.begins if is_real else len(bars), None)
    turnover, costs = trials.figures[trials.printed][4:6]
    gross = float(np.log1p(printed).sum()) + float(costs)
    days = [date.fromordinal(int(each)).isoformat() for each in bars.sessions[rows]]
    return {
        "from": days[0] if days else None,
        "to": days[-1] if days else None,
        "stress": in_stress(bars.sessions[record], printed[record]),
        "turnover_a_year": float(turnover),
        "costs_of_gains": float(costs) / gross if gross > 0 else None,
        "capacity_usd": capacity_usd(bars, trials.targets[trials.printed]),
    }


def capacity_usd(bars: Bars, targets: FloatArray) -> float | None:
    """Return the budget whose trades (k, n) stay within 5% of a month's average volume, 19 times in 20.

    By the volume that the bars have: that of a feed that sees a part of the tape makes it that part. None
    when nothing was traded or no volume is known.
    """
    moved = np.abs(np.diff(targets, axis=1))
    traded = (bars.volume * bars.close).T
    usual = np.array([_trailing(each, 21) for each in traded])[:, :-1]
    limits = (PARTICIPATION * usual / np.where(moved > 0, moved, np.nan))[moved > 0]
    limits = limits[np.isfinite(limits)]
    return float(np.quantile(limits, 0.05)) if len(limits) else None


def _trailing(values: FloatArray, sessions: int) -> FloatArray:
    is_known = np.isfinite(values)
    total = np.cumsum(np.where(is_known, values, 0.0))
    known = np.cumsum(is_known)
    total[sessions:] -= total[:-sessions].copy()
    known[sessions:] -= known[:-sessions].copy()
    return np.where(known > 0, total / np.maximum(known, 1), np.nan)


# -- as it is written --------------------------------------------------------------------------------


def unjudged(name: str, feeds: tuple[str, ...], why: str) -> dict[str, Any]:
    """Return what `as_json` does for a strategy that the market at hand cannot feed, which lacks `why`."""
    inputs = {feed: f"lacking {why}" if feed == FeedName.OHLCV else "lacking" for feed in feeds}
    proof = {"sharpe": None, "overfit": None, "deflated": None, "low": None, "high": None, "sessions": 0}
    verdict = judged(NOT_MEASURED, inputs)
    return {
        "name": name,
        "inputs": inputs,
        "proof": proof,
        "state": str(verdict.standing),
        "evidence": verdict.words,
    }


def as_json(evidence: Evidence) -> dict[str, Any]:
    """Return the evidence as a card has it: figures, standing and words; rounded to a millionth."""
    verdict = evidence.verdict
    return {
        "name": evidence.name,
        "inputs": dict(evidence.inputs),
        "proof": {name: _rounded(value) for name, value in evidence.proof.items()},
        "state": str(verdict.standing),
        "evidence": verdict.words,
    }


def _rounded(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _rounded(each) for name, each in value.items()}
    return round(value, 6) if isinstance(value, float) else value
