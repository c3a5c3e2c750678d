"""Copies of the fund's record: taken while it runs, and checked row by row.

A backup is a folder: the databases as SQLite's own online copy gives them, the store of values, and
`backup.json`, which says what state they fold to. One that is half made has no such sheet and does not count.
"""

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

import apsw

from qgtm.adapters.audit import verify
from qgtm.adapters.database import BUSY_MS, explained_by_sqlite
from qgtm.adapters.files import StateDir, explained, sync_folder, write_atomic
from qgtm.adapters.journal import JournalReader
from qgtm.adapters.lock import FileLock
from qgtm.adapters.store_copy import copy_store, is_of_store, stored
from qgtm.core.codec import canonical
from qgtm.core.errors import JournalCorrupt, JournalError
from qgtm.core.instant import instant_from_text, text_from_instant
from qgtm.engine.state import State, folded
from qgtm.ports import Head

SHEET: Final = "backup.json"
NAMED: Final = "%Y-%m-%dT%H%M%SZ"
COPIED: Final = ("journal.db", "inbox.db", "bars.db")  # who was signed in then is nobody's business now
DAILY: Final = 30
MONTHLY: Final = 12
PAGES: Final = 2000  # copied at a time, so that a writer waits for milliseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """What a backup holds: the journal's head, the hash of the state that it folds to, and each file's.

    `left_out` says what of the store did not hold when it was copied.
    """

    made_at: datetime
    seq: int
    head: str
    state_sha: str
    mode: str
    latches: tuple[str, ...]
    files: dict[str, str]
    left_out: tuple[str, ...] = ()

    @property
    def stored(self) -> tuple[str, ...]:
        """Return what it holds of the store of values and beside it; the first backups held nothing of it."""
        return tuple(name for name in self.files if is_of_store(name))


def backups(folder: Path) -> tuple[Path, ...]:
    """Return the backups that count, oldest first; what somebody named otherwise is his own matter."""
    return tuple(sorted(path.parent for path in folder.glob(f"*/{SHEET}") if _is_named(path.parent)))


def make_backup(state: StateDir, folder: Path, at: datetime) -> Path:
    """Copy what `state` holds into a new folder below `folder`, and let go of those past their time.

    Kept are the last of each of 30 days and of each of 12 months. Raises JournalError with the next step,
    JournalCorrupt when what was copied does not hold.
    """
    path = folder / f"{at:{NAMED}}"
    with explained(folder, JournalError):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with FileLock(folder / "backup.lock", f"the backups in {folder}"), explained(path, JournalError):
        if path.exists():
            raise JournalError(f"{path} is there already: wait a second, then make another backup.")
        _sweep(folder)
        earlier = backups(folder)[-1:]
        path.mkdir(mode=0o700)
        try:
            _fill(state, path, at, earlier[0] if earlier else None)
        except BaseException:
            shutil.rmtree(path, ignore_errors=True)
            raise
        sync_folder(folder)
        for old in past_their_time(backups(folder)):
            if old != path:  # whatever the clock says: what was made just now is what somebody waits for
                shutil.rmtree(old, ignore_errors=True)
    return path


def _sweep(folder: Path) -> None:
    """Let go of what a process that was killed left half made: nobody else makes one now."""
    for path in folder.iterdir():
        if path.is_dir() and _is_named(path) and not (path / SHEET).exists():
            shutil.rmtree(path, ignore_errors=True)


def _fill(state: StateDir, path: Path, at: datetime, earlier: Path | None) -> None:
    for name in COPIED:
        if (state.root / name).exists():
            _copy(state.root / name, path / name)
    left_out = copy_store(state, path, earlier)
    sheet = (json.dumps(_written(_sheet(path, at, left_out)), indent=2) + "\n").encode()
    write_atomic(path / SHEET, sheet)


def _copy(source: Path, target: Path) -> None:
    with explained_by_sqlite(source):
        reader = apsw.Connection(str(source), flags=apsw.SQLITE_OPEN_READONLY)
        writer = apsw.Connection(str(target))
        try:
            reader.set_busy_timeout(BUSY_MS)
            # One snapshot throughout: else each row that the daemon writes begins the copy anew.
            reader.execute("BEGIN; SELECT COUNT(*) FROM sqlite_schema").fetchall()
            with writer.backup("main", reader, "main") as work:
                while not work.done:
                    work.step(PAGES)
            writer.pragma("journal_mode", "delete")  # one file, which a copy of it is whole with
        finally:
            writer.close()
            reader.close()


def _sheet(path: Path, at: datetime, left_out: tuple[str, ...]) -> Backup:
    head, state = _folded(path / "journal.db")
    databases = (name for name in COPIED if (path / name).exists())
    return Backup(
        made_at=at,
        seq=head.seq,
        head=head.hash,
        state_sha=state_sha(state),
        mode=state.switch.mode.value,
        latches=tuple(latch.value for latch in state.switch.latches),
        files={name: _file_sha(path / name) for name in (*databases, *stored(path))},
        left_out=left_out,
    )


def _folded(journal: Path) -> tuple[Head, State]:
    audit = verify(journal)
    if audit.bad is not None:
        raise JournalCorrupt(
            f"{journal}: row {audit.bad.seq} ({audit.bad.kind}) cannot be believed: {audit.bad.what}. "
            "Take another backup."
        )
    with JournalReader(journal) as reader:
        return audit.head, folded(entry.event for entry in reader.read())


def state_sha(state: State) -> str:
    """Return the sha256 in hex of a state."""
    return sha256(canonical(state).encode("ascii")).hexdigest()


def _file_sha(path: Path) -> str:
    with path.open("rb") as file:
        digest = sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


# --- which are kept -----------------------------------------------------------------------------


def past_their_time(found: Sequence[Path]) -> tuple[Path, ...]:
    """Return those of `found` (by name, oldest first) that are not the last of a day or month still kept."""
    kept = {*_last_of_each(found, "%Y-%m-%d", DAILY), *_last_of_each(found, "%Y-%m", MONTHLY)}
    return tuple(path for path in found if path not in kept)


def _last_of_each(found: Sequence[Path], form: str, number: int) -> Iterator[Path]:
    last = {_made_at(path).strftime(form): path for path in found}
    yield from [last[key] for key in sorted(last)][-number:]


def _made_at(path: Path) -> datetime:
    return datetime.strptime(path.name, NAMED).replace(tzinfo=UTC)


def _is_named(path: Path) -> bool:
    with suppress(ValueError):
        return f"{_made_at(path):{NAMED}}" == path.name
    return False


# --- checking one -------------------------------------------------------------------------------


def verified(path: Path, *, is_keeping_store: bool = False) -> Backup:
    """Return what a backup holds after checking all of it: files, chain, and the state that comes out.

    With `is_keeping_store` the store in it is not looked at. Raises JournalError for a folder that is none,
    JournalCorrupt for one that does not hold.
    """
    sheet = _read_sheet(path)
    for name, expected in sheet.files.items():
        if is_keeping_store and is_of_store(name):
            continue
        with explained(path / name, JournalError):
            found = _file_sha(path / name)
        if found != expected:
            cure = ", or put back the rest with `--keep-store`" if is_of_store(name) else ""
            raise JournalCorrupt(f"{path / name} is not what was copied there: take another backup{cure}.")
    head, state = _folded(path / "journal.db")
    if (head.seq, head.hash) != (sheet.seq, sheet.head):
        raise JournalCorrupt(f"{path} ends at row {head.seq}, and row {sheet.seq} was copied: take another.")
    if state_sha(state) != sheet.state_sha:
        raise JournalCorrupt(
            f"{path} folds to another state than when it was made: this version of qgtm reads the journal "
            "differently. Restore with the version that made it, or deploy with care."
        )
    return sheet


def _read_sheet(path: Path) -> Backup:
    try:
        fields = json.loads((path / SHEET).read_bytes())
        fields["made_at"] = instant_from_text(fields["made_at"])
        fields["latches"] = tuple(fields["latches"])
        fields["left_out"] = tuple(fields.get("left_out", ()))
        return _checked(Backup(**fields))
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise JournalError(
            f"{path} is no backup that can be used ({problem}): `qgtm backup --list` names those that are."
        ) from problem


def _checked(sheet: Backup) -> Backup:
    is_ours = all(name in COPIED or is_of_store(name) for name in sheet.files)
    if "journal.db" not in sheet.files or not is_ours:
        raise ValueError(f"it names other files than {', '.join(COPIED)} and the store's")
    return sheet


def _written(sheet: Backup) -> dict[str, object]:
    return {**asdict(sheet), "made_at": text_from_instant(sheet.made_at)}
