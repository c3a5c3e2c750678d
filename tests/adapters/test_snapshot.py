"""Snapshots: the newest that the journal bears out, and a reason for each that is passed over."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from qgtm.adapters.chain import GENESIS
from qgtm.adapters.journal import MemoryJournal
from qgtm.adapters.snapshot import Restored, Snapshots, known_heads
from qgtm.core.errors import JournalError
from qgtm.core.events import BrokerLost
from qgtm.ports import Head

AT = datetime(2024, 3, 1, 21, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Count:
    """A state: how often the broker was lost, and what it cost."""

    losses: int
    cost_usd: Decimal


@pytest.fixture
def journal() -> MemoryJournal:
    return MemoryJournal()


def grown(journal: MemoryJournal, rows: int) -> Head:
    journal.append([BrokerLost(reason=str(n)) for n in range(rows)], AT)
    return journal.head()


def test_state_comes_back_with_the_row_it_stands_at(tmp_path: Path, journal: MemoryJournal) -> None:
    head = grown(journal, 3)
    Snapshots(tmp_path / "s", "code").write(Count(3, Decimal("1.10")), head, AT)
    restored = Snapshots(tmp_path / "s", "code").load(Count, journal.hash_at)
    assert restored == Restored(Count(3, Decimal("1.10")), head, ())


@pytest.mark.fault("G3")
@pytest.mark.invariant("V11")
def test_snapshot_and_the_rest_of_the_journal_give_the_same_as_the_whole(
    tmp_path: Path, journal: MemoryJournal
) -> None:
    snapshots = Snapshots(tmp_path, "code")
    snapshots.write(Count(4, Decimal(4)), grown(journal, 4), AT)
    grown(journal, 5)
    restored = snapshots.load(Count, journal.hash_at)
    assert restored.state is not None
    rest = len(list(journal.read(after=restored.head.seq)))
    assert restored.state.losses + rest == len(list(journal.read())) == 9


def test_no_snapshot_means_fold_from_the_start(tmp_path: Path, journal: MemoryJournal) -> None:
    assert Snapshots(tmp_path / "none", "code").load(Count, journal.hash_at) == Restored(None, GENESIS, ())


def spoil(path: Path, how: str) -> None:
    content = path.read_bytes()
    if how == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif how == "flipped":
        path.write_bytes(content[:-5] + bytes([content[-5] ^ 1]) + content[-4:])
    elif how == "empty":
        path.write_bytes(b"")
    else:
        path.unlink()
        path.mkdir()


@pytest.mark.fault("G3")
@pytest.mark.parametrize("how", ["cut", "flipped", "empty", "a folder"])
def test_spoilt_snapshot_is_passed_over_with_a_reason_for_the_one_before(
    tmp_path: Path, journal: MemoryJournal, how: str
) -> None:
    snapshots = Snapshots(tmp_path, "code")
    old = grown(journal, 2)
    snapshots.write(Count(2, Decimal(0)), old, AT)
    snapshots.write(Count(5, Decimal(0)), grown(journal, 3), AT)
    spoil(tmp_path / "state-000000000005.json", how)
    restored = snapshots.load(Count, journal.hash_at)
    assert (restored.state, restored.head) == (Count(2, Decimal(0)), old)
    assert len(restored.refused) == 1
    assert restored.refused[0].startswith("state-000000000005.json is passed over: ")


def test_snapshot_of_rows_that_the_journal_does_not_hold_is_passed_over(
    tmp_path: Path, journal: MemoryJournal
) -> None:
    Snapshots(tmp_path, "code").write(Count(9, Decimal(0)), Head(9, "f" * 64), AT)
    grown(journal, 3)
    restored = Snapshots(tmp_path, "code").load(Count, journal.hash_at)
    assert restored.state is None
    assert "the journal does not hold its row 9" in restored.refused[0]


def test_snapshot_of_other_code_is_passed_over(tmp_path: Path, journal: MemoryJournal) -> None:
    Snapshots(tmp_path, "old-code").write(Count(3, Decimal(0)), grown(journal, 3), AT)
    restored = Snapshots(tmp_path, "new-code").load(Count, journal.hash_at)
    assert restored.state is None
    assert "made by other code (old-code, and this is new-code)" in restored.refused[0]


def test_snapshot_of_another_shape_is_passed_over(tmp_path: Path, journal: MemoryJournal) -> None:
    @dataclass(frozen=True)
    class Other:
        weather: str

    Snapshots(tmp_path, "code").write(Other("rain"), grown(journal, 3), AT)
    restored = Snapshots(tmp_path, "code").load(Count, journal.hash_at)
    assert restored.state is None
    assert "this is no Count" in restored.refused[0]


def test_three_snapshots_are_kept_and_their_heads_known(tmp_path: Path, journal: MemoryJournal) -> None:
    heads = []
    for number in range(5):
        heads.append(grown(journal, 1))
        Snapshots(tmp_path, "code").write(Count(number, Decimal(0)), heads[-1], AT)
    assert len(list(tmp_path.iterdir())) == 3
    assert known_heads(tmp_path) == tuple(reversed(heads[2:]))


def test_heads_of_spoilt_snapshots_are_not_known(tmp_path: Path, journal: MemoryJournal) -> None:
    Snapshots(tmp_path, "code").write(Count(1, Decimal(0)), grown(journal, 1), AT)
    spoil(tmp_path / "state-000000000001.json", "flipped")
    assert known_heads(tmp_path) == ()


def test_snapshot_where_no_folder_can_be_names_the_next_step(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(JournalError, match=r"cannot be used: .* Next: "):
        Snapshots(tmp_path / "file" / "s", "code").write(Count(1, Decimal(0)), Head(1, "f"), AT)
