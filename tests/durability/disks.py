"""The journal on a disk that loses power, fills up or fails, and the journal that somebody edits."""

import random
import shutil
import tempfile
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import apsw

from qgtm.adapters.audit import verify
from qgtm.adapters.journal import JournalReader, SqliteJournal
from qgtm.core.errors import JournalError
from qgtm.core.events import BarsClosed, BrokerLost, CashMoved, FeedRecovered, SessionClosed
from qgtm.ports import Head
from tests.adapters.power_cut import CutVFS, Disk

AT = datetime(2024, 3, 1, 21, 0, tzinfo=UTC)
MEMORY = Path("/dev/shm")
CUT_FRAC = 0.1  # of all operations of the disk
CHECKPOINT_PAGES = 40
NOT_FOUND = "not found"


def folder_of(name: str) -> Path:
    return Path(tempfile.mkdtemp(prefix=f"qgtm-{name}-", dir=MEMORY if MEMORY.is_dir() else None))


def pair(number: int) -> list[BrokerLost | FeedRecovered]:
    return [BrokerLost(reason="x" * (37 * number % 3000)), FeedRecovered(feed=str(number))]


# --- power --------------------------------------------------------------------------------------


@dataclass
class Power:
    """One journal, and the power that goes off again and again; each cut is booted and judged."""

    folder: Path
    cuts: int
    draw: random.Random
    synchronous: str = "FULL"
    disk: Disk = field(default_factory=Disk)
    done: int = 0
    halves: int = 0  # cuts in the middle of an append
    lost: list[str] = field(default_factory=list)

    def run(self) -> None:
        vfs = CutVFS(f"power-{id(self)}", self.disk)
        try:
            while self.done < self.cuts:
                self.one_file(self.folder / f"{self.done}.db", f"power-{id(self)}")
        finally:
            vfs.unregister()

    def one_file(self, path: Path, vfs: str) -> None:
        with SqliteJournal(path, vfs=vfs) as journal:
            journal._connection.pragma("synchronous", self.synchronous)
            journal._connection.wal_autocheckpoint(CHECKPOINT_PAGES)
            images: list[tuple[Head, dict[str, bytes]]] = []

            def maybe_cut(operation: str) -> None:
                if self.draw.random() < CUT_FRAC and self.done + len(images) < self.cuts:
                    images.append((journal.head(), self.disk.image(self.draw)))

            self.disk.before = maybe_cut
            for number in range(120):
                journal.append(pair(number), AT)
            self.disk.before = lambda operation: None
        for image in images:
            self.judge(*image)
        self.disk.synced.clear()
        self.disk.pending.clear()

    def judge(self, head: Head, image: dict[str, bytes]) -> None:
        self.done += 1
        place = self.folder / "restarted"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        for name, content in image.items():
            (place / ("journal.db" + name.partition(".db")[2])).write_bytes(content)
        path = place / "journal.db"
        audit = verify(path, anchors=[head])
        if audit.bad is not None or audit.rows not in (head.seq, head.seq + 2):
            self.lost.append(f"cut {self.done} at row {head.seq}: {audit.rows} rows, {audit.bad}")
            return
        self.halves += audit.rows == head.seq + 2
        with SqliteJournal(path) as journal:
            journal.append(pair(1), AT)
            if journal.head().seq != audit.rows + 2:
                self.lost.append(f"cut {self.done}: the restarted journal does not go on")


def power_cuts(seed: int, cuts: int, synchronous: str = "FULL") -> dict[str, Any]:
    """Return what so many cuts came to: `broken` names each that lost or halved something."""
    folder = folder_of("power")
    try:
        power = Power(folder, cuts, random.Random(f"{seed} power"), synchronous)
        power.run()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {"cuts": power.done, "whole_append_kept": power.halves, "broken": power.lost}


# --- a disk that fails --------------------------------------------------------------------------

OPERATIONS = ("write", "sync")
ERRORS: dict[str, type[apsw.Error]] = {"IOERR": apsw.IOError, "FULL": apsw.FullError}


def failing_disks(appends: int) -> dict[str, Any]:
    """Let the disk fail at every n-th write and every n-th sync of a run, each with both errors."""
    folder, disk, broken, failures = folder_of("failing"), Disk(), list[str](), Counter[str]()
    vfs = CutVFS("failing", disk)
    try:
        for operation in OPERATIONS:
            for name, error in ERRORS.items():
                nth = 1
                while (found := failing(folder / f"{nth}.db", disk, operation, nth, error, appends)) != "":
                    if found:
                        broken.append(f"{name} at {operation} {nth}: {found}")
                    failures[f"{name} at a {operation}"] += 1
                    nth += 1
    finally:
        vfs.unregister()
        shutil.rmtree(folder, ignore_errors=True)
    return {"failures": dict(failures), "broken": broken}


