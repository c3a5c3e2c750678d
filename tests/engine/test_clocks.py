"""A machine's clock that jumps: no session turns over by it, and no order id is ever formed twice."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qgtm.core.effects import CompareClocks, FetchQuotes, Submit
from qgtm.core.events import AlertRaised, BrokerLost, OrderUpdated, SessionClosed
from qgtm.core.order import OrderState
from qgtm.engine.state import State, changed, folded
from tests.engine.making import (
    BEGIN,
    NOON,
    OPENS,
    SESSION,
    begun,
    booted,
    compared,
    kinds,
    opened,
    quotes,
    taken,
    targets,
    turned,
    updated,
)

A_DAY = timedelta(days=1)
TOMORROW = SESSION + A_DAY
LATE = replace(turned(), session=TOMORROW, open_at=OPENS + A_DAY)


def asked(state: State, event: object, now: object) -> list[str]:
    return [each.turn for each in taken(state, event, now=now).effects if isinstance(each, CompareClocks)]


@pytest.mark.fault("F7")
def test_session_opens_and_closes_only_by_a_clock_that_the_broker_bears_out() -> None:
    assert taken(folded([booted()]), turned(), now=OPENS).events == ()
    assert asked(folded([booted()]), turned(), OPENS) == ["open 2026-01-06"]
    assert asked(begun(), LATE, NOON + A_DAY) == ["open 2026-01-07"]
    assert asked(begun(), turned(is_open=False), NOON - A_DAY) == ["close 2026-01-06"]


@pytest.mark.parametrize(("ahead_s", "turns"), [(-61.0, 0), (-60.0, 1), (0.0, 1), (60.0, 1), (61.0, 0)])
def test_clocks_may_differ_by_a_minute_and_no_more(ahead_s: float, turns: int) -> None:
    after = taken(begun(), compared("close", ahead_s), turned(is_open=False), now=NOON)
    assert kinds(after.events) == ["SessionClosed"] * turns


def test_word_about_one_turn_is_none_about_another() -> None:
    before = folded([*BEGIN, compared("close")])
    assert taken(before, LATE, now=NOON + A_DAY).events == ()
    shut = changed(before, SessionClosed(session=SESSION))
    assert shut.clocks is None


@pytest.mark.fault("F6", "F7")
@pytest.mark.parametrize(("ahead_s", "words"), [(86_400.0, "86400 s ahead of"), (-3_600.0, "3600 s behind")])
def test_alert_says_which_clock_is_wrong_and_by_how_much(ahead_s: float, words: str) -> None:
    (alert,) = taken(begun(), compared("open", ahead_s, TOMORROW)).events
    assert isinstance(alert, AlertRaised)
    assert (alert.level, alert.cause, words in alert.text) == ("orange", "clock", True)


def test_broker_that_is_lost_leaves_the_sessions_to_our_own_clock_and_orders_latched() -> None:
    lost = changed(begun(targets(GLD=0.05)), BrokerLost(reason="gone"))
    after = taken(lost, LATE, now=NOON + A_DAY)
    assert kinds(after.events) == ["SessionOpened"]
    assert not [each for each in taken(after.state, LATE).effects if isinstance(each, FetchQuotes)]


@pytest.mark.fault("F7", "A5")
@pytest.mark.invariant("V4")
@given(st.lists(st.sampled_from(["today", "tomorrow", "round", "boot"]), max_size=14))
def test_no_id_is_formed_twice_whatever_clocks_do(steps: Sequence[str]) -> None:
    """Let sessions open in any order, as if nothing had been compared, with an order in each step."""
    state, found, epoch, day = begun(targets(GLD=0.05)), list[str](), 1, SESSION
    for minutes, step in enumerate(steps):
        if step == "boot":
            epoch += 1
            state = changed(state, booted(epoch))
            state = replace(state, is_live=True)
        elif step != "round":
            day = SESSION if step == "today" else TOMORROW
            state = folded([opened(day), targets(GLD=0.05)], state)
        now = NOON + (day - SESSION) + timedelta(minutes=2 * minutes)  # the same order twice a minute at most
        after = taken(state, quotes(now, GLD=100), now=now)
        state = after.state
        for each in [effect.order for effect in after.effects if isinstance(effect, Submit)]:
            found.append(each.client_order_id)
            ended: OrderUpdated = updated(each, 0, 0, OrderState.CANCELED)
            state = changed(state, ended)
    assert len(found) == len(set(found)) == len(steps)
