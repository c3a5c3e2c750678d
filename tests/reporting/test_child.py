"""A child's time is limited, and it does not outlive who waits for it."""

import os
import sys
from pathlib import Path

import pytest

from qgtm.adapters.clock import ManualClock, SystemClock
from qgtm.reporting.child import Child, start, waited

SLEEPS = "import time; print('up', flush=True); time.sleep(60)"
DEAF = f"import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); {SLEEPS}"


def begun(source: str, folder: Path) -> Child:
    return start([sys.executable, "-c", source], folder / "log", os.environ, folder)


def await_up(folder: Path) -> None:
    clock = SystemClock()
    while "up" not in (folder / "log").read_text():
        clock.wait(0.02)


@pytest.mark.parametrize(("source", "code"), [("pass", 0), ("raise SystemExit(3)", 3)])
def test_exit_code_is_returned(source: str, code: int, tmp_path: Path) -> None:
    assert waited(begun(source, tmp_path), SystemClock(), 30.0) == code


@pytest.mark.fault("K5")
def test_child_past_its_time_is_ended(tmp_path: Path) -> None:
    child = begun(SLEEPS, tmp_path)
    assert waited(child, SystemClock(), 0.2) is None
    assert child.poll() is not None


def test_child_that_will_not_listen_is_killed(tmp_path: Path) -> None:
    child = begun(DEAF, tmp_path)
    await_up(tmp_path)
    child.stop()
    assert child.poll() == -9


def test_interrupted_wait_ends_the_child(tmp_path: Path) -> None:
    child = begun(SLEEPS, tmp_path)

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        waited(child, ManualClock(SystemClock().now()), 60.0, interrupt)
    assert child.poll() is not None


def test_all_that_a_child_says_is_kept(tmp_path: Path) -> None:
    waited(begun("import sys; print('one'); sys.stderr.write('two')", tmp_path), SystemClock(), 30.0)
    assert sorted((tmp_path / "log").read_text().split()) == ["one", "two"]
