"""The journal on disk: one writer, readers that cannot write, and nothing acknowledged is ever lost."""

import os
import random
import resource
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import apsw
import pytest

from qgtm.adapters import database
from qgtm.adapters.audit import verify
from qgtm.adapters.journal import APPLICATION_ID, JournalReader, SqliteJournal
from qgtm.core.errors import JournalCorrupt, JournalError, JournalLocked
from qgtm.core.events import AlertRaised, BrokerLost
from qgtm.ports import Head

AT = datetime(2024, 3, 1, 21, 0, tzinfo=UTC)
CHILD = Path(__file__).with_name("journal_child.py")


def lost(number: int) -> BrokerLost:
    return BrokerLost(reason=f"reason {number}")


def write(path: Path, rows: int) -> Head:
    with SqliteJournal(path) as journal:
        for number in range(rows):
            journal.append([lost(number)], AT)
        return journal.head()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def child(path: Path) -> subprocess.Popen[str]:
    repo = str(CHILD.parents[2])
    return subprocess.Popen(
        [sys.executable, str(CHILD), str(path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": repo},
        cwd=repo,
    )


def kill_after(process: subprocess.Popen[str], wait_s: float) -> list[str]:
    assert process.stdout is not None
    first = process.stdout.readline()
    time.sleep(wait_s)
    process.send_signal(signal.SIGKILL)
    rest = process.stdout.read().split("\n")
    process.wait()
    process.stdout.close()
    return [first.strip(), *(line for line in rest[:-1] if line)]


@pytest.mark.fault("G1", "H4")
def test_writer_killed_at_any_instant_loses_nothing_acknowledged(path: Path) -> None:
    draw = random.Random(20240301)
    for _ in range(20):
        acknowledged = kill_after(child(path), draw.uniform(0, 0.04))
        seq, row_hash = acknowledged[-1].split()
        audit = verify(path, anchors=[Head(int(seq), row_hash)])
        assert audit.bad is None
        assert audit.rows % 2 == 0, "half of an append was kept"
        assert audit.rows >= int(seq)


def test_second_writer_is_refused_with_the_first_ones_process_id(path: Path) -> None:
    with SqliteJournal(path) as first:
        with pytest.raises(JournalLocked, match=rf"held by process {os.getpid()}\. Stop it"):
            SqliteJournal(path)
        first.append([lost(1)], AT)
    with SqliteJournal(path) as second:
        assert second.head().seq == 1


@pytest.mark.fault("G6")
def test_second_writer_in_another_process_is_refused(path: Path) -> None:
    process = child(path)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(JournalLocked, match=f"process {process.pid}"):
            SqliteJournal(path)
    finally:
        kill_after(process, 0)
    with SqliteJournal(path) as journal:
        assert journal.head().seq >= 2


def test_lock_file_that_was_removed_lets_no_second_writer_append(path: Path) -> None:
    with SqliteJournal(path) as first:
        first.append([lost(1)], AT)
        path.with_name("journal.db.lock").unlink()
        with SqliteJournal(path) as second:
            second.append([lost(2)], AT)
        with pytest.raises(JournalError, match="journal"):
            first.append([lost(3)], AT)
        with pytest.raises(JournalError):
            first.append([lost(4)], AT)
    assert verify(path).rows == 2


@pytest.mark.fault("H2")
def test_reader_sees_rows_while_the_writer_writes_and_cannot_change_them(path: Path) -> None:
    with SqliteJournal(path) as journal:
        journal.append([lost(1)], AT)
        with JournalReader(path) as reader:
            assert reader.head() == journal.head()
            journal.append([lost(2)], AT)
            assert [entry.event for entry in reader.read()] == [lost(1), lost(2)]
            with pytest.raises(apsw.ReadOnlyError):
                reader._connection.execute("INSERT INTO journal VALUES (9, '', '', '', '', '')")


@pytest.mark.fault("H2", "H6")
def test_reader_in_the_middle_of_a_walk_does_not_hold_back_the_writer(path: Path) -> None:
    with SqliteJournal(path) as journal, JournalReader(path) as reader:
        journal.append([lost(n) for n in range(5)], AT)
        walk = reader.read()
        next(walk)
        journal.append([lost(5)], AT)
        is_busy, _, _ = journal._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()[0]
        assert not is_busy, "a reader is still inside a transaction"


@pytest.mark.fault("J7")
@pytest.mark.invariant("V21")
@pytest.mark.parametrize("statement", ["UPDATE journal SET body = '{}'", "DELETE FROM journal"])
def test_row_cannot_be_changed_or_deleted(path: Path, statement: str) -> None:
    with SqliteJournal(path) as journal:
        journal.append([lost(1)], AT)
        with pytest.raises(apsw.ConstraintError, match="append-only"):
            journal._connection.execute(statement)
        assert next(journal.read()).event == lost(1)


@pytest.mark.fault("F6")
def test_time_does_not_decrease_over_a_restart(path: Path) -> None:
    with SqliteJournal(path) as journal:
        journal.append([lost(1)], AT)
    with SqliteJournal(path) as journal:
        journal.append([lost(2)], datetime(2020, 1, 1, tzinfo=UTC))
        assert [entry.at for entry in journal.read()] == [AT, AT]


def test_settings_are_the_durable_ones(path: Path) -> None:
    with SqliteJournal(path) as journal:
        found = [journal._connection.pragma(name) for name in ("journal_mode", "synchronous", "mmap_size")]
    assert found == ["wal", 2, 0]


def test_reading_a_journal_that_is_not_there_names_the_next_step(path: Path) -> None:
    with pytest.raises(
        JournalError, match=r"there is no journal\.db .*`make run` or `qgtm daemon` makes one"
    ):
        JournalReader(path)


def test_writing_into_a_folder_that_is_not_there_names_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match=r"Next: make the folder, or set QGTM_STATE_DIR"):
        SqliteJournal(tmp_path / "nowhere" / "journal.db")


def test_file_that_is_no_database_is_refused_and_left_alone(path: Path) -> None:
    path.write_bytes(b"these are not the rows you are looking for" * 100)
    before = path.read_bytes()
    with pytest.raises(JournalCorrupt, match="restore the last backup"):
        SqliteJournal(path)
    assert path.read_bytes() == before


def test_database_of_another_program_is_refused(path: Path) -> None:
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE notes (text)")
    connection.close()
    with pytest.raises(JournalError, match="another program's database"):
        SqliteJournal(path)


@pytest.mark.fault("H9")
def test_journal_of_a_newer_version_is_refused(path: Path) -> None:
    write(path, 1)
    connection = apsw.Connection(str(path))
    connection.pragma("user_version", 99)
    connection.close()
    with pytest.raises(JournalError, match="newer version of qgtm"):
        SqliteJournal(path)


@pytest.mark.fault("H9")
def test_migration_that_fails_half_way_leaves_the_file_as_it_was(path: Path) -> None:
    steps = ["CREATE TABLE one (x) STRICT", "CREATE TABLE two (x INTEGER); CREATE TABLE nonsense ("]
    with pytest.raises(JournalError):
        database.open_writer(path, APPLICATION_ID, steps)
    connection = apsw.Connection(str(path))
    assert connection.execute("SELECT count(*) FROM sqlite_schema").get == 0
    assert connection.pragma("user_version") == 0
    connection.close()
    assert write(path, 1).seq == 1


@pytest.mark.fault("H10")
def test_old_sqlite_is_refused() -> None:
    with pytest.raises(JournalError, match=r"3\.51\.2 can lose commits"):
        database.refuse_old_sqlite("3.51.2")
    database.refuse_old_sqlite("3.51.3")
    database.refuse_old_sqlite("3.100.0")


@pytest.mark.fault("H3", "J7")
def test_last_row_that_was_changed_stops_the_writer(path: Path) -> None:
    write(path, 3)
    tamper(path, 'UPDATE journal SET body = \'{"reason":"x"}\' WHERE seq = 3')
    with pytest.raises(JournalCorrupt, match="last row, 3, was changed; run `qgtm audit verify`"):
        SqliteJournal(path)


@pytest.mark.fault("J7")
@pytest.mark.invariant("V21")
def test_guards_that_were_removed_stop_the_writer(path: Path) -> None:
    write(path, 3)
    connection = apsw.Connection(str(path))
    connection.execute("DROP TRIGGER journal_never_updated")
    connection.close()
    with pytest.raises(JournalCorrupt, match="removed its guards journal_never_updated"):
        SqliteJournal(path)


def test_row_that_cannot_be_read_names_itself(path: Path) -> None:
    write(path, 3)
    tamper(path, "UPDATE journal SET kind = 'Gossip' WHERE seq = 2")
    with JournalReader(path) as reader, pytest.raises(JournalCorrupt, match=r"row 2 \(Gossip\)"):
        list(reader.read())


def tamper(path: Path, *statements: str) -> None:
    """Change rows as somebody with the file and no scruples would: guards off, change, guards on."""
    connection = apsw.Connection(str(path))
    guards = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
    for name, _ in guards:
        connection.execute(f"DROP TRIGGER {name}")
    for statement in statements:
        connection.execute(statement)
    for _, sql in guards:
        connection.execute(sql)
    connection.close()


@pytest.mark.fault("H2")
def test_lock_by_another_program_is_an_error_that_can_be_tried_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_MS", 20)
    with SqliteJournal(path) as journal:
        other = apsw.Connection(str(path))
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalError, match=r"kept locked .* by another program"):
            journal.append([lost(1)], AT)
        other.execute("ROLLBACK")
        other.close()
        journal.append([lost(2)], AT)
        assert [entry.event for entry in journal.read()] == [lost(2)]


