"""What a rule may look at: the bars, what else was known at each close, and the features of both."""

from typing import Any, Self

import numpy as np

from qgtm.features.bars import Bars, FloatArray, locked
from qgtm.features.feature import Feature
from qgtm.features.panel import Panel


class Shelf:
    """Keep the columns of features beside a growing history: each session is computed once, for all readers.

    A column is computed over the whole history when it is first asked for, and by one row a session from
    then on. What nobody asks for is never computed.
    """

    def __init__(self) -> None:
        self._columns: dict[Feature, _Column] = {}

    def column(self, feature: Feature, seen: "Seen") -> FloatArray:
        """Return the feature over all sessions of `seen`, which must be the whole history so far."""
        column = self._columns.get(feature)
        if column is None:
            column = self._columns[feature] = _Column(feature)
        return column.grown(seen)

    def names(self) -> tuple[str, ...]:
        """Return the names of the features that somebody reads."""
        return tuple(feature.name for feature in self._columns)


class _Column:
    def __init__(self, feature: Feature) -> None:
        self._feature = feature
        self._n = 0
        self._values: FloatArray = np.empty(0)
        self._memory: Any = None

    def grown(self, seen: "Seen") -> FloatArray:
        n = len(seen)
        if n != self._n:
            if 0 < self._n == n - 1:
                self._append(self._newest(seen))
            else:
                self._values, self._n = self._whole(seen), n
        return locked(self._values[: self._n])

    def _whole(self, seen: "Seen") -> FloatArray:
        if self._feature.fold is None:
            return np.array(self._feature.compute(seen))
        values, self._memory = folded(self._feature, seen)
        return values

    def _newest(self, seen: "Seen") -> FloatArray:
        fold = self._feature.fold
        window = seen.tail(self._feature.warm_up)
        if fold is None:
            newest: FloatArray = self._feature.compute(window)[-1]
            return newest
        self._memory, newest = fold.update(self._memory, fold.view(window)[-1])
        return newest

    def _append(self, row: FloatArray) -> None:
        if self._n == len(self._values):
            grown = np.full((max(16, 2 * self._n), *self._values.shape[1:]), np.nan)
            grown[: self._n] = self._values
            self._values = grown
        self._values[self._n] = row
        self._n += 1


def folded(feature: Feature, seen: "Seen") -> tuple[FloatArray, Any]:
    """Return a feature with a memory over all sessions, and its memory after the last. Raises ValueError."""
    if feature.fold is None:
        raise ValueError(f"{feature.name} has no memory: call its compute")
    memory, rows = feature.fold.start(), feature.fold.view(seen)
    values = []
    for row in rows:
        memory, value = feature.fold.update(memory, row)
        values.append(value)
    return np.array(values, dtype=np.float64), memory


class Seen:
    """Bars and panel of the same sessions, with the features computed from them on demand.

    All arrays are read-only. With a `shelf` it is the whole history, and its features grow with it.
    """

    def __init__(self, bars: Bars, panel: Panel | None = None, shelf: Shelf | None = None) -> None:
        self.bars = bars
        self.panel = Panel.empty(len(bars)) if panel is None else panel
        if len(self.panel) != len(bars):
            raise ValueError(
                f"{len(bars)} sessions of bars beside {len(self.panel)} of the panel: cut both alike"
            )
        self._shelf = shelf
        self._whole: tuple[Seen, slice] | None = None
        self._kept: dict[Feature, FloatArray] = {}

    def __len__(self) -> int:
        return len(self.bars)

    def get(self, feature: Feature) -> FloatArray:
        """Return the feature's values, (n,) or (n, k), NaN where not known; computed once."""
        kept = self._kept.get(feature)
        if kept is None:
            kept = self._kept[feature] = self._made(feature)
        return kept

    def _made(self, feature: Feature) -> FloatArray:
        if self._shelf is not None:
            return self._shelf.column(feature, self)
        if self._whole is not None:
            whole, rows = self._whole
            return whole.get(feature)[rows]
        return locked(feature.compute(self))

    def tail(self, n: int) -> Self:
        """Return the last `n` sessions, or all when there are fewer; features keep what came before."""
        if n >= len(self):
            return self
        rows = slice(len(self) - n, None)
        cut = type(self)(self.bars.tail(n), self.panel.rows(rows))
        cut._whole = (self, rows)
        return cut

    def head(self, n: int) -> Self:
        """Return the first `n` sessions as if nothing had come after: no feature is taken over."""
        return self if n >= len(self) else type(self)(self.bars.head(n), self.panel.rows(slice(0, n)))
