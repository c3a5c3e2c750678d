"""Bars as they come in: append-only buffers that hand out read-only windows."""

from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np

from qgtm.features.bars import FIELDS, Bars, FloatArray, locked
from qgtm.features.panel import Panel
from qgtm.features.seen import Seen, Shelf

Row = tuple[float, float, float, float, float]
Known = tuple[float, int]  # a value, and the ordinal of the day that it describes
EMPTY: Mapping[str, Known] = {}


class History:
    """Hold the bars of a fixed list of symbols and what is known beside them, one row a session.

    It grows by doubling. Windows are views: nothing is copied per bar, and a row once appended never changes.
    """

    def __init__(self, symbols: Sequence[str], series: Sequence[str] = (), capacity: int = 1024) -> None:
        self.symbols = tuple(symbols)
        self._column = {symbol: i for i, symbol in enumerate(self.symbols)}
        self._n = 0
        self._sessions = np.zeros(capacity, dtype=np.int64)
        self._fields = np.full((len(FIELDS), capacity, len(self.symbols)), np.nan)
        self.series = tuple(series)
        self._place = {name: i for i, name in enumerate(self.series)}
        self._known = np.full((capacity, len(self.series)), np.nan)
        self._described = np.zeros((capacity, len(self.series)), dtype=np.int64)
        self._shelf = Shelf()

    def __len__(self) -> int:
        return self._n

    @property
    def last_session(self) -> date | None:
        """Return the newest session, None when there is none."""
        return date.fromordinal(int(self._sessions[self._n - 1])) if self._n else None

    def append(self, session: date, rows: Mapping[str, Row], known: Mapping[str, Known] = EMPTY) -> None:
        """Append a session's bars, and the newest values that were known when it closed.

        A symbol or series without one is NaN, an unlisted one is passed over. Raises ValueError when the
        session is not later than the last: rows are never rewritten.
        """
        last = self.last_session
        if last is not None and session <= last:
            raise ValueError(f"{session} comes after {last} in the history: bars are appended in order, once")
        if self._n == len(self._sessions):
            self._double()
        self._sessions[self._n] = session.toordinal()
        listed = [symbol for symbol in rows if symbol in self._column]
        if listed:
            columns = [self._column[symbol] for symbol in listed]
            self._fields[:, self._n, columns] = np.array([rows[symbol] for symbol in listed]).T
        for name, (value, described) in known.items():
            if name in self._place:
                self._known[self._n, self._place[name]] = value
                self._described[self._n, self._place[name]] = described
        self._n += 1

    def _double(self) -> None:
        size = len(self._sessions)
        self._sessions = np.concatenate([self._sessions, np.zeros(size, dtype=np.int64)])
        grown = np.full((len(FIELDS), 2 * size, len(self.symbols)), np.nan)
        grown[:, :size] = self._fields
        self._fields = grown
        self._known = np.concatenate([self._known, np.full_like(self._known, np.nan)])
        self._described = np.concatenate([self._described, np.zeros_like(self._described)])

    def seen(self) -> Seen:
        """Return all that is known, as read-only arrays, with the features that somebody has asked for."""
        panel = Panel(self.series, self._known[: self._n], self._described[: self._n])
        return Seen(self.bars(), panel, self._shelf)

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
