"""When OpB's page is painted on slow 4G: headless Chromium at 400 ms round trip and 400 kbit/s, cold cache.

Limit: the dot within 1 s. The live view behind it may take its time, and must not move what stands there.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.browser import SLOW_4G, Browser, Tab, browser, chromium
from benchmarks.made_up_fund import made_up_state
from benchmarks.serving import serving

LIMIT_S = 1.0
LIVE_PATIENCE_S = 90.0
PAINTED = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
# The dot's own box, as the browser lays it out, says that the dot is among what was painted.
DOT = "document.querySelector('.dot').getBoundingClientRect().width"
SHIFT = (
    "new Promise(done => { new PerformanceObserver(list => done(list.getEntries()"
    ".reduce((sum, each) => sum + each.value, 0))).observe({type: 'layout-shift', buffered: true});"
    "setTimeout(() => done(0), 500) })"
)


def first_paint(chrome: Browser, address: str) -> dict[str, float]:
    """Return one cold visit: when the dot was painted, and what was fetched until then."""
    with chrome.tab() as tab:
        throttle(tab)
        tab.open(address)
        page = sizes(tab)[f"{address}/"]
        painted_s = tab.evaluate(PAINTED) / 1000
        return {"painted_s": painted_s, "dot_px": tab.evaluate(DOT), "page_bytes": page}


def live_view(chrome: Browser, address: str) -> dict[str, float]:
    """Return when the live view stands, what it fetched, and how far it moved the page."""
    with chrome.tab() as tab:
        throttle(tab)
        began = time.monotonic()
        tab.open(address)
        while not tab.evaluate("!!document.querySelector('iframe.there')"):
            if time.monotonic() - began > LIVE_PATIENCE_S:
                raise SystemExit("the live view did not come")
            tab.listen(0.25)
        live_s = time.monotonic() - began
        fetched = sum(sizes(tab).values())
        return {"live_s": live_s, "fetched_kb": fetched / 1000, "shift": tab.evaluate(SHIFT)}


def throttle(tab: Tab) -> None:
    """Put a phone on slow 4G with an empty cache."""
    tab.become_phone()
    tab.send("Network.clearBrowserCache")
    tab.send("Network.emulateNetworkConditions", **SLOW_4G)


def sizes(tab: Tab) -> dict[str, float]:
    """Return the bytes on the wire of each address that has been fetched."""
    names: dict[str, str] = {}
    found: dict[str, float] = {}
    for method, said in tab.heard:
        if method == "Network.responseReceived":
            names[said["requestId"]] = said["response"]["url"]
        if method == "Network.loadingFinished" and said["requestId"] in names:
            found[names[said["requestId"]]] = said["encodedDataLength"]
    return found


def measure(rounds: int) -> dict[str, Any]:
    """Return the figures of `rounds` cold visits and one wait for the live view."""
    with tempfile.TemporaryDirectory() as folder, browser() as chrome:
        state = made_up_state(Path(folder) / "var", sessions=120)
        with serving(state.root, "--no-live") as plain:
            alone = [first_paint(chrome, plain.address) for _ in range(rounds)]
        with serving(state.root) as full:
            behind = [first_paint(chrome, full.address) for _ in range(rounds)]
            live = live_view(chrome, full.address)
    return {
        "alone_s": [visit["painted_s"] for visit in alone],
        "with_live_s": [visit["painted_s"] for visit in behind],
        "dot_px": behind[0]["dot_px"],
        "page_bytes": behind[0]["page_bytes"],
        **live,
    }


def main(arguments: Sequence[str] | None = None) -> dict[str, Any] | None:
    """Measure, print, and return the results; None where there is no Chromium."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.phone_paint", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    chosen = parser.parse_args(arguments)
    if chromium() is None:
        print("skipped: there is no Chromium here (`apt-get install chromium`)")
        return None
    found = measure(chosen.rounds)
    found["painted_s"] = statistics.median(found["with_live_s"])
    if chosen.json:
        print(json.dumps(found, indent=2))
    else:
        tell(found)
    return found


def tell(found: dict[str, Any]) -> None:
    """Print the figures in words."""
    for name, label in (("alone_s", "page alone"), ("with_live_s", "live view behind it")):
        runs = found[name]
        print(
            f"dot painted, {label:<20} median {statistics.median(runs):.2f} s, worst {max(runs):.2f} s "
            f"of {len(runs)} (limit {LIMIT_S:.0f} s)"
        )
    print(f"page on the wire            {found['page_bytes'] / 1000:.1f} kB, one request")
    print(
        f"live view stands            after {found['live_s']:.1f} s and {found['fetched_kb']:.0f} kB, "
        f"layout shift {found['shift']:.4f}"
    )


if __name__ == "__main__":
    main()
