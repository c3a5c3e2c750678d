"""`qgtm up` from nothing to a green page, through falls and stops, as real processes."""

import os
import signal
import subprocess
import time
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import requests

from qgtm.adapters.clock import anchor_from_text
from qgtm.adapters.journal import JournalReader
from qgtm.core.events import BreakFound, Reconciled, Stopped
from qgtm.engine.state import State, folded
from qgtm.ports import Entry
from tests.scenarios.terminal import Desk, eventually

LIVE = "Ctrl-C stops everything"
FLEET = {"exchange", "daemon", "feeds", "serve", "scheduler"}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


def state_of(place: Desk) -> State:
    return folded(entry.event for entry in entries(place))


def held(place: Desk) -> dict[str, Decimal]:
    return {symbol: p.quantity for symbol, p in sorted(state_of(place).positions.items()) if p.quantity}


def entries(place: Desk) -> list[Entry]:
    with JournalReader(place.state / "journal.db") as reader:
        return list(reader.read())


def events(place: Desk, kind: type) -> list[Any]:
    return [entry.event for entry in entries(place) if isinstance(entry.event, kind)]


def health(place: Desk) -> dict[str, Any]:
    session = requests.Session()
    session.trust_env = False
    try:
        found: dict[str, Any] = session.get(f"http://127.0.0.1:{place.web}/api/health", timeout=5).json()
        return found
    except requests.RequestException:
        return {}


def is_green(place: Desk) -> bool:
    found = place.here("status", "--json").json()
    return bool(found["daemon"] == "running" and found["broker"] == "connected" and found["dot"] == "green")


def ended(child: subprocess.Popen[str], within_s: float) -> int:
    return child.wait(within_s)


@pytest.mark.fault("G1", "G6")
def test_up_goes_live_survives_falls_stops_on_ctrl_c_and_resumes(place: Desk) -> None:
    up = place.start("up")
    place.until(up, LIVE)
    assert set(place.processes()) == FLEET
    eventually(lambda: held(place), "the first fills")
    eventually(lambda: is_green(place), "a green dot")
    assert health(place)

    second = place.here("up")
    assert second.code == 1
    assert f"held by process {up.pid}" in second.err
    other = place.type("daemon")
    assert other.code == 1
    assert f"held by process {place.processes()['daemon']}" in other.err

    for service in ("exchange", "daemon"):
        before = place.processes()[service]
        os.kill(before, signal.SIGKILL)
        place.until(up, f"the {service} fell (ended by SIGKILL) and is started again")
        place.until(up, f"the {service} is back")
        assert place.processes()[service] != before
    eventually(lambda: is_green(place), "a green dot after both fell")
    assert not events(place, BreakFound)

    began_s = time.monotonic()
    os.kill(up.pid, signal.SIGINT)
    assert ended(up, 20) == 0, place.said(up)
    assert time.monotonic() - began_s < 15
    assert "the next `qgtm up` goes on from here" in place.said(up).lower()
    assert place.processes() == {}
    assert events(place, Stopped)[-1] == Stopped(reason="told to stop")
    assert not [order for order in state_of(place).orders.values() if order.is_live and order.broker_order_id]

    shares, rows = held(place), len(entries(place))
    stood = anchor_from_text((place.state / "exchange" / "venue.json").read_text())
    assert "stopped" in stood.held_by
    again = place.start("up")
    place.until(again, LIVE)
    later = entries(place)[rows:]
    assert next(e.event.positions for e in later if isinstance(e.event, Reconciled)) == shares
    assert not events(place, BreakFound)
    assert stood.venue_at <= later[0].at < stood.venue_at + timedelta(hours=1)
    os.kill(again.pid, signal.SIGKILL)
    eventually(lambda: not place.processes(), "what a killed `up` had started is gone", 20)
