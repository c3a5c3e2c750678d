"""Bars as arrays: the one shape in which prices reach a feature or a strategy."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, TypeVar

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
A = TypeVar("A", bound=npt.NDArray[np.generic])

FIELDS = ("open", "high", "low", "close", "volume")


@dataclass(frozen=True, eq=False)
class Bars:
    """Hold one row a session and one column a symbol; NaN where a symbol has no bar.

    `sessions` is (n,) int64, the ordinals of `date.toordinal`, rising; the five fields are (n, k)
    float64, prices in dollars and volume in shares. The arrays are kept as read-only views: nothing
    is copied, so a window on a growing buffer costs nothing. Raises TypeError for another dtype
    and ValueError for another shape, a repeated symbol or sessions out of order.
    """

    sessions: IntArray
    symbols: tuple[str, ...]
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray

    def __post_init__(self) -> None:
        shape = (len(self.sessions), len(self.symbols))
        _refuse_symbols(self.symbols)
        object.__setattr__(self, "sessions", _read_only("sessions", self.sessions, np.int64, shape[:1]))
        if np.any(np.diff(self.sessions) <= 0):
            raise ValueError("sessions must rise and not repeat: sort the rows and drop the doubles first")
        for field in FIELDS:
            object.__setattr__(self, field, _read_only(field, getattr(self, field), np.float64, shape))

    def __len__(self) -> int:
        return len(self.sessions)

    def tail(self, n: int) -> Self:
        """Return the last `n` sessions, or all when there are fewer; no copy. Raises ValueError below 1."""
        if n < 1:
            raise ValueError(f"tail needs at least 1 session, got {n}")
        return self if n >= len(self) else self._rows(slice(len(self) - n, None))

    def head(self, n: int) -> Self:
        """Return the first `n` sessions, or all when there are fewer; no copy."""
        return self if n >= len(self) else self._rows(slice(0, n))

    def row(self, i: int) -> Self:
        """Return session `i` alone, as bars of one row; negative counts from the end. Raises IndexError."""
        at = range(len(self))[i]
        return self._rows(slice(at, at + 1))

    def select(self, symbols: Sequence[str]) -> Self:
        """Return the columns of `symbols`, in that order. Raises KeyError naming what is lacking."""
        wanted = tuple(symbols)
        if wanted == self.symbols:
            return self
        chosen = object.__new__(type(self))
        chosen.__dict__.update(
            sessions=self.sessions, symbols=wanted, _whole=self, _places=self._columns(wanted)
        )
        return chosen

    if not TYPE_CHECKING:  # a strategy reads one or two fields, so only those are ever copied

        def __getattr__(self, field: str) -> FloatArray:
            if field not in FIELDS:
                raise AttributeError(
                    f"bars have no {field!r}; they have sessions, symbols, {', '.join(FIELDS)}"
                )
            taken = locked(getattr(self._whole, field).take(self._places, axis=1))
            self.__dict__[field] = taken
            return taken

    def _columns(self, wanted: tuple[str, ...]) -> list[int]:
        lacking = [symbol for symbol in wanted if symbol not in self.symbols]
        if lacking:
            raise KeyError(f"no bars of {', '.join(lacking)}; there are {', '.join(self.symbols)}")
        return [self.symbols.index(symbol) for symbol in wanted]

    def _rows(self, rows: slice) -> Self:
        return self.trusted(
            self.sessions[rows], self.symbols, *(getattr(self, field)[rows] for field in FIELDS)
        )

    @classmethod
    def trusted(cls, sessions: IntArray, symbols: tuple[str, ...], *fields: FloatArray) -> Self:
        """Return bars without a check: `fields` are read-only cuts of arrays that were checked before."""
        cut = object.__new__(cls)
        cut.__dict__.update(zip(("sessions", "symbols", *FIELDS), (sessions, symbols, *fields), strict=True))
        return cut


def _refuse_symbols(symbols: tuple[str, ...]) -> None:
    if not isinstance(symbols, tuple):
        raise TypeError(f"symbols must be a tuple of names, got {type(symbols).__name__}")
    if len(set(symbols)) != len(symbols):
        raise ValueError(f"a symbol is named twice in {', '.join(symbols)}: give each one column")


def _read_only(name: str, array: object, dtype: type, shape: tuple[int, ...]) -> npt.NDArray[np.generic]:
    if not isinstance(array, np.ndarray) or array.dtype != dtype:
        found = getattr(array, "dtype", type(array).__name__)
        raise TypeError(f"{name} must be an array of {dtype.__name__}, got {found}")
    if array.shape != shape:
        raise ValueError(f"{name} must have shape {shape} (sessions, symbols), got {array.shape}")
    return locked(array.view())


def locked(array: A) -> A:
    """Return the same array, made read-only."""
    array.flags.writeable = False
    return array
