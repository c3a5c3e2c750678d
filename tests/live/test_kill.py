"""The daemon killed, stopped, doubled and frozen, as real processes against the exchange on real sockets.

QGTM_KILLS says how many kills (6 unless given; 40 is the issue's number), QGTM_KILL_SEED from which seed.
"""

import os
import random
import signal
import time
from pathlib import Path

import pytest

from qgtm.adapters.clock import SystemClock, boot_id
from qgtm.adapters.heartbeat import load_heartbeat
from qgtm.core.events import Latched, OrderAccepted, Stopped
from qgtm.core.order import ENDS
from tests.live.books import (
    BUSY,
    LOST_ANSWERS,
    SLOW,
    accepted,
    check_books_agree,
    check_journal_holds,
    check_no_order_is_doubled,
    held,
    state_of,
    stir,
    truth,
)
from tests.live.processes import eventually, site

KILLS = int(os.environ.get("QGTM_KILLS", "6"))
SEED = int(os.environ.get("QGTM_KILL_SEED", "11"))
pytestmark = [pytest.mark.slow, pytest.mark.timeout(60 + 20 * max(KILLS, 6))]


@pytest.mark.fault("A3", "C18", "G1", "G2")
@pytest.mark.invariant("V4", "V9", "V21")
def test_daemon_killed_at_random_instants_never_doubles_an_order_nor_loses_a_fill(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    with site(tmp_path, *BUSY) as place:
        place.exchange()
        place.post("state", habits=SLOW)
        place.post("faults", faults=[f | {"probability": 0.15, "seconds": 0.3} for f in LOST_ANSWERS])
        daemon, instants = place.daemon(), []
        for _ in range(KILLS):
            wait_s = chance.uniform(0.0, 4.0)
            time.sleep(wait_s)
            daemon.send_signal(signal.SIGKILL)
            daemon.wait()
            live = sum(order.is_live for order in state_of(place).orders.values())
            instants.append((round(wait_s, 2), live))
            check_journal_holds(place)
            check_no_order_is_doubled(place)
            stir(place, chance)
            if chance.random() < 0.25:  # and once more while it boots
                daemon = place.start("daemon")
                time.sleep(chance.uniform(0.0, 3.0))
                daemon.send_signal(signal.SIGKILL)
                daemon.wait()
            daemon = place.daemon()
            check_books_agree(place)
        assert len(accepted(place)) >= 2 * KILLS
        assert not place.events(Latched)
        daemon.terminate()
        assert daemon.wait(20) == 0
        check_journal_holds(place)
        check_no_order_is_doubled(place)
        print(f"kills {instants}, orders {len(accepted(place))}, accepted {len(place.events(OrderAccepted))}")


@pytest.mark.fault("G9")
@pytest.mark.mistake(8)
def test_daemon_told_to_stop_in_the_middle_of_a_rebalance_leaves_no_live_order(tmp_path: Path) -> None:
    with site(tmp_path, *BUSY) as place:
        place.exchange()
        place.post("state", habits=SLOW | {"partial_fill_frac": 1.0, "refill_s": 6000})
        daemon = place.daemon()
        eventually(
            lambda: any(order["status"] == "partially_filled" for order in accepted(place)),
            "an order that is half filled",
        )
        began_s = time.monotonic()
        daemon.terminate()
        assert daemon.wait(20) == 0
        assert time.monotonic() - began_s < 13
        assert [o for o in accepted(place) if o["status"] in ("new", "accepted", "partially_filled")] == []
        state = state_of(place)
        assert not [o for o in state.orders.values() if o.broker_order_id and o.state not in ENDS]
        assert held(state) == truth(place)
        assert place.events(Stopped) == [Stopped(reason="told to stop")]


@pytest.mark.fault("D16", "F8", "G6")
@pytest.mark.mistake(7)
@pytest.mark.invariant("V16")
def test_second_daemon_is_refused_and_a_frozen_one_keeps_no_heartbeat_alive(tmp_path: Path) -> None:
    with site(tmp_path) as place:
        place.exchange()
        daemon = place.daemon()
        second = place.start("daemon")
        assert second.wait(30) == 1
        assert f"process {daemon.pid}" in place.last_log()
        assert daemon.poll() is None

        def age_s() -> float:
            beat = load_heartbeat(place.state / "heartbeat.json")
            found = None if beat is None else beat.age_s(SystemClock().monotonic(), boot_id())
            return 99.0 if found is None else found

        eventually(lambda: age_s() < 1.5, "a heartbeat")
        daemon.send_signal(signal.SIGSTOP)
        time.sleep(3.0)
        assert age_s() > 2.5
        daemon.send_signal(signal.SIGCONT)
        eventually(lambda: age_s() < 1.5, "a heartbeat after it woke")
        daemon.terminate()
        assert daemon.wait(20) == 0
