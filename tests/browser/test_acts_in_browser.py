"""OpB's acts in a real browser with a virtual authenticator: enroll, sign in, approve, at a phone's size."""

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from benchmarks.browser import Browser, Tab, browser, chromium
from benchmarks.serving import serving
from qgtm.adapters.clock import SystemClock
from qgtm.adapters.files import StateDir
from qgtm.adapters.inbox import Inbox
from qgtm.adapters.journal import SqliteJournal
from qgtm.adapters.proof import Prover, site_of
from qgtm.core.commands import Approve, Command, Enroll, Flatten, OpenRequest
from qgtm.core.events import Event, OperatorEnrolled, RequestMade
from qgtm.core.request import Act, Person, Request, challenge
from qgtm.web.visitor import Visitors

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(chromium() is None, reason="there is no Chromium here: `apt-get install chromium`"),
]
AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}
PRESS = """(() => {
    const all = [...document.querySelectorAll("button, a.button")];
    const found = all.find(e => !e.hidden && e.innerText.includes("%s"));
    if (found) found.click();
    return !!found;
})()"""
NAMELESS = """[...document.querySelectorAll("input:not([type=hidden]), button, a, summary, select")]
    .filter(e => !((e.labels && e.labels.length) || e.textContent.trim())).map(e => e.outerHTML)"""
PICTURES = os.environ.get("QGTM_PICTURES")  # where to leave screenshots for people


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    with browser() as running:
        yield running


@dataclass
class Fund:
    """A state folder whose journal this test writes, as a daemon would."""

    state: StateDir

    def happens(self, *events: Event) -> None:
        with SqliteJournal(self.state.journal) as journal:
            journal.append(list(events), datetime.now(UTC))
        time.sleep(0.3)  # a look is kept for a quarter of a second

    def wishes(self, kind: type[Command]) -> list[Any]:
        with Inbox(self.state.inbox) as inbox:
            return [wish.command for wish in inbox.wishes(0) if isinstance(wish.command, kind)]

    def invitation(self) -> str:
        with contextlib.closing(Visitors(self.state.web, SystemClock().now)) as visitors:
            return visitors.invite(Person.OPB)


def request(text: str = "Trade again at half size.") -> Request:
    now = datetime.now(UTC)
    return Request(
        request_id="request-1", act=Act.RESET, by=Person.OPA, text=text, epoch=1, detail={"size": "half"},
        limits_sha="l", head="1:a", nonce="n", made_at=now, expires_at=now + timedelta(minutes=10),
    )  # fmt: skip


def press(tab: Tab, words: str) -> None:
    """Press the button or link that says so, and wait for the page it leads to."""
    tab.heard.clear()
    pressed = tab.evaluate(PRESS % words)
    assert pressed, f"no button says {words!r}: {text_of(tab)}"
    tab.wait_for("Page.loadEventFired")


def text_of(tab: Tab) -> str:
    return str(tab.evaluate("document.body.innerText"))


def look(tab: Tab, name: str) -> None:
    """See that the page fits a phone, and leave a picture where one is wanted."""
    assert tab.evaluate("document.documentElement.scrollWidth") <= 360
    assert tab.complaints() == []
    if PICTURES:
        tab.picture(Path(PICTURES) / f"{name}.png")


def test_opb_enrolls_signs_in_and_approves_with_a_passkey(chrome: Browser, tmp_path: Path) -> None:
    fund = Fund(StateDir(tmp_path))
    fund.happens()
    with serving(tmp_path, "--no-live") as served, chrome.tab() as tab:
        home = served.address.replace("127.0.0.1", "localhost")
        tab.become_phone()
        tab.send("WebAuthn.enable")
        tab.send("WebAuthn.addVirtualAuthenticator", options=AUTHENTICATOR)

        tab.open(f"{home}/sign-in")
        assert "Nobody is enrolled" in text_of(tab)
        tab.open(f"{home}/enroll?code={fund.invitation()}")
        look(tab, "enroll")
        press(tab, "Make a passkey")
        assert "Enrolled" in text_of(tab)
        (enrolled,) = fund.wishes(Enroll)
        fund.happens(OperatorEnrolled(credential=enrolled.credential, by="OpB"))

        press(tab, "Sign in")
        look(tab, "sign-in")
        press(tab, "Sign in with your passkey")
        assert "Nothing waits for you" in text_of(tab)

        asked = request()
        fund.happens(RequestMade(request=asked, monotonic_s=0.0, epoch=1))
        tab.open(f"{home}/acts")
        look(tab, "acts")
        press(tab, "Read and confirm")
        look(tab, "approve")
        token = tab.evaluate("document.querySelector('.token').innerText")
        tab.evaluate(f"document.querySelector('input[name=token]').value = {token.lower()!r}")
        press(tab, "Confirm with your passkey")
        assert "Sent" in text_of(tab)
        look(tab, "sent")

        (opened,), (sent,) = fund.wishes(OpenRequest), fund.wishes(Approve)
        assert sent.token_hash == opened.token_hash
        site = site_of(None, int(home.rsplit(":", 1)[1]))
        key = enrolled.credential
        verified = Prover(site, tmp_path).verify(challenge(asked), sent.proof, key, 0, datetime.now(UTC))
        assert isinstance(verified, int), verified

        tab.open(f"{home}/acts/halt")
        look(tab, "halt")


