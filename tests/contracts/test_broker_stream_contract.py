"""The exchange's streams through the adapter's ears: hints, and never more than REST says."""

import itertools
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import msgpack
import pytest

from qgtm.adapters.alpaca_wire import Listening, MinuteBar, OrderHint, TradingStatus, heard_from, prices_from
from qgtm.adapters.clock import ManualClock
from qgtm.core.order import Order, OrderState, Side, learned
from qgtm.exchange.core import Exchange
from qgtm.exchange.data_stream import DataFeed, DataSession, error_frame, packed
from qgtm.exchange.desk import Halt
from qgtm.exchange.market.synthetic import SyntheticMarket
from qgtm.exchange.setting import Habits
from qgtm.exchange.trade_stream import TradeSession, update_json
from qgtm.simulation.direct import DirectBroker

TEN = datetime(2024, 1, 5, 15, tzinfo=UTC)
MARKET = SyntheticMarket(3, date(2023, 11, 1))
ORDER = Order(
    client_order_id="qgtm-1-rebalance-20240105-GLD-1",
    symbol="GLD",
    side=Side.BUY,
    quantity=Decimal(40),
    limit_price=None,
    arrival_price=Decimal(100),
    formed_at=TEN,
)


def filled_in_parts() -> tuple[list[OrderHint], DirectBroker]:
    """Fill one order in parts and return its hints, as they come over the wire, and the truth."""
    exchange = Exchange(MARKET, start=TEN, habits=Habits(partial_fill_frac=1.0))
    clock = ManualClock(TEN)
    broker = DirectBroker(exchange, MARKET, clock)
    broker.submit(ORDER)
    hints: list[OrderHint] = []
    for _ in range(30):
        clock.wait(1)
        for update in exchange.advance(clock.now()):
            frame = json.dumps(update_json(update, exchange.desk.assets)).encode()
            hints += [one for one in heard_from(frame) if isinstance(one, OrderHint)]
    return hints, broker


def test_the_conversation_ends_in_listening() -> None:
    session = TradeSession(None)
    frames = session.answer(
        json.dumps({"action": "authenticate", "data": {"key_id": "PK", "secret_key": "s"}})
    ) + session.answer(json.dumps({"action": "listen", "data": {"streams": ["trade_updates"]}}))
    assert [one for frame in frames for one in heard_from(json.dumps(frame))] == [Listening()]


def test_every_update_of_an_order_is_read_and_the_last_says_what_rest_says() -> None:
    hints, broker = filled_in_parts()
    assert [hint.event for hint in hints][-1] == "fill"
    assert "partial_fill" in [hint.event for hint in hints]
    assert all(hint.order is not None for hint in hints)
    assert hints[-1].order == broker.order(ORDER.client_order_id)


def test_any_order_of_the_updates_with_each_of_them_twice_gives_the_same_order() -> None:
    hints, broker = filled_in_parts()
    truth = broker.order(ORDER.client_order_id)
    assert truth is not None
    told = [hint.order for hint in hints if hint.order is not None][-4:]
    for shuffled in itertools.permutations(told * 2 if len(told) < 3 else told):
        ours = ORDER
        for news in (*shuffled, shuffled[0]):
            ours = learned(ours, news.state, news.filled_quantity, news.filled_price, news.broker_order_id)
        assert (ours.state, ours.filled_quantity) == (OrderState.FILLED, Decimal(40))
        assert ours.filled_price == truth.filled_price


def test_minute_bars_and_halts_of_the_exchange_are_read() -> None:
    exchange = Exchange(MARKET, start=TEN)
    session = DataSession(None, frozenset(MARKET.symbols))
    session.answer({"action": "auth", "key": "PK", "secret": "s"})
    subscribed = session.answer({"action": "subscribe", "bars": ["GLD", "SLV"], "statuses": ["GLD"]})
    assert prices_from(msgpack.packb(subscribed)) == (Listening(),)
    feed = DataFeed(exchange.desk, TEN)
    exchange.halt(Halt(symbol="GLD", from_at=TEN, until_at=None, code="T1", reason="News"), TEN)
    frame = packed(feed.due(session, TEN + timedelta(minutes=3)), is_msgpack=True)
    assert isinstance(frame, bytes)
    found = prices_from(frame)
    bars = [one for one in found if isinstance(one, MinuteBar)]
    assert {bar.symbol for bar in bars} == {"GLD", "SLV"}
    assert all(bar.start_at.second == 0 and TEN <= bar.start_at < TEN + timedelta(minutes=3) for bar in bars)
    assert [(one.symbol, one.code) for one in found if isinstance(one, TradingStatus)] == [("GLD", "H")]


@pytest.mark.parametrize("code", [402, 405, 406])
def test_an_error_of_the_exchange_ends_the_connection(code: int) -> None:
    frame = packed(error_frame(code), is_msgpack=True)
    assert isinstance(frame, bytes)
    with pytest.raises(ConnectionError, match=str(code)):
        prices_from(frame)
