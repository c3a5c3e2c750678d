"""Backups: taken under a writing daemon, checked whole, and put back without losing a halt."""

import json
import random
import shutil
import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import apsw
import pytest

from qgtm.adapters.audit import verify
from qgtm.adapters.backup import backups, make_backup, past_their_time, state_sha, verified
from qgtm.adapters.files import StateDir
from qgtm.adapters.inbox import Inbox
from qgtm.adapters.journal import JournalReader, SqliteJournal
from qgtm.adapters.restoring import restore
from qgtm.core.commands import AcceptBreak, Flatten, Halt
from qgtm.core.errors import JournalCorrupt, JournalError, JournalLocked
from qgtm.core.events import CashMoved, CommandTaken, Latched, ModeChanged
from qgtm.core.mode import Latch, Mode, Trigger
from qgtm.engine.state import folded

AT = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    (tmp_path / "var").mkdir()
    return StateDir(tmp_path / "var")


def flow(number: int) -> CashMoved:
    return CashMoved(activity_id=f"a{number}", kind="CSD", amount_usd=Decimal(number))


def write(state: StateDir, *events: object) -> None:
    with SqliteJournal(state.journal) as journal:
        journal.append(list(events), AT)  # type: ignore[arg-type]


def hard(epoch: int = 1) -> ModeChanged:
    return ModeChanged(
        trigger=Trigger.HARD_CAP, before=Mode.ACTIVE, after=Mode.HALTED_HARD, reason="fell", at=AT
    )


def wishes(state: StateDir) -> list[object]:
    with Inbox(state.inbox) as inbox:
        return [wish.command for wish in inbox.wishes(0)]


def test_backup_folds_to_the_state_that_was_copied(state: StateDir, tmp_path: Path) -> None:
    write(state, flow(3), flow(4), Latched(latch=Latch.OPERATOR_HALT, reason="r"))
    path = make_backup(state, tmp_path / "copies", AT)
    sheet = verified(path)
    with JournalReader(path / "journal.db") as reader:
        again = folded(entry.event for entry in reader.read())
    assert (sheet.seq, sheet.mode, sheet.latches) == (3, "active", ("operator_halt",))
    assert again.cash_usd == Decimal(7)
    assert sheet.state_sha == state_sha(again)


@pytest.mark.fault("H2")
def test_backup_under_a_writing_daemon_holds_a_prefix_of_its_journal(state: StateDir, tmp_path: Path) -> None:
    stop, written = threading.Event(), []
    with SqliteJournal(state.journal) as journal:
        journal.append([flow(0)], AT)

        def go_on() -> None:
            while not stop.is_set():
                journal.append([flow(len(written) + 1)], AT)
                written.append(journal.head())

        writer = threading.Thread(target=go_on)
        writer.start()
        try:
            sheets = [
                verified(make_backup(state, tmp_path / "copies", AT + timedelta(seconds=n))) for n in range(4)
            ]
        finally:
            stop.set()
            writer.join(10)
    heads = {(head.seq, head.hash) for head in written}
    assert all((sheet.seq, sheet.head) in heads for sheet in sheets if sheet.seq > 1)
    assert sheets[-1].seq > 1


@pytest.mark.fault("H3")
def test_every_flipped_byte_of_a_backup_is_found(state: StateDir, tmp_path: Path) -> None:
    write(state, *map(flow, range(30)))
    path, draw = make_backup(state, tmp_path / "copies", AT), random.Random(3)
    sound = (path / "journal.db").read_bytes()
    for _ in range(60):
        at = draw.randrange(len(sound))
        (path / "journal.db").write_bytes(
            sound[:at] + bytes([sound[at] ^ 1 << draw.randrange(8)]) + sound[at + 1 :]
        )
        with pytest.raises(JournalCorrupt):
            verified(path)
    (path / "journal.db").write_bytes(sound)
    assert verified(path).seq == 30


def test_sheet_that_tells_another_state_is_refused(state: StateDir, tmp_path: Path) -> None:
    write(state, flow(1))
    path = make_backup(state, tmp_path / "copies", AT)
    said = json.loads((path / "backup.json").read_text())
    (path / "backup.json").write_text(json.dumps({**said, "state_sha": "0" * 64}))
    with pytest.raises(JournalCorrupt, match="another state"):
        verified(path)


def test_half_made_backup_does_not_count(state: StateDir, tmp_path: Path) -> None:
    write(state, flow(1))
    path = make_backup(state, tmp_path / "copies", AT)
    (path / "backup.json").unlink()
    assert backups(tmp_path / "copies") == ()
    with pytest.raises(JournalError, match="no backup that can be used"):
        verified(path)