@pytest.mark.fault("H7")
@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_folder_that_is_read_only_names_the_next_step(path: Path) -> None:
    path.parent.chmod(0o500)
    try:
        with pytest.raises(JournalError, match="set QGTM_STATE_DIR to another folder"):
            SqliteJournal(path)
    finally:
        path.parent.chmod(0o700)


FULL = """
import resource, signal, sys
from pathlib import Path
from datetime import UTC, datetime
from qgtm.adapters.journal import SqliteJournal
from qgtm.core.errors import JournalError
from qgtm.core.events import BrokerLost
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
journal = SqliteJournal(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    while True:
        journal.append([BrokerLost(reason="x" * 1000)], datetime(2024, 3, 1, tzinfo=UTC))
except JournalError as problem:
    print(journal.head().seq, journal.head().hash, problem, sep="|")
try:
    journal.append([], datetime(2024, 3, 1, tzinfo=UTC))
except JournalError:
    print("refused for good")
"""


@pytest.mark.fault("H1")
def test_full_disk_refuses_and_loses_nothing_acknowledged(path: Path) -> None:
    assert resource.RLIMIT_FSIZE is not None
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(path)], capture_output=True, text=True, check=True, timeout=60
    )
    first, second = done.stdout.splitlines()
    seq, row_hash, said = first.split("|")
    assert int(seq) > 10
    assert "start again" in said
    assert second == "refused for good"
    assert verify(path, anchors=[Head(int(seq), row_hash)]).bad is None


def test_long_text_is_kept_whole(path: Path) -> None:
    long = AlertRaised(level="info", cause="test", text="x" * 300_000)
    with SqliteJournal(path) as journal:
        journal.append([long], AT)
        assert next(journal.read()).event == long
