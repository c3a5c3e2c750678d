"""The watchdog as a real process against the exchange on sockets, with limits of seconds."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from qgtm.adapters.clock import SystemClock, boot_id
from qgtm.adapters.heartbeat import Heartbeat, HeartbeatFile
from qgtm.adapters.watchdog_file import WatchdogWord, load_watchdog
from qgtm.core.ids import epoch_of
from qgtm.core.universe import TRADED
from tests.live.processes import Site, eventually, site

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
DEAD_MAN = ("--dead-man", "2,3,5")
FLATTEN_S = 5.0


def word(place: Site) -> WatchdogWord | None:
    return load_watchdog(place.state / "watchdog.json")


def is_state(place: Site, *names: str) -> bool:
    found = word(place)
    return found is not None and found.state in names


def truth(place: Site) -> dict[str, Decimal]:
    return {symbol: Decimal(q) for symbol, q in place.get("state")["truth"]["positions"].items()}


def orders(place: Site) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = place.get("state")["state"]["orders"]
    return found


def watch(place: Site) -> subprocess.Popen[str]:
    child = place.start("watchdog", *DEAD_MAN)
    eventually(lambda: word(place) is not None and word(place).pid == child.pid, place.log("watchdog"))  # type: ignore[union-attr]
    return child


class Beats:
    """Writes heartbeats as a daemon does, without one."""

    def __init__(self, place: Site, epoch: int = 1) -> None:
        self.file = HeartbeatFile(place.state / "heartbeat.json")
        self.epoch = epoch
        self.counter = 0

    def beat(self) -> None:
        self.counter += 1
        clock = SystemClock()
        self.file.write(
            Heartbeat(
                counter=self.counter,
                epoch=self.epoch,
                pid=os.getpid(),
                boot_id=boot_id(),
                monotonic_s=clock.monotonic(),
                wall_at=clock.now(),
                venue_at=clock.now(),
                what="live",
            )
        )

    def until(self, is_so: Callable[[], Any], within_s: float = 20.0) -> None:
        until_s = time.monotonic() + within_s
        while not is_so():
            assert time.monotonic() < until_s
            self.beat()
            time.sleep(0.2)


def with_book(place: Site, **book: int) -> None:
    """Let the exchange hold these shares, in the middle of a session that stands still."""
    place.exchange(speed=1.0)
    place.post("advance", to="open")
    place.post("advance", seconds=3600)
    for symbol, shares in book.items():
        side = "buy" if shares > 0 else "sell"
        body = {"symbol": symbol, "qty": abs(shares), "side": side, "type": "market", "time_in_force": "day"}
        ask(place, "POST", "/v2/orders", body)
    eventually(lambda: set(truth(place)) == set(book), "the book is bought")


def ask(place: Site, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    import requests

    url = f"http://127.0.0.1:{place.port}{path}"
    keys = {"APCA-API-KEY-ID": "PKTEST", "APCA-API-SECRET-KEY": "secret"}
    with requests.request(method, url, json=body, headers=keys, timeout=10) as answer:
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None


@pytest.mark.fault("K9")
@pytest.mark.mistake(7)
def test_silent_daemon_ends_in_an_empty_book_within_a_minute(tmp_path: Path) -> None:
    with site(tmp_path) as place:
        with_book(place, GLD=100, GDX=50, SLV=-30)
        child, beats = watch(place), Beats(place)
        beats.until(lambda: is_state(place, "watching"))
        time.sleep(1.0)
        beats.beat()
        last_s = time.monotonic()
        eventually(lambda: is_state(place, "alerted_1"), "the first alert", 5)
        assert time.monotonic() - last_s >= 2.0
        eventually(lambda: is_state(place, "firing"), "the flatten", 10)
        assert FLATTEN_S - 0.5 <= time.monotonic() - last_s <= FLATTEN_S + 10.0
        eventually(lambda: truth(place) == {}, place.log("watchdog"), 60)
        eventually(lambda: is_state(place, "flat"), place.log("watchdog"), 40)
        found = word(place)
        assert found is not None
        assert (found.epoch, found.kill_epoch, found.act) == (2, 2, "flatten")
        assert found.has_flattened_since(1)
        assert not found.has_flattened_since(2)
        assert json.loads((place.state / "lease.json").read_text())["epoch"] == 2
        assert child.poll() is None
        child.terminate()
        assert child.wait(10) == 0


def test_second_watchdog_is_refused_with_the_process_that_has_the_folder(tmp_path: Path) -> None:
    with site(tmp_path) as place:
        first = watch(place)
        second = place.start("watchdog", *DEAD_MAN)
        assert second.wait(20) == 1
        assert f"process {first.pid} is a watchdog" in place.last_log()
        assert first.poll() is None


@pytest.mark.fault("D17")
def test_broker_that_is_down_when_it_fires_is_tried_until_it_is_back(tmp_path: Path) -> None:
    with site(tmp_path) as place:
        with_book(place, GLD=100, GDX=50)
        exchange = place.children[0]
        beats = Beats(place)
        watch(place)
        beats.until(lambda: is_state(place, "watching"))
        exchange.kill()
        exchange.wait()
        eventually(lambda: is_state(place, "firing"), "the flatten", 20)
        eventually(lambda: place.log("watchdog").count("; try ") >= 3, place.log("watchdog"), 30)
        assert "The broker does not answer the watchdog" in place.log("watchdog")
        place.exchange(speed=1.0)
        eventually(lambda: truth(place) == {}, place.log("watchdog"), 60)
        eventually(lambda: is_state(place, "flat"), place.log("watchdog"), 40)


@pytest.mark.fault("D17")
@pytest.mark.mistake(9)
def test_broker_that_takes_the_call_and_never_answers_holds_nothing_up(tmp_path: Path) -> None:
    with site(tmp_path) as place:
        with_book(place, GLD=100)
        beats = Beats(place)
        watch(place)
        beats.until(lambda: is_state(place, "watching"))
        hang = {"stage": "during_reply", "action": "drip", "seconds": 60.0, "count": 1, "method": "POST"}
        place.post("faults", **hang)
        eventually(lambda: is_state(place, "firing"), "the flatten", 20)
        seen = [word(place).monotonic_s]  # type: ignore[union-attr]
        until_s = time.monotonic() + 10.0
        while time.monotonic() < until_s:
            time.sleep(0.25)
            seen.append(word(place).monotonic_s)  # type: ignore[union-attr]
        assert max(later - earlier for earlier, later in pairwise(seen)) < 2.0  # its own beat goes on
        eventually(lambda: is_state(place, "flat"), place.log("watchdog"), 60)
        assert truth(place) == {}
        assert len([o for o in orders(place) if epoch_of(o["client_order_id"])]) == 1


@pytest.mark.fault("D6")
def test_watchdog_that_is_killed_in_the_middle_goes_on_where_it_was(tmp_path: Path) -> None:
    with site(tmp_path) as place:
        with_book(place, GLD=100, SLV=-30)
        place.post("prices", symbol="SLV", action="halt")
        beats = Beats(place)
        child = watch(place)
        beats.until(lambda: is_state(place, "watching"))
        eventually(lambda: truth(place) == {"SLV": Decimal(-30)}, place.log("watchdog"), 60)
        child.kill()
        child.wait()
        watch(place)
        time.sleep(6.0)
        found = word(place)
        assert found is not None
        assert (found.state, found.epoch, found.kill_epoch) == ("firing", 2, 2)
        assert found.positions_left == {"SLV": Decimal(-30)}
        ours = [o for o in orders(place) if epoch_of(o["client_order_id"])]
        assert len(ours) == 2  # the order that waits for the resumption was neither cancelled nor sent again
        place.post("prices", symbol="SLV", action="resume")
        eventually(lambda: is_state(place, "flat"), place.log("watchdog"), 60)
        assert truth(place) == {}


def test_watchdog_that_fell_counts_the_silence_on(tmp_path: Path) -> None:
    with site(tmp_path) as place:
        place.exchange(speed=1.0)
        beats = Beats(place)
        child = watch(place)
        beats.until(lambda: is_state(place, "watching"))
        eventually(lambda: is_state(place, "alerted_1"), "the first alert", 10)
        child.kill()
        child.wait()
        watch(place)
        assert is_state(place, "alerted_1", "alerted_2", "firing", "flat")


# --- with the daemon itself ---------------------------------------------------------------------


def trading(place: Site) -> subprocess.Popen[str]:
    """Start exchange and daemon; return the daemon once it holds something, with venue time held."""
    place.exchange()
    daemon = place.daemon()
    eventually(lambda: truth(place), "a book", 60)
    place.post("hold", name="test", ttl_s=150)
    return daemon


@pytest.mark.fault("D19", "F8", "K9")
@pytest.mark.mistake(7)
@pytest.mark.parametrize("how", ["SIGKILL", "SIGTERM", "SIGSTOP"])
def test_daemon_that_ends_or_stands_still_is_fenced_and_its_book_is_closed(tmp_path: Path, how: str) -> None:
    """A planned stop is no excuse; and a daemon that wakes up afterwards sends nothing more."""
    with site(tmp_path) as place:
        daemon = trading(place)
        watch(place)
        eventually(lambda: is_state(place, "watching"), "the watch")
        time.sleep(1.0)
        daemon.send_signal(getattr(signal, how))
        eventually(lambda: is_state(place, "firing", "flat"), place.log("watchdog"), 60)
        place.post("hold", name="test", release=True)  # a book that fills in parts needs the market to go on
        eventually(lambda: is_state(place, "flat"), place.log("watchdog"), 90)
        assert truth(place) == {}
        kill_epoch = word(place).kill_epoch  # type: ignore[union-attr]
        before = len(orders(place))
        if how == "SIGSTOP":
            daemon.send_signal(signal.SIGCONT)
            time.sleep(12.0)
            late = orders(place)[before:]
            assert [o["client_order_id"] for o in late if epoch_of(o["client_order_id"]) != kill_epoch] == []
            assert truth(place) == {}


def test_daemon_that_lives_is_never_fenced(tmp_path: Path) -> None:
    with site(tmp_path) as place:
        trading(place)
        watch(place)
        eventually(lambda: is_state(place, "watching"), "the watch")
        for _ in range(40):
            time.sleep(0.25)
            assert is_state(place, "watching", "alerted_1"), place.log("watchdog")
        assert json.loads((place.state / "lease.json").read_text())["holder"] == "daemon"


# --- what it is made of -------------------------------------------------------------------------

LOADED = """
import sys
import qgtm.watchdog.__main__
print(*sorted(name for name in sys.modules if name.split(".")[0] == "qgtm"))
print(*sorted({name.split(".")[0] for name in sys.modules} - sys.stdlib_module_names))
"""
# requests and what it stands on
HTTP = {"requests", "urllib3", "certifi", "charset_normalizer", "idna", "chardet", "simplejson", "brotli",
        "brotlicffi", "zstandard", "h2", "socks"}  # fmt: skip


@pytest.mark.mistake(7)
def test_process_holds_nothing_of_ours_but_the_language() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED], capture_output=True, text=True, check=True, timeout=60
    )
    ours, others = done.stdout.splitlines()
    assert [name for name in ours.split() if name.split(".")[1:2] not in ([], ["core"], ["watchdog"])] == []
    strangers = {name for name in others.split() if not name.startswith("_") and "mypyc" not in name}
    assert strangers - HTTP - {"qgtm", "cython_runtime"} == set()


def test_beat_of_its_own_is_at_most_a_second_old(tmp_path: Path) -> None:
    with site(tmp_path) as place:
        watch(place)
        ages = []
        for _ in range(12):
            time.sleep(0.25)
            found = word(place)
            assert found is not None
            age_s = found.age_s(time.monotonic(), boot_id())
            assert age_s is not None
            ages.append(age_s)
        assert max(ages) < 1.5
        assert timedelta(seconds=max(ages)) > timedelta(0)


@pytest.mark.invariant("V7")
def test_twenty_positions_are_closed_within_the_minute_and_within_the_calls(tmp_path: Path) -> None:
    book = {symbol: 10 if number % 2 else -10 for number, symbol in enumerate(TRADED)}
    with site(tmp_path, ("starting_cash_usd = 250_000", "starting_cash_usd = 900_000")) as place:
        with_book(place, **book)
        asked_before = len(seen_by_the_exchange(place))
        beats = Beats(place)
        watch(place)
        beats.until(lambda: is_state(place, "watching"))
        eventually(lambda: is_state(place, "firing"), "the flatten", 20)
        began_s = time.monotonic()
        eventually(lambda: len(closings(place)) >= 20, place.log("watchdog"), 60)
        sent_s = time.monotonic() - began_s
        eventually(lambda: truth(place) == {}, place.log("watchdog"), 60)
        flat_s = time.monotonic() - began_s
        eventually(lambda: is_state(place, "flat"), place.log("watchdog"), 60)
        calls = len(seen_by_the_exchange(place)) - asked_before
        assert len(closings(place)) == 20
        assert flat_s <= 60.0
        assert calls <= 60
        print(
            f"20 closing orders {sent_s:.2f} s after firing, flat after {flat_s:.2f} s, {calls} calls in all"
        )


def closings(place: Site) -> list[dict[str, Any]]:
    return [o for o in orders(place) if epoch_of(o["client_order_id"]) is not None]


def seen_by_the_exchange(place: Site) -> list[Any]:
    found: list[Any] = place.get("state")["requests"]
    return found
