"""A power cut at any moment, a full disk, a failing one: what was acknowledged stays, nothing is half."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import apsw
import pytest

from qgtm.adapters.audit import verify
from qgtm.adapters.journal import SqliteJournal
from qgtm.core.errors import JournalError
from qgtm.core.events import BrokerLost, FeedRecovered
from qgtm.ports import Head
from tests.adapters.power_cut import CutVFS, Disk

AT = datetime(2024, 3, 1, 21, 0, tzinfo=UTC)
APPENDS = 120


@pytest.fixture
def disk() -> Iterator[Disk]:
    disk = Disk()
    vfs = CutVFS("power-cut", disk)
    yield disk
    vfs.unregister()


def pair(number: int) -> list[BrokerLost | FeedRecovered]:
    return [BrokerLost(reason="x" * (37 * number % 3000)), FeedRecovered(feed=str(number))]


def cut_images(path: Path, disk: Disk, synchronous: str, cuts: int) -> list[tuple[Head, dict[str, bytes]]]:
    """Write while the power goes off at random operations; return the acknowledged head and disk of each."""
    draw = random.Random(synchronous)
    found: list[tuple[Head, dict[str, bytes]]] = []
    with SqliteJournal(path, vfs="power-cut") as journal:
        journal._connection.pragma("synchronous", synchronous)
        journal._connection.wal_autocheckpoint(40)

        def maybe_cut(operation: str) -> None:
            if len(found) < cuts and draw.random() < 0.1:
                found.append((journal.head(), disk.image(draw)))

        disk.before = maybe_cut
        for number in range(APPENDS):
            journal.append(pair(number), AT)
        disk.before = lambda operation: None
    return found


def restarted(folder: Path, image: dict[str, bytes]) -> Path:
    folder.mkdir()
    for name, content in image.items():
        (folder / Path(name).name).write_bytes(content)
    return folder / "journal.db"


@pytest.mark.fault("H4")
@pytest.mark.invariant("V3")
def test_power_cut_at_any_moment_loses_nothing_acknowledged_and_leaves_nothing_half(
    tmp_path: Path, disk: Disk
) -> None:
    images = cut_images(tmp_path / "journal.db", disk, "FULL", cuts=50)
    assert len(images) == 50
    for number, (head, image) in enumerate(images):
        path = restarted(tmp_path / str(number), image)
        audit = verify(path, anchors=[head])
        assert audit.bad is None, f"cut {number} at row {head.seq}"
        assert audit.rows in (head.seq, head.seq + 2), "half of an append was kept"
        with SqliteJournal(path) as journal:
            journal.append(pair(1), AT)
            assert journal.head().seq == audit.rows + 2


def test_power_cut_with_weaker_syncing_does_lose_rows_so_this_test_can_see(
    tmp_path: Path, disk: Disk
) -> None:
    images = cut_images(tmp_path / "journal.db", disk, "NORMAL", cuts=50)
    audits = [
        verify(restarted(tmp_path / str(number), image), anchors=[head])
        for number, (head, image) in enumerate(images)
    ]
    assert sum(audit.bad is not None for audit in audits) > 10
    assert {audit.bad.kind for audit in audits if audit.bad} == {"cut"}


@pytest.mark.fault("H1", "H5")
@pytest.mark.parametrize("operation", ["write", "sync"])
@pytest.mark.parametrize("error", [apsw.IOError, apsw.FullError])
def test_disk_that_fails_at_the_nth_operation_stops_the_writer_and_loses_nothing(
    tmp_path: Path, disk: Disk, operation: str, error: type[apsw.Error]
) -> None:
    failures = 0
    for nth in range(1, 30):
        path = tmp_path / f"{nth}.db"
        head = write_until_failure(path, disk, operation, nth, error)
        if head is None:
            continue
        failures += 1
        audit = verify(path, anchors=[head])
        assert audit.bad is None, f"failure at {operation} {nth}"
        assert audit.rows in (head.seq, head.seq + 2)
    assert failures >= 8


def write_until_failure(
    path: Path, disk: Disk, operation: str, nth: int, error: type[apsw.Error]
) -> Head | None:
    """Return the head at the failure, None when there were not so many operations."""
    journal = SqliteJournal(path, vfs="power-cut")
    journal._connection.wal_autocheckpoint(6)
    seen = 0

    def fail(happening: str) -> None:
        nonlocal seen
        seen += happening == operation
        if happening == operation and seen == nth:
            raise error("the disk says no")

    disk.before = fail
    problem = first_problem(journal)
    disk.before = lambda happening: None
    if problem is not None:
        assert "start" in str(problem), "the next step is not named"
        with pytest.raises(JournalError):
            journal.append(pair(9), AT)
    journal.close()
    return journal.head() if problem else None


def first_problem(journal: SqliteJournal) -> JournalError | None:
    for number in range(8):
        try:
            journal.append(pair(number), AT)
        except JournalError as problem:
            return problem
    return None
