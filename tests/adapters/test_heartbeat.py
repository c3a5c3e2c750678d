"""The heartbeat: written only by progress, read with its age in process time."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from qgtm.adapters.heartbeat import Heartbeat, HeartbeatFile, load_heartbeat
from qgtm.core.errors import JournalError

AT = datetime(2024, 3, 1, 21, 0, tzinfo=UTC)
BEAT = Heartbeat(
    counter=7, epoch=3, pid=4711, boot_id="one", monotonic_s=100.5, wall_at=AT, venue_at=AT, what="live: GLD"
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "heartbeat.json"


@pytest.mark.parametrize("broker_at", [None, AT])
def test_heartbeat_comes_back_as_it_was_written(path: Path, broker_at: datetime | None) -> None:
    beat = replace(BEAT, last_broker_at=broker_at)
    assert HeartbeatFile(path).write(beat)
    assert load_heartbeat(path) == beat


@pytest.mark.fault("D16")
@pytest.mark.mistake(7)
def test_heartbeat_without_progress_is_not_written(path: Path) -> None:
    file = HeartbeatFile(path)
    assert file.write(BEAT)
    assert not file.write(replace(BEAT, monotonic_s=200.0, what="still here"))
    assert not file.write(replace(BEAT, counter=6, monotonic_s=300.0))
    assert load_heartbeat(path) == BEAT
    assert file.write(replace(BEAT, counter=8))


def test_age_is_process_time_since_it_was_written() -> None:
    assert BEAT.age_s(112.0, "one") == 11.5


@pytest.mark.parametrize(("monotonic_s", "boot_id"), [(112.0, "two"), (3.0, "one")])
def test_age_over_a_start_of_the_machine_is_not_known(monotonic_s: float, boot_id: str) -> None:
    assert BEAT.age_s(monotonic_s, boot_id) is None


@pytest.mark.parametrize("content", [None, b"", b"{", b"{}", b"[]", b'{"counter": 1}', b"\xff\xfe"])
def test_heartbeat_that_cannot_be_read_is_none(path: Path, content: bytes | None) -> None:
    if content is not None:
        path.write_bytes(content)
    assert load_heartbeat(path) is None


def test_heartbeat_that_cannot_be_written_is_an_error_and_not_progress(tmp_path: Path) -> None:
    file = HeartbeatFile(tmp_path / "nowhere" / "heartbeat.json")
    with pytest.raises(JournalError, match="Next: make the folder"):
        file.write(BEAT)
    (tmp_path / "nowhere").mkdir()
    assert file.write(BEAT)
    assert [each.name for each in (tmp_path / "nowhere").iterdir()] == ["heartbeat.json"]
