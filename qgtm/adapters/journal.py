"""The journal: an append-only, hash-chained table with one writer, durable when `append` returns."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import apsw

from qgtm.adapters.chain import GENESIS, Row, chained, entry_of, later_text, link
from qgtm.adapters.database import explained_by_sqlite, explained_error, open_reader, open_writer, writing
from qgtm.adapters.lock import FileLock
from qgtm.core.errors import JournalCorrupt, JournalError
from qgtm.core.events import Event
from qgtm.core.instant import instant_from_text
from qgtm.ports import Entry, Head

APPLICATION_ID: Final = 0x7167746D  # "qgtm"
MIGRATIONS: Final = (
    """
    CREATE TABLE journal (
        seq INTEGER PRIMARY KEY,
        at TEXT NOT NULL,
        kind TEXT NOT NULL,
        body TEXT NOT NULL,
        prev_hash TEXT NOT NULL,
        hash TEXT NOT NULL
    ) STRICT;
    CREATE TRIGGER journal_never_updated BEFORE UPDATE ON journal
        BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
    CREATE TRIGGER journal_never_deleted BEFORE DELETE ON journal
        BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
    """,
)
TRIGGERS: Final = frozenset({"journal_never_updated", "journal_never_deleted"})
INSERT: Final = "INSERT INTO journal (seq, at, kind, body, prev_hash, hash) VALUES (?, ?, ?, ?, ?, ?)"
SELECT: Final = "SELECT seq, at, kind, body, prev_hash, hash FROM journal"
# Readers take this many rows a transaction: a long one would keep the write-ahead log from being reused.
BATCH: Final = 1000
RESTORING: Final = "restoring.json"  # stands beside a journal that is being put back


class _Rows:
    """Read what a connection sees, in short transactions."""

    def __init__(self, connection: apsw.Connection, path: Path) -> None:
        self._connection = connection
        self.path = path

    def rows(self, after: int = 0) -> Iterator[Row]:
        """Yield the stored rows after `after`, oldest first; raise JournalError when they cannot be had."""
        while batch := self._fetch(f"{SELECT} WHERE seq > ? ORDER BY seq LIMIT {BATCH}", (after,)):
            yield from batch
            after = batch[-1].seq

    def read(self, after: int = 0) -> Iterator[Entry]:
        """Yield the entries after `after`, oldest first; raise JournalCorrupt for one that cannot be read."""
        return map(entry_of, self.rows(after))

    def head(self) -> Head:
        """Return the last row's number and hash."""
        last = self._last()
        return Head(last.seq, last.hash) if last else GENESIS

    def hash_at(self, seq: int) -> str | None:
        """Return the hash of row `seq`, None when there is no such row."""
        if seq == GENESIS.seq:
            return GENESIS.hash
        found = self._fetch(f"{SELECT} WHERE seq = ?", (seq,))
        return found[0].hash if found else None

    def lacking_guards(self) -> tuple[str, ...]:
        """Return the triggers against UPDATE and DELETE that are not there any more."""
        with explained_by_sqlite(self.path):
            found = self._connection.execute(
                "SELECT name FROM sqlite_schema WHERE type = 'trigger'"
            ).fetchall()
        return tuple(sorted(TRIGGERS - {name for (name,) in found}))

    def damage(self) -> str | None:
        """Return SQLite's own complaint about the file's pages, None when they are sound."""
        with explained_by_sqlite(self.path):
            complaints = [text for (text,) in self._connection.execute("PRAGMA quick_check(3)")]
        return None if complaints == ["ok"] else "; ".join(map(str, complaints))

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

    def _last(self) -> Row | None:
        found = self._fetch(f"{SELECT} ORDER BY seq DESC LIMIT 1")
        return found[0] if found else None

    def _fetch(self, sql: str, bindings: tuple[int, ...] = ()) -> list[Row]:
        found: list[Row] = []
        try:
            with explained_by_sqlite(self.path):
                for values in self._connection.execute(sql, bindings):
                    found.append(Row._make(values))
        except UnicodeDecodeError as problem:
            if not found:
                raise JournalCorrupt(
                    f"{self.path} holds a text that is none ({problem}); {NEXT_STEP}"
                ) from problem
        except JournalCorrupt:
            if not found:
                raise
        return found


class JournalReader(_Rows):
    """Read the journal while the daemon writes it; cannot change it. One reader a thread.

    Raises JournalError when there is no journal at `path` or it cannot be opened.
    """

    def __init__(self, path: Path, *, vfs: str | None = None) -> None:
        super().__init__(open_reader(path, APPLICATION_ID, vfs), path)


