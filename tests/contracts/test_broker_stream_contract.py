"""The exchange's streams through the adapter's ears: hints, and never more than REST says."""

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from queue import SimpleQueue

import msgpack
import pytest

from qgtm.adapters.alpaca_broker import AlpacaBroker
from qgtm.adapters.alpaca_client import Keys
from qgtm.adapters.alpaca_stream import BarStream, OrderStream
from qgtm.adapters.alpaca_wire import Listening, MinuteBar, OrderHint, TradingStatus, heard_from, prices_from
from qgtm.adapters.call_budget import CallBudget
from qgtm.adapters.clock import ManualClock, SystemClock
from qgtm.core.order import Order, OrderState, Side, learned
from qgtm.core.outcome import Accepted, Unknown
from qgtm.exchange.core import Exchange
from qgtm.exchange.data_stream import DataFeed, DataSession, error_frame, packed
from qgtm.exchange.desk import Halt
from qgtm.exchange.market.synthetic import SyntheticMarket
from qgtm.exchange.setting import Habits
from qgtm.exchange.trade_stream import TradeSession, update_json
from qgtm.simulation.direct import DirectBroker
from tests.contracts.exchange_on_sockets import OnSockets, on_sockets

KEYS = Keys("PKTEST", "a-secret-that-must-not-show")
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


@pytest.mark.fault("C1", "C2")
@pytest.mark.invariant("V10")
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


# --- on real sockets ------------------------------------------------------------------------------

FAST = (0.05, 0.05, 0.05, 0.05, 0.2)


@dataclass
class Live:
    """An exchange on sockets, a broker and an order stream whose news land in one queue."""

    sockets: OnSockets
    broker: AlpacaBroker
    stream: OrderStream
    news: SimpleQueue[tuple[str, object]]

    def next(self, word: str) -> object:
        """Return the next news of a kind, passing over others."""
        while True:
            found, what = self.news.get(timeout=8)
            if found == word:
                return what


def order_stream(url: str, news: SimpleQueue[tuple[str, object]]) -> OrderStream:
    return OrderStream(
        KEYS,
        url,
        on_hint=lambda hint: news.put(("hint", hint)),
        on_connected=lambda: news.put(("connected", None)),
        on_dropped=lambda reason: news.put(("dropped", reason)),
        on_lost=lambda reason: news.put(("lost", reason)),
        back_off_s=FAST,
    )


@pytest.fixture
def live() -> Iterator[Live]:
    exchange = Exchange(MARKET, start=TEN, habits=Habits(partial_fill_frac=0.0))
    news: SimpleQueue[tuple[str, object]] = SimpleQueue()
    with on_sockets(exchange) as sockets:
        broker = AlpacaBroker(KEYS, sockets.url, CallBudget(SystemClock().monotonic))
        stream = order_stream(sockets.stream_url, news)
        yield Live(sockets, broker, stream, news)
        assert stream.stop()
        broker.close()


def test_a_fill_is_heard_and_rest_says_the_same(live: Live) -> None:
    live.stream.start()
    assert live.stream.wait_listening()
    assert isinstance(live.broker.submit(ORDER), Accepted)
    live.sockets.later(5)
    while (hint := live.next("hint")) and isinstance(hint, OrderHint) and hint.event != "fill":
        pass
    assert isinstance(hint, OrderHint)
    assert hint.order == live.broker.order(ORDER.client_order_id)


@pytest.mark.fault("B1", "C3")
def test_a_fill_in_the_gap_of_a_drop_is_found_by_the_back_fill_after_it(
    live: Live,
) -> None:
    live.stream.start()
    live.next("connected")
    live.sockets.fault(stage="stream", action="refuse", path="trade_updates", count=1)
    live.sockets.fault(stage="stream", action="drop", path="trade_updates")
    live.next("dropped")
    assert isinstance(live.broker.submit(ORDER), Accepted)  # what no daemon does; the poll still finds it
    live.sockets.later(5)
    live.next("connected")
    found = live.broker.order(ORDER.client_order_id)
    assert found is not None
    assert found.state is OrderState.FILLED


