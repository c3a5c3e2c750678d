"""What a rule may look at: the bars, what else was known at each close, and the features of both."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Self, TypeVar

import numpy as np

from qgtm.features.bars import Bars, FloatArray, locked
from qgtm.features.feature import Feature
from qgtm.features.panel import Panel

S = TypeVar("S")


class Shelf:
    """Keep the columns of features beside a growing history: each session is computed once, for all readers.

    A column is computed over the whole history when it is first asked for, and by one row a session from
    then on. What nobody asks for is never computed.
    """

    def __init__(self) -> None:
        self._columns: dict[str, _Column] = {}
        self._seen: Seen | None = None
        self._windows: dict[int, Seen] = {}

    def column(self, feature: Feature, seen: "Seen") -> FloatArray:
        """Return the feature over all sessions of `seen`, which must be the whole history so far."""
        column = self._columns.get(feature.name)
        if column is None:
            column = self._columns[feature.name] = _Column(feature)
        return column.grown(seen, self.window)

    def window(self, seen: "Seen", n: int) -> "Seen":
        """Return the last `n` sessions of `seen`, cut once for all features that need as many."""
        if seen is not self._seen:
            self._seen, self._windows = seen, {}
        found = self._windows.get(n)
        if found is None:
            found = self._windows[n] = seen.tail(n)
        return found

    def names(self) -> tuple[str, ...]:
        """Return the names of the features that somebody reads."""
        return tuple(self._columns)


class _Column:
    def __init__(self, feature: Feature) -> None:
        self._feature = feature
        self._n = 0
        self._values: FloatArray = np.empty(0)
        self._memory: Any = None

    def grown(self, seen: "Seen", window: Callable[["Seen", int], "Seen"]) -> FloatArray:
        n = len(seen)
        if n != self._n:
            if 0 < self._n == n - 1:
                self._append(self._newest(window(seen, self._feature.window or self._feature.warm_up)))
            else:
                self._values, self._n = self._whole(seen), n
        return locked(self._values[: self._n])

    def _whole(self, seen: "Seen") -> FloatArray:
        if self._feature.fold is None:
            return np.array(self._feature.compute(seen))
        values, self._memory = folded(self._feature, seen)
        return values

    def _newest(self, window: "Seen") -> FloatArray:
        fold = self._feature.fold
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


def walked(
    seen: "Seen", rows: FloatArray, state: S, update: Callable[[S, FloatArray], tuple[S, FloatArray]]
) -> FloatArray:
    """Return targets (n, k): the fold of a strategy's `update` over the rows of its view, NaN before them."""
    targets = np.full(seen.bars.close.shape, np.nan)
    for i, row in enumerate(rows, start=len(seen) - len(rows)):
        state, targets[i] = update(state, row)
    return targets


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
        self._kept: dict[str, FloatArray] = {}
        self._rows: dict[tuple[str, ...], FloatArray] = {}

    def __len__(self) -> int:
        return len(self.bars)

    def get(self, feature: Feature) -> FloatArray:
        """Return the feature's values, (n,) or (n, k), NaN where not known; computed once."""
        kept = self._kept.get(feature.name)
        if kept is None:
            kept = self._kept[feature.name] = self._made(feature)
        return kept

    def _made(self, feature: Feature) -> FloatArray:
        if self._shelf is not None:
            return self._shelf.column(feature, self)
        if self._whole is not None:
            whole, rows = self._whole
            return whole.get(feature)[rows]
        return locked(feature.compute(self))

    def rows(self, feature: Feature) -> FloatArray:
        """Return the feature with time last: (k, n) or (n,), contiguous, so that windows copy nothing."""
        return self._once(("feature", feature.name), lambda: self.get(feature).T)

    def field(self, name: str, symbols: tuple[str, ...]) -> FloatArray:
        """Return a field of the bars, (k, n) with a row for each of `symbols`; NaN for one without bars."""
        return self._once(("field", name, *symbols), lambda: self._field(name, symbols))

    def known(self, *names: str) -> FloatArray:
        """Return series of the panel, (k, n) with a row for each of `names`; NaN where it lacks one."""
        return self._once(("known", *names), lambda: self._series(self.panel.values, names, np.nan))

    def days(self, *names: str) -> FloatArray:
        """Return the ordinals (k, n) of the days that series describe, 0 where nothing is known."""
        return self._once(("days", *names), lambda: self._series(self.panel.described, names, 0))

    def _once(self, key: tuple[str, ...], make: Callable[[], Any]) -> FloatArray:
        found = self._rows.get(key)
        if found is None:
            made = np.ascontiguousarray(make(), dtype=np.float64)
            found = self._rows[key] = made if not made.flags.writeable else locked(made)
        return found

    def _field(self, name: str, symbols: tuple[str, ...]) -> FloatArray:
        values: FloatArray = getattr(self.bars, name)
        if symbols == self.bars.symbols:
            return values.T
        return _rows(values, self.bars.symbols, symbols, np.nan)

    def _series(self, values: Any, names: tuple[str, ...], lacking: float) -> FloatArray:
        return _rows(values, self.panel.names, names, lacking)

    def tail(self, n: int) -> Self:
        """Return the last `n` sessions, or all when there are fewer; features keep what came before."""
        if n >= len(self):
            return self
        rows = slice(len(self) - n, None)
        cut = type(self)(self.bars.tail(n), self.panel.rows(rows))
        cut._whole = (self, rows)
        return cut

    def upto(self, n: int) -> Self:
        """Return the first `n` sessions, or all; features keep their values, since they see no future."""
        if n >= len(self):
            return self
        rows = slice(0, n)
        cut = type(self)(self.bars.head(n), self.panel.rows(rows))
        cut._whole = (self, rows)
        return cut

    def select(self, symbols: Sequence[str]) -> Self:
        """Return the columns of `symbols`, in that order; panel and features stay. Raises KeyError."""
        cut = type(self)(self.bars.select(symbols), self.panel)
        cut._whole = (self, slice(None))
        return cut

    def head(self, n: int) -> Self:
        """Return the first `n` sessions as if nothing had come after: no feature is taken over."""
        return self if n >= len(self) else type(self)(self.bars.head(n), self.panel.rows(slice(0, n)))


@lru_cache(maxsize=1024)
def _places(held: tuple[str, ...], wanted: tuple[str, ...]) -> tuple[int, ...]:
    return tuple(held.index(name) if name in held else -1 for name in wanted)


def _rows(values: Any, held: tuple[str, ...], wanted: tuple[str, ...], lacking: float) -> FloatArray:
    places = _places(held, wanted)
    if -1 not in places:
        return np.asarray(values.take(places, axis=1).T, dtype=np.float64)
    found = np.full((len(wanted), len(values)), lacking)
    for row, place in zip(found, places, strict=True):
        if place >= 0:
            row[:] = values[:, place]
    return found