class SqliteJournal(_Rows):
    """Write the journal, alone: a second writer gets JournalLocked with the first one's process id.

    Raises JournalError when the file cannot be used and JournalCorrupt when its last row does not hold;
    the whole chain is checked by `qgtm.adapters.audit.verify`. After a failed write it takes no more:
    what the disk then holds is only known after a restart, so whoever writes must end.
    """

    def __init__(self, path: Path, *, vfs: str | None = None) -> None:
        if path.with_name(RESTORING).exists():
            raise JournalError(
                f"a restore of {path} was cut off in the middle: run `qgtm restore BACKUP` again, which "
                "finishes it."
            )
        self._lock = FileLock(path.with_name(path.name + ".lock"), f"the journal {path}")
        try:
            super().__init__(open_writer(path, APPLICATION_ID, MIGRATIONS, vfs), path)
        except BaseException:
            self._lock.release()
            raise
        self._refusal: JournalError | None = None
        try:
            self._head, self._at = self._checked_tail()
        except BaseException:
            self.close()
            raise

    def append(self, events: Sequence[Event], at: datetime) -> None:
        """Write `events` in one transaction; on the disk when this returns.

        Time never decreases: an `at` before the last row's is written as that row's.
        Raises EventError for an event that cannot be written and JournalError when the disk refuses.
        """
        if self._refusal:
            raise self._refusal
        text = later_text(self._at, at)
        if rows := chained(self._head, events, text):
            self._commit(rows)
            self._head, self._at = Head(rows[-1].seq, rows[-1].hash), text

    def head(self) -> Head:
        """Return the last row's number and hash."""
        return self._head

    def close(self) -> None:
        """Let the next writer in; twice does no harm."""
        try:
            super().close()
        finally:
            self._lock.release()

    def _commit(self, rows: list[Row]) -> None:
        try:
            with writing(self._connection):
                self._connection.executemany(INSERT, rows)
        except apsw.BusyError as problem:
            raise explained_error(problem, self.path) from problem  # nothing was tried: try again
        except apsw.Error as problem:
            self._refusal = explained_error(problem, self.path)
            raise self._refusal from problem

    def _checked_tail(self) -> tuple[Head, str]:
        if lacking := self.lacking_guards():
            raise JournalCorrupt(
                f"{self.path}: somebody removed its guards {', '.join(lacking)}; {NEXT_STEP}"
            )
        last = self._last()
        if last is None:
            return GENESIS, ""
        if link(last.prev_hash, last.seq, last.at, last.kind, last.body) != last.hash:
            raise JournalCorrupt(f"{self.path}: the last row, {last.seq}, was changed; {NEXT_STEP}")
        return Head(last.seq, last.hash), last.at


NEXT_STEP: Final = "run `qgtm audit verify` to see where it breaks, and restore the last backup"


class MemoryJournal:
    """Keep the same chain in memory, for replays and tests: same heads, same refusals, no disk."""

    def __init__(self) -> None:
        self._head = GENESIS
        self._at = ""
        self._moment: datetime | None = None  # of which `_at` is the text
        self._entries: list[tuple[str, Event, str]] = []

    def append(self, events: Sequence[Event], at: datetime) -> None:
        """Add `events` to the chain; raise EventError for one that could not be written."""
        text = self._at if at is self._moment else later_text(self._at, at)
        journaled = [event for event in events if event.is_journaled]
        if rows := chained(self._head, journaled, text):
            self._entries += [(text, event, row.hash) for event, row in zip(journaled, rows, strict=True)]
            self._head, self._at, self._moment = Head(rows[-1].seq, rows[-1].hash), text, at

    def read(self, after: int = 0) -> Iterator[Entry]:
        """Yield the entries after `after`, oldest first."""
        for seq, (text, event, row_hash) in enumerate(self._entries[after:], start=after + 1):
            yield Entry(seq=seq, at=instant_from_text(text), event=event, hash=row_hash)

    def head(self) -> Head:
        """Return the last row's number and hash."""
        return self._head

    def hash_at(self, seq: int) -> str | None:
        """Return the hash of row `seq`, None when there is no such row."""
        if seq == GENESIS.seq:
            return GENESIS.hash
        return self._entries[seq - 1][2] if 0 < seq <= len(self._entries) else None
