"""What minutes leave behind, by hand-made tapes whose returns are known."""

import math
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from qgtm.adapters.calendar import xnys
from qgtm.adapters.feed_form import Taken
from qgtm.adapters.feed_minutes import Minute, MinuteFeed, facts_of, log_return
from qgtm.core.errors import FeedError
from tests.adapters.alpaca_venue import reply, serving
from tests.adapters.feeding import fetcher

DAY = date(2024, 6, 12)
OPEN = datetime(2024, 6, 12, 13, 30, tzinfo=UTC)  # summer: 9:30 in New York
SESSION = xnys().session_on(DAY)
NOW = datetime(2024, 6, 12, 20, 30, tzinfo=UTC)


def tape(*prices: tuple[int, float, float]) -> list[Minute]:
    """Make minutes: how many after the open, and their first and last price."""
    return [Minute(OPEN + timedelta(minutes=n), first, last) for n, first, last in prices]


FULL = tape(
    (0, 100.0, 101.0), (14, 102.0, 103.0), (15, 103.0, 103.5), (29, 104.0, 105.0), (30, 106.0, 106.0),
    (89, 107.0, 108.0), (269, 109.0, 110.0), (299, 111.0, 112.0),
)  # fmt: skip


def test_each_return_runs_between_the_prices_at_its_ends() -> None:
    assert SESSION is not None
    released = datetime(2024, 6, 12, 18, 0, tzinfo=UTC)  # 14:00 in New York: 270 minutes after the open
    found = {fact.series: fact for fact in facts_of("GLD", SESSION, FULL, released)}
    assert {name: fact.value for name, fact in found.items()} == pytest.approx(
        {
            "FIRST30_GLD": math.log(105 / 100),
            "PRE_FIX_GLD": math.log(105 / 103),
            "POST_FIX_GLD": math.log(108 / 105),
            "EVENT30_GLD": math.log(112 / 110),
        }
    )
    assert found["FIRST30_GLD"].known_at == OPEN + timedelta(minutes=30)
    assert found["POST_FIX_GLD"].known_at == datetime(2024, 6, 12, 15, 0, tzinfo=UTC)


def test_a_release_before_the_open_counts_from_the_open() -> None:
    assert SESSION is not None
    released = datetime(2024, 6, 12, 12, 30, tzinfo=UTC)
    found = {fact.series: fact.value for fact in facts_of("GLD", SESSION, FULL, released)}
    assert found["EVENT30_GLD"] == found["FIRST30_GLD"] == pytest.approx(math.log(105 / 100))


def test_a_day_without_a_release_has_no_event_return() -> None:
    assert SESSION is not None
    assert "EVENT30_GLD" not in {fact.series for fact in facts_of("GLD", SESSION, FULL, None)}


def test_a_release_too_near_the_close_has_no_half_hour() -> None:
    half = xnys().session_on(date(2024, 7, 3))
    assert half is not None  # closes at 13:00
    late = half.close_at - timedelta(minutes=20)
    minutes = [Minute(half.open_at + timedelta(minutes=n), 1.0, 1.0) for n in range(210)]
    names = {fact.series for fact in facts_of("GLD", half, minutes, late)}
    assert names == {"FIRST30_GLD", "PRE_FIX_GLD", "POST_FIX_GLD"}


def test_a_return_without_a_trade_near_its_end_is_none() -> None:
    quiet = tape((0, 100.0, 101.0), (24, 104.0, 105.0))  # its last minute ended at 9:55
    at = OPEN + timedelta(minutes=30)
    assert log_return(quiet, OPEN, at - timedelta(seconds=1)) == pytest.approx(math.log(1.05))
    assert log_return(quiet, OPEN, at) is None
    assert log_return(quiet[1:], OPEN, at) is None
    assert log_return([], OPEN, at) is None


def test_minutes_outside_the_session_do_not_count() -> None:
    assert SESSION is not None
    early = [Minute(OPEN - timedelta(minutes=1), 50.0, 50.0)]
    found = {fact.series: fact.value for fact in facts_of("GLD", SESSION, [*early, *FULL], None)}
    assert found["FIRST30_GLD"] == pytest.approx(math.log(105 / 100))


def bar(minute: int, **changed: object) -> dict[str, Any]:
    at = (OPEN + timedelta(minutes=minute)).isoformat().replace("+00:00", "Z")
    return {"t": at, "o": 100.0, "h": 101.0, "l": 99.0, "c": 100.5, "v": 10, "n": 1, "vw": 100.0, **changed}


def page(*rows: object, token: object = None) -> dict[str, Any]:
    return {"bars": {"GLD": list(rows)}, "next_page_token": token}


