"""What the loop alone notices: that it lags, that it is blind, that the account is blocked."""

from datetime import timedelta

import pytest

from qgtm.core.events import AlertRaised, FeedFailed, FeedRecovered
from qgtm.live.trouble import Troubles
from tests.engine.making import NOON, SESSION

FAILED = FeedFailed(feed="quotes", reason="no answer")
FINE = FeedRecovered(feed="quotes")


@pytest.mark.fault("G8")
def test_turn_of_a_second_is_written_down_and_one_of_ten_is_told() -> None:
    said = Troubles()
    assert said.lag(0.99, 100.0) == []
    (short,) = said.lag(1.0, 101.0)
    assert (short.level, short.cause, "1.0 s" in short.text) == ("info", "loop lag", True)
    assert said.lag(50.0, 160.9) == []  # within a minute of the last word
    (long,) = said.lag(60.0, 161.0)
    assert (long.level, "60.0 s" in long.text) == ("yellow", True)


@pytest.mark.fault("E8")
def test_feed_that_gave_nothing_for_four_hours_of_a_session_is_told_once_and_nothing_is_cut() -> None:
    said, told = Troubles(), list[AlertRaised]()
    for minutes in range(0, 300, 5):
        told += said.blindness([FAILED], NOON + timedelta(minutes=minutes), SESSION)
        assert bool(told) is (minutes >= 240)
    (alert,) = told
    assert (alert.level, alert.cause) == ("orange", "feed quotes")
    assert "OpA should weigh holding less" in alert.text


@pytest.mark.parametrize(
    "between",
    [
        [([FINE], NOON + timedelta(hours=2), SESSION)],  # it came in between
        [([FAILED], NOON + timedelta(hours=2), None)],  # the market closed in between
        [([FAILED], NOON + timedelta(hours=2), SESSION + timedelta(days=1))],  # another session began
    ],
)
def test_hours_of_blindness_begin_anew_with_an_answer_a_close_and_a_session(between) -> None:
    said = Troubles()
    said.blindness([FAILED], NOON, SESSION)
    for events, at, session in between:
        assert said.blindness(events, at, session) == []
    session = SESSION if between[0][2] != SESSION + timedelta(days=1) else between[0][2]
    assert said.blindness([FAILED], NOON + timedelta(hours=5), session) == []


@pytest.mark.fault("A16")
def test_block_of_the_account_is_told_in_red_each_time_that_it_begins() -> None:
    said = Troubles()
    found = [bool(said.blocked(is_blocked)) for is_blocked in (False, True, True, False, True)]
    assert found == [False, True, False, False, True]
    (alert,) = Troubles().blocked(True)
    assert (alert.level, alert.cause) == ("red", "account blocked")


def test_alert_of_the_hands_is_news_once_and_a_fact_always() -> None:
    said, alert = Troubles(), AlertRaised(level="yellow", cause="order status", text="x")
    assert [said.is_news(each) for each in (alert, alert, FAILED, FAILED)] == [True, False, True, True]
