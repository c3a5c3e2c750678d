"""What every broker and feed must hold to: over alpaca-py's wire, and the replay's own, on one exchange."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from qgtm.adapters.alpaca_broker import AlpacaBroker
from qgtm.adapters.alpaca_client import Keys
from qgtm.adapters.alpaca_feed import AlpacaFeed
from qgtm.adapters.calendar import xnys
from qgtm.adapters.call_budget import CallBudget
from qgtm.adapters.clock import ManualClock, SystemClock
from qgtm.core.errors import BrokerError, FeedError
from qgtm.core.order import Order, OrderState, Side
from qgtm.core.outcome import Accepted, Rejected, Unknown
from qgtm.exchange.core import Exchange
from qgtm.exchange.gate import Gate, Now
from qgtm.exchange.in_process import ExchangeAdapter
from qgtm.exchange.market.synthetic import SyntheticMarket
from qgtm.exchange.setting import Habits, Switches
from qgtm.ports import Broker, BrokerOrder, Feed
from qgtm.simulation.direct import DirectBroker, DirectFeed
from tests.contracts.exchange_on_sockets import OnSockets, on_sockets

URL = "http://127.0.0.1:8701"  # nobody listens there: the adapter answers
KEYS = Keys("PKTEST", "a-secret-that-must-not-show")
TEN = datetime(2024, 1, 5, 15, tzinfo=UTC)  # Friday 10:00 in New York
MARKET = SyntheticMarket(3, date(2023, 11, 1))


@dataclass
class Scene:
    """One exchange, a clock that stands, and whoever talks to it."""

    exchange: Exchange
    clock: ManualClock
    broker: Broker
    feed: Feed
    gate: Gate | None = None
    sockets: OnSockets | None = None

    def later(self, seconds: float) -> None:
        self.clock.wait(seconds)
        if self.sockets is None:
            self.exchange.catch_up(self.clock.now())
        else:
            self.sockets.later(seconds)

    def deposit(self, amount: Decimal) -> None:
        if self.sockets is None:
            self.exchange.deposit(amount, self.clock.now())
        else:
            self.sockets.control("state", deposit=str(amount))

    def ask(self, symbol: str = "GLD") -> Decimal:
        quote = MARKET.quote(symbol, self.clock.now())
        assert quote is not None
        return quote.ask

    def found(self, order: Order) -> BrokerOrder:
        found = self.broker.order(order.client_order_id)
        assert found is not None
        return found


def closes_at(session: date) -> datetime | None:
    found = xnys().session_on(session)
    return found.close_at if found else None


def new_exchange() -> Exchange:
    return Exchange(MARKET, start=TEN, habits=Habits(partial_fill_frac=0.0))


def direct_scene() -> Scene:
    exchange, clock = new_exchange(), ManualClock(TEN)
    return Scene(exchange, clock, DirectBroker(exchange, MARKET, clock), DirectFeed(MARKET, clock))


def wire_scene() -> Scene:
    exchange, clock = new_exchange(), ManualClock(TEN)
    gate, budget = Gate(exchange), CallBudget(clock.monotonic)

    def read_now() -> Now:
        return Now(clock.now(), clock.monotonic(), clock.now().timestamp())

    adapter = ExchangeAdapter(gate, read_now)
    broker = AlpacaBroker(KEYS, URL, budget, adapter=adapter)
    feed = AlpacaFeed(KEYS, URL, budget, now=clock.now, closes_at=closes_at, adapter=adapter)
    return Scene(exchange, clock, broker, feed, gate)


@contextmanager
def socket_scene() -> Iterator[Scene]:
    exchange, clock, budget = new_exchange(), ManualClock(TEN), CallBudget(SystemClock().monotonic)
    with on_sockets(exchange) as sockets:
        broker = AlpacaBroker(KEYS, sockets.url, budget)
        feed = AlpacaFeed(KEYS, sockets.url, budget, now=clock.now, closes_at=closes_at)
        yield Scene(exchange, clock, broker, feed, sockets=sockets)
        broker.close()
        feed.close()


@pytest.fixture(params=["direct", "wire", "sockets"])
def scene(request: pytest.FixtureRequest) -> Iterator[Scene]:
    if request.param == "sockets":
        with socket_scene() as found:
            yield found
    else:
        yield direct_scene() if request.param == "direct" else wire_scene()


@pytest.fixture
def wire() -> Scene:
    return wire_scene()


def order(number: int = 1, **changes: Any) -> Order:
    wanted: dict[str, Any] = {
        "client_order_id": f"qgtm-1-rebalance-20240105-GLD-{number}",
        "symbol": "GLD",
        "side": Side.BUY,
        "quantity": Decimal(10),
        "limit_price": None,
        "arrival_price": Decimal(100),
        "formed_at": TEN,
    }
    return Order(**(wanted | changes))


# --- both ---------------------------------------------------------------------------------------


def test_an_order_is_accepted_fills_and_makes_a_position(scene: Scene) -> None:
    outcome = scene.broker.submit(order())
    assert isinstance(outcome, Accepted)
    scene.later(2)
    found = scene.found(order())
    assert found.broker_order_id == outcome.broker_order_id
    assert (found.state, found.filled_quantity, found.side) == (OrderState.FILLED, Decimal(10), Side.BUY)
    (held,) = scene.broker.positions()
    assert (held.symbol, held.quantity, held.available) == ("GLD", Decimal(10), Decimal(10))
    assert held.mean_entry_price == found.filled_price
    spent = Decimal(250_000) - scene.broker.account().cash_usd
    assert spent == Decimal(10) * found.filled_price


def test_an_order_far_from_the_market_works_until_it_is_cancelled(scene: Scene) -> None:
    waiting = order(limit_price=(scene.ask() * Decimal("0.93")).quantize(Decimal("0.01")))
    outcome = scene.broker.submit(waiting)
    assert isinstance(outcome, Accepted)
    scene.later(60)
    assert scene.found(waiting).state is OrderState.WORKING
    assert [one.client_order_id for one in scene.broker.orders(is_open=True)] == [waiting.client_order_id]
    assert scene.broker.cancel(outcome.broker_order_id)
    scene.later(5)
    assert scene.found(waiting).state is OrderState.CANCELED
    assert scene.broker.orders(is_open=True) == ()
    assert not scene.broker.cancel(outcome.broker_order_id)


def test_all_resting_orders_are_cancelled_by_one_call_whoever_made_them(scene: Scene) -> None:
    for number in (1, 2):
        far = (scene.ask() * Decimal("0.93")).quantize(Decimal("0.01"))
        assert isinstance(scene.broker.submit(order(number, limit_price=far)), Accepted)
    scene.later(5)
    assert len(scene.broker.orders(is_open=True)) == 2
    scene.broker.cancel_all()
    scene.later(5)
    assert scene.broker.orders(is_open=True) == ()
    scene.broker.cancel_all()  # with nothing at work it does no harm


def test_broker_closes_everything_itself_on_the_last_rung(scene: Scene) -> None:
    assert isinstance(scene.broker.submit(order()), Accepted)
    scene.later(60)
    assert scene.broker.positions()
    scene.broker.close_all()
    scene.later(60)
    assert scene.broker.positions() == ()


@pytest.mark.fault("A7")
def test_an_order_beyond_the_buying_power_is_rejected_with_a_code(scene: Scene) -> None:
    outcome = scene.broker.submit(order(quantity=Decimal(40_000)))
    assert isinstance(outcome, Rejected)
    assert outcome.code == 40310000
    assert scene.broker.order(order().client_order_id) is None


@pytest.mark.fault("C12")
def test_a_closing_order_cannot_open_a_position(scene: Scene) -> None:
    outcome = scene.broker.submit(order(side=Side.SELL, is_reducing=True))
    assert isinstance(outcome, Rejected)
    scene.later(5)
    assert scene.broker.positions() == ()


@pytest.mark.fault("C12")
@pytest.mark.invariant("V8")
def test_a_closing_order_cannot_turn_a_position_around(scene: Scene) -> None:
    scene.broker.submit(order())
    scene.later(2)
    too_many = order(2, side=Side.SELL, is_reducing=True, quantity=Decimal(11))
    assert isinstance(scene.broker.submit(too_many), Rejected)
    all_of_it = replace(too_many, client_order_id="qgtm-1-flatten-20240105-GLD-3", quantity=Decimal(10))
    assert isinstance(scene.broker.submit(all_of_it), Accepted)
    scene.later(2)
    assert scene.broker.positions() == ()


def test_a_short_is_a_negative_position(scene: Scene) -> None:
    scene.broker.submit(order(side=Side.SELL))
    scene.later(2)
    (held,) = scene.broker.positions()
    assert held.quantity == Decimal(-10)


def test_orders_are_listed_oldest_first_and_later_than_asked(scene: Scene) -> None:
    for number in range(1, 6):
        scene.broker.submit(order(number))
        scene.later(1)
    ids = [order(number).client_order_id for number in range(1, 6)]
    assert [one.client_order_id for one in scene.broker.orders()] == ids
    since = TEN + timedelta(seconds=1, milliseconds=500)
    assert [one.client_order_id for one in scene.broker.orders(after=since)] == ids[2:]


def test_an_id_that_nobody_used_has_no_order(scene: Scene) -> None:
    assert scene.broker.order("qgtm-1-rebalance-20240105-GLD-99") is None


def test_the_clock_says_open_and_when_it_closes(scene: Scene) -> None:
    clock = scene.broker.clock()
    assert (clock.now, clock.is_open) == (TEN, True)
    assert clock.next_close_at == datetime(2024, 1, 5, 21, tzinfo=UTC)
    assert clock.next_open_at == datetime(2024, 1, 8, 14, 30, tzinfo=UTC)


def test_a_fresh_account_holds_its_cash_and_is_not_blocked(scene: Scene) -> None:
    account = scene.broker.account()
    assert account.cash_usd == account.equity_usd == account.last_equity_usd == Decimal(250_000)
    assert account.status == "ACTIVE"
    assert account.is_shorting_enabled
    assert not account.is_blocked


@pytest.mark.fault("C17")
def test_cash_flows_are_deposits_and_withdrawals_and_no_fills(scene: Scene) -> None:
    scene.broker.submit(order())
    scene.later(5)
    scene.deposit(Decimal("1500.25"))
    scene.later(5)
    scene.deposit(Decimal(-300))
    scene.later(5)
    flows = scene.broker.cash_flows(date(2024, 1, 5))
    assert sorted((flow.kind, flow.amount_usd) for flow in flows) == [
        ("CSD", Decimal("1500.25")),
        ("CSW", Decimal(-300)),
    ]
    assert len({flow.activity_id for flow in flows}) == 2
    assert scene.broker.cash_flows(date(2024, 1, 6)) == ()


@pytest.mark.fault("D12")
def test_equity_history_is_the_equity_at_each_close_from_a_day_on(scene: Scene) -> None:
    scene.later(5)
    scene.deposit(Decimal("1500.25"))
    scene.later(5)
    assert scene.broker.equity_history(date(2024, 1, 5)) == {date(2024, 1, 5): Decimal("251500.25")}


def test_daily_bars_are_the_markets_own_and_end_before_the_open_session(scene: Scene) -> None:
    sets = scene.feed.daily(("GLD", "SLV", "GDX"), date(2023, 12, 26), date(2024, 1, 5))
    assert [one.session.day for one in sets] == [26, 27, 28, 29, 2, 3, 4]
    for one in sets:
        assert one.known_at == closes_at(one.session)
        for symbol, bar in one.bars.items():
            made = MARKET.daily(symbol, one.session)
            assert made is not None
            assert (Decimal(repr(bar.open)), Decimal(repr(bar.close))) == (made.open, made.close)
            assert (Decimal(repr(bar.high)), Decimal(repr(bar.low))) == (made.high, made.low)
            assert bar.volume == made.volume
        assert sorted(one.bars) == ["GDX", "GLD", "SLV"]


def test_quotes_are_the_markets_own_now(scene: Scene) -> None:
    scene.later(90)
    seen = scene.feed.quotes(("GLD", "SLV"))
    for symbol in ("GLD", "SLV"):
        made = MARKET.quote(symbol, scene.clock.now())
        assert made is not None
        assert (seen[symbol].bid, seen[symbol].ask) == (made.bid, made.ask)
        assert abs(seen[symbol].at - scene.clock.now()) <= timedelta(minutes=1)


# --- what only a wire can do wrong ----------------------------------------------------------------


def fault(wire: Scene, **what: Any) -> None:
    assert wire.gate is not None
    wire.gate.faults.add(what)


LOST = ["drop", "refuse", "504", "empty", "html", "cut", "redirect", "status"]


@pytest.mark.fault("A3", "A4", "A5")
@pytest.mark.parametrize("action", LOST)
@pytest.mark.parametrize("stage", ["before_apply", "after_apply"])
def test_a_submit_without_an_answer_is_unknown_and_settled_by_the_same_order(
    wire: Scene, stage: str, action: str
) -> None:
    fault(wire, stage=stage, action=action, method="POST", path="/v2/orders")
    assert isinstance(wire.broker.submit(order()), Unknown)
    wire.later(1)
    assert (wire.broker.order(order().client_order_id) is None) == (stage == "before_apply")
    assert isinstance(wire.broker.submit(order()), Accepted)  # the same id: taken once, whatever happened
    wire.later(5)
    assert len(wire.broker.orders()) == 1
    assert [held.quantity for held in wire.broker.positions()] == [Decimal(10)]


@pytest.mark.parametrize("action", LOST)
def test_a_read_without_an_answer_raises_and_the_next_one_is_fine(wire: Scene, action: str) -> None:
    for path, read in (("/v2/account", wire.broker.account), ("/v2/positions", wire.broker.positions)):
        fault(wire, stage="during_reply", action=action, path=path)
        with pytest.raises(BrokerError):
            read()
        read()
    fault(wire, stage="during_reply", action=action, path="/v2/stocks/bars")
    with pytest.raises(FeedError):
        wire.feed.daily(("GLD",), date(2024, 1, 2), date(2024, 1, 4))


@pytest.mark.fault("A3")
def test_a_cancel_that_got_lost_raises_and_may_be_asked_again(wire: Scene) -> None:
    waiting = order(limit_price=(wire.ask() * Decimal("0.93")).quantize(Decimal("0.01")))
    outcome = wire.broker.submit(waiting)
    assert isinstance(outcome, Accepted)
    wire.later(5)
    fault(wire, stage="after_apply", action="drop", method="DELETE")
    with pytest.raises(BrokerError):
        wire.broker.cancel(outcome.broker_order_id)
    wire.later(5)
    assert wire.found(waiting).state is OrderState.CANCELED


@pytest.mark.fault("A16")
def test_an_account_that_is_blocked_says_so_and_takes_no_order(wire: Scene) -> None:
    wire.exchange.configure(Switches(suspend_trade=True), wire.clock.now())
    assert wire.broker.account().is_blocked
    assert isinstance(wire.broker.submit(order()), Rejected)


@pytest.mark.fault("A6", "D8")
def test_the_accounts_own_call_limit_holds_ordinary_calls_back_and_never_a_cancel(wire: Scene) -> None:
    assert wire.gate is not None
    waiting = order(limit_price=(wire.ask() * Decimal("0.93")).quantize(Decimal("0.01")))
    outcome = wire.broker.submit(waiting)
    assert isinstance(outcome, Accepted)
    for _ in range(200):  # somebody else on the same account
        wire.gate.limiter.take(wire.clock.monotonic(), wire.clock.now().timestamp())
    held_back = wire.broker.submit(order(2))
    assert isinstance(held_back, Unknown)
    assert held_back.is_held_back
    seen = len(wire.exchange.truth.requests)
    with pytest.raises(BrokerError, match="call limit"):
        wire.broker.account()
    assert len(wire.exchange.truth.requests) == seen
    wire.later(61)
    assert wire.broker.account().cash_usd == Decimal(250_000)
    assert isinstance(wire.broker.submit(order(2)), Accepted)


@pytest.mark.fault("A8")
def test_a_held_sell_is_refused_while_another_holds_its_shares(wire: Scene) -> None:
    wire.broker.submit(order())
    wire.later(2)
    high = (wire.ask() * Decimal("1.04")).quantize(Decimal("0.01"))
    sell = order(2, side=Side.SELL, is_reducing=True, limit_price=high)
    assert isinstance(wire.broker.submit(sell), Accepted)
    wire.later(2)
    assert [held.available for held in wire.broker.positions()] == [Decimal(0)]
    second = wire.broker.submit(order(3, side=Side.SELL, is_reducing=True))
    assert isinstance(second, Rejected)
    assert second.code == 40310000


@pytest.mark.fault("A10")
def test_wrong_keys_are_refused_and_named_as_such(wire: Scene) -> None:
    from qgtm.exchange.wire import Keys as VenueKeys

    assert wire.gate is not None
    wire.gate.keys = VenueKeys("PKOTHER", "another")
    with pytest.raises(BrokerError, match="401"):
        wire.broker.account()
    outcome = wire.broker.submit(order())
    assert isinstance(outcome, Rejected)
    assert outcome.code == 40110000