def test_journal_with_a_row_that_cannot_be_believed_is_not_backed_up(state: StateDir, tmp_path: Path) -> None:
    write(state, flow(1), flow(2))
    raw = apsw.Connection(str(state.journal))
    for (name,) in raw.execute("SELECT name FROM sqlite_schema WHERE type='trigger'").fetchall():
        raw.execute(f"DROP TRIGGER {name}")
    raw.close()
    with pytest.raises(JournalCorrupt, match="Take another backup"):
        make_backup(state, tmp_path / "copies", AT)
    assert backups(tmp_path / "copies") == ()


# --- which are kept: by hand ----------------------------------------------------------------------


def test_thirty_days_and_twelve_months_are_kept(tmp_path: Path) -> None:
    days = [datetime(2025, 1, 1, 3, tzinfo=UTC) + timedelta(days=n) for n in range(500)]  # to 2026-05-15
    found = [tmp_path / f"{day:%Y-%m-%dT%H%M%S}Z" for day in days]
    gone = set(past_their_time(found))
    kept = [path.name[:10] for path in found if path not in gone]
    months = [
        "2025-06-30", "2025-07-31", "2025-08-31", "2025-09-30", "2025-10-31", "2025-11-30", "2025-12-31",
        "2026-01-31", "2026-02-28", "2026-03-31",
    ]  # fmt: skip
    # The last 30 days are April 16th to May 15th, and April 30th and May 15th are two of the twelve months.
    last = [f"2026-04-{day}" for day in range(16, 31)] + [f"2026-05-{day:02}" for day in range(1, 16)]
    assert kept == months + last


def test_of_two_in_one_day_the_later_stays(tmp_path: Path) -> None:
    found = [tmp_path / "2026-03-01T030000Z", tmp_path / "2026-03-01T150000Z"]
    assert past_their_time(found) == (found[0],)


# --- putting back -------------------------------------------------------------------------------


@pytest.mark.fault("D12")
def test_restored_journal_is_the_backups_and_the_fund_is_halted(state: StateDir, tmp_path: Path) -> None:
    write(state, flow(1), CommandTaken(command_id=41, kind="Halt", by="OpA"))
    with Inbox(state.inbox) as inbox:
        inbox.put(AcceptBreak(subject="GLD", reason="was fine then", by="OpA"), "OpA", AT)
    path = make_backup(state, tmp_path / "copies", AT)
    write(state, flow(2))
    done = restore(path, state, AT + timedelta(hours=1))
    assert verify(state.journal).head.seq == done.sheet.seq == 2
    assert verify(done.aside / "journal.db").head.seq == 3
    halt, *rest = wishes(state)  # what waited then is gone
    assert isinstance(halt, Halt)
    assert rest == []
    with Inbox(state.inbox) as inbox:
        assert [wish.command_id for wish in inbox.wishes(41)] == [42]


def test_halt_that_closes_everything_outlives_an_older_backup(state: StateDir, tmp_path: Path) -> None:
    write(state, flow(1))
    path = make_backup(state, tmp_path / "copies", AT)
    write(state, hard())
    restore(path, state, AT + timedelta(hours=1))
    assert [type(wish) for wish in wishes(state)] == [Halt, Flatten]


def test_halt_outlives_a_journal_that_is_damaged_behind_it(state: StateDir, tmp_path: Path) -> None:
    write(state, flow(1))
    path = make_backup(state, tmp_path / "copies", AT)
    write(state, hard(), *map(flow, range(400)))
    whole = bytearray(state.journal.read_bytes())
    whole[len(whole) - 4096 :] = bytes(4096)
    state.journal.write_bytes(whole)
    restore(path, state, AT + timedelta(hours=1))
    assert [type(wish) for wish in wishes(state)] == [Halt, Flatten]


def test_nothing_is_put_back_under_a_daemon(state: StateDir, tmp_path: Path) -> None:
    write(state, flow(1))
    path = make_backup(state, tmp_path / "copies", AT)
    with SqliteJournal(state.journal), pytest.raises(JournalLocked):
        restore(path, state, AT)
    assert verify(state.journal).head.seq == 1


def test_backup_that_does_not_hold_replaces_nothing(state: StateDir, tmp_path: Path) -> None:
    write(state, flow(1))
    path = make_backup(state, tmp_path / "copies", AT)
    (path / "journal.db").write_bytes(b"x" * 4096)
    with pytest.raises(JournalError):
        restore(path, state, AT)
    assert verify(state.journal).head.seq == 1
    assert not (state.root / "aside").exists()


def test_fund_comes_back_on_an_empty_machine(state: StateDir, tmp_path: Path) -> None:
    write(state, flow(5))
    path = make_backup(state, tmp_path / "copies", AT)
    shutil.rmtree(state.root)
    state.root.mkdir()
    restore(path, state, AT)
    assert verify(state.journal).head.seq == 1
