"""The trials of a rule: a small grid of its knobs, what each set wanted, and what each would have made."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from qgtm.features.bars import FloatArray
from qgtm.features.seen import Seen
from qgtm.research.fills import Prices, account, prices
from qgtm.research.grid import Grid, Value

Rule = Callable[[Seen, Any], FloatArray]
KNOBS: Final = 2  # that are varied: the first ones with a range
STEPS: Final = 4  # values of each, the printed one among them


@dataclass(frozen=True, eq=False)
class Trials:
    """Hold every set of parameters that was tried over the same sessions.

    `targets` is (sets, k, n), NaN carried on; `returns` is (sets, n), of a session over the one before, costs
    paid. `printed` is the number of the set that the print has; `begins` the row of its first view, n when
    it never had one.
    """

    grid: Grid
    market: Prices
    targets: FloatArray
    returns: FloatArray
    figures: FloatArray
    printed: int
    begins: int

    def points(self) -> list[dict[str, Value]]:
        """Return the sets of parameters, in the order of the rows."""
        return list(self.grid.points())


def small_grid(params: Any, ranges: Mapping[str, tuple[float, float]]) -> Grid:
    """Return the grid of the first two knobs with a range: the printed value and three more inside it."""
    chosen = list(ranges)[:KNOBS]
    return Grid(tuple((name, _values(getattr(params, name), *ranges[name])) for name in chosen))


def _values(own: Value, low: float, high: float) -> tuple[Value, ...]:
    inside = np.linspace(low, high, STEPS + 2)[1:-1]
    inside[np.abs(inside - own).argmin()] = own
    if isinstance(own, int):
        return tuple(dict.fromkeys(round(float(each)) for each in inside))
    return tuple(round(float(each), 12) if each != own else own for each in inside)


def tried(
    rule: Rule, params: Any, grid: Grid, seen: Seen, cost_bps: float, borrow_bps: float = 0.0
) -> Trials:
    """Return the trials of a rule over `seen`, which holds its own symbols, filled at the next open.

    A set that the rule refuses with ValueError holds nothing. Raises what else the rule raises.
    """
    market = prices(seen.bars)
    wanted = [_wanted(rule, replace(params, **point), seen) for point in grid.points()]
    own = [all(getattr(params, name) == value for name, value in point.items()) for point in grid.points()]
    printed = own.index(True)
    has_view = np.isfinite(wanted[printed]).any(axis=0)
    targets = np.stack([_carried(each) for each in wanted])
    kept = [account(market, each, cost_bps, borrow_bps=borrow_bps) for each in targets]
    return Trials(
        grid=grid,
        market=market,
        targets=targets,
        returns=np.stack([returns_of(equity) for _, equity in kept]),
        figures=np.stack([figures for figures, _ in kept]),
        printed=printed,
        begins=int(has_view.argmax()) if has_view.any() else len(seen),
    )


def _wanted(rule: Rule, params: Any, seen: Seen) -> FloatArray:
    try:
        return np.ascontiguousarray(rule(seen, params).T)
    except ValueError:
        return np.full((len(seen.bars.symbols), len(seen)), np.nan)


def _carried(wanted: FloatArray) -> FloatArray:
    """Return the targets with no view as the last view, which is what stands then; zero before the first."""
    rows = np.where(np.isnan(wanted), -1, np.arange(wanted.shape[1]))
    latest = np.maximum.accumulate(rows, axis=1)
    return np.where(latest >= 0, np.take_along_axis(wanted, np.maximum(latest, 0), axis=1), 0.0)


def returns_of(equity: FloatArray) -> FloatArray:
    """Return each session's return over the session before, zero for the first (n,)."""
    return np.concatenate([[0.0], np.diff(equity) / equity[:-1]])


def held_sessions(targets: FloatArray) -> float:
    """Return how many sessions a position is kept on average, over the longest-kept symbol (k, n)."""
    spans = [_mean_run(np.sign(each)) for each in targets]
    return max(spans, default=0.0)


def _mean_run(sign: FloatArray) -> float:
    edges = np.flatnonzero(np.diff(sign)) + 1
    runs = np.split(sign, edges)
    lengths = [len(run) for run in runs if len(run) and run[0] != 0]
    return float(np.mean(lengths)) if lengths else 0.0
