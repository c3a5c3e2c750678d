"""The local copy of the daily bars: append-only, one row a session, loaded whole into arrays."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self
from zlib import crc32

import numpy as np

from qgtm.adapters.database import explained_by_sqlite, open_reader, open_writer, writing
from qgtm.core.bar import Bar, BarSet
from qgtm.core.errors import FeedError
from qgtm.core.instant import instant_from_text, text_from_instant
from qgtm.core.universe import SYMBOLS
from qgtm.features.bars import FIELDS, Bars, FloatArray

APPLICATION_ID: Final = 0x71676272  # "qgbr"
MIGRATIONS: Final = (
    """
    CREATE TABLE bars (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        session INTEGER NOT NULL, -- proleptic ordinal
        known_at TEXT NOT NULL,
        symbols TEXT NOT NULL,    -- parted by commas
        prices BLOB NOT NULL,     -- little-endian float64: open, high, low, close, volume by symbol
        crc INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX bars_by_session ON bars (session, id);
    """,
)
SELECT: Final = "SELECT session, known_at, symbols, prices, crc FROM bars"
LITTLE: Final = np.dtype("<f8")


class _Row(NamedTuple):
    session: int
    known_at: str
    symbols: str
    prices: bytes
    crc: int


class BarStore:
    """Open or make the store. A session that is written again counts as a correction, symbol by symbol.

    Raises JournalError when the file cannot be used, and FeedError when what it holds cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection = open_writer(path, APPLICATION_ID, MIGRATIONS)

    def append(self, *sets: BarSet) -> None:
        """Write bar sets in one transaction, leaving out what the store holds already; on the disk after."""
        with explained_by_sqlite(self.path), writing(self._connection):
            self._connection.executemany(
                "INSERT INTO bars (session, known_at, symbols, prices, crc) VALUES (?, ?, ?, ?, ?)",
                [row for row in map(_row, sets) if not self._holds(row)],
            )

    def load_arrays(self, symbols: Sequence[str] = SYMBOLS) -> Bars:
        """Return every session's bars of `symbols`: (n, k) float64, NaN where a symbol has no bar."""
        rows = self._rows(f"{SELECT} ORDER BY session, id")
        sessions = sorted({row.session for row in rows})
        values = np.full((len(FIELDS), len(sessions), len(symbols)), np.nan)
        _fill(values, rows, {session: at for at, session in enumerate(sessions)}, tuple(symbols))
        return Bars(np.array(sessions, dtype=np.int64), tuple(symbols), *values)

    def load(self) -> tuple[BarSet, ...]:
        """Return every session's bars, oldest first; slower than `load_arrays`, for views and checks."""
        found: dict[int, BarSet] = {}
        for row in self._rows(f"{SELECT} ORDER BY session, id"):
            bars = _bars(row)
            earlier = found.get(row.session)
            found[row.session] = BarSet(
                session=bars.session,
                known_at=bars.known_at,
                bars={**earlier.bars, **bars.bars} if earlier else bars.bars,
            )
        return tuple(found.values())

    def last_session(self) -> date | None:
        """Return the newest session in the store, None when it is empty."""
        with explained_by_sqlite(self.path):
            ordinal = self._connection.execute("SELECT max(session) FROM bars").get
        return None if ordinal is None else date.fromordinal(int(ordinal))

    def close(self) -> None:
        """Let go of the file; twice does no harm."""
        with explained_by_sqlite(self.path):
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _holds(self, row: _Row) -> bool:
        last = self._rows(f"{SELECT} WHERE session = ? ORDER BY id DESC LIMIT 1", (row.session,))
        return bool(last) and (last[0].symbols, last[0].prices) == (row.symbols, row.prices)

    def _rows(self, sql: str, bindings: tuple[int, ...] = ()) -> list[_Row]:
        with explained_by_sqlite(self.path):
            rows = [_Row._make(values) for values in self._connection.execute(sql, bindings)]
        for row in rows:
            if crc32(row.prices) != row.crc:
                session = date.fromordinal(row.session)
                raise FeedError(
                    f"{self.path}: the bars of {session} are damaged; delete the file to fetch anew"
                )
        return rows


def bars_seen(path: Path, now: datetime, sessions: int) -> tuple[BarSet, ...]:
    """Return the newest sessions that a store held at `now`, oldest first; for a process that only looks.

    Raises JournalError when there is none, and FeedError when it is damaged.
    """
    found: dict[int, BarSet] = {}
    connection = open_reader(path, APPLICATION_ID)
    try:
        with explained_by_sqlite(path):
            rows = connection.execute(
                f"{SELECT} WHERE known_at <= ? AND session IN (SELECT DISTINCT session FROM bars WHERE "
                "known_at <= ? ORDER BY session DESC LIMIT ?) ORDER BY session, id",
                (text_from_instant(now), text_from_instant(now), sessions),
            ).fetchall()
    finally:
        connection.close()
    for row in map(_Row._make, rows):
        if crc32(row.prices) != row.crc:
            raise FeedError(f"{path}: the bars of {date.fromordinal(row.session)} are damaged")
        bars = _bars(row)
        before = found[row.session].bars if row.session in found else {}
        found[row.session] = replace(bars, bars={**before, **bars.bars})
    return tuple(found.values())


def _row(bars: BarSet) -> _Row:
    symbols = sorted(bars.bars)
    table = [[getattr(bars.bars[symbol], field) for field in FIELDS] for symbol in symbols]
    prices = np.array(table, dtype=LITTLE).tobytes()
    known_at = text_from_instant(bars.known_at)
    return _Row(bars.session.toordinal(), known_at, ",".join(symbols), prices, crc32(prices))


def _fill(values: FloatArray, rows: Iterable[_Row], at: dict[int, int], symbols: tuple[str, ...]) -> None:
    columns: dict[str, tuple[list[int], list[int]]] = {}
    for row in rows:
        if row.symbols not in columns:  # most rows name the same symbols
            columns[row.symbols] = _columns(row.symbols.split(","), symbols)
        taken, into = columns[row.symbols]
        table = np.frombuffer(row.prices, dtype=LITTLE).reshape(-1, len(FIELDS))
        values[:, at[row.session], into] = table[taken].T


def _columns(stored: list[str], wanted: tuple[str, ...]) -> tuple[list[int], list[int]]:
    both = [symbol for symbol in wanted if symbol in stored]
    return [stored.index(symbol) for symbol in both], [wanted.index(symbol) for symbol in both]


def _bars(row: _Row) -> BarSet:
    session, known_at = date.fromordinal(row.session), instant_from_text(row.known_at)
    table = np.frombuffer(row.prices, dtype=LITTLE).reshape(-1, len(FIELDS)).tolist()
    bars = {
        symbol: Bar(
            symbol=symbol,
            session=session,
            known_at=known_at,
            **dict(zip(FIELDS, values, strict=True)),
        )
        for symbol, values in zip(filter(None, row.symbols.split(",")), table, strict=True)
    }
    return BarSet(session=session, known_at=known_at, bars=bars)
