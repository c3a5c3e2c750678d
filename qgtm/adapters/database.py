"""SQLite as this house uses it: current, write-ahead, synced at each commit, and errors as sentences."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import quote

import apsw

from qgtm.adapters.files import sync_folder
from qgtm.core.errors import JournalCorrupt, JournalError

BUSY_MS: Final = 2000
# 3.7.0 to 3.51.2 can lose a commit when a write-ahead log is restarted while another connection reads.
OLDEST: Final = (3, 51, 3)
WRITE: Final = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_URI
READ: Final = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI


def refuse_old_sqlite(version: str) -> None:
    """Raise JournalError when this SQLite is older than the one that keeps its commits."""
    if tuple(map(int, version.split("."))) < OLDEST:
        needed = ".".join(map(str, OLDEST))
        raise JournalError(
            f"SQLite {version} can lose commits; run `pip install -U apsw` to get {needed} or later"
        )


def open_writer(
    path: Path, application_id: int, migrations: Sequence[str], vfs: str | None = None
) -> apsw.Connection:
    """Open or make a database that is durable at each commit, its tables at the newest version.

    Raises JournalError with the next step, JournalCorrupt when the file is damaged.
    """
    refuse_old_sqlite(apsw.sqlite_lib_version())
    is_new = not path.exists()
    with explained_by_sqlite(path):
        connection = apsw.Connection(str(path), flags=WRITE, vfs=vfs)
        try:
            connection.set_busy_timeout(BUSY_MS)  # before the first read: the last to close holds it alone
            _version(connection, path, application_id, len(migrations))  # a stranger's is left as it was
            _set_up(connection, path)
            migrate(connection, path, application_id, migrations)
        except BaseException:
            connection.close(True)
            raise
    if is_new:
        sync_folder(path.parent)
    return connection


def _set_up(connection: apsw.Connection, path: Path) -> None:
    mode = connection.pragma("journal_mode", "wal")
    if mode != "wal":
        raise JournalError(f"{path} cannot keep a write-ahead log here (it says {mode!r}); use a local disk")
    connection.pragma("synchronous", "FULL")
    connection.pragma("mmap_size", 0)
    connection.pragma("trusted_schema", False)
    connection.pragma("cell_size_check", True)
    connection.pragma("journal_size_limit", 16 * 2**20)


def open_reader(path: Path, application_id: int, vfs: str | None = None) -> apsw.Connection:
    """Open a database that this connection cannot change; raise JournalError when none of ours is there."""
    if not path.exists():
        raise JournalError(f"there is no {path.name} in {path.parent}; `make run` or `qgtm daemon` makes one")
    with explained_by_sqlite(path):
        how = "immutable=1" if _is_frozen(path) else "mode=ro"
        connection = apsw.Connection(f"file:{quote(str(path))}?{how}", flags=READ, vfs=vfs)
        connection.set_busy_timeout(BUSY_MS)
        connection.pragma("query_only", True)
        _refuse_stranger(connection, path, application_id)
        _refuse_empty(connection, path)
        connection.pragma("mmap_size", 0)
        connection.pragma("trusted_schema", False)
    return connection


def _is_frozen(path: Path) -> bool:
    """Return whether nobody can change a file that its last writer closed: SQLite needs no lock for it then.

    It could not even make one, so on a disk that is mounted read-only nothing could be looked at.
    """
    is_closed = not path.with_name(f"{path.name}-wal").exists()
    return is_closed and bool(os.statvfs(path).f_flag & os.ST_RDONLY)


def migrate(connection: apsw.Connection, path: Path, application_id: int, migrations: Sequence[str]) -> None:
    """Bring the tables to the newest version in one transaction, or leave them as they were.

    Raises JournalError for a file that is not ours or that a newer version wrote.
    """
    if _version(connection, path, application_id, len(migrations)) == len(migrations):
        return
    with writing(connection):
        # Asked again: another process may have done it between the question and the lock.
        for step in migrations[_version(connection, path, application_id, len(migrations)) :]:
            connection.execute(step)
        connection.pragma("application_id", application_id)
        connection.pragma("user_version", len(migrations))


def _version(connection: apsw.Connection, path: Path, application_id: int, newest: int) -> int:
    _refuse_stranger(connection, path, application_id)
    version = int(connection.pragma("user_version"))
    if version > newest:
        raise JournalError(f"{path} was written by a newer version of qgtm ({version}); update qgtm")
    return version


def _refuse_empty(connection: apsw.Connection, path: Path) -> None:
    if not connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchall():
        raise JournalError(
            f"{path} is empty: `qgtm up` begins it; if it did hold something, restore the last backup"
        )


def _refuse_stranger(connection: apsw.Connection, path: Path, application_id: int) -> None:
    is_empty = not connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchall()
    if not is_empty and connection.pragma("application_id") != application_id:
        raise JournalError(f"{path} is another program's database; move it away or set QGTM_STATE_DIR")


@contextlib.contextmanager
def writing(connection: apsw.Connection) -> Iterator[None]:
    """Do the block in one transaction that is on the disk when it ends, or not at all."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(apsw.Error):  # SQLite may have rolled back by itself
            connection.execute("ROLLBACK")
        raise


@contextlib.contextmanager
def explained_by_sqlite(path: Path) -> Iterator[None]:
    """Turn SQLite's errors of the block into JournalError, as a sentence with the next step."""
    try:
        yield
    except apsw.Error as problem:
        raise explained_error(problem, path) from problem


def explained_error(problem: apsw.Error, path: Path) -> JournalError:
    """Return SQLite's error as a sentence with the next step."""
    if isinstance(problem, (apsw.CorruptError, apsw.NotADBError)):
        cure = DAMAGED.get(path.name, TO_VERIFY.format(path=path))
        return JournalCorrupt(f"{path} is damaged ({problem}). {cure}")
    for kinds, text in CURES:
        if isinstance(problem, kinds):
            return JournalError(f"{path} {text} ({problem}).")
    return JournalError(f"{path} cannot be used: {problem}. Look at the disk, then start again.")


TO_VERIFY: Final = (
    "Keep a copy, run `qgtm audit verify --journal {path}` to see how far it can be read, and restore the "
    "last backup."
)
# What is no journal needs no backup: each can be had anew.
DAMAGED: Final[dict[str, str]] = {
    "web.db": "Move it away and start again: everybody signs in anew, by passkey; codes are enrolled anew.",
    "outbox.db": "Move it away and start again: it is made anew from the journal.",
    "bars.db": "Move it away and start again: the bars are fetched anew.",
    "inbox.db": "Move it away and start again; give the commands again that nobody took yet (`qgtm audit "
    "tail` shows those that were).",
    "exchange.db": "The paper account in it cannot be read: begin anew with `qgtm up --fresh`, which moves "
    "the old state aside.",
}
CURES: Final[tuple[tuple[tuple[type[apsw.Error], ...], str], ...]] = (
    (
        (apsw.FullError,),
        "has no room left: free some space on its disk and start again; nothing written is lost",
    ),
    (
        (apsw.ReadOnlyError, apsw.CantOpenError, apsw.PermissionsError, apsw.AuthError),
        "cannot be opened for this: check that its folder exists and that this user may write there, "
        "or set QGTM_STATE_DIR to another folder",
    ),
    (
        (apsw.BusyError, apsw.LockedError),
        f"was kept locked for {BUSY_MS / 1000:.0f} s by another program: end it",
    ),
    (
        (apsw.IOError,),
        "could not be read or written by the system: look at the disk (`dmesg`), then start again",
    ),
)
