"""Room on the disk: held back where there is enough, given up where there is not."""

from pathlib import Path

import pytest

from qgtm.core.events import AlertRaised, Latched
from qgtm.core.mode import Latch
from qgtm.live.disk import FILE, LEAST_BYTES, LOW_BYTES, Disk


def disk(folder: Path, *rooms: int) -> tuple[Disk, list[int]]:
    left = list(rooms)
    return Disk(folder, free=lambda _: left[0] if len(left) == 1 else left.pop(0), reserve_bytes=4_096), left


@pytest.mark.fault("H11")
def test_room_is_held_back_once_and_really_taken(tmp_path: Path) -> None:
    found, _ = disk(tmp_path, LOW_BYTES)
    found.prepare()
    found.prepare()
    status = (tmp_path / FILE).stat()
    assert (status.st_size, status.st_blocks * 512 >= 4_096) == (4_096, True)


@pytest.mark.fault("H1", "H11")
@pytest.mark.parametrize(("room", "is_held"), [(LEAST_BYTES - 1, False), (LEAST_BYTES, True)])
def test_start_on_a_full_disk_gives_up_what_was_held(room: int, is_held: bool, tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"x" * 4_096)
    found, _ = disk(tmp_path, room)
    found.prepare()
    assert (tmp_path / FILE).exists() is is_held


def test_nothing_is_held_back_of_a_disk_that_would_be_tight_then(tmp_path: Path) -> None:
    found, _ = disk(tmp_path, LEAST_BYTES + 4_096)
    found.prepare()
    assert not (tmp_path / FILE).exists()


@pytest.mark.fault("H1")
def test_halt_is_said_again_only_once_a_person_has_ended_it(tmp_path: Path) -> None:
    found, _ = disk(tmp_path, LEAST_BYTES - 1)
    (tmp_path / FILE).write_bytes(b"x" * 4_096)
    first = found.look(0.0, ())
    assert not (tmp_path / FILE).exists()
    assert [type(each) for each in first] == [Latched, AlertRaised]
    assert found.look(9.9, ()) == []  # asked every ten seconds
    assert found.look(10.0, (Latch.OPERATOR_HALT,)) == []
    assert [type(each) for each in found.look(20.0, ())] == [Latched, AlertRaised]


@pytest.mark.fault("H2")
def test_little_room_is_said_each_time_it_comes(tmp_path: Path) -> None:
    found, _ = disk(tmp_path, LOW_BYTES - 1, LOW_BYTES - 1, LOW_BYTES, LOW_BYTES, LOW_BYTES - 1)
    assert [len(found.look(10.0 * n, ())) for n in range(4)] == [1, 0, 0, 1]


def test_folder_that_is_gone_is_left_to_the_next_write(tmp_path: Path) -> None:
    found = Disk(tmp_path / "nowhere")
    found.prepare()
    assert found.look(0.0, ()) == []
    with pytest.raises(OSError, match="nowhere"):
        found.free(found.folder)
