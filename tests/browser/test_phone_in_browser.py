"""OpB's page in a real browser: it greys by itself, complains of nothing, and fits a phone."""

import base64
import os
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import websocket

from benchmarks.browser import Browser, Tab, browser, chromium
from benchmarks.made_up_fund import beat, made_up_state
from benchmarks.serving import Served, serving
from qgtm.adapters.files import StateDir

Image = pytest.importorskip(
    "PIL.Image", reason="reading a screenshot needs Pillow, which the `dash` extra brings"
)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(chromium() is None, reason="there is no Chromium here: `apt-get install chromium`"),
]
NOW = datetime(2026, 3, 2, 15, tzinfo=UTC)
MADE_UP = (
    "eyJzZXNzaW9uX2lkIjogIngiLCAic2Vzc2lvbl9leHBpcnkiOiA0MTAyNDQ0ODAwfQ"  # no signature, expires in 2100
)
LOOK_S = 0.3  # past the quarter of a second in which a look is kept
GREEN, RED, GREY = (10, 122, 53), (196, 18, 47), (123, 132, 148)  # as phone.css has them, in light
# What a person sees of two texts in one place.
SEEN = (
    "[...document.querySelectorAll('h1 > span')].filter(e => getComputedStyle(e).visibility == 'visible')"
    ".map(e => e.innerText).join(' and ')"
)
DOT_AT = (38, 58)  # well inside the dot, left of its mark


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    with browser() as running:
        yield running


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> StateDir:
    return made_up_state(tmp_path_factory.mktemp("fund"), sessions=20)


@pytest.fixture(scope="module")
def running(state: StateDir) -> Iterator[Served]:
    with serving(state.root, "--no-live") as served:
        yield served


@pytest.fixture
def server(running: Served, state: StateDir) -> Served:
    """The server of a daemon that has just beaten."""
    beat(state, NOW)
    time.sleep(LOOK_S)
    return running


@pytest.fixture
def phone(chrome: Browser) -> Iterator[Tab]:
    with chrome.tab() as tab:
        tab.become_phone()
        yield tab


def painted(tab: Tab) -> tuple[int, ...]:
    """Return the colour that the dot has on the screen: what is computed need not be what is painted."""
    content = tab.send("Page.captureScreenshot", format="png")["data"]
    picture = Image.open(BytesIO(base64.b64decode(content))).convert("RGB")
    scale = picture.width / 360
    return tuple(picture.getpixel((int(DOT_AT[0] * scale), int(DOT_AT[1] * scale))))  # type: ignore[arg-type]


def pass_seconds(tab: Tab, seconds: float) -> None:
    """Let every animation live through `seconds`, as if the page had stood there that long."""
    tab.evaluate(f"document.getAnimations().forEach(a => {{ a.currentTime += {seconds * 1000} }})")
    tab.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(0))))")


@pytest.mark.fault("K7")
@pytest.mark.mistake(19)
@pytest.mark.invariant("V24")
def test_page_is_green_and_turns_grey_after_ninety_seconds(phone: Tab, server: Served) -> None:
    phone.open(server.address)
    assert (phone.evaluate(SEEN), painted(phone)) == ("Green", GREEN)
    pass_seconds(phone, 60)
    assert phone.evaluate(SEEN) == "Green"
    pass_seconds(phone, 31)
    assert phone.evaluate(SEEN).startswith("No news")
    assert painted(phone) == GREY


@pytest.mark.fault("K7")
@pytest.mark.mistake(19)
@pytest.mark.invariant("V24")
def test_page_of_a_frozen_server_turns_grey_in_real_time(phone: Tab, state: StateDir, server: Served) -> None:
    beat(state, NOW, age_s=86.0, counter=2)
    time.sleep(LOOK_S)
    phone.open(server.address)
    os.kill(server.process.pid, signal.SIGSTOP)
    try:
        before = phone.evaluate(SEEN)
        phone.listen(5)
        after, colour = phone.evaluate(SEEN), painted(phone)
    finally:
        os.kill(server.process.pid, signal.SIGCONT)
    assert before == "Green"
    assert after.startswith("No news")
    assert colour == GREY


def test_page_without_script_says_everything_and_ages_too(
    phone: Tab, state: StateDir, server: Served
) -> None:
    beat(state, NOW, age_s=87.0, counter=3)
    time.sleep(LOOK_S)
    phone.send("Emulation.setScriptExecutionDisabled", value=True)
    phone.open(server.address)
    text = read(phone)
    assert "All is well" in text
    assert "Account value" in text
    assert painted(phone) == GREEN
    phone.listen(4)
    assert painted(phone) == GREY


def node(tab: Tab, selector: str) -> int:
    root = tab.send("DOM.getDocument")["root"]["nodeId"]
    return int(tab.send("DOM.querySelector", nodeId=root, selector=selector)["nodeId"])


def read(tab: Tab) -> str:
    return str(tab.send("DOM.getOuterHTML", nodeId=node(tab, "main"))["outerHTML"])


def test_browser_complains_of_nothing(phone: Tab, server: Served) -> None:
    phone.open(server.address)
    phone.listen(1.5)
    assert phone.complaints() == []


@pytest.mark.parametrize("width", [320, 360, 412])
def test_page_fits_the_width_of_a_phone(phone: Tab, server: Served, width: int) -> None:
    phone.become_phone(width=width)
    phone.open(server.address)
    widest = phone.evaluate(
        "Math.max(document.documentElement.scrollWidth, ...[...document.querySelectorAll('.card *')]"
        ".filter(e => !e.closest('svg, .roll')).map(e => Math.ceil(e.getBoundingClientRect().right)))"
    )
    assert widest <= width


