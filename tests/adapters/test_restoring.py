"""Putting a backup back through kills and full disks: no halt is lost, and the next restore finishes it."""

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from qgtm.adapters import restoring
from qgtm.adapters.audit import verify
from qgtm.adapters.backup import backups, make_backup, verified
from qgtm.adapters.files import StateDir
from qgtm.adapters.inbox import Inbox
from qgtm.adapters.journal import RESTORING, SqliteJournal
from qgtm.adapters.kill_file import KillFile, KillWord
from qgtm.adapters.lock import FileLock
from qgtm.adapters.restoring import restore
from qgtm.core.commands import Flatten, Halt
from qgtm.core.errors import JournalError, JournalLocked
from qgtm.core.events import CashMoved, CommandTaken, Event, LimitsChanged, ModeChanged
from qgtm.core.mode import Mode, Trigger
from qgtm.reporting.nightly import Nightly

AT = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
EFFECTS = ("rename", "replace", "unlink", "mkdir", "rmdir", "fsync")


def flow(number: int) -> CashMoved:
    return CashMoved(activity_id=f"a{number}", kind="CSD", amount_usd=Decimal(number))


HARD = ModeChanged(trigger=Trigger.HARD_CAP, before=Mode.ACTIVE, after=Mode.HALTED_HARD, reason="fell", at=AT)


def write(state: StateDir, *events: Event) -> None:
    with SqliteJournal(state.journal) as journal:
        journal.append(list(events), AT)


def wishes(state: StateDir) -> list[Any]:
    with Inbox(state.inbox) as inbox:
        return [type(wish.command) for wish in inbox.wishes(0)]


def made(folder: Path, *since: Event) -> tuple[StateDir, Path]:
    """Return a state folder, and a backup of it from before `since`."""
    state = StateDir(folder / "var")
    state.root.mkdir(parents=True)
    write(state, flow(1))
    path = make_backup(state, folder / "copies", AT)
    if since:
        write(state, *since)
    (state.root / "snapshots").mkdir()
    (state.root / "snapshots" / "5.json").write_text("{}")
    return state, path


def ended_at(step: int, work: Callable[[], object]) -> bool:
    """Do `work` in a process that is gone, as by kill -9, at its n-th effect; return whether it was."""
    child = os.fork()
    if child == 0:
        done = [0]

        def fatal(real: Callable[..., Any]) -> Callable[..., Any]:
            def act(*told: Any, **more: Any) -> Any:
                done[0] += 1
                if done[0] == step:
                    os._exit(9)
                return real(*told, **more)

            return act

        for name in EFFECTS:
            setattr(os, name, fatal(getattr(os, name)))
        with suppress(BaseException):
            work()
            os._exit(0)
        os._exit(1)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, 9)
    return code == 9


def test_restore_that_is_killed_at_any_step_starts_no_daemon_and_is_finished_by_the_next(
    tmp_path: Path,
) -> None:
    step, marked = 1, 0
    while True:
        state, path = made(tmp_path / str(step), HARD)
        if not ended_at(step, lambda: restore(path, state, AT)):  # noqa: B023 - done within the turn
            break
        if (state.root / RESTORING).exists():
            marked += 1
            with pytest.raises(JournalError, match="qgtm restore"):
                SqliteJournal(state.journal)
        elif verify(state.journal).head.seq == 2:
            pass  # nothing had been moved
        else:  # all of it had, and the halt with it
            assert wishes(state) == [Halt, Flatten]
        restore(path, state, AT + timedelta(hours=1))
        assert verify(state.journal).head.seq == 1
        assert wishes(state) == [Halt, Flatten], step
        old = [each for each in state.root.glob("aside/*/journal.db") if verify(each).head.seq == 2]
        assert len(old) == 1
        assert not (state.root / "restoring").exists()
        assert not (state.root / RESTORING).exists()
        assert not (state.root / "snapshots").exists()
        write(state, flow(2))
        step += 1
    assert step > 20
    assert marked > 5


