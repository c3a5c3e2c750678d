"""Bars as they come in: append-only buffers that hand out read-only windows."""

from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np

from qgtm.features.bars import FIELDS, Bars, FloatArray, locked

Row = tuple[float, float, float, float, float]


class History:
    """Hold the bars of a fixed list of symbols, one row a session, and grow by doubling.

    Windows are views: nothing is copied per bar, and a row once appended never changes.
    """

    def __init__(self, symbols: Sequence[str], capacity: int = 1024) -> None:
        self.symbols = tuple(symbols)
        self._column = {symbol: i for i, symbol in enumerate(self.symbols)}
        self._n = 0
        self._sessions = np.zeros(capacity, dtype=np.int64)
        self._fields = np.full((len(FIELDS), capacity, len(self.symbols)), np.nan)

    def __len__(self) -> int:
        return self._n

    @property
    def last_session(self) -> date | None:
        """Return the newest session, None when there is none."""
        return date.fromordinal(int(self._sessions[self._n - 1])) if self._n else None

    def append(self, session: date, rows: Mapping[str, Row]) -> None:
        """Append a session's bars; a symbol without one stays NaN, an unlisted symbol is passed over.

        Raises ValueError when the session is not later than the last: rows are never rewritten.
        """
        last = self.last_session
        if last is not None and session <= last:
            raise ValueError(f"{session} comes after {last} in the history: bars are appended in order, once")
        if self._n == len(self._sessions):
            self._double()
        self._sessions[self._n] = session.toordinal()
        known = [symbol for symbol in rows if symbol in self._column]
        if known:
            columns = [self._column[symbol] for symbol in known]
            self._fields[:, self._n, columns] = np.array([rows[symbol] for symbol in known]).T
        self._n += 1

    def _double(self) -> None:
        size = len(self._sessions)
        self._sessions = np.concatenate([self._sessions, np.zeros(size, dtype=np.int64)])
        grown = np.full((len(FIELDS), 2 * size, len(self.symbols)), np.nan)
        grown[:, :size] = self._fields
        self._fields = grown

    def bars(self) -> Bars:
        """Return all that is known, as read-only arrays."""
        return Bars.trusted(
            locked(self._sessions[: self._n]), self.symbols, *locked(self._fields[:, : self._n])
        )

    def closes(self, symbols: Sequence[str], n: int) -> FloatArray:
        """Return the last `n` closes (or all there are) of `symbols`, shape (n, k), NaN where no bar is."""
        columns = [self._column[symbol] for symbol in symbols]
        closes: FloatArray = self._fields[3, max(self._n - n, 0) : self._n].take(columns, axis=1)
        return closes

    def average_volume(self, symbol: str, sessions: int) -> float | None:
        """Return the mean volume in shares over the last `sessions`, None when none is known."""
        start = max(self._n - sessions, 0)
        volume: FloatArray = self._fields[-1, start : self._n, self._column[symbol]]
        known = volume[np.isfinite(volume)]
        return float(known.mean()) if known.size else None
