"""The wire as a pure function: junk gets an answer, never an exception; numbers keep their digits."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qgtm.exchange.core import Exchange
from qgtm.exchange.rate_limit import RateLimiter
from qgtm.exchange.text import local, moment, money, number, ratio, rfc3339
from qgtm.exchange.wire import Malformed, Request, handle, request_from_url
from tests.exchange.tiny import OPEN, TinyMarket

KEYS = {"apca-api-key-id": "k", "apca-api-secret-key": "s"}
EXCHANGE = Exchange(TinyMarket(), start=OPEN)

junk = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 10**18),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(
        ["1", "1e400", "-0", "NaN", "sNaN", "buy", "limit", "day", "GLD", "²", "", "0.30000000000000004"]
    ),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)
FIELDS = (
    "symbol qty notional side type time_in_force limit_price stop_price trail_price trail_percent trail "
    "extended_hours client_order_id order_class position_intent no_shorting max_margin_multiplier"
).split()
good = {"symbol": "GLD", "side": "buy", "type": "limit", "time_in_force": "day", "qty": 1, "limit_price": 90}
bodies = st.builds(
    lambda base, extra: json.dumps({**base, **extra}).encode(),
    st.sampled_from([{}, good]),
    st.dictionaries(st.sampled_from(FIELDS), junk, max_size=4),
)
PATHS = [
    "/v2/orders", "/v2/orders/LIVE", "/v2/account/configurations", "/v2/positions/GLD", "/v2/positions",
    "/v2/account/activities", "/v2/account/portfolio/history", "/v2/calendar", "/v2/stocks/bars",
    "/v2/stocks/quotes/latest", "/v2/stocks/snapshots", "/v1beta1/options/snapshots/GLD", "/v2/assets",
    "/v1beta1/options/snapshots", "/v2/stocks/GLD/bars", "/nowhere", "/v1/corporate-actions",
]  # fmt: skip
QUERY = (
    "status limit after until direction symbols side page_token page_size date period timeframe start end "
    "qty percentage adjustment feed type strike_price_gte expiration_date client_order_id"
).split()
queries = st.dictionaries(
    st.sampled_from(QUERY),
    st.one_of(
        st.text(max_size=12),
        st.sampled_from(["all", "1Day", "5Min", "1D", "GLD", "²", "2024-03-11", "NaN", "-1", "R0xEfA=="]),
    ),
    max_size=4,
)


@given(
    st.sampled_from(["GET", "POST", "PATCH", "DELETE"]),
    st.sampled_from(PATHS),
    queries,
    st.one_of(bodies, st.binary(max_size=12)),
)
@settings(max_examples=150)
def test_any_request_is_answered_with_a_status_and_json(
    method: str, path: str, query: dict[str, str], body: bytes
) -> None:
    live = [order.id for order in EXCHANGE.orders("open") if order.status == "new"]
    path = path.replace("LIVE", live[0] if live else "nobody")
    answer = handle(EXCHANGE, Request(method, path, query, body, KEYS), EXCHANGE.now + timedelta(seconds=1))
    assert 200 <= answer.status < 500
    assert answer.content() == b"" or json.loads(answer.content()) is not None
    if answer.status >= 400:
        assert answer.body["message"]


@pytest.mark.parametrize("qty", [1, 1.0, "1", "1.0", "1.000000000"])
def test_quantity_may_come_as_a_number_or_as_text(qty: Any) -> None:
    exchange = Exchange(TinyMarket(), start=OPEN)
    body = json.dumps({**good, "qty": qty}).encode()
    answer = handle(exchange, Request("POST", "/v2/orders", {}, body, KEYS), OPEN)
    assert (answer.status, answer.body["qty"], answer.body["limit_price"]) == (200, "1", "90")


def test_float_noise_in_a_quantity_is_refused_not_rounded() -> None:
    body = json.dumps(
        {"symbol": "GLD", "side": "buy", "type": "market", "time_in_force": "day", "qty": 0.1 + 0.2}
    )
    answer = handle(EXCHANGE, Request("POST", "/v2/orders", {}, body.encode(), KEYS), OPEN)
    assert (answer.status, answer.body["code"]) == (422, 42210000)


def test_request_without_keys_is_401_and_still_counts_as_seen() -> None:
    exchange = Exchange(TinyMarket(), start=OPEN)
    answer = handle(exchange, Request("GET", "/v2/account"), OPEN)
    assert (answer.status, answer.body["code"]) == (401, 40110000)
    assert len(exchange.truth.requests) == 1


def test_colon_path_and_query_survive_the_url() -> None:
    url = "http://h:1/v2/orders:by_client_order_id?client_order_id=a%20b%2Bc"
    request = request_from_url("get", url, b"", {"APCA-API-KEY-ID": "k"})
    assert (request.method, request.path) == ("GET", "/v2/orders:by_client_order_id")
    assert request.query == {"client_order_id": "a b+c"}
    assert request.headers == {"apca-api-key-id": "k"}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("100", "100"),
        ("1E+2", "100"),
        ("25.070", "25.07"),
        ("0.00", "0"),
        ("-19922.00", "-19922"),
        ("-0", "0"),
    ],
)
def test_numbers_are_written_plainly(value: str, text: str) -> None:
    assert number(D(value)) == text


def test_money_is_cents_and_ratios_have_fifteen_decimals() -> None:
    assert money(D("1234.5678")) == "1234.57"
    assert ratio(D(-82), D(19840)) == "-0.004133064516129"  # as Alpaca wrote it in 2019
    assert ratio(D(1), D(0)) == "0"


def test_times_are_written_as_alpaca_writes_them() -> None:
    at = datetime(2019, 7, 7, 16, 55, 8, 427247, tzinfo=UTC)
    assert local(at, nanoseconds=True) == "2019-07-07T12:55:08.427247000-04:00"
    assert local(datetime(2019, 1, 7, 14, 30, tzinfo=UTC)) == "2019-01-07T09:30:00-05:00"
    assert rfc3339(at) == "2019-07-07T16:55:08.427247Z"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-03-12", datetime(2024, 3, 12, 4, tzinfo=UTC)),
        ("2024-03-12T10:00:00Z", datetime(2024, 3, 12, 10, tzinfo=UTC)),
        ("2024-03-12T10:00:00-04:00", datetime(2024, 3, 12, 14, tzinfo=UTC)),
        ("2024-03-12T10:00:00 00:00", datetime(2024, 3, 12, 10, tzinfo=UTC)),  # a plus that a URL ate
    ],
)
def test_times_of_a_query_are_read_in_every_usual_form(text: str, expected: datetime) -> None:
    assert moment(text, "start") == expected
    with pytest.raises(Malformed, match="start"):
        moment(text[:7], "start")


def test_limiter_counts_by_process_time_and_begins_anew_after_a_minute() -> None:
    limiter = RateLimiter(3)
    taken = [limiter.take(10.0 + n, 1000.0 + n) for n in range(4)]
    assert [t.is_allowed for t in taken] == [True, True, True, False]
    assert [t.remaining for t in taken] == [2, 1, 0, 0]
    assert {t.reset_s for t in taken} == {1061}
    assert not limiter.take(69.9, 1059.9).is_allowed
    assert limiter.take(70.0, 1060.0).is_allowed
