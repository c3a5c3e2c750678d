"""A stale feed pauses the strategies that read it, by graph, and no other; bars are no such feed."""

from dataclasses import replace

import numpy as np
import pytest

from qgtm.core.events import FeedFailed, FeedRecovered, SignalsComputed
from qgtm.core.universe import SYMBOLS
from qgtm.engine.state import State
from qgtm.engine.wanted import viewed
from qgtm.features.history import History
from tests.engine.making import SESSION, always, desk, taken

MACRO = replace(always("macro", GLD=0.5), feeds=("ohlcv", "fred"))
POSITIONS = replace(always("positions", SLV=0.5), feeds=("cot",))
PRICES = always("prices", GLD=0.25)
AT = desk(MACRO, POSITIONS, PRICES)


def computed(state: State) -> SignalsComputed:
    found = viewed(state, SESSION, AT)[-1]
    assert isinstance(found, SignalsComputed)
    return found


@pytest.mark.fault("E1")
def test_only_those_who_read_the_stale_feed_are_paused() -> None:
    state = taken(State(), FeedFailed(feed="fred", reason="late"), at=AT).state
    found = computed(state)
    assert set(found.signals) == {"positions", "prices"}
    assert found.paused == {"macro": ("fred",)}


def test_missing_bars_pause_nobody_once_they_are_here() -> None:
    state = taken(State(), FeedFailed(feed="ohlcv", reason="late"), at=AT).state
    assert set(computed(state).signals) == {"macro", "positions", "prices"}


def test_last_view_stands_while_it_is_paused_and_a_new_one_comes_after() -> None:
    before = taken(State(), computed(State()), at=AT).state
    paused = taken(before, FeedFailed(feed="fred", reason="late"), at=AT).state
    after = taken(paused, computed(paused), at=AT).state
    assert after.signals["macro"] == {"GLD": 0.5}
    again = taken(after, FeedRecovered(feed="fred"), at=AT).state
    assert computed(again).paused == {}


def test_what_was_known_beside_the_bars_is_seen_on_its_session_and_not_before() -> None:
    history = History(SYMBOLS, ("DFII10", "WALCL"))
    row = (100.0, 101.0, 99.0, 100.5, 1e6)
    history.append(SESSION.replace(day=1), {"GLD": row}, {"DFII10": (1.5, 700_000), "unlisted": (1.0, 1)})
    history.append(SESSION.replace(day=2), {"GLD": row}, {"DFII10": (1.6, 700_001), "WALCL": (8e6, 699_999)})
    seen = history.seen()
    assert seen.panel.column("DFII10").tolist() == [1.5, 1.6]
    assert seen.panel.days("DFII10").tolist() == [700_000, 700_001]
    assert np.isnan(seen.panel.column("WALCL")[0])
    assert seen.panel.column("WALCL")[1] == 8e6
    with pytest.raises(ValueError, match="read-only"):
        seen.panel.column("WALCL")[0] = 1.0
