"""From the hard cap to the ramp's last day: real processes, a real browser at phone size, two persons.

By hand, since it takes minutes: QGTM_JOURNEY=1 pytest tests/scenarios/test_two_person_reset.py
"""

import json
import os
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests

from benchmarks.browser import Tab, browser, chromium
from qgtm.adapters.journal import JournalReader
from qgtm.core.events import FlatConfirmed, IntentFormed, ModeChanged, OperatorEnrolled, RequestMade
from qgtm.core.mode import Mode
from qgtm.core.reducing import is_flattening
from qgtm.engine.state import State, folded
from qgtm.risk.kill_switch import RAMP, size_frac
from tests.scenarios.terminal import Desk, eventually

LIVE = "Ctrl-C stops everything"
SPEED = "1200"  # a session in 20 seconds: room for three samples that are ten seconds apart
PICTURES = os.environ.get("QGTM_PICTURES")  # where to leave screenshots for people
AUTHENTICATOR = {
    "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
    "isUserVerified": True, "automaticPresenceSimulation": True,
}  # fmt: skip
PRESS = """(() => {
    const all = [...document.querySelectorAll("button, a.button")];
    const found = all.find(e => !e.hidden && e.innerText.includes("%s"));
    if (found) found.click();
    return !!found;
})()"""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.timeout(1500),
    pytest.mark.skipif(
        not os.environ.get("QGTM_JOURNEY"), reason="by hand, with QGTM_JOURNEY=1: it takes minutes"
    ),
    pytest.mark.skipif(chromium() is None, reason="there is no Chromium here: `apt-get install chromium`"),
]


def entries(place: Desk) -> list[Any]:
    with JournalReader(place.state / "journal.db") as reader:
        return list(reader.read())


def state_of(place: Desk) -> State:
    return folded(entry.event for entry in entries(place))


def happened(place: Desk, kind: type) -> list[Any]:
    return [entry.event for entry in entries(place) if isinstance(entry.event, kind)]


def ask_venue(place: Desk, what: str, **body: object) -> None:
    session = requests.Session()
    session.trust_env = False
    answer = session.post(f"http://127.0.0.1:{place.venue}/control/{what}", data=json.dumps(body), timeout=10)
    assert answer.ok, answer.text


def press(tab: Tab, words: str) -> None:
    tab.heard.clear()
    assert tab.evaluate(PRESS % words), f"no button says {words!r}: {shown(tab)}"
    tab.wait_for("Page.loadEventFired")


def shown(tab: Tab) -> str:
    return str(tab.evaluate("document.body.innerText"))


def look(tab: Tab, name: str) -> None:
    assert tab.evaluate("document.documentElement.scrollWidth") <= 360
    if PICTURES:
        tab.picture(Path(PICTURES) / f"{name}.png")


def fall_to_the_hard_cap(place: Desk) -> None:
    """Let what is held fall in price, and again what is left of it, until everything is to be closed."""
    eventually(lambda: not state_of(place).is_pending, "a book that is bought", 90)
    for _ in range(8):
        held = {symbol: p.quantity for symbol, p in state_of(place).positions.items() if p.quantity}
        for symbol, quantity in held.items():
            ask_venue(place, "prices", symbol=symbol, action="shift", factor="0.4" if quantity > 0 else "1.6")
        with suppress(AssertionError):
            eventually(lambda: state_of(place).switch.mode is Mode.HALTED_HARD, "the hard cap", 40)
            return
    raise AssertionError(f"no hard cap: {state_of(place).switch}")


@pytest.mark.invariant("V19", "V20")
def test_two_persons_let_the_fund_trade_again_at_half_size_and_it_grows_back(place: Desk) -> None:
    up = place.start("up", "--speed", SPEED)
    place.until(up, LIVE, 90)
    with browser() as chrome, chrome.tab() as tab:
        home = f"http://localhost:{place.web}"
        tab.become_phone()
        tab.send("WebAuthn.enable")
        tab.send("WebAuthn.addVirtualAuthenticator", options=AUTHENTICATOR)
        link = place.type("operators", "enroll", "OpB", "--json").json()["address"]
        tab.open(link)
        press(tab, "Make a passkey")
        eventually(lambda: happened(place, OperatorEnrolled), "OpB's key in the journal")

        eventually(lambda: any(p.quantity for p in state_of(place).positions.values()), "the first fills", 90)
        fall_to_the_hard_cap(place)
        eventually(lambda: happened(place, FlatConfirmed), "everything closed", 120)
        assert not any(p.quantity for p in state_of(place).positions.values())
        tab.open(home)
        look(tab, "halted")
        eventually(lambda: (place.folder / "reports/incident-1.html").exists(), "the incident report", 120)

        early = place.type("killswitch", "--request-reset", "--reason", "let us go on at once")
        assert early.code != 0
        assert "cool-off" in early.all
        eventually(
            lambda: place.type("killswitch", "--request-reset", "--reason", "both looked at it").code == 0,
            "a request after the cool-off",
            300,
        )
        (asked,) = happened(place, RequestMade)
        eventually(lambda: "request" in place.ask("hold")["held_by"], "venue time waits for OpB")

        tab.open(f"{home}/sign-in")
        press(tab, "Sign in with your passkey")
        look(tab, "waiting")
        assert asked.request.text.split("\n")[0][:40] in shown(tab)
        press(tab, "Read and confirm")
        look(tab, "confirm")
        token = tab.evaluate("document.querySelector('.token').innerText")
        tab.evaluate(f"document.querySelector('input[name=token]').value = {token!r}")
        press(tab, "Confirm with your passkey")
        eventually(lambda: state_of(place).switch.mode is Mode.ACTIVE, "trading again", 30)
        look(tab, "confirmed")

    sizes = [size_frac(state_of(place).switch)]
    assert sizes == [Decimal("0.5")]

    def has_grown() -> bool:
        size = size_frac(state_of(place).switch)
        if size != sizes[-1]:
            sizes.append(size)
        return size == 1

    eventually(has_grown, f"full size after five sessions, seen {sizes}", 600)
    assert sizes == list(RAMP)
    told = entries(place)
    resets = [
        n for n, e in enumerate(told) if isinstance(e.event, ModeChanged) and e.event.after is Mode.ACTIVE
    ]
    halts = [
        n
        for n, e in enumerate(told)
        if isinstance(e.event, ModeChanged) and e.event.after is Mode.HALTED_HARD
    ]
    between = [e.event.order for e in told[halts[-1] : resets[-1]] if isinstance(e.event, IntentFormed)]
    assert all(is_flattening(order) for order in between), "nothing but the closing went out while halted"
    verified = place.type("audit", "verify", "--json").json()
    assert verified["is_ok"]
