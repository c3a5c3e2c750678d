"""The store in a backup: whole while the collector writes, one copy of each segment, and put back by name."""

import json
import shutil
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from pathlib import Path

import pytest

from qgtm.adapters import store_copy
from qgtm.adapters.audit import verify
from qgtm.adapters.backup import make_backup, verified
from qgtm.adapters.files import StateDir
from qgtm.adapters.journal import RESTORING, SqliteJournal
from qgtm.adapters.lake import Lake, LakeWriter
from qgtm.adapters.restoring import restore
from qgtm.core.errors import JournalCorrupt, JournalError, JournalLocked
from qgtm.core.events import CashMoved
from qgtm.core.fact import Fact
from tests.adapters.test_restoring import ended_at

AT = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
LONG_AFTER = AT + timedelta(days=9999)
NIGHT = timedelta(days=1)


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    return made(tmp_path / "var")


def made(root: Path) -> StateDir:
    """Return a state folder whose journal has one row."""
    root.mkdir(parents=True)
    state = StateDir(root)
    moved(state)
    return state


def moved(state: StateDir) -> None:
    with SqliteJournal(state.journal) as journal:
        event = CashMoved(activity_id=f"a{journal.head().seq}", kind="CSD", amount_usd=Decimal(1))
        journal.append([event], AT)


def fact(number: int) -> Fact:
    at = AT + timedelta(days=number)
    return Fact("DFII10", at, at + NIGHT, float(number))


def values(root: Path) -> list[float]:
    lake = Lake(root)
    assert lake.problems == ()
    return [float(value) for value in lake.window("DFII10", LONG_AFTER, 10**6).values]


def planted(state: StateDir, first: int, last: int, table: str = "facts") -> Path:
    """Put a segment into the store that says it holds these rows; only name and checksum are looked at."""
    content = f"{table} {first} to {last}".encode()
    name = f"{table}-{first:012}-{last:012}-{sha256(content).hexdigest()[:16]}.parquet"
    path = state.store / table / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def copied(path: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in (path / "store").rglob("*.parquet")}


# --- taking -------------------------------------------------------------------------------------


def test_store_that_is_put_back_knows_what_it_knew_then(state: StateDir, tmp_path: Path) -> None:
    with LakeWriter(state.store) as writer:
        writer.append([fact(1), fact(2)])
        writer.append([fact(3)])
    beside = {"released.json": "[]\n", "feeds/agenda.json": "{}\n", "feeds/held.json": "[ ]\n"}
    state.feeds.mkdir()
    for name, text in beside.items():
        (state.root / name).write_text(text)
    path = make_backup(state, tmp_path / "copies", AT)
    with LakeWriter(state.store) as writer:
        writer.append([fact(4)])
    (state.feeds / "status.json").write_text("{}")
    state.released.write_text('["later"]')
    moved(state)

    assert sum(name.endswith(".parquet") for name in verified(path).stored) == 2
    done = restore(path, state, AT + NIGHT)
    assert values(state.store) == [1.0, 2.0, 3.0]
    assert values(done.aside / "store") == [1.0, 2.0, 3.0, 4.0]
    assert (done.aside / "released.json").read_text() == '["later"]'
    assert (done.aside / "feeds" / "status.json").exists()
    assert {name: (state.root / name).read_text() for name in beside} == beside
    assert not (state.feeds / "status.json").exists()  # so that what came since then is fetched again
    with LakeWriter(state.store) as writer:
        assert writer.append([fact(3), fact(4)]) == 1


def test_backups_under_a_writing_collector_hold_a_prefix_of_its_rows(state: StateDir, tmp_path: Path) -> None:
    stop = threading.Event()

    def go_on() -> None:
        number = 0
        with LakeWriter(state.store) as writer:
            while not stop.is_set():
                number += 1
                writer.append([fact(number)])
                if number % 4 == 0:
                    writer.compact()

    def rows(path: Path) -> list[float]:
        verified(path)
        return values(path / "store") if (path / "store").exists() else []

    collector = threading.Thread(target=go_on)
    collector.start()
    try:
        found: list[list[float]] = []
        while len(found) < 500 and not (found and len(found[-1]) > 20):
            found.append(rows(make_backup(state, tmp_path / "copies", AT + len(found) * NIGHT)))
    finally:
        stop.set()
        collector.join(20)
    assert len(found[-1]) > 20
    for each in found:
        assert each == [float(number + 1) for number in range(len(each))]