def feed(url: str) -> MinuteFeed:
    return MinuteFeed(fetcher(url), xnys().sessions, lambda day: None, "iex")


def test_the_minutes_of_ended_sessions_are_asked_for_and_turned_over() -> None:
    with serving(
        reply(200, page(*map(bar, range(0, 30, 5)), token="x")), reply(200, page(bar(85)))
    ) as vendor:
        facts = feed(vendor.url).fetch(DAY, NOW).facts
    first, second = (each.query for each in vendor.asked)
    assert (first["timeframe"], first["adjustment"], first["feed"]) == ("5Min", "raw", "iex")
    assert (first["start"], first["end"]) == ("2024-06-12T13:30:00+00:00", "2024-06-12T20:00:00+00:00")
    assert second["page_token"] == "x"
    assert {fact.series for fact in facts} == {"FIRST30_GLD", "PRE_FIX_GLD", "POST_FIX_GLD"}


def test_a_return_is_there_as_soon_as_it_has_ended_and_not_before() -> None:
    with serving(reply(200, page(*map(bar, range(0, 90, 5))))) as vendor:
        at_ten = feed(vendor.url).fetch(DAY, OPEN + timedelta(minutes=30))
        before_eleven = feed(vendor.url).fetch(DAY, OPEN + timedelta(minutes=89))
        at_eleven = feed(vendor.url).fetch(DAY, OPEN + timedelta(minutes=90))
    assert {fact.series for fact in at_ten.facts} == {"FIRST30_GLD", "PRE_FIX_GLD"}
    assert {fact.series for fact in before_eleven.facts} == {"FIRST30_GLD", "PRE_FIX_GLD"}
    assert {fact.series for fact in at_eleven.facts} == {"FIRST30_GLD", "PRE_FIX_GLD", "POST_FIX_GLD"}
    assert vendor.asked[0].query["end"] == "2024-06-12T14:00:00+00:00"


def test_a_session_that_has_not_begun_is_not_asked_for() -> None:
    with serving(reply(200, page())) as vendor:
        assert feed(vendor.url).fetch(DAY, OPEN) == Taken(())
    assert vendor.asked == []


def test_a_session_without_a_minute_is_said_to_be_missing() -> None:
    with serving(reply(200, {"bars": None, "next_page_token": None})) as vendor:
        taken = feed(vendor.url).fetch(DAY, NOW)
    assert (taken.facts, taken.missing) == ((), ("GLD 2024-06-12: no minute of it came",))


@pytest.mark.fault("E10")
def test_a_page_token_that_comes_twice_ends_the_pages() -> None:
    with serving(reply(200, page(bar(0), token="x"))) as vendor, pytest.raises(FeedError, match="twice"):
        feed(vendor.url).fetch(DAY, NOW)
    assert len(vendor.asked) == 2


@pytest.mark.fault("E13")
@pytest.mark.parametrize(
    ("rows", "field"),
    [
        ([bar(0, o=None)], "o"),
        ([bar(0, c=-1.0)], "c"),
        ([bar(0, h=1e308)], "h"),
        ([bar(0, h=100.2)], "h and l"),
        ([bar(0, l=100.2)], "h and l"),
        ([bar(0, v=-1)], "v"),
        ([bar(0, t="noon")], "t"),
        ([{k: v for k, v in bar(0).items() if k != "c"}], "c"),
    ],
)
def test_a_minute_that_cannot_be_true_is_refused(rows: list[object], field: str) -> None:
    with serving(reply(200, page(*rows))) as vendor, pytest.raises(FeedError, match=f"fields? {field} "):
        feed(vendor.url).fetch(DAY, NOW)


def test_corporate_actions_come_as_dividends_and_splits() -> None:
    body = {
        "corporate_actions": {
            "cash_dividends": [{"symbol": "GDX", "ex_date": "2023-12-18", "rate": 0.5003, "special": False}],
            "forward_splits": [{"symbol": "NUGT", "ex_date": "2020-04-23", "new_rate": 5, "old_rate": 1}],
            "reverse_splits": [{"symbol": "DUST", "ex_date": "2022-03-01", "new_rate": 1, "old_rate": 10}],
        },
        "next_page_token": None,
    }
    with serving(reply(200, body)) as vendor:
        found = feed(vendor.url).actions(("GDX", "NUGT", "DUST"), date(2020, 1, 1), date(2024, 1, 1))
    assert [(each.symbol, each.cash_usd, each.ratio) for each in found] == [
        ("NUGT", None, 5.0),
        ("DUST", None, 0.1),
        ("GDX", 0.5003, None),
    ]
