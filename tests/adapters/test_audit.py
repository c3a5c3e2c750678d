"""Whoever changes the journal is found out, and the first bad row is named."""

import random
import shutil
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import apsw
import pytest

from qgtm.adapters.audit import verify
from qgtm.adapters.chain import link
from qgtm.adapters.journal import JournalReader, SqliteJournal
from qgtm.core.errors import JournalError
from qgtm.core.events import BarsClosed, BrokerLost, CashMoved, SessionClosed
from qgtm.ports import Head

AT = datetime(2024, 3, 1, 21, 0, tzinfo=UTC)
COLUMNS = ("seq", "at", "kind", "body", "prev_hash", "hash")
ROWS = 24


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("original") / "journal.db"
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
    return path


@pytest.fixture
def path(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(original, tmp_path / "journal.db"))


def tamper(path: Path, *statements: str) -> None:
    """Change rows as somebody with the file and no scruples would: guards off, change, guards on."""
    connection = apsw.Connection(str(path))
    connection.pragma("synchronous", "OFF")
    with connection:
        guards = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for name, _ in guards:
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.execute(statement)
        for _, sql in guards:
            connection.execute(sql)
    connection.close()


def copied(seq: int, source: int) -> str:
    """Return the statement that puts row `source` in once more, as row `seq`."""
    return (
        f"INSERT INTO journal SELECT {seq}, at, kind, body, prev_hash, hash FROM journal WHERE seq = {source}"
    )


def added(kind: str, at: str, body: str, before: Head) -> str:
    """Return the statement that appends a row whose hash is right."""
    row_hash = link(before.hash, before.seq + 1, at, kind, body)
    values = "', '".join((at, kind, body, before.hash, row_hash))
    return f"INSERT INTO journal VALUES ({before.seq + 1}, '{values}')"


def head_of(path: Path) -> Head:
    with JournalReader(path) as reader:
        return reader.head()


def test_journal_that_nobody_changed_holds(path: Path) -> None:
    audit = verify(path)
    assert (audit.rows, audit.head, audit.bad) == (ROWS, head_of(path), None)
    assert audit.is_ok


def test_journal_without_rows_holds(tmp_path: Path) -> None:
    SqliteJournal(tmp_path / "journal.db").close()
    assert verify(tmp_path / "journal.db").is_ok


@pytest.mark.parametrize(
    ("change", "seq", "said"),
    [
        ("UPDATE journal SET body = replace(body, '2.0', '9.0') WHERE seq = 3", 3, "does not follow"),
        ("UPDATE journal SET at = '2024-03-01T21:00:00.500000Z' WHERE seq = 6", 6, "does not follow"),
        ("UPDATE journal SET kind = 'BrokerFound' WHERE seq = 5", 5, "does not follow"),
        ("UPDATE journal SET hash = upper(hash) WHERE seq = 7", 7, "does not follow"),
        ("DELETE FROM journal WHERE seq = 8", 9, "rows 8 to 8 are missing"),
        ("DELETE FROM journal WHERE seq < 4", 4, "rows 1 to 3 are missing"),
        (copied(25, 24), 25, "chained"),
        (copied(0, 1), 0, "number"),
        (copied(-3, 1), -3, "number"),
    ],
)  # fmt: skip
def test_change_is_named_with_the_first_bad_row(path: Path, change: str, seq: int, said: str) -> None:
    tamper(path, change)
    bad = verify(path).bad
    assert bad is not None
    assert bad.seq == seq
    assert said in bad.what


@pytest.mark.fault("J7")
@pytest.mark.invariant("V21")
def test_rows_that_changed_places_are_named(path: Path) -> None:
    tamper(
        path,
        "UPDATE journal SET seq = -1 WHERE seq = 10",
        "UPDATE journal SET seq = 10 WHERE seq = 11",
        "UPDATE journal SET seq = 11 WHERE seq = -1",
    )
    bad = verify(path).bad
    assert bad is not None
    assert bad.seq == 10


@pytest.mark.fault("J7")
@pytest.mark.invariant("V21")
def test_cut_rows_are_named_by_a_head_from_elsewhere(path: Path) -> None:
    anchor = head_of(path)
    tamper(path, f"DELETE FROM journal WHERE seq > {ROWS - 5}")
    assert verify(path).is_ok  # the chain alone cannot know what came after
    bad = verify(path, anchors=[anchor]).bad
    assert bad is not None
    assert (bad.seq, bad.kind) == (ROWS - 4, "cut")
    assert f"ends at row {ROWS - 5}, and row {ROWS} was there" in bad.what