def failing(
    path: Path, disk: Disk, operation: str, nth: int, error: type[apsw.Error], appends: int
) -> str | None:
    """Return what went wrong at the n-th operation: None for nothing, "" when there are not so many."""
    for old in path.parent.glob("*"):
        old.unlink()
    disk.synced.clear()
    disk.pending.clear()
    journal = SqliteJournal(path, vfs="failing")
    journal._connection.wal_autocheckpoint(6)
    seen = 0

    def fail(happening: str) -> None:
        nonlocal seen
        seen += happening == operation
        if happening == operation and seen == nth:
            raise error("the disk says no")

    disk.before = fail
    stopped = ""
    for number in range(appends):
        try:
            journal.append(pair(number), AT)
        except JournalError as problem:
            stopped = str(problem)
            break
    disk.before = lambda happening: None
    if seen < nth:
        journal.close()
        return ""
    told = refusal_of(journal, stopped)
    head = journal.head()
    journal.close()
    audit = verify(path, anchors=[head])
    if audit.bad is not None or audit.rows not in (head.seq, head.seq + 2):
        return f"{audit.rows} rows after row {head.seq}, {audit.bad}"
    return told


def refusal_of(journal: SqliteJournal, stopped: str) -> str | None:
    """Return None when a writer that failed refuses to go on (or the failure was none of an append)."""
    if not stopped:  # a checkpoint that fails costs nothing: the rows are in the log
        return None
    with suppress(JournalError):
        journal.append(pair(9), AT)
        return "it went on writing after a failure"
    return None if "start" in stopped else f"the next step is not named: {stopped}"


# --- edits --------------------------------------------------------------------------------------

COLUMNS = ("seq", "at", "kind", "body", "prev_hash", "hash")
ROWS = 24


def written(path: Path) -> None:
    """Write a journal of 24 rows."""
    with SqliteJournal(path) as journal:
        for number in range(ROWS // 4):
            bars = {"GLD": (1.5, 2.5, 0.5, 2.0 + number, 1e7)}
            events = [
                BrokerLost(reason=f"π {number}"),
                CashMoved(activity_id=str(number), kind="CSD", amount_usd=Decimal(number)),
                BarsClosed(session=date(2024, 3, 1), known_at=AT, bars=bars),
                SessionClosed(session=date(2024, 3, 1)),
            ]
            journal.append(events, AT + timedelta(seconds=number))


def edits(seed: int, count: int) -> dict[str, Any]:
    """Change one character of one cell, so many times, as somebody with the file would; all must be found."""
    folder, draw = folder_of("edits"), random.Random(f"{seed} edits")
    columns: Counter[str] = Counter()
    missed = []
    try:
        original = folder / "original.db"
        written(original)
        with JournalReader(original) as reader:
            rows = {row.seq: row._asdict() for row in reader.rows()}
        content = original.read_bytes()
        for number in range(count):
            seq, column, value = edit(draw, rows)
            columns[column] += 1
            path = folder / "edited.db"
            path.write_bytes(content)
            tamper(path, column, value, seq)
            bad = verify(path).bad
            # A changed hash may show at its own row or at the next one.
            if bad is None or bad.seq not in (seq, seq + 1, seq + ROWS):
                missed.append(f"edit {number}: {column} of row {seq} to {value!r}: {bad or NOT_FOUND}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {"edits": count, "columns": dict(columns), "broken": missed}


def edit(draw: random.Random, rows: dict[int, dict[str, Any]]) -> tuple[int, str, str]:
    """Return a row, a column and what its cell says with one character changed."""
    seq, column = draw.randint(1, ROWS), draw.choice(COLUMNS)
    value = str(rows[seq][column])
    if column == "seq":  # only another number that no row has
        return seq, column, str(seq + ROWS)
    at = draw.randrange(len(value))
    others = [char for char in map(chr, range(32, 127)) if char != value[at]]
    return seq, column, value[:at] + draw.choice(others) + value[at + 1 :]


def tamper(path: Path, column: str, value: str, seq: int) -> None:
    """Change a cell with the guards off, and put them back."""
    connection = apsw.Connection(str(path))
    connection.pragma("synchronous", "OFF")
    with connection:
        guards = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for name, _ in guards:
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute(f"UPDATE journal SET {column} = ? WHERE seq = ?", (value, seq))
        for _, sql in guards:
            connection.execute(sql)
    connection.close()
    for beside in path.parent.glob(f"{path.name}-*"):
        beside.unlink()


def flipped_bytes(seed: int, count: int) -> dict[str, Any]:
    """Flip one bit of the file, so many times: found, or no row reads otherwise than before."""
    folder, draw = folder_of("flips"), random.Random(f"{seed} flips")
    found, missed = 0, []
    try:
        original, path = folder / "original.db", folder / "flipped.db"
        written(original)
        content = original.read_bytes()
        with JournalReader(original) as reader:
            rows = list(reader.rows())
        for _ in range(count):
            at = draw.randrange(len(content))
            changed = bytes([content[at] ^ (1 << draw.randrange(8))])
            path.write_bytes(content[:at] + changed + content[at + 1 :])
            is_found = is_seen(path)
            found += is_found
            if not is_found and rows_in(path) != rows:
                missed.append(f"byte {at} changed a row and nobody noticed")
            for beside in folder.glob("flipped.db-*"):
                beside.unlink()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {"flips": count, "found": found, "without_effect": count - found - len(missed), "broken": missed}


def is_seen(path: Path) -> bool:
    try:
        return not verify(path).is_ok
    except JournalError:
        return True


def rows_in(path: Path) -> list[Any] | None:
    """Return the rows, None when they cannot be read."""
    try:
        with JournalReader(path) as reader:
            return list(reader.rows())
    except JournalError:
        return None