def test_page_renews_itself_in_place_and_keeps_what_was_unfolded(phone: Tab, server: Served) -> None:
    phone.open(server.address)
    phone.evaluate("document.querySelector('details').open = true")
    pass_seconds(phone, 91)
    phone.evaluate("window.dispatchEvent(new Event('online'))")
    phone.listen(1.5)
    assert phone.evaluate(SEEN) == "Green"
    assert phone.evaluate("document.querySelector('details').open") is True
    assert phone.complaints() == []


@pytest.mark.fault("K7")
@pytest.mark.mistake(19)
@pytest.mark.invariant("V24")
def test_phone_that_slept_shows_no_old_green(phone: Tab, server: Served) -> None:
    phone.open(server.address)
    os.kill(server.process.pid, signal.SIGSTOP)
    try:
        phone.evaluate("const was = Date.now(); Date.now = () => was + 3600e3")
        phone.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        phone.listen(0.3)
        seen = phone.evaluate(SEEN)
    finally:
        os.kill(server.process.pid, signal.SIGCONT)
    assert seen.startswith("No news")


def relative_luminance(colour: str) -> float:
    parts = [float(x) / 255 for x in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("is_dark", [False, True])
def test_text_stands_out_from_its_card_by_at_least_seven_to_one(
    phone: Tab, server: Served, is_dark: bool
) -> None:
    phone.become_phone(is_dark=is_dark)
    phone.open(server.address)
    texts = "['h1', '.say', '.big', 'dt', 'dd', '.small']"
    colours: Any = phone.evaluate(f"{texts}.map(s => getComputedStyle(document.querySelector(s)).color)")
    card = relative_luminance(
        phone.evaluate("getComputedStyle(document.querySelector('.fades')).backgroundColor")
    )
    for colour in colours:
        lighter, darker = sorted((relative_luminance(colour), card), reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= 7


def test_live_view_comes_in_behind_the_page(chrome: Browser, state: StateDir) -> None:
    pytest.importorskip("panel", reason="the live view needs the `dash` extra")
    beat(state, NOW)
    with serving(state.root) as served, chrome.tab() as tab:
        beat(state, NOW)
        tab.become_phone()
        tab.open(served.address)
        until = time.monotonic() + 30
        while not tab.evaluate("!!document.querySelector('iframe.there')") and time.monotonic() < until:
            tab.listen(0.3)
        drawn = tab.evaluate("document.querySelector('iframe.there').contentWindow.Bokeh.documents.length")
        # What changes in the live view asks for a new page, well before the next one is due.
        renewed = tab.evaluate(
            "new Promise(done => { const old = document.getElementById('now'), until = Date.now() + 4000;"
            "document.querySelector('iframe.there').contentWindow.Bokeh.documents[0].set_title('moved');"
            "const look = () => document.getElementById('now') != old ? done(true)"
            " : Date.now() > until ? done(false) : setTimeout(look, 50); look() })"
        )
        shift = tab.evaluate(
            "new Promise(done => { let add = all => done(all.getEntries().reduce((s, e) => s + e.value, 0));"
            "new PerformanceObserver(add).observe({type: 'layout-shift', buffered: true});"
            "setTimeout(() => done(0), 500) })"
        )
        complaints = [said for said in tab.complaints() if "WebGL" not in said]
        with pytest.raises(websocket.WebSocketException):  # a session that this server did not sign
            websocket.create_connection(
                served.address.replace("http", "ws") + "/live/ws",
                origin=served.address,
                subprotocols=["bokeh", MADE_UP],
                timeout=10,
            )
        began = time.monotonic()
        served.process.terminate()
        served.process.wait(10)
        stopped_s = time.monotonic() - began
    assert (drawn, renewed, complaints) == (1, True, [])
    assert shift < 0.02
    assert stopped_s < 3, "a server with a live view open stops as fast"


def test_red_dot_is_painted_red_and_greys_too(chrome: Browser, tmp_path: Path) -> None:
    state = made_up_state(tmp_path / "red", "red", sessions=5)
    with serving(state.root, "--no-live") as served, chrome.tab() as tab:
        tab.become_phone()
        tab.open(served.address)
        assert (tab.evaluate(SEEN), painted(tab)) == ("Red", RED)
        pass_seconds(tab, 91)
        assert painted(tab) == GREY


def test_request_is_seen_without_scrolling_and_leads_to_opbs_acts(chrome: Browser, tmp_path: Path) -> None:
    state = made_up_state(tmp_path / "request", "request", sessions=5)
    with serving(state.root, "--no-live") as served, chrome.tab() as tab:
        tab.become_phone()
        tab.send("Emulation.setScriptExecutionDisabled", value=True)
        tab.open(served.address)
        tab.send("Emulation.setScriptExecutionDisabled", value=False)  # to look at what stands there
        found = tab.evaluate(
            "(r => [r.left, r.right, r.top])(document.querySelector('a.go').getBoundingClientRect())"
        )
        text = tab.evaluate("document.body.innerText")
        assert tab.evaluate("document.documentElement.scrollWidth") <= 360
        tab.heard.clear()
        tab.evaluate("document.querySelector('a.go').click()")
        tab.wait_for("Page.loadEventFired")
        path = tab.evaluate("location.pathname")
    left, right, top = found
    assert 0 < left < right < 360
    assert top < 780
    assert text.index("OpA asks to trade again") < text.index("Account value")
    assert path == "/sign-in"  # where /acts sends whoever is not signed in
