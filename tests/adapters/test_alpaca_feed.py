import json
import time
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from qgtm.adapters.alpaca_feed import AlpacaFeed
from qgtm.adapters.call_budget import CallBudget
from qgtm.core.errors import FeedError
from tests.adapters.alpaca_venue import KEYS, Answer, Talk, Venue, drip, hang, raw, reply, reset, serving

NOON = datetime(2024, 1, 5, 17, tzinfo=UTC)  # Friday, the session of the 5th is open
START, END = date(2024, 1, 2), date(2024, 1, 5)


def closes_at(session: date) -> datetime | None:
    """New York's weekdays but New Year's, at 16:00."""
    if session.weekday() > 4 or session == date(2024, 1, 1):
        return None
    return datetime(session.year, session.month, session.day, 16, tzinfo=ZoneInfo("America/New_York"))


def feed(venue: Venue, now: datetime = NOON, **options: Any) -> AlpacaFeed:
    return AlpacaFeed(
        KEYS,
        venue.url,
        CallBudget(time.monotonic),
        now=lambda: now,
        closes_at=closes_at,
        **({"whole_s": 0.8} | options),
    )


def row(session: str, **changes: Any) -> dict[str, Any]:
    body = {
        "t": f"{session}T05:00:00Z",
        "o": 100.5,
        "h": 102,
        "l": 99.25,
        "c": 101,
        "v": 1200,
        "n": 9,
        "vw": 100.9,
    }
    return {name: value for name, value in (body | changes).items() if value != "gone"}


def page(bars: object, token: str | None = None) -> Answer:
    return reply(200, {"bars": bars, "next_page_token": token})


def daily(*answers: Answer, symbols: tuple[str, ...] = ("GLD", "SLV"), **options: Any) -> tuple[Any, Venue]:
    with serving(*answers) as venue:
        ours = feed(venue, **options)
        try:
            return ours.daily(symbols, START, END), venue
        finally:
            ours.close()


# --- daily bars ---------------------------------------------------------------------------------


def test_finished_sessions_come_oldest_first_known_from_their_close() -> None:
    bars = {"GLD": [row("2024-01-03"), row("2024-01-02")], "SLV": [row("2024-01-03", o=20, h=21, l=19, c=20)]}
    sets, venue = daily(page(bars))
    assert [one.session for one in sets] == [date(2024, 1, 2), date(2024, 1, 3)]
    assert [sorted(one.bars) for one in sets] == [["GLD"], ["GLD", "SLV"]]
    assert sets[0].known_at == datetime(2024, 1, 2, 21, tzinfo=UTC)
    gold = sets[0].bars["GLD"]
    assert (gold.open, gold.high, gold.low, gold.close, gold.volume) == (100.5, 102.0, 99.25, 101.0, 1200.0)
    query = venue.asked[0].query
    assert (query["symbols"], query["timeframe"], query["adjustment"], query["feed"]) == (
        "GLD,SLV",
        "1Day",
        "all",
        "iex",
    )
    assert datetime.fromisoformat(query["start"]) == datetime(2024, 1, 2, 5, tzinfo=UTC)
    assert datetime.fromisoformat(query["end"]) == datetime(2024, 1, 6, 4, 59, 59, tzinfo=UTC)


def test_a_session_that_is_still_open_or_was_none_is_left_out() -> None:
    sets, _ = daily(page({"GLD": [row("2024-01-01"), row("2024-01-04"), row("2024-01-05")]}))
    assert [one.session for one in sets] == [date(2024, 1, 4)]


def test_no_bars_at_all_is_no_error() -> None:
    for nothing in (None, {}, {"GLD": None}):
        sets, _ = daily(page(nothing))
        assert sets == ()


def test_a_bar_without_its_count_or_mean_price_is_a_bar() -> None:
    sets, _ = daily(page({"GLD": [row("2024-01-03", n="gone", vw="gone")]}))
    assert sets[0].bars["GLD"].close == 101.0


@pytest.mark.fault("E3")
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"h": 98}, "below the low"),
        ({"l": -1}, "not above zero"),
        ({"o": "NaN"}, "open"),
        ({"c": 1e308}, "close"),
        ({"v": -5}, "negative"),
        ({"v": 0}, "nothing was traded"),
        ({"c": 150}, "outside"),
        ({"o": "gone"}, "open"),
        ({"c": None}, "close"),
        ({"v": 1e13}, "volume"),
    ],
)
def test_a_bar_that_cannot_be_true_is_named_and_the_others_stay(changes: dict[str, Any], reason: str) -> None:
    sets, _ = daily(page({"GLD": [row("2024-01-03", **changes)], "SLV": [row("2024-01-03")]}))
    assert sorted(sets[0].bars) == ["SLV"]
    assert reason in sets[0].refused["GLD"]
    assert list(sets[0].refused) == ["GLD"]


@pytest.mark.fault("E6")
def test_the_same_bar_twice_is_one_bar_and_two_different_ones_are_none() -> None:
    same = {
        "GLD": [row("2024-01-03"), row("2024-01-03")],
        "SLV": [row("2024-01-03"), row("2024-01-03", c=100)],
    }
    sets, _ = daily(page(same))
    assert sorted(sets[0].bars) == ["GLD"]
    assert "more than once" in sets[0].refused["SLV"]


def test_pages_are_read_to_the_end() -> None:
    sets, venue = daily(
        page({"GLD": [row("2024-01-02")]}, "next"), page({"SLV": [row("2024-01-02")]}, "last"), page(None)
    )
    assert sorted(sets[0].bars) == ["GLD", "SLV"]
    assert [asked.query.get("page_token") for asked in venue.asked] == [None, "next", "last"]


