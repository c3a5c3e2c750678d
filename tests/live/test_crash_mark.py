"""A strategy that takes the process down with it is known at the next start, and out of the way."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from qgtm.core.events import StrategyDisabled
from qgtm.live.crash_mark import Marked, found
from tests.engine.making import Made, always, desk

HANGS = """
import sys, time
from pathlib import Path
from qgtm.live.crash_mark import Marked
from tests.engine.making import Made, desk
strategy = Made("sleeper", ("GLD",), lambda bars: print("computes", flush=True) or time.sleep(600))
Marked(strategy, Path(sys.argv[1])).step(None, desk().history.seen())
"""


@pytest.mark.fault("G8", "G10")
def test_strategy_that_hangs_until_the_process_is_killed_is_disabled_by_the_next(
    tmp_path: Path, repo: Path
) -> None:
    mark = tmp_path / "at_work"
    child = subprocess.Popen([sys.executable, "-c", HANGS, str(mark)], cwd=repo, stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"computes\n"
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
    (disabled,) = found(mark)
    assert isinstance(disabled, StrategyDisabled)
    assert (disabled.strategy, "process ended" in disabled.reason) == ("sleeper", True)
    assert found(mark) == []  # said once


def test_strategy_that_comes_back_or_raises_leaves_no_mark(tmp_path: Path) -> None:
    mark, bars = tmp_path / "at_work", desk().history.seen()

    def raising(_: object) -> object:
        assert mark.read_text() == "bad"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Marked(Made("bad", ("GLD",), raising), mark).step(None, bars)
    carried, views = Marked(always("good", GLD=0.5), mark).step(None, bars)
    assert (carried, np.asarray(views).tolist()) == (None, [0.5])
    assert found(mark) == []


def test_strategy_under_its_mark_is_the_strategy(tmp_path: Path) -> None:
    plain = Made("count", ("GLD", "SLV"), lambda bars: np.array([0.1, 0.2]), memory=True)
    marked = Marked(plain, tmp_path / "at_work")
    for name in ("name", "symbols", "warm_up", "is_stateful"):
        assert getattr(marked, name) == getattr(plain, name)
    assert marked.decode(marked.encode(3)) == plain.decode(plain.encode(3))


def test_disk_that_takes_no_mark_lets_the_strategy_compute(tmp_path: Path) -> None:
    marked = Marked(always("good", GLD=0.5), tmp_path / "is" / "not" / "there")
    assert np.asarray(marked.step(None, desk().history.seen())[1]).tolist() == [0.5]


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00"])
def test_mark_that_names_nobody_disables_nobody(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "at_work").write_bytes(content)
    assert found(tmp_path / "at_work") == []
