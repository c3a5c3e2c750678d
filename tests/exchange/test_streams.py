"""alpaca-py's two streams over real sockets: frames, the one seat, and every stream fault."""

import asyncio
import json
import socket as socket_module
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import msgpack
import pytest
from alpaca.trading.enums import OrderSide, TimeInForce
from alpaca.trading.requests import LimitOrderRequest, MarketOrderRequest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from qgtm.exchange.core import Exchange
from qgtm.exchange.server import PING_S, PING_TIMEOUT_S
from qgtm.exchange.setting import Habits
from tests.exchange.sockets import QUICK, Live, StockDataStream, TradingStream, eventually, live, streaming
from tests.exchange.tiny import MINUTE, OPEN, TinyMarket

START = OPEN + 10 * MINUTE


@pytest.fixture
def tiny() -> TinyMarket:
    return TinyMarket()


@pytest.fixture
def served(tiny: TinyMarket) -> Iterator[Live]:
    with live(Exchange(tiny, start=START, habits=Habits(partial_fill_frac=0.0))) as found:
        yield found


def buy(served: Live, client_order_id: str, qty: float = 1) -> None:
    served.trading.submit_order(
        MarketOrderRequest(
            symbol="GLD", qty=qty, side=OrderSide.BUY, time_in_force=TimeInForce.DAY,
            client_order_id=client_order_id,
        )
    )  # fmt: skip
    served.later()


@contextmanager
def trades(served: Live) -> Iterator[ClientConnection]:
    """Open a socket that listens to trade updates, past the greetings."""
    with connect(f"{served.ws}/stream", close_timeout=1) as socket:
        socket.send(json.dumps({"action": "authenticate", "data": {"key_id": "k", "secret_key": "s"}}))
        assert json.loads(socket.recv(5))["data"]["status"] == "authorized"
        socket.send(json.dumps({"action": "listen", "data": {"streams": ["trade_updates"]}}))
        assert json.loads(socket.recv(5)) == {"stream": "listening", "data": {"streams": ["trade_updates"]}}
        yield socket


def status_of_handshake(served: Live) -> int:
    """Return the HTTP status with which a further trade socket is refused, 101 when it is not."""
    try:
        with connect(f"{served.ws}/stream", close_timeout=1):
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code


def events(socket: ClientConnection, count: int) -> list[str]:
    return [json.loads(socket.recv(5))["data"]["event"] for _ in range(count)]


def no_more(socket: ClientConnection, within_s: float = 0.3) -> bool:
    with pytest.raises(TimeoutError):
        socket.recv(within_s)
    return True


def test_trade_stream_of_the_library_sees_an_order_live_and_die(served: Live) -> None:
    heard: list[Any] = []
    stream = TradingStream("k", "s", url_override=f"{served.ws}/stream", websocket_params=dict(QUICK))

    async def hear(update: Any) -> None:
        heard.append(update)

    stream.subscribe_trade_updates(hear)
    with streaming(stream):
        buy(served, "one", qty=7)
        eventually(lambda: len(heard) == 3)
    assert [str(getattr(u.event, "value", u.event)) for u in heard] == ["pending_new", "new", "fill"]
    last = heard[-1]
    assert (last.price, last.qty, last.position_qty, last.order.client_order_id) == (100.01, 7, 7, "one")
    assert last.execution_id is not None


def test_trade_frames_are_binary_json_and_come_in_the_documented_order(served: Live) -> None:
    with trades(served) as socket:
        buy(served, "one")
        frame = socket.recv(5)
        assert isinstance(frame, bytes)
        assert json.loads(frame)["data"]["order"]["status"] == "pending_new"
        assert events(socket, 2) == ["new", "fill"]


def test_stream_before_its_keys_answers_nothing_but_an_error(served: Live) -> None:
    with connect(f"{served.ws}/stream", close_timeout=1) as socket:
        socket.send(json.dumps({"action": "listen", "data": {"streams": ["trade_updates"]}}))
        assert json.loads(socket.recv(5))["stream"] == "error"
        socket.send(json.dumps({"action": "authenticate", "data": {"key_id": "", "secret_key": ""}}))
        assert json.loads(socket.recv(5))["data"]["status"] == "unauthorized"


def test_second_trade_socket_is_refused_with_429_until_the_first_is_gone(served: Live) -> None:
    with trades(served):
        assert status_of_handshake(served) == 429
    eventually(lambda: status_of_handshake(served) == 101)


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("duplicate", ["pending_new", "pending_new", "new", "fill"]),
        ("lose", ["new", "fill"]),
        ("reorder", ["new", "pending_new", "fill"]),
        ("mute", []),
    ],
)
def test_stream_fault_changes_what_arrives_and_nothing_else(
    served: Live, action: str, expected: list[str]
) -> None:
    with trades(served) as socket:
        served.control("faults", stage="stream", path="trade_updates", action=action)
        buy(served, "one")
        assert events(socket, len(expected)) == expected
        assert no_more(socket)
        assert served.trading.get_order_by_client_id("one").filled_qty == "1"


