"""The in-process front: alpaca-py without a socket, both streams as plain send and receive, virtual time."""

import json
from datetime import timedelta
from typing import Any

import msgpack
import pytest
from alpaca.common.exceptions import APIError
from alpaca.trading.enums import OrderSide, OrderStatus, TimeInForce
from alpaca.trading.models import TradeUpdate
from alpaca.trading.requests import MarketOrderRequest

from qgtm.exchange.core import Exchange
from qgtm.exchange.in_process import DataSocket, TradeSocket
from qgtm.exchange.setting import Habits
from tests.exchange.sockets import InProcess, in_process
from tests.exchange.tiny import MINUTE, OPEN, TinyMarket

START = OPEN + 10 * MINUTE


@pytest.fixture
def inside() -> InProcess:
    return in_process(Exchange(TinyMarket(), start=START, habits=Habits(partial_fill_frac=0.0)))


def buy(inside: InProcess, client_order_id: str = "one") -> Any:
    request = MarketOrderRequest(
        symbol="GLD", qty=2, side=OrderSide.BUY, time_in_force=TimeInForce.DAY,
        client_order_id=client_order_id,
    )  # fmt: skip
    return inside.trading.submit_order(request)


def listening(inside: InProcess) -> TradeSocket:
    socket = TradeSocket(inside.gate)
    socket.send(json.dumps({"action": "authenticate", "data": {"key_id": "k", "secret_key": "s"}}))
    socket.send(json.dumps({"action": "listen", "data": {"streams": ["trade_updates"]}}))
    assert [json.loads(frame)["stream"] for frame in socket.receive()] == ["authorization", "listening"]
    return socket


def test_typed_client_trades_without_a_socket(inside: InProcess) -> None:
    assert buy(inside).status is OrderStatus.PENDING_NEW
    inside.later()
    assert inside.trading.get_open_position("GLD").qty == "2"
    with pytest.raises(APIError) as caught:
        buy(inside)
    assert caught.value.code == 40010001


def test_library_waits_out_a_429_in_virtual_time_only(
    inside: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alpaca.common.rest.time.sleep", inside.clock.wait)
    for _ in range(200):
        inside.trading.get_clock()
    before = inside.clock.monotonic()
    with pytest.raises(APIError) as caught:
        inside.trading.get_clock()
    assert caught.value.status_code == 429
    assert inside.clock.monotonic() - before == 9.0  # three retries of three seconds each
    inside.clock.wait(60)
    assert inside.trading.get_clock().is_open


def test_trade_socket_hears_updates_that_the_library_s_model_takes(inside: InProcess) -> None:
    socket = listening(inside)
    buy(inside)
    socket.hear(inside.later())
    updates = [TradeUpdate(**json.loads(frame)["data"]) for frame in socket.receive()]
    assert [str(getattr(u.event, "value", u.event)) for u in updates] == ["pending_new", "new", "fill"]


@pytest.mark.parametrize(
    ("action", "count"), [("duplicate", 4), ("lose", 2), ("mute", 0), ("drop", 0), ("reorder", 3)]
)
def test_trade_socket_suffers_the_stream_s_faults(inside: InProcess, action: str, count: int) -> None:
    socket = listening(inside)
    inside.gate.faults.add({"stage": "stream", "path": "trade_updates", "action": action})
    buy(inside)
    socket.hear(inside.later())
    assert len(socket.receive()) == count
    assert socket.is_open is (action != "drop")


def test_data_socket_gets_every_minute_once(inside: InProcess) -> None:
    socket = DataSocket(inside.gate)
    socket.send(msgpack.packb({"action": "auth", "key": "k", "secret": "s"}))
    socket.send(msgpack.packb({"action": "subscribe", "bars": ["GLD"]}))
    assert len(socket.receive()) == 3
    begins = []
    for _ in range(20):
        inside.later(37)
        socket.advance(inside.gate.exchange.now)
        for frame in socket.receive():
            assert isinstance(frame, bytes)
            begins += [message["t"].to_datetime() for message in msgpack.unpackb(frame)]
    whole = int(20 * 37 / 60)
    assert begins == [START + n * timedelta(minutes=1) for n in range(whole)]


def test_data_socket_refuses_wrong_keys_and_closes(inside: InProcess) -> None:
    inside.gate.faults.add({"stage": "stream", "path": "data", "action": "auth_refuse"})
    socket = DataSocket(inside.gate, is_msgpack=False)
    socket.send(json.dumps({"action": "auth", "key": "k", "secret": "s"}))
    assert json.loads(socket.receive()[-1])[0]["code"] == 402
    assert not socket.is_open


def test_whole_day_over_the_wire_is_the_same_twice() -> None:
    def day() -> list[Any]:
        inside = in_process(Exchange(TinyMarket(size=3), start=START, seed=9))
        for n in range(12):
            buy(inside, f"order {n}")
            inside.later(600)
        return [*inside.trading.get("/account/activities/FILL"), inside.trading.get("/account")]

    assert day() == day()
