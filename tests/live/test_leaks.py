"""A month without a restart: what the process holds of the system stays as it was on the second day."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from qgtm.adapters.calendar import xnys
from qgtm.adapters.clock import ManualClock
from qgtm.core.commands import Acknowledge, Halt
from qgtm.live import boot as booting
from qgtm.live.daemon import Loop
from tests.live.rigging import Stage, StagedRig
from tests.simulation.folder import write_folder

FILES = Path("/proc/self/fd")
TURNS = 24  # a day, twenty minutes apart


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StagedRig]:
    monkeypatch.setattr(booting, "SETTLED_S", 0.01)
    stage = Stage(tmp_path, write_folder(tmp_path / "bars"))
    found = stage.rig()
    assert stage.boot(found)
    yield found
    found.close()


def held() -> tuple[int, int]:
    """Return how many files and sockets are open, and how many threads run."""
    return sum(1 for _ in FILES.iterdir()), threading.active_count()


@pytest.mark.fault("G11")
@pytest.mark.skipif(not FILES.is_dir(), reason="this system does not list open files")
def test_files_and_threads_stay_flat_over_thirty_days(rig: StagedRig) -> None:
    rig.clock = clock = ManualClock(datetime(2023, 2, 1, 14, 30, tzinfo=UTC), monotonic=1_000.0)
    loop, counts, first_rows = Loop(rig), list[tuple[int, int]](), rig.journal.head().seq
    days = xnys().sessions(clock.now().date(), clock.now().date() + timedelta(days=45))[:30]
    for number, day in enumerate(days):
        clock.set_now(day.open_at)
        if number % 3 == 0:
            rig.inbox.put(Halt(reason="drill", by="OpB"), "OpB", clock.now())
            rig.inbox.put(Acknowledge(latch="operator_halt", reason="seen", by="OpA"), "OpA", clock.now())
        for _ in range(TURNS):
            loop.turn()
            clock.wait(61.0)  # a heartbeat, a look into the inbox and a snapshot each
        counts.append(held())
    assert set(counts[1:]) == {counts[1]}
    assert len(days) == 30
    assert (
        rig.journal.head().seq >= first_rows + 4 * 10
    )  # every third day a halt, its end, and what they led to
    assert len(list(rig.state_dir.snapshots.iterdir())) == 3
