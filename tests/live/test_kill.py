"""The daemon killed, stopped, doubled and frozen, as real processes against the exchange on real sockets.

QGTM_KILLS says how many kills (6 unless given; 40 is the issue's number), QGTM_KILL_SEED from which seed.
"""

import os
import random
import signal
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from qgtm.adapters.audit import verify
from qgtm.adapters.clock import SystemClock, boot_id
from qgtm.adapters.heartbeat import load_heartbeat
from qgtm.core.events import BreakFound, IntentFormed, Latched, OrderAccepted, Stopped
from qgtm.core.order import ENDS
from qgtm.engine.state import State, folded
from tests.live.processes import Site, eventually, site

KILLS = int(os.environ.get("QGTM_KILLS", "6"))
SEED = int(os.environ.get("QGTM_KILL_SEED", "11"))
# Small orders and a narrow band make many rounds, so that a kill seldom meets an idle daemon.
BUSY = (
    ("order_frac = 0.10", "order_frac = 0.01"),
    ("no_trade_band_frac = 0.005", "no_trade_band_frac = 0.0005"),
    ("orders_per_day = 300", "orders_per_day = 600"),
    ("same_order_per_minute = 2", "same_order_per_minute = 4"),
)
# Fills that come in parts, cancels and answers that take a while: orders are on their way for seconds.
SLOW = {"partial_fill_frac": 0.8, "refill_s": 240, "activation_s": 60, "cancel_s": 60}
LOST_ANSWERS = [
    {"stage": "after_apply", "action": "drop", "method": "POST", "path": "/v2/orders", "count": None},
    {"stage": "before_apply", "action": "hang", "method": "POST", "path": "/v2/orders", "count": None},
]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60 + 20 * max(KILLS, 6))]


def state_of(place: Site) -> State:
    return folded(place.events())


def held(state: State) -> dict[str, Decimal]:
    return {symbol: p.quantity for symbol, p in sorted(state.positions.items()) if p.quantity}


def truth(place: Site) -> dict[str, Decimal]:
    return {symbol: Decimal(q) for symbol, q in place.get("state")["truth"]["positions"].items()}


def accepted(place: Site) -> list[dict[str, Any]]:
    orders: list[dict[str, Any]] = place.get("state")["state"]["orders"]
    return orders


def check_no_order_is_doubled(place: Site) -> None:
    """Every order that the exchange took has one intent, written down, of the same shares."""
    intents = {e.order.client_order_id: e.order for e in place.events(IntentFormed)}
    orders = accepted(place)
    doubled = [each for each, count in Counter(o["client_order_id"] for o in orders).items() if count > 1]
    assert not doubled
    assert len(intents) == len(place.events(IntentFormed)), "an id was formed twice"
    for order in orders:
        ours = intents[order["client_order_id"]]
        assert (ours.symbol, str(ours.side), ours.quantity) == (
            order["symbol"],
            order["side"],
            Decimal(order["qty"]),
        )


def check_books_agree(place: Site) -> None:
    """With venue time held, both sides come to the same shares and cash, with no break on the way."""
    place.post("hold", name="test", ttl_s=60)
    try:
        eventually(lambda: held(state_of(place)) == truth(place), "our positions equal the exchange's", 20)
        cash = Decimal(place.get("state")["truth"]["cash"])
        assert abs(state_of(place).cash_usd - cash) <= Decimal("0.01")
        assert not place.events(BreakFound)
    finally:
        place.post("hold", name="test", release=True)


def check_journal_holds(place: Site) -> None:
    audit = verify(place.state / "journal.db")
    assert audit.is_ok, audit.bad


def stir(place: Site, chance: random.Random) -> None:
    """Give the daemon something to trade: a new session, other prices, or both."""
    for symbol in chance.sample(["GLD", "SLV", "GDX", "IAU", "SIL"], 2):
        place.post(
            "prices", symbol=symbol, action="shift", factor=chance.choice(["0.96", "0.98", "1.02", "1.04"])
        )
    if chance.random() < 0.6:
        place.post("advance", to="open")


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
