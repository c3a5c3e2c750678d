"""What falls is started again, what falls too often stays down, and no log fills the disk."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from qgtm.live import supervisor
from qgtm.live.supervisor import Service, Supervisor
from tests.live.processes import eventually


def run(tmp_path: Path, program: str) -> tuple[Supervisor, list[str]]:
    """Return a supervisor of one process that runs `program`, not yet started, and what it says."""
    (tmp_path / "only.py").write_text(program)
    said: list[str] = []
    service = Service("daemon", [], lambda _: False, module="only")
    environ = {"PYTHONPATH": str(tmp_path), "PATH": os.environ["PATH"]}
    return Supervisor([service], tmp_path / "logs", environ, said.append), said


def watched(keeper: Supervisor, is_enough: Callable[[], bool], what: str) -> None:
    eventually(lambda: keeper.watch() or is_enough(), what, 30)


@pytest.mark.fault("G4")
def test_process_that_falls_three_times_in_ten_minutes_stays_down_and_its_last_words_are_told(
    tmp_path: Path,
) -> None:
    keeper, said = run(tmp_path, "print('the journal is full'); raise SystemExit(3)")
    (service,) = keeper.services
    keeper._launch(service)
    watched(keeper, lambda: service.is_given_up, "the third fall")
    assert [line.split(" (")[0] for line in said] == [
        "the daemon fell",
        "the daemon fell",
        "the daemon fell 3 times in ten minutes",
    ]
    assert "exit 3" in said[-1]
    assert "the journal is full" in said[-1]
    keeper.watch()
    assert (len(said), service.is_running) == (3, False)  # it is left alone from here on
    keeper.stop()


def test_falls_that_are_further_apart_are_started_again_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "FALLS_WITHIN_S", 0.0)
    keeper, said = run(tmp_path, "raise SystemExit(3)")
    (service,) = keeper.services
    keeper._launch(service)
    watched(keeper, lambda: len(said) > 4, "the fifth fall")
    assert not service.is_given_up
    keeper.stop()


@pytest.mark.fault("H11")
def test_log_that_grows_without_end_is_kept_within_twice_its_bound_while_the_process_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "LOG_BYTES", 10_000)
    keeper, said = run(
        tmp_path,
        "import time\nfor n in range(10**6):\n    print(n, 'x' * 90, flush=True)\n    time.sleep(0.001)\n",
    )
    (service,) = keeper.services
    keeper._launch(service)
    log, old, sizes = tmp_path / "logs/daemon.log", tmp_path / "logs/daemon.log.old", list[int]()

    def is_long_enough() -> bool:
        sizes.append(log.stat().st_size)
        last = log.read_text().splitlines()[:1]
        return bool(last) and last[0].split()[0].isdigit() and int(last[0].split()[0]) > 3_000

    watched(keeper, is_long_enough, "3,000 lines")
    assert max(sizes) < 140_000  # half of what was written; a look is late by what a busy machine makes it
    assert old.stat().st_size > 10_000
    keeper.stop()
    assert said == []