@pytest.mark.fault("E10")
def test_a_page_token_that_comes_twice_ends_in_an_error() -> None:
    with pytest.raises(FeedError, match="twice"):
        daily(page({"GLD": [row("2024-01-02")]}, "again"))


@pytest.mark.fault("E10")
def test_pages_without_end_are_not_followed_for_ever() -> None:
    turns = iter(range(10_000))

    def answer(talk: Talk) -> None:
        page({}, f"token {next(turns)}")(talk)

    with pytest.raises(FeedError, match="100 pages"):
        daily(answer)


FAULTS: dict[str, Answer] = {
    "hang": hang,
    "drip": drip,
    "reset": reset,
    "empty": reply(200),
    "html": reply(200, b"<html>"),
    "cut": raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"),
    "500": reply(500),
    "403": reply(403, {"code": 40310000, "message": "subscription does not permit querying recent SIP data"}),
    "429": reply(429, {"code": 42910000, "message": "too many requests"}),
    "a list": reply(200, []),
    "renamed field": reply(200, {"candles": {}, "next_page_token": None}),
    "bars are a list": page([row("2024-01-02")]),
    "a bar is text": page({"GLD": ["bar"]}),
    "no moment": page({"GLD": [row("2024-01-02", t="yesterday")]}),
    "json nan": reply(200, b'{"bars": {"GLD": [{"o": NaN}]}}'),
}


@pytest.mark.fault("E13")
@pytest.mark.parametrize("fault", FAULTS)
def test_bars_that_did_not_come_or_changed_their_form_are_a_feed_error(fault: str) -> None:
    with pytest.raises(FeedError):
        daily(FAULTS[fault])


def test_a_used_up_call_limit_is_a_feed_error_and_nothing_is_asked() -> None:
    with serving(page({})) as venue:
        budget = CallBudget(time.monotonic, ordinary=1)
        ours = AlpacaFeed(KEYS, venue.url, budget, now=lambda: NOON, closes_at=closes_at)
        assert ours.daily(("GLD",), START, END) == ()
        with pytest.raises(FeedError, match="call limit"):
            ours.daily(("GLD",), START, END)
        assert len(venue.asked) == 1
        ours.close()


# --- quotes -------------------------------------------------------------------------------------


def quotes(quote: object, trade: object) -> dict[str, Any]:
    with serving(reply(200, {"quotes": {"GLD": quote}}), reply(200, {"trades": {"GLD": trade}})) as venue:
        ours = feed(venue)
        found = dict(ours.quotes(("GLD", "SLV")))
        ours.close()
        assert [asked.path for asked in venue.asked] == [
            "/v2/stocks/quotes/latest",
            "/v2/stocks/trades/latest",
        ]
    return found


GOOD = {"t": "2024-01-05T16:59:59.123456789Z", "bp": 183.1, "ap": 183.12, "bs": 3, "as": 4}


def test_a_quote_joins_the_best_prices_and_the_last_trade() -> None:
    found = quotes(GOOD, {"t": "2024-01-05T16:59:00Z", "p": 183.11})
    assert list(found) == ["GLD"]
    gold = found["GLD"]
    assert (gold.bid, gold.ask, gold.last) == (Decimal("183.1"), Decimal("183.12"), Decimal("183.11"))
    assert gold.at == datetime(2024, 1, 5, 16, 59, 59, 123456, UTC)


@pytest.mark.fault("E3", "E15")
@pytest.mark.parametrize(
    "changes",
    [
        {"bp": 0},
        {"ap": 0},
        {"ap": 183.0},
        {"bp": "NaN"},
        {"bp": None},
        {"bp": -1, "ap": 1e300},
        {"t": None},
        {"t": (NOON + timedelta(minutes=2)).isoformat()},
    ],
)
def test_a_quote_that_is_no_market_is_left_out(changes: dict[str, Any]) -> None:
    assert quotes(GOOD | changes, {"p": 183.11}) == {}


@pytest.mark.fault("E14")
def test_a_symbol_without_a_trade_is_left_out() -> None:
    assert quotes(GOOD, None) == {}
    assert quotes(GOOD, {"p": 0}) == {}


# --- what the client library's authors expect -----------------------------------------------------


def test_recorded_bars_of_several_symbols_and_either_order_are_read(shared_data: Path) -> None:
    payloads = json.loads((shared_data / "alpaca_recorded/sdk_mock_payloads.json").read_text())
    by_test = {each["test"]: each["body"] for each in payloads if "/v2/stocks/" in each["url"]}
    with serving(reply(200, by_test["test_multisymbol_get_bars"])) as venue:
        ours = feed(venue)
        (found,) = ours.daily(("AAPL", "TSLA"), date(2022, 3, 9), date(2022, 3, 9))
        ours.close()
    assert (found.bars["AAPL"].close, found.bars["TSLA"].high) == (162.95, 860.56)
    backwards = by_test["test_get_bars_desc"] | {"next_page_token": None}
    with serving(reply(200, backwards)) as venue:
        ours = feed(venue)
        sets = ours.daily(("TSLA",), date(2023, 9, 1), date(2023, 9, 30))
        ours.close()
    assert [one.session.day for one in sets] == [25, 26, 27]


def test_recorded_latest_quotes_and_trades_are_read(shared_data: Path) -> None:
    payloads = json.loads((shared_data / "alpaca_recorded/sdk_mock_payloads.json").read_text())
    by_test = {each["test"]: each["body"] for each in payloads if "/v2/stocks/" in each["url"]}
    with serving(
        reply(200, by_test["test_get_latest_quote"]), reply(200, by_test["test_get_latest_trade"])
    ) as venue:
        ours = feed(venue)
        found = ours.quotes(("AAPL",))
        ours.close()
    assert (found["AAPL"].bid, found["AAPL"].last) == (Decimal("161.1"), Decimal("161.2958"))