def test_dropped_stream_closes_and_can_be_opened_again(served: Live) -> None:
    with trades(served) as socket:
        served.control("faults", stage="stream", path="trade_updates", action="drop")
        with pytest.raises(ConnectionClosed):
            socket.recv(5)
    eventually(lambda: status_of_handshake(served) == 101)
    with trades(served) as socket:
        buy(served, "two")
        assert events(socket, 3)[-1] == "fill"


def test_refused_handshake_and_refused_keys_are_told_apart(served: Live) -> None:
    served.control("faults", stage="stream", path="trade_updates", action="refuse", status=503)
    assert status_of_handshake(served) == 503
    served.control("faults", stage="stream", path="trade_updates", action="auth_refuse")
    with connect(f"{served.ws}/stream", close_timeout=1) as socket:
        socket.send(json.dumps({"action": "authenticate", "data": {"key_id": "k", "secret_key": "s"}}))
        assert json.loads(socket.recv(5))["data"]["status"] == "unauthorized"


def test_half_open_socket_answers_no_ping_and_keeps_its_seat(served: Live) -> None:
    with trades(served) as socket:
        assert socket.ping().wait(5)
        served.control("faults", stage="stream", path="trade_updates", action="half_open")
        eventually(lambda: not served.station.gate.faults.faults)
        assert not socket.ping().wait(0.3)
        assert status_of_handshake(served) == 429


def test_socket_that_died_without_a_word_is_reaped_and_its_seat_free_again(tiny: TinyMarket) -> None:
    assert PING_S + PING_TIMEOUT_S <= 90
    pings = {"ping_s": 0.2, "ping_timeout_s": 0.4}
    with live(Exchange(tiny, start=START), pings) as served, trades(served):
        served.control("faults", stage="stream", path="trade_updates", action="half_open")
        eventually(lambda: not served.station.gate.faults.faults)
        assert status_of_handshake(served) == 429
        eventually(lambda: status_of_handshake(served) == 101)


def test_data_stream_of_the_library_gets_minutes_days_and_a_halt(served: Live, tiny: TinyMarket) -> None:
    bars: list[Any] = []
    daily: list[Any] = []
    statuses: list[Any] = []
    stream = StockDataStream("k", "s", url_override=f"{served.ws}/v2/iex", websocket_params=dict(QUICK))

    async def hear_bar(bar: Any) -> None:
        bars.append(bar)

    async def hear_day(bar: Any) -> None:
        daily.append(bar)

    async def hear_status(status: Any) -> None:
        statuses.append(status)

    stream.subscribe_bars(hear_bar, "GLD", "SLV")
    stream.subscribe_daily_bars(hear_day, "GLD")
    stream.subscribe_trading_statuses(hear_status, "*")
    tiny.set("GLD", START, "100", "104", "99", "101")
    with streaming(stream):
        served.later(61)
        eventually(lambda: len(bars) == 2)
        served.control("prices", symbol="GDX", action="halt")
        eventually(lambda: len(statuses) == 1)
        served.control("prices", symbol="GDX", action="resume")
        eventually(lambda: len(statuses) == 2)
        served.control("advance", to="close")
        eventually(lambda: daily)
    first = next(bar for bar in bars if bar.symbol == "GLD")
    assert (first.timestamp, first.open, first.high, first.low, first.close) == (START, 100, 104, 99, 101)
    assert [status.status_code for status in statuses] == ["H", "T"]
    assert (daily[0].symbol, daily[0].high) == ("GLD", 104)


def data(served: Live, **headers: str) -> ClientConnection:
    return connect(f"{served.ws}/v2/iex", additional_headers=headers, close_timeout=1)