def test_segments_that_are_put_together_while_they_are_copied_are_all_there(
    state: StateDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with LakeWriter(state.store) as writer:
        for number in range(1, 9):
            writer.append([fact(number)])
        listed: list[str] = []
        real = store_copy._segments

        def then_compacted(folder: Path, table: str) -> object:
            found = real(folder, table)
            if not listed and table == "facts":
                writer.compact()
            listed.append(table)
            return found

        monkeypatch.setattr(store_copy, "_segments", then_compacted)
        path = make_backup(state, tmp_path / "copies", AT)
        assert listed.count("facts") > 1
    assert len(list(state.store.rglob("*.parquet"))) == 1
    assert values(path / "store") == [float(number) for number in range(1, 9)]


def test_store_that_never_stands_still_gives_no_backup(
    state: StateDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = planted(state, 1, 1)
    real = store_copy._segments(gone.parent, "facts")
    gone.unlink()
    monkeypatch.setattr(store_copy, "_segments", lambda folder, table: real if table == "facts" else [])
    with pytest.raises(JournalError, match="faster than they can be copied"):
        make_backup(state, tmp_path / "copies", AT)
    assert list((tmp_path / "copies").glob("2*")) == []


def test_nights_share_what_did_not_change_and_each_is_whole_without_the_others(
    state: StateDir, tmp_path: Path
) -> None:
    for night in range(33):
        planted(state, night + 1, night + 1)
        path = make_backup(state, tmp_path / "copies", AT + night * NIGHT)
    nights = sorted((tmp_path / "copies").glob("2*"))
    every = [each.stat().st_ino for each in (tmp_path / "copies").rglob("*.parquet")]
    assert len(nights) == 30  # to April 2nd: March's last is among them
    assert len(every) > 500
    assert len(set(every)) == 33  # one copy of each segment
    for other in nights[:-1]:
        shutil.rmtree(other)
    verified(path)
    assert len(copied(path)) == 33


def test_copy_is_never_another_name_of_the_stores_own_file(state: StateDir, tmp_path: Path) -> None:
    segment = planted(state, 1, 3)
    path = make_backup(state, tmp_path / "copies", AT)
    segment.write_bytes(b"written over in place")
    verified(path)
    assert copied(path) == {segment.name: b"facts 1 to 3"}


def test_segment_that_is_damaged_in_the_last_backup_is_copied_anew(state: StateDir, tmp_path: Path) -> None:
    segment = planted(state, 1, 3)
    first = make_backup(state, tmp_path / "copies", AT)
    (first / "store" / "facts" / segment.name).write_bytes(b"facts 1 to 4")
    second = make_backup(state, tmp_path / "copies", AT + NIGHT)
    assert copied(second) == {segment.name: b"facts 1 to 3"}
    assert verified(second).left_out == ()
    with pytest.raises(JournalCorrupt):
        verified(first)


def test_segment_that_is_damaged_in_the_store_is_taken_from_the_last_backup_or_named(
    state: StateDir, tmp_path: Path
) -> None:
    kept, lost = planted(state, 1, 3), planted(state, 4, 5)
    lost.rename(tmp_path / lost.name)
    make_backup(state, tmp_path / "copies", AT)
    kept.write_bytes(b"x")
    lost.write_bytes(b"y")
    sheet = verified(path := make_backup(state, tmp_path / "copies", AT + NIGHT))
    assert copied(path) == {kept.name: b"facts 1 to 3"}
    assert sheet.left_out == (f"{lost} does not hold and is left out",)


def test_file_system_without_second_names_gets_copies(
    state: StateDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*told: object, **more: object) -> None:
        raise PermissionError

    segment = planted(state, 1, 3)
    make_backup(state, tmp_path / "copies", AT)
    monkeypatch.setattr("os.link", refused)
    path = make_backup(state, tmp_path / "copies", AT + NIGHT)
    verified(path)
    assert copied(path) == {segment.name: b"facts 1 to 3"}


def test_backup_of_a_store_that_is_killed_at_any_step_does_not_count(state: StateDir, tmp_path: Path) -> None:
    for table in ("facts", "bars"):
        planted(state, 1, 2, table)
    state.released.write_text("[]")
    make_backup(state, tmp_path / "copies", AT)
    planted(state, 3, 4)
    step = 1
    while ended_at(step, lambda: make_backup(state, tmp_path / "copies", AT + step * NIGHT)):  # noqa: B023
        for each in (tmp_path / "copies").glob("*/backup.json"):
            assert len(copied(each.parent)) == len(verified(each.parent).stored) - 1  # and `released.json`
        step += 1
    assert step > 10


# --- checking and putting back ------------------------------------------------------------------


def test_every_damage_to_a_segment_is_found_and_the_record_can_be_put_back_without_it(
    state: StateDir, tmp_path: Path
) -> None:
    segment = planted(state, 1, 3)
    path = make_backup(state, tmp_path / "copies", AT)
    moved(state)
    inside = path / "store" / "facts" / segment.name
    sound = inside.read_bytes()
    for place in range(len(sound)):
        inside.write_bytes(sound[:place] + bytes([sound[place] ^ 4]) + sound[place + 1 :])
        with pytest.raises(JournalCorrupt, match="--keep-store"):
            verified(path)
    with pytest.raises(JournalCorrupt):
        restore(path, state, AT)
    assert verify(state.journal).head.seq == 2
    later = planted(state, 4, 4)
    done = restore(path, state, AT, is_keeping_store=True)
    assert verify(state.journal).head.seq == 1
    assert later.exists()
    assert not (done.aside / "store").exists()


def test_segment_that_is_gone_from_a_backup_is_found(state: StateDir, tmp_path: Path) -> None:
    segment = planted(state, 1, 3)
    path = make_backup(state, tmp_path / "copies", AT)
    (path / "store" / "facts" / segment.name).unlink()
    with pytest.raises(JournalError, match=segment.name):
        verified(path)


@pytest.mark.parametrize(
    "name", ["store/facts/../../../x", "store/notes/a.parquet", "store/facts/a.parquet", "feeds/status.json"]
)
def test_sheet_that_names_what_is_none_of_the_stores_is_refused(
    state: StateDir, tmp_path: Path, name: str
) -> None:
    path = make_backup(state, tmp_path / "copies", AT)
    told = json.loads((path / "backup.json").read_text())
    (path / "backup.json").write_text(json.dumps({**told, "files": {**told["files"], name: "0" * 64}}))
    with pytest.raises(JournalError, match="other files"):
        verified(path)


def test_backup_from_before_the_store_was_taken_leaves_it_alone(state: StateDir, tmp_path: Path) -> None:
    path = make_backup(state, tmp_path / "copies", AT)
    told = json.loads((path / "backup.json").read_text())
    del told["left_out"]
    (path / "backup.json").write_text(json.dumps(told))
    segment = planted(state, 1, 3)
    restore(path, state, AT)
    assert segment.read_bytes() == b"facts 1 to 3"


def test_nothing_is_put_back_under_a_collector(state: StateDir, tmp_path: Path) -> None:
    planted(state, 1, 3)
    path = make_backup(state, tmp_path / "copies", AT)
    shutil.rmtree(state.store)
    with LakeWriter(state.store), pytest.raises(JournalLocked, match="store"):
        restore(path, state, AT)
    assert not (state.root / "aside").exists()


@pytest.mark.parametrize("keeps", [False, True])
def test_restore_that_is_killed_at_any_step_leaves_one_store_or_the_other_to_the_next(
    tmp_path: Path, keeps: bool
) -> None:
    step, marked = 1, 0

    def begin(state: StateDir, path: Path) -> Callable[[], object]:
        return lambda: restore(path, state, AT)

    while True:
        state = made(tmp_path / str(step) / "var")
        old = planted(state, 1, 3)
        path = make_backup(state, tmp_path / str(step) / "copies", AT)
        new = planted(state, 4, 4)
        if not ended_at(step, begin(state, path)):
            break
        is_begun = (state.root / RESTORING).exists()
        marked += is_begun
        is_over = not is_begun and not new.exists()
        restore(path, state, AT + NIGHT, is_keeping_store=keeps)
        names = sorted(each.name for each in state.store.rglob("*.parquet"))
        assert names == sorted([old.name] + [new.name] * (keeps and not is_over)), step
        both = [*state.root.rglob(new.name)]
        assert len(both) == 1, "what was there lies in its place or aside"
        assert not (state.root / RESTORING).exists()
        step += 1
    assert marked > 8
