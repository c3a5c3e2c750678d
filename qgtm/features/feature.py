"""A feature: a named, causal function of what is seen, with all that a reader has to know about it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from qgtm.features.bars import FloatArray

if TYPE_CHECKING:
    from qgtm.features.seen import Seen


@dataclass(frozen=True, eq=False)
class Fold:
    """How a feature with a memory takes one session in.

    `view` gives the rows (n, d) that it reads, each from a finite window; `start` the memory before the
    first; `update(memory, row)` the memory after a row and the feature's value there, (k,) or ().
    """

    view: Callable[["Seen"], FloatArray]
    start: Callable[[], Any]
    update: Callable[[Any, FloatArray], tuple[Any, FloatArray]]


@dataclass(frozen=True, eq=False, kw_only=True)
class Feature:
    """Describe a feature and compute it.

    `compute` returns, for every session of what is seen, (n,) for a feature of the whole market or (n, k)
    with a column for each of `symbols`; NaN where it is not known. Its newest row over the last `warm_up`
    sessions is that over the whole history, to the bit; a feature with a `fold` has no such length, and
    `compute` is then the fold over all sessions. `window` is what it takes where the features that it gets
    are known already, which makes the live step short. Equal names are the same feature.
    """

    name: str
    family: str
    formula: str  # as a reader writes it
    unit: str
    source: str  # whose definition it is
    reads: tuple[str, ...]  # fields of the bars, or series
    warm_up: int  # sessions
    missing: str  # what a hole does to it
    compute: Callable[["Seen"], FloatArray]
    symbols: tuple[str, ...] = ()
    fold: Fold | None = None
    window: int | None = None  # sessions; None says as many as `warm_up`

    def __hash__(self) -> int:
        return hash(self.name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Feature) and other.name == self.name


def named(features: Iterable[Feature], name: str) -> Feature:
    """Return the feature of that name. Raises KeyError naming what there is."""
    found = {feature.name: feature for feature in features}
    if name not in found:
        raise KeyError(f"no feature is called {name}; there are {', '.join(sorted(found))}")
    return found[name]


def once_warm(values: FloatArray, warm_up: int) -> FloatArray:
    """Return values (n,) or (n, k) with NaN in the sessions before the first that is exact."""
    found = np.array(values)
    found[: warm_up - 1] = np.nan
    return found
