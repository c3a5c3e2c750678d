"""`qgtm up` starts the watchdog, says how short its limits are, starts it again, and ends it."""

import os
import signal
from pathlib import Path

import pytest

from qgtm.adapters.watchdog_file import WatchdogWord, load_watchdog
from tests.scenarios.terminal import Desk, desk, eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


def word(place: Desk) -> WatchdogWord | None:
    return load_watchdog(place.state / "watchdog.json")


def is_alive(pid: int) -> bool:
    try:
        return (Path("/proc") / str(pid) / "cmdline").read_bytes() != b""
    except OSError:
        return False


def test_up_watches_with_limits_of_seconds_starts_the_watchdog_again_and_ends_it(tmp_path: Path) -> None:
    with desk(tmp_path) as place:
        up = place.start("up")
        place.until(up, "Live after", 120)
        assert "closes everything 20 s after the daemon falls silent" in place.said(up)
        eventually(lambda: word(place) and word(place).state == "watching", "the watch", 30)  # type: ignore[union-attr]
        first = word(place)
        assert first is not None
        assert (first.alerts_s, first.flatten_s) == ((7.0, 13.0), 20.0)
        os.kill(first.pid, signal.SIGKILL)
        eventually(lambda: (found := word(place)) and found.pid != first.pid, "another one", 30)
        second = word(place)
        assert second is not None
        eventually(lambda: word(place).beat > second.beat + 3, "its beat", 20)  # type: ignore[union-attr]
        up.kill()  # even so nothing of it stays behind
        eventually(lambda: not is_alive(second.pid), "its end", 30)