@pytest.mark.fault("J7")
@pytest.mark.invariant("V21")
def test_journal_written_anew_from_the_start_is_named_by_an_anchor(path: Path, tmp_path: Path) -> None:
    anchor = Head(3, _hash(path, 3))
    other = tmp_path / "other.db"
    with SqliteJournal(other) as journal:
        journal.append([BrokerLost(reason="made up")] * 30, AT)
    assert verify(other).is_ok
    bad = verify(other, anchors=[anchor]).bad
    assert bad is not None
    assert (bad.seq, bad.kind) == (3, "anchor")


def _hash(path: Path, seq: int) -> str:
    with JournalReader(path) as reader:
        return reader.hash_at(seq) or ""


def test_row_with_a_true_hash_that_no_version_can_read_is_named(path: Path) -> None:
    tamper(path, added("Gossip", "2024-03-01T22:00:00.000000Z", "{}", head_of(path)))
    bad = verify(path).bad
    assert bad is not None
    assert (bad.seq, bad.kind) == (ROWS + 1, "Gossip")
    assert "cannot be read" in bad.what


def test_row_dated_before_the_one_above_it_is_named(path: Path) -> None:
    tamper(path, added("BrokerLost", "2023-03-01T22:00:00.000000Z", '{"reason":"x"}', head_of(path)))
    bad = verify(path).bad
    assert bad is not None
    assert "before the row above it" in bad.what


def test_text_that_is_no_text_is_named_with_its_row(path: Path) -> None:
    tamper(path, "UPDATE journal SET body = CAST(x'7bff7d' AS TEXT) WHERE seq = 6")
    audit = verify(path)
    assert audit.bad is not None
    assert (audit.rows, audit.bad.seq, audit.bad.kind) == (5, 6, "unreadable")


def test_missing_guards_are_named(path: Path) -> None:
    connection = apsw.Connection(str(path))
    connection.execute("DROP TRIGGER journal_never_deleted")
    connection.close()
    bad = verify(path).bad
    assert bad is not None
    assert (bad.kind, bad.what) == ("schema", "the guards journal_never_deleted are gone")


def test_walk_since_a_head_checks_only_what_came_after(path: Path) -> None:
    since = Head(12, _hash(path, 12))
    assert verify(path, since=since).rows == ROWS - 12
    tamper(path, "UPDATE journal SET body = '{}' WHERE seq = 5")
    assert verify(path, since=since).is_ok
    tamper(path, "UPDATE journal SET body = '{}' WHERE seq = 15")
    bad = verify(path, since=since).bad
    assert bad is not None
    assert bad.seq == 15


def test_walk_since_a_head_that_is_not_there_is_refused(path: Path) -> None:
    bad = verify(path, since=Head(12, "f" * 64)).bad
    assert bad is not None
    assert bad.seq == 12


@pytest.mark.fault("J7")
@pytest.mark.invariant("V21")
def test_random_edits_of_single_bytes_are_all_found(original: Path, tmp_path: Path) -> None:
    draw = random.Random(7)
    with JournalReader(original) as reader:
        rows = {row.seq: row._asdict() for row in reader.rows()}
    missed = []
    for number in range(500):
        path = Path(shutil.copy(original, tmp_path / f"{number}.db"))
        seq, column = draw.randint(1, ROWS), draw.choice(COLUMNS)
        value = str(rows[seq][column])
        at = draw.randrange(len(value))
        # A text can take any byte, a row's number only another digit (and none that stands already).
        others = [char for char in map(chr, range(32, 127)) if char != value[at]]
        changed = value[:at] + draw.choice(others) + value[at + 1 :] if column != "seq" else str(seq + ROWS)
        quoted = changed.replace("'", "''")
        tamper(path, f"UPDATE journal SET {column} = '{quoted}' WHERE seq = {seq}")
        bad = verify(path).bad
        # A changed hash may show at its own row or at the next one.
        if bad is None or bad.seq not in (seq, seq + 1, seq + ROWS):
            missed.append((seq, column, at, changed, bad))
        path.unlink()
    assert missed == []


@pytest.mark.fault("H3")
@pytest.mark.invariant("V21")
def test_flipped_byte_of_the_file_is_found_or_changed_no_row(original: Path, tmp_path: Path) -> None:
    draw = random.Random(11)
    content = original.read_bytes()
    with JournalReader(original) as reader:
        rows = list(reader.rows())
    path = tmp_path / "journal.db"
    for _ in range(200):
        at = draw.randrange(len(content))
        path.write_bytes(content[:at] + bytes([content[at] ^ (1 << draw.randrange(8))]) + content[at + 1 :])
        try:
            is_ok = verify(path).is_ok
        except JournalError:
            is_ok = False
        if is_ok:
            with JournalReader(path) as reader:
                assert list(reader.rows()) == rows, f"byte {at} changed a row and nobody noticed"
        for beside in tmp_path.glob("journal.db-*"):
            beside.unlink()
    assert verify(original).is_ok


def test_journal_that_is_not_there_cannot_be_checked(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="there is no"):
        verify(tmp_path / "journal.db")
