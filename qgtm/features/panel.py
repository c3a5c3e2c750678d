"""What was known beside the bars, session by session: one row a session, frozen when that session closed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from qgtm.features.bars import FloatArray, IntArray, locked


@dataclass(frozen=True, eq=False)
class Panel:
    """Hold one row a session and one column a series: the newest value known when the session closed.

    `values` is (n, m) float64, NaN where nothing was known yet. `described` is (n, m) int64: the ordinal
    (`date.toordinal`) of the day that the value describes, 0 where nothing was known; where it moves, a
    new value was published. A later revision changes later rows only: no row is ever rewritten. Raises
    ValueError for another shape and for a repeated name.
    """

    names: tuple[str, ...]
    values: FloatArray
    described: IntArray

    def __post_init__(self) -> None:
        if len(set(self.names)) != len(self.names):
            raise ValueError(f"a series is named twice in {', '.join(self.names)}: give each one column")
        if self.values.ndim != 2 or self.values.shape[1] != len(self.names):
            raise ValueError(f"values must have shape (sessions, {len(self.names)}), got {self.values.shape}")
        if self.described.shape != self.values.shape:
            raise ValueError(
                f"described must have the shape of values {self.values.shape}, got {self.described.shape}"
            )
        object.__setattr__(self, "values", locked(self.values.view()))
        object.__setattr__(self, "described", locked(self.described.view()))

    @classmethod
    def empty(cls, sessions: int) -> Self:
        """Return a panel in which nothing is known."""
        return cls((), np.empty((sessions, 0)), np.empty((sessions, 0), dtype=np.int64))

    def __len__(self) -> int:
        return len(self.values)

    def column(self, name: str) -> FloatArray:
        """Return the values (n,) of a series, read-only. Raises KeyError naming what there is."""
        return self.values[:, self._place(name)]

    def days(self, name: str) -> IntArray:
        """Return the ordinals (n,) of the days that the values of a series describe. Raises KeyError."""
        return self.described[:, self._place(name)]

    def rows(self, rows: slice) -> Self:
        """Return some of the sessions; no copy."""
        cut = object.__new__(type(self))  # what was checked as a whole needs no second check
        cut.__dict__.update(names=self.names, values=self.values[rows], described=self.described[rows])
        return cut

    def beside(self, other: Self) -> Self:
        """Return the columns of both, of the same sessions. Raises ValueError for a name in both."""
        return type(self)(
            (*self.names, *other.names),
            np.concatenate([self.values, other.values], axis=1),
            np.concatenate([self.described, other.described], axis=1),
        )

    def select(self, names: Sequence[str]) -> Self:
        """Return the columns of `names`, in that order. Raises KeyError."""
        places = [self._place(name) for name in names]
        return type(self)(tuple(names), self.values[:, places], self.described[:, places])

    def _place(self, name: str) -> int:
        try:
            return self.names.index(name)
        except ValueError:
            raise KeyError(
                f"nothing is known of {name}; there are {', '.join(self.names) or 'no series'}"
            ) from None
