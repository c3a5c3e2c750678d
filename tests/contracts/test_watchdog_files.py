"""The files that the watchdog shares with the rest, held to one format though no code is shared."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from qgtm.adapters.heartbeat import Heartbeat, HeartbeatFile
from qgtm.adapters.inbox import Inbox
from qgtm.adapters.kill_file import KillFile
from qgtm.adapters.kill_file import KillWord as DaemonsWord
from qgtm.adapters.lease import Lease, is_held, take_epoch
from qgtm.adapters.lock import FileLock
from qgtm.adapters.watchdog_file import load_watchdog
from qgtm.core.commands import Deploy, Flatten, Halt
from qgtm.core.errors import ConfigError, JournalLocked
from qgtm.watchdog.fact import KillWord, LeaseFailed, LeaseTaken, Progress, SeenPosition, Wish
from qgtm.watchdog.folder import Folder
from qgtm.watchdog.kernel import State
from qgtm.watchdog.memory import fields_of, restored
from qgtm.watchdog.setting import Settings
from qgtm.watchdog.watch import Watch
from qgtm.watchdog.way_out import Act, Line, WayOut

AT = datetime(2026, 1, 5, 15, 0, tzinfo=UTC)


def waits(_: float) -> None:
    return None


def looked(root: Path) -> Any:
    return Folder(root).look(lambda: 5.0, lambda: AT)


# --- the lease ----------------------------------------------------------------------------------


def test_watchdog_that_takes_the_lease_fences_the_daemon_that_has_it(tmp_path: Path) -> None:
    with Lease(tmp_path / "lease.json") as daemons:
        assert daemons.is_mine()
        assert Folder(tmp_path).take_lease(0, waits) == LeaseTaken(daemons.epoch + 1)
        assert not daemons.is_mine()
        assert is_held(tmp_path / "lease.json", daemons.epoch + 1)
    with Lease(tmp_path / "lease.json") as next_one:
        assert next_one.epoch == daemons.epoch + 2


def test_watchdog_takes_an_epoch_above_what_it_has_seen_when_the_file_is_gone_or_torn(tmp_path: Path) -> None:
    assert Folder(tmp_path).take_lease(7, waits) == LeaseTaken(8)
    (tmp_path / "lease.json").write_bytes(b'{"epo')
    assert Folder(tmp_path).take_lease(8, waits) == LeaseTaken(9)


def test_both_sides_count_on_in_turn(tmp_path: Path) -> None:
    path, epochs = tmp_path / "lease.json", []
    for _ in range(3):
        epochs.append(take_epoch(path, holder="daemon"))
        taken = Folder(tmp_path).take_lease(0, waits)
        assert isinstance(taken, LeaseTaken)
        epochs.append(taken.epoch)
    assert epochs == [1, 2, 3, 4, 5, 6]


def test_process_that_stopped_while_it_held_the_turn_does_not_hold_the_watchdog_up(tmp_path: Path) -> None:
    take_epoch(tmp_path / "lease.json", holder="daemon")
    waited: list[float] = []
    with FileLock(tmp_path / "lease.json.turn", "the turn"):
        assert isinstance(Folder(tmp_path).take_lease(0, waited.append), LeaseFailed)
    assert 0.2 <= sum(waited) <= 2.0
    assert isinstance(Folder(tmp_path).take_lease(0, waits), LeaseTaken)


# --- what the daemon and the inbox write --------------------------------------------------------


def heartbeat(counter: int) -> Heartbeat:
    return Heartbeat(
        counter=counter,
        epoch=3,
        pid=4711,
        boot_id="b",
        monotonic_s=12.5,
        wall_at=AT,
        venue_at=AT,
        what="live",
    )


def test_heartbeat_of_the_daemon_is_read(tmp_path: Path) -> None:
    assert looked(tmp_path).progress is None
    HeartbeatFile(tmp_path / "heartbeat.json").write(heartbeat(9))
    assert looked(tmp_path).progress == Progress(boot_id="b", pid=4711, epoch=3, counter=9)


@pytest.mark.parametrize("torn", [b"", b"{", b"[]", b'{"counter": 3}', b"\xff\xfe"])
def test_heartbeat_that_cannot_be_read_is_no_progress(tmp_path: Path, torn: bytes) -> None:
    (tmp_path / "heartbeat.json").write_bytes(torn)
    assert looked(tmp_path).progress is None


def test_kill_word_is_read(tmp_path: Path) -> None:
    assert looked(tmp_path).kill is None
    word = DaemonsWord(mode="halted_hard", kill_epoch=4, since="2026-01-05T15:00:00.000000Z", command_id=17)
    KillFile(tmp_path / "kill.json").write(word)
    assert looked(tmp_path).kill == KillWord(mode="halted_hard", kill_epoch=4, command_id=17)


def test_commands_that_make_safer_are_read_from_the_inbox_while_others_write(tmp_path: Path) -> None:
    assert looked(tmp_path).wishes == ()
    with Inbox(tmp_path / "inbox.db") as inbox:
        inbox.put(Deploy(manifest_sha="x", by="OpA"), "OpA", AT)
        inbox.put(Halt(reason="odd", by="OpB"), "OpB", AT)
        inbox.put(Flatten(reason="odder", by="OpA"), "OpA", AT)
        found = looked(tmp_path).wishes
        assert found is not None
        assert sorted(found, key=lambda wish: wish.command_id) == [
            Wish(command_id=2, kind="Halt", by="OpB"),
            Wish(command_id=3, kind="Flatten", by="OpA"),
        ]
        inbox.put(Halt(reason="again", by="OpB"), "OpB", AT)  # the reader has let go of the file
    assert len(looked(tmp_path).wishes) == 3


def test_inbox_that_is_none_is_no_news(tmp_path: Path) -> None:
    (tmp_path / "inbox.db").write_bytes(b"not a database at all, and long enough to be looked at" * 20)
    assert looked(tmp_path).wishes is None


# --- the watchdog's own file --------------------------------------------------------------------


def word_of(folder: Folder, state: State) -> None:
    fields = fields_of(
        state,
        Settings(),
        beat=3,
        now_s=77.5,
        wall_at=AT,
        boot_id="b",
        pid=12,
        log=["one", "two"],
        broker="ok",
    )
    folder.save(fields, is_durable=True)


FIRING = State(
    watch=Watch(progress=Progress(boot_id="b", pid=1, epoch=3, counter=9), since_s=40.0, silence_s=900.0),
    out=WayOut(
        act=Act.FLATTEN,
        reason="silence",
        wall_at=AT,
        began_s=60.0,
        epoch=4,
        kill_epoch=6,
        daemon_epoch=3,
        is_cancelled=True,
        held={"SLV": SeenPosition(symbol="SLV", quantity=Decimal(-3), available=Decimal(3))},
        lines={"SLV": Line(session=AT.date(), attempt=2, is_sent=True)},
    ),
)


def test_watchdogs_word_is_read_by_the_daemon_and_the_page(tmp_path: Path) -> None:
    word_of(Folder(tmp_path), FIRING)
    found = load_watchdog(tmp_path / "watchdog.json")
    assert found is not None
    assert (found.state, found.act, found.epoch, found.kill_epoch) == ("firing", "flatten", 4, 6)
    assert (found.beat, found.pid, found.reason, found.since_wall_at) == (3, 12, "silence", AT)
    assert found.positions_left == {"SLV": Decimal(-3)}
    assert (found.alerts_s, found.flatten_s, found.silence_s) == ((300.0, 600.0), 900.0, 900.0)
    assert found.log == ("one", "two")
    assert (found.age_s(80.0, "b"), found.age_s(80.0, "c"), found.age_s(70.0, "b")) == (2.5, None, None)
    assert (found.has_flattened_since(3), found.has_flattened_since(4)) == (True, False)


def test_act_is_still_told_once_a_new_daemon_is_watched(tmp_path: Path) -> None:
    word_of(Folder(tmp_path), State(watch=FIRING.watch, last=FIRING.out))
    found = load_watchdog(tmp_path / "watchdog.json")
    assert found is not None
    assert (found.state, found.has_flattened_since(3), found.positions_left) == ("watching", True, {})


def test_watchdog_that_only_halted_has_flattened_nothing(tmp_path: Path) -> None:
    out = WayOut(act=Act.HALT, reason="OpB's halt", wall_at=AT, began_s=60.0, epoch=4, is_over=True)
    word_of(Folder(tmp_path), State(watch=FIRING.watch, out=out))
    found = load_watchdog(tmp_path / "watchdog.json")
    assert found is not None
    assert (found.state, found.has_flattened_since(3)) == ("halted", False)


@pytest.mark.parametrize("torn", [b"", b"{}", b"null", b'{"state": "flat"'])
def test_word_that_cannot_be_read_is_none(tmp_path: Path, torn: bytes) -> None:
    (tmp_path / "watchdog.json").write_bytes(torn)
    assert load_watchdog(tmp_path / "watchdog.json") is None
    assert restored(Folder(tmp_path).load(), "b", 80.0, Settings(), is_embedded=False) == State()


def test_new_process_takes_up_the_way_out_of_the_old_one(tmp_path: Path) -> None:
    word_of(Folder(tmp_path), FIRING)
    state = restored(Folder(tmp_path).load(), "b", 80.0, Settings(), is_embedded=False)
    assert state.out is not None
    assert (state.out.act, state.out.epoch, state.out.kill_epoch, state.out.is_cancelled) == (
        Act.FLATTEN,
        4,
        6,
        True,
    )
    assert state.out.lines == {"SLV": Line(session=AT.date(), attempt=2, is_sent=True)}
    assert (state.watch.since_s, state.watch.doubt) == (40.0, 2)


def test_silence_of_another_boot_is_counted_anew(tmp_path: Path) -> None:
    word_of(Folder(tmp_path), FIRING)
    state = restored(Folder(tmp_path).load(), "another", 5.0, Settings(), is_embedded=False)
    assert state.watch.since_s == 5.0
    assert state.out is not None


def test_only_one_watchdog_holds_a_folder(tmp_path: Path) -> None:
    first, second = Folder(tmp_path), Folder(tmp_path)
    first.lock()
    with pytest.raises(ConfigError, match="is a watchdog of"):
        second.lock()
    with pytest.raises(JournalLocked):  # `qgtm up` looks at the same lock
        FileLock(tmp_path / "watchdog.lock", "the watchdog")