def test_page_without_script_says_that_a_passkey_needs_one(chrome: Browser, tmp_path: Path) -> None:
    fund = Fund(StateDir(tmp_path))
    fund.happens()
    with serving(tmp_path, "--no-live") as served, chrome.tab() as tab:
        tab.become_phone()
        tab.send("Emulation.setScriptExecutionDisabled", value=True)
        tab.send("Page.navigate", url=f"{served.address}/enroll?code={fund.invitation()}")
        tab.wait_for("Page.loadEventFired")
        found = tab.send("DOM.getDocument", depth=-1)
        assert "scripts are off" in str(found)


def tried(tab: Tab, words: str) -> str:
    """Press a passkey's button and return what the page says instead of going on."""
    assert tab.evaluate(PRESS % words)
    for _ in range(100):
        said = str(
            tab.evaluate("[...document.querySelectorAll('[role=status]')].map(e => e.innerText).join(' ')")
        )
        if "did not work" in said:
            return said
        tab.listen(0.1)
    raise AssertionError(f"nothing was said: {text_of(tab)}")


def test_page_opened_by_number_leads_to_where_a_passkey_works(chrome: Browser, tmp_path: Path) -> None:
    fund = Fund(StateDir(tmp_path))
    fund.happens()
    with serving(tmp_path, "--no-live") as served, chrome.tab() as tab:
        tab.become_phone()
        code = fund.invitation()
        tab.open(f"{served.address}/enroll?code={code}")
        home = served.address.replace("127.0.0.1", "localhost")
        assert tab.evaluate("location.href") == f"{home}/enroll?code={code}"


def test_device_that_cannot_keep_a_passkey_or_know_its_owner_enrolls_nothing(
    chrome: Browser, tmp_path: Path
) -> None:
    fund = Fund(StateDir(tmp_path))
    fund.happens()
    with serving(tmp_path, "--no-live") as served, chrome.tab() as tab:
        home = served.address.replace("127.0.0.1", "localhost")
        tab.become_phone()
        tab.send("WebAuthn.enable")
        poor = {**AUTHENTICATOR, "hasResidentKey": False}
        number = tab.send("WebAuthn.addVirtualAuthenticator", options=poor)["authenticatorId"]
        tab.open(f"{home}/enroll?code={fund.invitation()}")
        assert "passkey" in tried(tab, "Make a passkey")
        tab.send("WebAuthn.removeVirtualAuthenticator", authenticatorId=number)

        number = tab.send("WebAuthn.addVirtualAuthenticator", options=AUTHENTICATOR)["authenticatorId"]
        tab.send("WebAuthn.setUserVerified", authenticatorId=number, isUserVerified=False)
        tab.open(f"{home}/enroll?code={fund.invitation()}")
        said = tried(tab, "Make a passkey")
        assert "w3.org" not in said
        look(tab, "did-not-work")
        assert tab.evaluate("document.activeElement.innerText") == "Make a passkey"
        assert fund.wishes(Enroll) == []

        tab.send("WebAuthn.setUserVerified", authenticatorId=number, isUserVerified=True)
        press(tab, "Make a passkey")  # the same page, the same invitation: nothing was used up
        assert "Enrolled" in text_of(tab)
        (enrolled,) = fund.wishes(Enroll)
        fund.happens(OperatorEnrolled(credential=enrolled.credential, by="OpB"))

        tab.open(f"{home}/sign-in")
        tab.send("WebAuthn.setUserVerified", authenticatorId=number, isUserVerified=False)
        tried(tab, "Sign in with your passkey")
        tab.send("WebAuthn.setUserVerified", authenticatorId=number, isUserVerified=True)
        press(tab, "Sign in with your passkey")
        assert "Nothing waits for you" in text_of(tab)
        for path in ("/acts", "/acts/halt", "/sign-in"):
            tab.open(f"{home}{path}")
            assert tab.evaluate(NAMELESS) == []
        tab.open(f"{home}/acts/halt")  # a passkey that is gone halts nothing, and the page says so
        tab.send("WebAuthn.clearCredentials", authenticatorId=number)
        tried(tab, "Halt and close everything with your passkey")
        assert fund.wishes(Flatten) == []
