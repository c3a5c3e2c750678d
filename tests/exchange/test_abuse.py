"""What no honest client sends: the exchange answers in words, keeps its time going, and stays as it was."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from qgtm.exchange.data_stream import DataSession, unpacked
from qgtm.exchange.state import state_hash
from qgtm.exchange.trade_stream import TradeSession
from qgtm.exchange.wire import Request, Response, handle
from tests.exchange.tiny import Bench, D

KEYS = {"apca-api-key-id": "k", "apca-api-secret-key": "s"}
ORDER = {"symbol": "GLD", "side": "buy", "type": "market", "time_in_force": "day", "qty": "1"}


def call(bench: Bench, method: str, path: str, body: bytes = b"", **query: str) -> Response:
    return handle(bench.exchange, Request(method, path, query, body, KEYS), bench.now)


def order(bench: Bench, **changed: Any) -> Response:
    body = {name: value for name, value in (ORDER | changed).items() if value is not None}
    return call(bench, "POST", "/v2/orders", json.dumps(body).encode())


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b'{"a":' * 100_000, b"\xff\xfe", b"{", b"null", b"[]", b"5"]
)
def test_body_that_is_no_order_is_422_and_is_counted_among_the_requests(bench: Bench, body: bytes) -> None:
    answer = call(bench, "POST", "/v2/orders", body)
    assert (answer.status, answer.body["code"]) == (422, 40010001)
    assert bench.exchange.truth.requests[-1].client_order_id is None


@pytest.mark.parametrize(
    "value",
    ["1_000", "１２", " 1 ", "0x10", "1e308", "1e999999", "1e-9999", "NaN", "-Infinity", True, [1], {}],
)
@pytest.mark.parametrize(
    "name", ["qty", "limit_price", "stop_price", "trail_price", "trail_percent", "notional"]
)
def test_number_that_is_none_is_422_by_name(bench: Bench, name: str, value: Any) -> None:
    answer = order(bench, **{name: value})
    assert answer.status == 422
    assert name in answer.body["message"]


@pytest.mark.parametrize("literal", [b"NaN", b"Infinity", b"1e308", b"1E+99999999", b"1" * 5000])
def test_json_number_beyond_all_money_is_422(bench: Bench, literal: bytes) -> None:
    body = json.dumps(ORDER).encode().replace(b'"1"', literal)
    assert call(bench, "POST", "/v2/orders", body).status == 422


@pytest.mark.parametrize(
    "prices",
    [
        {"type": "stop", "side": "sell", "stop_price": "1e12"},
        {"type": "limit", "limit_price": "1e12"},
        {"type": "trailing_stop", "side": "sell", "trail_percent": "100"},
        {"type": "trailing_stop", "side": "sell", "trail_price": "1e12"},
    ],
)
def test_price_beyond_all_prices_is_refused_before_it_can_stop_the_exchange(
    bench: Bench, prices: dict[str, str]
) -> None:
    assert order(bench, **prices).status == 422
    bench.run(minutes=2)  # the most that was taken once ended the whole exchange here
    assert not bench.exchange.orders("all")


def test_switch_of_an_order_is_true_or_false(bench: Bench) -> None:
    assert order(bench, extended_hours="yes").status == 422
    assert order(bench, extended_hours="false").status == 200


@pytest.mark.parametrize("name", ["after", "until"])
@pytest.mark.parametrize("value", ["0001-01-01T00:00:00+14:00", "x", "2024-13-01"])
def test_moment_outside_the_calendar_is_422(bench: Bench, name: str, value: str) -> None:
    assert call(bench, "GET", "/v2/orders", **{name: value}).status == 422


@pytest.mark.parametrize("token", ["x", "GLD", "GLD|x", "GLD|0001-01-01T00:00:00+14:00"])
def test_page_token_that_was_never_given_is_422(bench: Bench, token: str) -> None:
    written = base64.urlsafe_b64encode(token.encode()).decode()
    assert call(bench, "GET", "/v2/stocks/bars", symbols="GLD", page_token=written).status == 422


def test_page_token_without_a_zone_is_read(bench: Bench) -> None:
    written = base64.urlsafe_b64encode(b"GLD|2024-03-01T00:00:00").decode()
    assert call(bench, "GET", "/v2/stocks/bars", symbols="GLD", page_token=written).status == 200


@pytest.mark.parametrize("name", ["before_order_id", "after_order_id"])
def test_orders_cannot_be_listed_from_one_that_never_was(bench: Bench, name: str) -> None:
    assert call(bench, "GET", "/v2/orders", **{name: "nobody"}).status == 422


def test_orders_are_listed_from_one_that_has_ended_since(bench: Bench) -> None:
    first = bench.buy()
    resting = [bench.ask(kind="limit", limit_price=D(99 + n)) for n in (0, 1)]
    newer = call(bench, "GET", "/v2/orders", after_order_id=first.id, direction="asc")
    assert [row["id"] for row in newer.body] == [one.id for one in resting]
    assert call(bench, "GET", "/v2/orders", before_order_id=first.id).body == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("HEAD", "/v2/account", 404),
        ("OPTIONS", "/v2/orders", 404),
        ("GET", "/v2/../v2/account", 404),
        ("GET", "/v2//account", 404),
        ("GET", "/v2/account/", 404),
        ("GET", "/v2/orders/../account", 404),
        ("GET", "/V2/account", 404),
        ("PUT", "/v2/orders", 404),
        ("GET", "/v2/positions/%00", 404),
    ],
)
def test_path_that_is_none_of_ours_is_404(bench: Bench, method: str, path: str, status: int) -> None:
    assert call(bench, method, path).status == status


FRAMES = [
    "[" * 100_000, '{"action": "listen", "data": 5}', '{"action": "listen", "data": [1]}', "5", "null", "[]",
    '{"action": "authenticate", "data": "x"}', '{"action": "listen", "data": {"streams": 5}}', "{", "\ud800",
]  # fmt: skip


@pytest.mark.parametrize("frame", FRAMES)
def test_trade_stream_answers_a_frame_that_is_none_with_an_error(frame: str) -> None:
    answers = TradeSession(None).answer(frame)
    assert [answer["stream"] for answer in answers] == ["error"]


@pytest.mark.parametrize("frame", [*FRAMES, b"\xc1", b"\x81\xc0\xc0", b"\xdd\xff\xff\xff\xff"])
@pytest.mark.parametrize("is_msgpack", [True, False])
def test_data_stream_answers_a_frame_that_is_none_with_an_error(frame: Any, is_msgpack: bool) -> None:
    session = DataSession(None, frozenset({"GLD"}), is_authorized=True)
    answer = session.answer(unpacked(frame, is_msgpack=is_msgpack))
    assert answer[0]["T"] == "error"


@pytest.mark.parametrize("names", [5, "GLD", {"GLD": 1}])
def test_data_stream_takes_lists_of_symbols_only(names: Any) -> None:
    session = DataSession(None, frozenset({"GLD"}), is_authorized=True)
    assert session.answer({"action": "subscribe", "bars": names})[0]["code"] == 400


def test_nothing_that_was_refused_has_changed_anything(make_bench: Callable[..., Bench]) -> None:
    abused, left_alone = make_bench(), make_bench()
    for changed in ({"qty": "-1"}, {"symbol": "金"}, {"qty": "1e308"}, {"side": "BUY"}, {"type": []}):
        assert order(abused, **changed).status == 422
    assert state_hash(abused.exchange) == state_hash(left_alone.exchange)
