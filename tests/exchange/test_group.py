"""Orders that belong together: what fills, what ends with it, and what it holds meanwhile.

The tiny market stands at 100.00; a minute's low and high are put where an exit must or must not fill.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal as D
from typing import Any

import pytest
from alpaca.trading.enums import OrderClass, OrderSide, OrderStatus, TimeInForce
from alpaca.trading.requests import (
    GetOrderByIdRequest,
    GetOrdersRequest,
    LimitOrderRequest,
    MarketOrderRequest,
    StopLossRequest,
    TakeProfitRequest,
)

from qgtm.exchange.change import Replacement
from qgtm.exchange.core import Exchange
from qgtm.exchange.order import Exits, Order, Refusal
from qgtm.exchange.price import Shock
from qgtm.exchange.setting import Habits
from qgtm.exchange.state import dump, load, state_hash
from tests.exchange.sockets import Live, live
from tests.exchange.tiny import CLOSE, MINUTE, OPEN, Bench, TinyMarket

EXITS = Exits(profit=D(110), stop=D(90))
Make = Callable[..., Bench]


def enter(bench: Bench, **more: Any) -> tuple[Order, Order, Order]:
    """Buy with both exits and return the entry, the take-profit and the stop."""
    entry = bench.ask(**{"order_class": "bracket", "exits": EXITS, **more})
    assert isinstance(entry, Order), entry
    stop, profit = bench.exchange.legs[entry.id]
    return entry, profit, stop


def pair(bench: Bench, qty: object = 10) -> tuple[Order, Order]:
    """Put both exits of a position and return the take-profit and the stop."""
    profit = bench.ask("sell", qty, kind="limit", limit_price=D(110), order_class="oco", exits=EXITS)
    assert isinstance(profit, Order), profit
    return profit, bench.exchange.legs[profit.id][0]


def move(bench: Bench, low: object, high: object) -> None:
    """Let the next whole minute reach from `low` to `high`, and see its end."""
    begin = bench.now.replace(second=0) + MINUTE
    bench.market.set("GLD", begin, "100", str(high), str(low), "100")
    bench.exchange.shock(Shock("GLD", bench.now, bench.now, D(1)), bench.now)  # so that all look anew
    bench.run(minutes=3)


def statuses(*orders: Order) -> list[str]:
    return [order.status for order in orders]


def test_exits_wait_for_the_entry_and_then_work_for_what_it_filled(bench: Bench) -> None:
    entry, profit, stop = enter(bench)
    assert statuses(entry, profit, stop) == ["pending_new", "held", "held"]
    bench.run(seconds=5)
    assert statuses(entry, profit, stop) == ["filled", "new", "new"]
    assert (profit.side, profit.kind, profit.limit_price, profit.qty) == ("sell", "limit", D(110), D(10))
    assert (stop.side, stop.kind, stop.stop_price, stop.qty) == ("sell", "stop", D(90), D(10))
    assert profit.position_intent == stop.position_intent == "sell_to_close"


@pytest.mark.parametrize(
    ("low", "high", "ended"),
    [
        ("99", "111", ["filled", "canceled"]),
        ("89", "101", ["canceled", "filled"]),
        ("89", "111", ["canceled", "filled"]),  # both in one minute: the loss is assumed
        ("91", "109", ["new", "new"]),
    ],
)
def test_one_exit_fills_and_ends_the_other(bench: Bench, low: str, high: str, ended: list[str]) -> None:
    _, profit, stop = enter(bench)
    bench.run(seconds=5)
    move(bench, low, high)
    assert statuses(profit, stop) == ended
    sold = 10 if "filled" in ended else 0
    assert bench.exchange.truth.positions() == ({"GLD": D(10)} if not sold else {})


def test_short_entry_has_its_exits_the_other_way_round(bench: Bench) -> None:
    _, profit, stop = enter(bench, side="sell", exits=Exits(profit=D(90), stop=D(110)))
    bench.run(seconds=5)
    assert (profit.side, stop.position_intent) == ("buy", "buy_to_close")
    move(bench, "99", "111")
    assert statuses(profit, stop) == ["canceled", "filled"]
    assert bench.exchange.truth.positions() == {}


@pytest.mark.parametrize(("exits", "kind"), [(Exits(profit=D(110)), "limit"), (Exits(stop=D(90)), "stop")])
def test_oto_has_one_exit(bench: Bench, exits: Exits, kind: str) -> None:
    entry = bench.ask(order_class="oto", exits=exits)
    (leg,) = bench.exchange.legs[entry.id]
    bench.run(seconds=5)
    assert (leg.kind, leg.status) == (kind, "new")


def test_stop_with_a_limit_is_a_stop_limit(bench: Bench) -> None:
    _, _, stop = enter(bench, exits=Exits(profit=D(110), stop=D(90), stop_limit=D(89)))
    assert (stop.kind, stop.stop_price, stop.limit_price) == ("stop_limit", D(90), D(89))


def test_two_exits_hold_the_shares_once(bench: Bench) -> None:
    enter(bench)
    bench.run(seconds=5)
    (position,) = bench.exchange.positions(bench.now)
    assert (position.qty, position.qty_available) == (D(10), D(0))
    bench.exchange.cancel_all(bench.now)
    bench.run(seconds=1)
    assert bench.exchange.positions(bench.now)[0].qty_available == D(10)


def test_held_exits_hold_no_power(bench: Bench) -> None:
    before = bench.exchange.account(bench.now).held_usd
    enter(bench, kind="limit", limit_price=D(95))
    assert bench.exchange.account(bench.now).held_usd - before == D(950)


@pytest.mark.parametrize("which", [0, 1, 2])
def test_cancel_of_one_before_the_entry_filled_is_the_end_of_all(bench: Bench, which: int) -> None:
    group = enter(bench, kind="limit", limit_price=D(95))
    bench.run(seconds=1)
    assert isinstance(bench.exchange.cancel(group[which].id, bench.now), Order)
    bench.run(seconds=1)
    assert statuses(*group) == ["canceled"] * 3


def test_cancel_of_one_exit_ends_the_other_and_keeps_the_position(bench: Bench) -> None:
    entry, profit, stop = enter(bench)
    bench.run(seconds=5)
    bench.exchange.cancel(stop.id, bench.now)
    bench.run(seconds=1)
    assert statuses(entry, profit, stop) == ["filled", "canceled", "canceled"]
    assert bench.exchange.truth.positions() == {"GLD": D(10)}


def test_day_exits_expire_with_their_entry(bench: Bench) -> None:
    group = enter(bench, kind="limit", limit_price=D(95))
    bench.now = CLOSE + MINUTE
    bench.run(seconds=1)
    assert statuses(*group) == ["expired"] * 3


def test_entry_in_parts_gives_its_exits_no_work_before_the_last(make_bench: Make) -> None:
    bench = make_bench(habits=Habits(partial_fill_frac=0.0, refill_s=60.0))
    bench.market.size = 6
    entry, profit, stop = enter(bench)
    bench.run(seconds=5)
    assert statuses(entry, profit, stop) == ["partially_filled", "held", "held"]
    bench.run(minutes=2)
    assert statuses(entry, profit, stop) == ["filled", "new", "new"]


def test_exit_in_parts_leaves_the_other_what_is_open(make_bench: Make) -> None:
    bench = make_bench()
    _, profit, stop = enter(bench)
    bench.run(seconds=5)
    bench.market.volume = 40  # a tenth of the minute: four shares
    move(bench, "99", "111")
    assert (profit.filled_qty, profit.status) == (D(4), "partially_filled")
    assert (stop.qty, stop.status) == (D(6), "new")
    move(bench, "89", "101")
    assert statuses(profit, stop) == ["canceled", "filled"]
    assert bench.exchange.truth.positions() == {}


@pytest.mark.parametrize(
    ("low", "high", "ended"), [("99", "111", ["filled", "canceled"]), ("89", "101", ["canceled", "filled"])]
)
def test_oco_sells_a_position_once(bench: Bench, low: str, high: str, ended: list[str]) -> None:
    bench.buy()
    profit, stop = pair(bench)
    bench.run(seconds=1)
    assert statuses(profit, stop) == ["new", "new"]
    assert bench.exchange.positions(bench.now)[0].qty_available == 0
    move(bench, low, high)
    assert statuses(profit, stop) == ended
    assert bench.exchange.truth.positions() == {}


def test_oco_needs_a_position_and_a_bracket_needs_none(bench: Bench) -> None:
    refused = bench.ask("sell", 10, kind="limit", limit_price=D(110), order_class="oco", exits=EXITS)
    assert isinstance(refused, Refusal)
    assert "exit orders" in refused.message
    bench.buy()
    refused = bench.ask("sell", 10, order_class="bracket", exits=Exits(profit=D(90), stop=D(110)))
    assert isinstance(refused, Refusal)
    assert "entry orders" in refused.message


def test_replaced_exit_still_ends_the_other(bench: Bench) -> None:
    _, profit, stop = enter(bench)
    bench.run(seconds=5)
    new = bench.exchange.replace(stop.id, Replacement(stop_price=D(95)), bench.now)
    assert isinstance(new, Order)
    bench.run(seconds=1)
    assert statuses(stop, new, profit) == ["replaced", "new", "new"]
    assert bench.exchange.positions(bench.now)[0].qty_available == 0
    move(bench, "94", "101")
    assert statuses(new, profit) == ["filled", "canceled"]
    assert bench.exchange.truth.positions() == {}


def test_replaced_entry_hands_its_exits_on(bench: Bench) -> None:
    entry, profit, stop = enter(bench, kind="limit", limit_price=D(95))
    bench.run(seconds=1)
    new = bench.exchange.replace(entry.id, Replacement(limit_price=D(101), qty=D(12)), bench.now)
    assert isinstance(new, Order)
    bench.run(seconds=5)
    assert statuses(entry, new, profit, stop) == ["replaced", "filled", "new", "new"]
    assert profit.parent_id == new.id
    assert profit.qty == stop.qty == D(12)


def test_exit_whose_other_fills_while_it_is_replaced_is_rejected(make_bench: Make) -> None:
    bench = make_bench(habits=Habits(partial_fill_frac=0.0, cancel_s=600.0))
    _, profit, stop = enter(bench)
    bench.run(seconds=5)
    new = bench.exchange.replace(stop.id, Replacement(stop_price=D(95)), bench.now)
    assert isinstance(new, Order)
    bench.market.set("GLD", bench.now.replace(second=0) + MINUTE, "100", "111", "99", "100")
    bench.exchange.shock(Shock("GLD", bench.now, bench.now, D(1)), bench.now)
    bench.run(minutes=20)
    assert statuses(profit, stop, new) == ["filled", "canceled", "rejected"]
    assert bench.exchange.truth.positions() == {}


def test_close_all_ends_the_whole_group(bench: Bench) -> None:
    entry, profit, stop = enter(bench)
    bench.run(seconds=5)
    answers = bench.exchange.close_all(bench.now, cancel_orders=True)
    assert [isinstance(answer, Order) for _, answer in answers] == [True]
    bench.run(seconds=5)
    assert statuses(entry, profit, stop) == ["filled", "canceled", "canceled"]
    assert bench.exchange.truth.positions() == {}


def test_group_survives_a_restart(make_bench: Make) -> None:
    bench = make_bench()
    entry, *_ = enter(bench)
    bench.run(seconds=5)
    other = Exchange(bench.market, start=OPEN, habits=Habits(partial_fill_frac=0.0))
    load(other, dump(bench.exchange))
    assert state_hash(other) == state_hash(bench.exchange)
    bench.exchange = other
    move(bench, "89", "101")
    assert [leg.status for leg in other.legs[entry.id]] == ["filled", "canceled"]


def test_group_queued_overnight_begins_at_the_open(make_bench: Make) -> None:
    bench = make_bench(OPEN - timedelta(hours=10))
    entry, profit, stop = enter(bench)
    assert statuses(entry, profit, stop) == ["accepted", "held", "held"]
    bench.now = OPEN
    bench.run(seconds=5)
    assert statuses(entry, profit, stop) == ["filled", "new", "new"]


@pytest.fixture
def served() -> Iterator[Live]:
    start = OPEN + 10 * MINUTE
    with live(Exchange(TinyMarket(), start=start, habits=Habits(partial_fill_frac=0.0))) as found:
        yield found


def test_library_places_a_bracket_and_reads_its_legs(served: Live) -> None:
    asked = MarketOrderRequest(
        symbol="GLD",
        qty=10,
        side=OrderSide.BUY,
        time_in_force=TimeInForce.GTC,
        order_class=OrderClass.BRACKET,
        take_profit=TakeProfitRequest(limit_price=110),
        stop_loss=StopLossRequest(stop_price=90),
    )
    order = served.trading.submit_order(asked)
    assert [(leg.type.value, leg.status) for leg in order.legs] == [
        ("limit", OrderStatus.HELD),
        ("stop", OrderStatus.HELD),
    ]
    served.later()
    assert served.trading.get_order_by_id(order.id).legs is None
    nested = served.trading.get_order_by_id(order.id, GetOrderByIdRequest(nested=True))
    assert [leg.status for leg in nested.legs] == [OrderStatus.NEW, OrderStatus.NEW]
    assert len(served.trading.get_orders(GetOrdersRequest(status="all"))) == 3
    (rolled,) = served.trading.get_orders(GetOrdersRequest(status="all", nested=True))
    assert len(rolled.legs) == 2
    assert len(served.trading.get_orders(GetOrdersRequest(nested=True))) == 2  # the entry is closed


def test_library_places_two_exits_of_a_position(served: Live) -> None:
    market = MarketOrderRequest(symbol="GLD", qty=10, side=OrderSide.BUY, time_in_force=TimeInForce.DAY)
    served.trading.submit_order(market)
    served.later()
    asked = LimitOrderRequest(
        symbol="GLD",
        qty=10,
        side=OrderSide.SELL,
        time_in_force=TimeInForce.GTC,
        order_class=OrderClass.OCO,
        take_profit=TakeProfitRequest(limit_price=110),
        stop_loss=StopLossRequest(stop_price=90, limit_price=89.5),
    )
    order = served.trading.submit_order(asked)
    assert (order.order_class, order.limit_price) == (OrderClass.OCO, "110")
    assert [(leg.type.value, leg.stop_price, leg.limit_price) for leg in order.legs] == [
        ("stop_limit", "90", "89.5")
    ]


def test_larger_replacement_holds_its_shares_before_it_is_there(make_bench: Make) -> None:
    bench = make_bench(habits=Habits(partial_fill_frac=0.0, cancel_s=60.0))
    bench.buy(10)
    old = bench.ask("sell", 5, kind="limit", limit_price=D(110))
    bench.run(seconds=1)
    assert isinstance(bench.exchange.replace(old.id, Replacement(qty=D(8)), bench.now), Order)
    assert bench.exchange.positions(bench.now)[0].qty_available == 2
    assert isinstance(bench.ask("sell", 3), Refusal)