@pytest.mark.fault("H1")
def test_disk_that_fills_at_any_step_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for step in range(1, 100):
        state, path = made(tmp_path / str(step), HARD)
        done = 0

        def full(real: Callable[..., Any]) -> Callable[..., Any]:
            def act(*told: Any, **more: Any) -> Any:
                nonlocal done
                done += 1
                if done == step:  # noqa: B023 - done within the turn
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                return real(*told, **more)

            return act

        with monkeypatch.context() as patch:
            for name in EFFECTS:
                patch.setattr(os, name, full(getattr(os, name)))
            try:
                restore(path, state, AT)
            except JournalError as problem:
                assert "free some space" in str(problem)  # noqa: PT017
            if done < step:
                break
        restore(path, state, AT + timedelta(hours=1))
        assert (verify(state.journal).head.seq, wishes(state)) == (1, [Halt, Flatten])
    assert step > 20


def test_backup_that_is_killed_at_any_step_does_not_count_and_is_swept_away(tmp_path: Path) -> None:
    state, _ = made(tmp_path)
    folder, step = tmp_path / "killed", 1
    while ended_at(step, lambda: make_backup(state, folder, AT + timedelta(seconds=step))):  # noqa: B023
        for each in backups(folder):
            verified(each)
        step += 1
    assert step > 3
    last = make_backup(state, folder, AT + timedelta(days=400))
    assert [path for path in folder.iterdir() if path.is_dir()] == sorted([*backups(folder)])
    assert last in backups(folder)


# --- what must not be forgotten -------------------------------------------------------------------


def test_wish_to_close_everything_that_nobody_took_yet_goes_on(tmp_path: Path) -> None:
    state, path = made(tmp_path, CommandTaken(command_id=1, kind="Halt", by="OpA"))
    with Inbox(state.inbox) as inbox:
        inbox.put(Halt(reason="r", by="OpA"), "OpA", AT)
        inbox.put(Flatten(reason="r", by="OpB"), "OpB", AT)
    restore(path, state, AT)
    assert wishes(state) == [Halt, Flatten]


def test_wish_to_close_everything_that_was_taken_long_ago_is_over(tmp_path: Path) -> None:
    state, path = made(tmp_path, CommandTaken(command_id=1, kind="Flatten", by="OpB"))
    with Inbox(state.inbox) as inbox:
        inbox.put(Flatten(reason="r", by="OpB"), "OpB", AT)
    restore(path, state, AT)
    assert wishes(state) == [Halt]


@pytest.mark.parametrize(
    ("mode", "goes_on"), [("halted_hard", True), ("halted_dead_man", True), ("active", False)]
)
def test_halt_outlives_a_journal_of_which_nothing_can_be_read(
    tmp_path: Path, mode: str, goes_on: bool
) -> None:
    state, path = made(tmp_path)
    KillFile(state.kill).write(KillWord(mode=mode, kill_epoch=3, since=None, command_id=77))
    state.journal.write_bytes(b"\0" * 8192)
    restore(path, state, AT)
    assert wishes(state) == [Halt, *[Flatten] * goes_on]
    with Inbox(state.inbox) as inbox:
        assert inbox.wishes(77)[0].command_id == 78  # the watchdog, too, sees it as new


def test_restore_says_what_the_backup_does_not_know_of(tmp_path: Path) -> None:
    state, path = made(tmp_path, LimitsChanged(limits={}, reason="tighter", by="OpA"))
    assert restore(path, state, AT).forgotten == ("limits were changed",)


def test_backup_of_another_record_is_put_back_only_when_it_is_meant(tmp_path: Path) -> None:
    state, _ = made(tmp_path / "ours")
    other = StateDir(tmp_path / "other")
    other.root.mkdir()
    write(other, flow(99))
    path = make_backup(other, tmp_path / "copies", AT)
    with pytest.raises(JournalError, match="--another"):
        restore(path, state, AT)
    assert not (state.root / "aside").exists()
    restore(path, state, AT, is_another=True)
    assert verify(state.journal).head == verify(other.journal).head