def test_data_stream_speaks_json_to_others_and_msgpack_timestamps_to_msgpack_clients(served: Live) -> None:
    with data(served) as socket:
        assert json.loads(socket.recv(5)) == [{"T": "success", "msg": "connected"}]
        socket.send(json.dumps({"action": "auth", "key": "k", "secret": "s"}))
        assert json.loads(socket.recv(5)) == [{"T": "success", "msg": "authenticated"}]
        socket.send(json.dumps({"action": "subscribe", "quotes": ["GLD"], "trades": ["GLD"]}))
        assert json.loads(socket.recv(5))[0]["T"] == "subscription"
        served.control("prices", symbol="GLD", factor="1.01")
        served.later(5)
        quote, trade = json.loads(socket.recv(5))
        assert (quote["T"], quote["ap"], trade["T"], trade["p"]) == ("q", 101.01, "t", 101.0)
        assert quote["t"].endswith("Z")
    with data(served, **{"Content-Type": "application/msgpack"}) as socket:
        assert msgpack.unpackb(socket.recv(5))[0]["msg"] == "connected"
        socket.send(msgpack.packb({"action": "auth", "key": "k", "secret": "s"}))
        socket.recv(5)
        asked = msgpack.packb({"action": "subscribe", "bars": ["*"]})
        socket.send([asked[:10], asked[10:]])  # fragmented, as the library sends it
        assert msgpack.unpackb(socket.recv(5))[0]["bars"] == ["*"]
        served.later(61)
        bars = msgpack.unpackb(socket.recv(5))
        assert {bar["S"] for bar in bars} == {"GLD", "SLV", "GDX"}
        assert isinstance(bars[0]["t"], msgpack.Timestamp)
        assert {"n", "vw"} <= set(bars[0])


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("{not json", 400),
        ('{"action": "subscribe", "bars": ["GLD"]}', 401),
        ('{"action": "auth", "key": "", "secret": "s"}', 402),
    ],
)
def test_data_stream_error_has_the_documented_code(served: Live, message: str, code: int) -> None:
    with data(served) as socket:
        socket.recv(5)
        socket.send(message)
        answer = json.loads(socket.recv(5))[0]
        assert (answer["T"], answer["code"]) == ("error", code)


def test_data_stream_refuses_a_second_login_a_second_socket_and_too_many_symbols(served: Live) -> None:
    def told(socket: ClientConnection, **message: Any) -> Any:
        socket.send(json.dumps(message))
        return json.loads(socket.recv(5))[0]

    with data(served) as first, data(served) as second:
        first.recv(5)
        second.recv(5)
        assert told(first, action="auth", key="k", secret="s")["msg"] == "authenticated"
        assert told(first, action="auth", key="k", secret="s")["code"] == 403
        assert told(first, action="subscribe", quotes=[f"S{n}" for n in range(31)])["code"] == 405
        assert told(second, action="auth", key="k", secret="s")["code"] == 406
        with pytest.raises(ConnectionClosed):
            second.recv(5)


def test_data_stream_without_keys_is_ended_by_a_time_limit(
    served: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qgtm.exchange.socket_stream.AUTH_WITHIN_S", 0.1)
    with data(served) as socket:
        socket.recv(5)
        assert json.loads(socket.recv(5))[0]["code"] == 404
        with pytest.raises(ConnectionClosed):
            socket.recv(5)


def test_trade_socket_that_does_not_say_who_it_is_loses_the_seat(
    served: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qgtm.exchange.socket_stream.AUTH_WITHIN_S", 0.2)
    with connect(f"{served.ws}/stream", close_timeout=1) as idle:
        with pytest.raises(ConnectionClosed):
            idle.recv(5)
        with trades(served) as socket:
            assert no_more(socket, 0.6)


def test_request_that_broke_off_is_not_applied(served: Live) -> None:
    body = b'{"symbol": "GLD", "side": "buy", "type": "market", "time_in_force": "day", "qty": "1"}'
    head = "POST /v2/orders HTTP/1.1\r\nHost: x\r\nAPCA-API-KEY-ID: k\r\nAPCA-API-SECRET-KEY: s\r\n"
    address = ("127.0.0.1", int(served.url.rpartition(":")[2]))
    with socket_module.create_connection(address) as peer:
        peer.sendall(f"{head}Content-Length: {len(body) + 5}\r\n\r\n".encode() + body)
    with socket_module.create_connection(address) as peer:
        peer.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        assert peer.recv(100).startswith(b"HTTP/1.1 200")
    assert len(served.station.exchange.orders("all")) == 1


def test_updates_are_stored_before_anybody_hears_of_them(served: Live) -> None:
    order: list[str] = []
    station = served.station

    class Spy:
        def keep(self, *_: Any, **__: Any) -> bool:
            order.append("stored")
            return True

        def close(self) -> None:
            order.append("closed")

    station.store = Spy()  # type: ignore[assignment]
    station.listeners.append(lambda updates: order.append("heard"))
    buy(served, "one")
    eventually(lambda: "heard" in order)
    assert order.index("stored") < order.index("heard")


def test_limit_order_that_rests_is_announced_as_new_only(served: Live) -> None:
    with trades(served) as socket:
        served.trading.submit_order(
            LimitOrderRequest(
                symbol="GLD", qty=1, side=OrderSide.BUY, time_in_force=TimeInForce.DAY, limit_price=90
            )
        )
        served.later(timedelta(minutes=5).total_seconds())
        assert events(socket, 2) == ["pending_new", "new"]
        assert no_more(socket)


def test_nothing_of_a_closed_server_thread_stays_behind(tiny: TinyMarket) -> None:
    before = threading.active_count()
    with live(Exchange(tiny, start=START)) as served, trades(served):
        assert threading.active_count() > before
    eventually(lambda: threading.active_count() <= before + 1)
    with warnings.catch_warnings(), pytest.raises(RuntimeError):
        asyncio.get_running_loop()
