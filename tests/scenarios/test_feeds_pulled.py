"""Each of the five feeds is pulled from under a running fund and comes back: who waits, what is said.

By hand, since days of a market's time go by: QGTM_JOURNEY=1 pytest tests/scenarios/test_feeds_pulled.py
"""

import json
import os
from collections.abc import Mapping
from typing import Any

import pytest
import requests

from qgtm.adapters.journal import JournalReader
from qgtm.core.events import SignalsComputed
from qgtm.strategies import BY_NAME
from qgtm.views.regime import FEEDS
from tests.scenarios.terminal import Desk, eventually

LIVE = "Ctrl-C stops everything"
SPEED = "390"  # a session in a minute, and nights are skipped
ENABLED = ["tsmom", "real_rate_gold", "vol_skew", "event_drift", "cot_extreme", "reddit_contrarian"]
# How each vendor fails, which all are ways that one did, and how long its last word is good for.
PULLED: Mapping[str, Mapping[str, Any]] = {
    "fred": {"stage": "before_apply", "action": "status", "status": 500, "path": "/fred/.*"},
    "options_vol": {"stage": "before_apply", "action": "504", "path": "/v1beta1/options/.*"},
    "sentiment": {"stage": "before_apply", "action": "refuse", "path": "/r/.*"},
    "cot": {"stage": "during_reply", "action": "stale", "path": "/resource/.*"},
}
MINUTES = (
    {"stage": "before_apply", "action": "drop", "path": "/v2/stocks/bars"},
    {"stage": "stream", "action": "mute", "path": "data"},
)
WITHIN_S = 900.0  # a report a week: eight days until one is missed

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(
        not os.environ.get("QGTM_JOURNEY"), reason="by hand, with QGTM_JOURNEY=1: it takes many minutes"
    ),
]


def strike(place: Desk, **body: object) -> None:
    session = requests.Session()
    session.trust_env = False
    url = f"http://127.0.0.1:{place.venue}/control/faults"
    answer = session.post(url, data=json.dumps(body), timeout=10)
    assert answer.ok, answer.text


def enabled_in(place: Desk) -> str:
    text = place.config.read_text("utf-8")
    begin = text.index("enabled = [")
    return text[begin : text.index("]", begin) + 1]


def feeds(place: Desk) -> dict[str, dict[str, Any]]:
    return {each["feed"]: each for each in place.here("data", "--freshness", "--json").json()["feeds"]}


def is_good(place: Desk, name: str) -> bool:
    return feeds(place)[name]["state"] in ("fresh", "on schedule")


def decisions(place: Desk) -> list[SignalsComputed]:
    with JournalReader(place.state / "journal.db") as reader:
        return [entry.event for entry in reader.read() if isinstance(entry.event, SignalsComputed)]


def readers(feed: str) -> set[str]:
    return {name for name in ENABLED if feed in BY_NAME[name].feeds}


def page(place: Desk) -> str:
    session = requests.Session()
    session.trust_env = False
    return session.get(f"http://127.0.0.1:{place.web}/", timeout=10).text


def next_decision(place: Desk) -> SignalsComputed:
    before = len(decisions(place))
    return eventually(lambda: decisions(place)[before:], "the next decision", 400)[-1]


def wait_until_all_is_well(place: Desk) -> None:
    eventually(
        lambda: all(each["state"] in ("fresh", "on schedule") for each in feeds(place).values()),
        "five fresh feeds",
        WITHIN_S,
    )
    eventually(lambda: not next_decision(place).paused, "a decision for which nobody waits", 600)


@pytest.mark.fault("E1", "E9", "E11")
def test_each_feed_is_pulled_and_its_readers_wait_and_no_other(place: Desk) -> None:
    place.change(enabled_in(place), f"enabled = {json.dumps(ENABLED)}")
    up = place.start("up", "--speed", SPEED)
    place.until(up, LIVE, 90)
    wait_until_all_is_well(place)
    assert place.status()["dot"] == "green"
    for feed, fault in PULLED.items():
        strike(place, name=feed, count=None, **fault)
        eventually(lambda feed=feed: not is_good(place, feed), f"{feed} stale", WITHIN_S)  # type: ignore[misc]
        eventually(
            lambda feed=feed: (
                [name for name, each in feeds(place).items() if each["state"] == "stale"] == [feed]
            ),  # type: ignore[misc]
            f"{feed} stale alone",
        )
        eventually(lambda: place.status()["dot"] == "yellow", "a yellow dot", 60)
        told = next_decision(place)
        assert set(told.paused) == readers(feed)
        assert set(told.signals) == set(ENABLED) - readers(feed)
        assert FEEDS[feed] in page(place)
        strike(place, clear=[feed])
        wait_until_all_is_well(place)
        eventually(lambda: place.status()["dot"] == "green", "a green dot again", 60)


@pytest.mark.fault("E1", "E9", "E11")
def test_prices_are_pulled_within_the_day(place: Desk) -> None:
    place.change(enabled_in(place), f"enabled = {json.dumps(ENABLED)}")
    up = place.start("up", "--speed", "60")  # two minutes are two seconds
    place.until(up, LIVE, 90)
    eventually(lambda: place.status()["dot"] == "green", "a green dot", 120)
    for number, fault in enumerate(MINUTES):
        strike(place, name=f"minutes {number}", count=None, **fault)
    eventually(lambda: not is_good(place, "ohlcv"), "prices stale", 120)
    assert "minutes of GLD" in feeds(place)["ohlcv"]["why"]
    eventually(lambda: place.status()["dot"] == "yellow", "a yellow dot", 60)
    assert FEEDS["minutes"] in page(place)
    strike(place, clear=True)
    eventually(lambda: is_good(place, "ohlcv"), "prices fresh", 120)
    eventually(lambda: place.status()["dot"] == "green", "a green dot again", 60)