@pytest.mark.fault("B2", "B5")
def test_a_stream_that_is_refused_again_and_again_is_lost_and_comes_back_by_itself(live: Live) -> None:
    live.stream.start()
    live.next("connected")
    live.sockets.fault(stage="stream", action="refuse", path="trade_updates", count=5)
    live.sockets.fault(stage="stream", action="drop", path="trade_updates")
    live.next("dropped")
    assert "429" in str(live.next("lost"))
    live.next("connected")
    assert live.stream.is_listening


def test_keys_that_the_exchange_refuses_never_listen(live: Live) -> None:
    live.sockets.fault(stage="stream", action="auth_refuse", path="trade_updates", count=None)
    live.stream.start()
    assert "authenticate" in str(live.next("lost"))
    assert not live.stream.is_listening


@pytest.mark.fault("B6")
def test_a_second_socket_is_refused_while_the_first_one_sits(live: Live) -> None:
    live.stream.start()
    live.next("connected")
    second_news: SimpleQueue[tuple[str, object]] = SimpleQueue()
    second = order_stream(live.sockets.stream_url, second_news)
    second.start()
    word, reason = second_news.get(timeout=8)
    assert second.stop()
    assert (word, "429" in str(reason)) == ("lost", True)
    assert live.stream.is_listening


@pytest.mark.fault("C1", "C2")
@pytest.mark.invariant("V10")
def test_doubled_and_shuffled_frames_end_in_what_rest_says(live: Live) -> None:
    live.sockets.control("state", habits={"partial_fill_frac": 1.0})
    for action in ("duplicate", "reorder"):
        live.sockets.fault(stage="stream", action=action, path="trade_updates", count=20)
    live.stream.start()
    live.next("connected")
    live.broker.submit(ORDER)
    ours = ORDER
    while ours.state is not OrderState.FILLED:
        live.sockets.later(5)
        hint = live.next("hint")
        assert isinstance(hint, OrderHint)
        assert hint.order is not None
        news = hint.order
        ours = learned(ours, news.state, news.filled_quantity, news.filled_price, news.broker_order_id)
    truth = live.broker.order(ORDER.client_order_id)
    assert truth is not None
    assert (ours.filled_quantity, ours.filled_price) == (truth.filled_quantity, truth.filled_price)


def test_minute_bars_come_over_the_bar_stream(live: Live) -> None:
    news: SimpleQueue[object] = SimpleQueue()
    stream = BarStream(
        KEYS,
        live.sockets.bars_url,
        ("GLD", "SLV"),
        on_hint=news.put,
        on_connected=lambda: None,
        on_dropped=lambda _: None,
        on_lost=lambda _: None,
    )
    stream.start()
    assert stream.wait_listening()
    live.sockets.later(130)
    heard = news.get(timeout=8)
    assert isinstance(heard, MinuteBar)
    assert heard.start_at >= TEN
    assert stream.stop()


@pytest.mark.fault("A3")
@pytest.mark.invariant("V4")
@pytest.mark.parametrize("stage", ["before_apply", "after_apply"])
@pytest.mark.parametrize(
    "action", ["drop", "refuse", "hang", "cut", "drip", "504", "empty", "html", "redirect"]
)
def test_a_submit_whose_answer_is_lost_on_the_wire_leaves_one_order_at_most(
    live: Live, stage: str, action: str
) -> None:
    hasty = AlpacaBroker(KEYS, live.sockets.url, CallBudget(SystemClock().monotonic), whole_s=0.7)
    live.sockets.fault(stage=stage, action=action, method="POST", path="/v2/orders", seconds=1.5)
    assert isinstance(hasty.submit(ORDER), Unknown)
    hasty.close()
    assert isinstance(live.broker.submit(ORDER), Accepted)
    live.sockets.later(5)
    assert [held.quantity for held in live.broker.positions()] == [Decimal(40)]
    assert len(live.broker.orders()) == 1