def test_nothing_is_put_back_under_qgtm_up_whose_daemon_is_just_starting_again(tmp_path: Path) -> None:
    state, path = made(tmp_path, HARD)
    with FileLock(state.root / "up.lock", "`qgtm up`"), pytest.raises(JournalLocked, match="up"):
        restore(path, state, AT)
    assert verify(state.journal).head.seq == 2


def test_what_is_put_back_stands_beside_the_lease_which_stays(tmp_path: Path) -> None:
    state, path = made(tmp_path)
    state.lease.write_text('{"epoch": 9}')
    state.watchdog.write_text('{"state": "flat"}')
    restore(path, state, AT)
    assert state.lease.read_text() == '{"epoch": 9}'
    assert state.watchdog.read_text() == '{"state": "flat"}'


# --- clocks that jump -----------------------------------------------------------------------------


def test_night_is_copied_although_a_backup_is_dated_into_the_future(tmp_path: Path) -> None:
    state, _ = made(tmp_path)
    nightly = Nightly(state, tmp_path / "nights")
    make_backup(state, nightly.folder, AT + timedelta(days=30_000))
    days = [AT + timedelta(days=number, hours=6) for number in range(3)]
    assert all(nightly.look(day) for day in days)
    assert nightly.look(days[-1] + timedelta(minutes=1)) is None


def test_backup_made_after_the_clock_went_back_is_not_the_first_to_go(tmp_path: Path) -> None:
    state, _ = made(tmp_path)
    for number in range(40):
        make_backup(state, tmp_path / "b", AT + timedelta(days=number * 31))
    path = make_backup(state, tmp_path / "b", AT - timedelta(days=900))
    assert verified(path).seq == 1


def test_folder_of_another_name_is_no_backup_and_stays(tmp_path: Path) -> None:
    state, path = made(tmp_path)
    path.rename(path.with_name("2026-03-01T030000Z before the move"))
    make_backup(state, path.parent, AT + timedelta(days=1))
    assert len(backups(path.parent)) == 1
    assert path.with_name("2026-03-01T030000Z before the move").exists()


def test_two_backups_at_once_do_not_sweep_each_other_away(tmp_path: Path) -> None:
    state, path = made(tmp_path)
    with FileLock(path.parent / "backup.lock", "x"), pytest.raises(JournalLocked):
        make_backup(state, path.parent, AT + timedelta(days=1))


def test_copy_is_of_one_moment_however_much_is_written_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state, _ = made(tmp_path, *map(flow, range(2, 800)))
    monkeypatch.setattr("qgtm.adapters.backup.PAGES", 1)
    real, steps = restoring.verified, 0
    import apsw

    class Copying:
        def __init__(self, inner: Any) -> None:
            self.inner = inner

        def __enter__(self) -> "Copying":
            self.inner.__enter__()
            return self

        def __exit__(self, *told: Any) -> Any:
            return self.inner.__exit__(*told)

        @property
        def done(self) -> bool:
            return bool(self.inner.done)

        def step(self, pages: int) -> None:
            nonlocal steps
            steps += 1
            journal.append([flow(10_000 + steps)], AT)  # a row between any two pages
            assert steps < 2000, "the copy begins anew with each row"
            self.inner.step(pages)

    class Connection(apsw.Connection):
        def backup(self, *told: Any) -> Any:
            return Copying(super().backup(*told))

    with SqliteJournal(state.journal) as journal:
        monkeypatch.setattr("qgtm.adapters.backup.apsw.Connection", Connection)
        path = make_backup(state, tmp_path / "b", AT)
    assert real(path).seq == 799
    assert steps > 20
