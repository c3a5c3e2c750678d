"""The inbox: what the operators want, one row a command; many write, the daemon alone takes.

Rows never change. What was taken stands in the journal, as CommandTaken in one append with all that
the command led to: so each command acts exactly once, wherever a crash falls.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from qgtm.adapters.database import explained_by_sqlite, open_writer, writing
from qgtm.core.codec import canonical, decode
from qgtm.core.commands import Command, command_registry
from qgtm.core.errors import EventError
from qgtm.core.instant import instant_from_text, text_from_instant

APPLICATION_ID: Final = 0x71676962  # "qgib"
MIGRATIONS: Final = (
    """
    CREATE TABLE command (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        at TEXT NOT NULL,
        by TEXT NOT NULL,
        kind TEXT NOT NULL,
        body TEXT NOT NULL
    ) STRICT;
    CREATE TRIGGER command_never_updated BEFORE UPDATE ON command
        BEGIN SELECT RAISE(ABORT, 'a command is never changed'); END;
    CREATE TRIGGER command_never_deleted BEFORE DELETE ON command
        BEGIN SELECT RAISE(ABORT, 'a command is never deleted'); END;
    """,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A command as it lies in the inbox; `command` is None when it cannot be read, and `problem` says why."""

    command_id: int
    at: datetime
    by: str
    kind: str
    command: Command | None
    problem: str = ""


class Inbox:
    """Open or make the inbox; any process may. Raises JournalError with the next step when it cannot."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection = open_writer(path, APPLICATION_ID, MIGRATIONS)

    def put(self, command: Command, by: str, at: datetime) -> int:
        """Write a command and return its number; on the disk when this returns. Raises JournalError."""
        row = (text_from_instant(at), by, type(command).__name__, canonical(command))
        with explained_by_sqlite(self.path), writing(self._connection):
            self._connection.execute("INSERT INTO command (at, by, kind, body) VALUES (?, ?, ?, ?)", row)
            return self._connection.last_insert_rowid()

    def wishes(self, after: int) -> tuple[Wish, ...]:
        """Return the commands after number `after`, in the order in which they were given."""
        sql = "SELECT id, at, by, kind, body FROM command WHERE id > ? ORDER BY id LIMIT 100"
        with explained_by_sqlite(self.path):
            rows: list[Any] = self._connection.execute(sql, (after,)).fetchall()
        return tuple(_wish(*row) for row in rows)

    def go_on_after(self, taken: int) -> tuple[Wish, ...]:
        """Give new commands numbers above `taken`, the journal's last; return those that this passes over.

        Only an inbox that was lost or put back from a backup has to skip numbers. Commands given in
        between carry numbers that count as taken: tell their givers to give them again.
        """
        with explained_by_sqlite(self.path), writing(self._connection):
            last = self._last_number()
            if last >= taken:
                return ()
            self._connection.execute("DELETE FROM sqlite_sequence WHERE name = 'command'")
            self._connection.execute(
                "INSERT INTO sqlite_sequence (name, seq) VALUES ('command', ?)", (taken,)
            )
        return self.wishes(0)

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

    def _last_number(self) -> int:
        found: Any = self._connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'command'").get
        return int(found or 0)


def _wish(command_id: int, at: str, by: str, kind: str, body: str) -> Wish:
    command, problem = None, ""
    try:
        command = _command(kind, body)
    except (EventError, ValueError, RecursionError) as error:
        problem = f"command {command_id} ({kind}) cannot be read: {error}. Give it again."
    return Wish(
        command_id=command_id, at=instant_from_text(at), by=by, kind=kind, command=command, problem=problem
    )


def _command(kind: str, body: str) -> Command:
    if kind not in command_registry:
        raise EventError(f"{kind!r} is no command that this version knows")
    command: Command = decode(command_registry[kind], json.loads(body))
    return command
