"""Every reason for which the exchange refuses an order, with Alpaca's status and code."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal as D
from typing import Any

import pytest

from qgtm.exchange.order import Exits, Order, OrderRequest, Refusal
from qgtm.exchange.price import Shock
from qgtm.exchange.setting import Switches

OPEN = datetime(2024, 3, 12, 13, 30, tzinfo=UTC)
NEW_YORK_MIDNIGHT = datetime(2024, 3, 12, 4, 0, tzinfo=UTC)


def refusal(answer: object) -> tuple[int, int]:
    assert isinstance(answer, Refusal), answer
    return answer.status, answer.code


BRACKET = {"order_class": "bracket", "exits": Exits(profit=D(110), stop=D(90))}
FORM = [
    ({"side": "hold"}, 40010001, "side"),
    ({"kind": "limit"}, 40010001, "limit orders require only limit price"),
    ({"limit_price": D(100)}, 40010001, "market orders require no"),
    ({"kind": "limit", "limit_price": D(100), "stop_price": D(99)}, 40010001, "only limit price"),
    ({"kind": "stop"}, 40010001, "stop orders require only stop price"),
    ({"kind": "stop_limit", "stop_price": D(99)}, 40010001, "both stop and limit"),
    ({"kind": "trailing_stop"}, 40010001, "trail"),
    ({"kind": "trailing_stop", "trail_price": D(1), "trail_percent": D(1)}, 40010001, "trail"),
    ({"qty": D(0)}, 40010001, "qty must be > 0"),
    ({"qty": D(-1)}, 40010001, "qty must be > 0"),
    ({"qty": D("NaN")}, 40010001, "qty must be > 0"),
    ({"qty": D("1e15")}, 40010001, "qty must be > 0"),
    ({"qty": D(1), "notional": D(100)}, 40010001, "exactly one of"),
    ({"qty": D("0.30000000000000004")}, 42210000, "9 decimal"),
    ({"qty": D("1.5"), "kind": "limit", "limit_price": D(100)}, 42210000, "fractional"),
    ({"qty": D("1.5"), "time_in_force": "gtc"}, 42210000, "fractional orders must be DAY"),
    ({"kind": "limit", "limit_price": D("100.001")}, 42210000, "sub-penny"),
    ({"kind": "limit", "limit_price": D("-1")}, 40010001, "limit_price must be > 0"),
    ({"kind": "limit", "limit_price": D("Infinity")}, 40010001, "limit_price must be > 0"),
    ({"kind": "stop", "stop_price": D("99"), "time_in_force": "ioc"}, 42210000, "time_in_force"),
    ({"extended_hours": True}, 42210000, "extended hours order must be"),
    ({"client_order_id": "x" * 129}, 40010001, "128"),
    ({"order_class": "mleg"}, 42210000, "order_class mleg is not offered here"),
    ({"order_class": "bracket"}, 42210000, "both of take_profit.limit_price and stop_loss.stop_price"),
    ({"order_class": "bracket", "exits": Exits(profit=D(110))}, 42210000, "both of"),
    ({"order_class": "oto", "exits": Exits(profit=D(110), stop=D(90))}, 42210000, "either of"),
    ({"order_class": "oto", "exits": Exits(stop_limit=D(90))}, 42210000, "either of"),
    ({"exits": Exits(stop=D(90))}, 42210000, "need the order_class"),
    ({**BRACKET, "time_in_force": "ioc"}, 42210000, "DAY or GTC"),
    ({**BRACKET, "qty": D("0.5")}, 42210000, "simple orders"),
    ({**BRACKET, "qty": None, "notional": D(100)}, 42210000, "simple orders"),
    ({**BRACKET, "kind": "stop", "stop_price": D(101)}, 42210000, "market or limit"),
    ({**BRACKET, "order_class": "oco"}, 42210000, "must be limit"),
    ({**BRACKET, "exits": Exits(profit=D("110.001"), stop=D(90))}, 42210000, "take_profit.limit_price"),
    ({**BRACKET, "exits": Exits(profit=D(110), stop=D("-1"))}, 40010001, "stop_loss.stop_price"),
    ({**BRACKET, "exits": Exits(profit=D(90), stop=D(110))}, 42210000, "take_profit.limit_price must be >"),
    ({**BRACKET, "exits": Exits(profit=D(100), stop=D(90))}, 42210000, "take_profit.limit_price must be >="),
    ({**BRACKET, "exits": Exits(profit=D(110), stop=D(100))}, 42210000, "stop_loss.stop_price must be <="),
    ({**BRACKET, "side": "sell"}, 42210000, "take_profit.limit_price must be <"),
    ({"symbol": "TSLA"}, 42210000, "not found"),
]


@pytest.mark.parametrize(("change", "code", "words"), FORM)
def test_order_of_a_wrong_form_is_refused_with_its_code(
    bench: Any, change: dict[str, Any], code: int, words: str
) -> None:
    answer = bench.exchange.submit(
        OrderRequest(**{"symbol": "GLD", "side": "buy", "qty": D(10), **change}), bench.now
    )
    assert refusal(answer) == (422, code)
    assert words in answer.message
    assert bench.exchange.orders("all") == []


def test_notional_below_a_dollar_is_refused(bench: Any) -> None:
    assert refusal(bench.ask(notional=D("0.99"))) == (403, 40310000)


def test_client_order_id_is_taken_for_ever_also_after_a_cancel(bench: Any) -> None:
    order = bench.ask("buy", 1, kind="limit", limit_price=D(90), client_order_id="once")
    bench.run(seconds=1)
    bench.exchange.cancel(order.id, bench.now)
    bench.run(days=30)
    assert order.status == "canceled"
    answer = bench.ask("buy", 1, client_order_id="once")
    assert refusal(answer) == (422, 40010001)
    assert answer.message == "client_order_id must be unique"


def test_resend_of_a_taken_id_hears_of_the_id_whatever_else_would_refuse_it(bench: Any) -> None:
    bench.ask("buy", 10, client_order_id="mine")
    bench.run(seconds=1)
    bench.exchange.configure(Switches(suspend_trade=True), bench.now)
    answer = bench.ask("sell", 10_000, client_order_id="mine")
    assert "unique" in answer.message


def test_order_beyond_the_buying_power_is_refused_and_open_orders_count(bench: Any) -> None:
    # 2 x 250,000 of buying power; a market buy above $50 needs 2.5% on top of the ask
    most = int(D(500_000) / (D("100.01") * D("1.025")))
    assert refusal(bench.ask("buy", most + 1)) == (403, 40310000)
    order = bench.ask("buy", most, kind="limit", limit_price=D("90"))
    assert isinstance(order, Order)
    held = most * 90
    left = int((D(500_000) - held) / (D("100.01") * D("1.025")))
    assert refusal(bench.ask("buy", left + 1, symbol="SLV")) == (403, 40310000)
    assert isinstance(bench.ask("buy", left, symbol="SLV"), Order)


def test_short_sale_needs_three_percent_more_than_the_ask(bench: Any) -> None:
    most = int(D(500_000) / (D("100.01") * D("1.03")))
    assert refusal(bench.ask("sell", most + 1)) == (403, 40310000)
    assert isinstance(bench.ask("sell", most), Order)


def test_margin_is_half_of_each_position_and_buying_power_twice_the_excess(bench: Any) -> None:
    bench.buy(1000)
    view = bench.exchange.account(bench.now)
    assert (view.long_market_value, view.initial_margin, view.maintenance_margin) == (
        D(100_000),
        D(50_000),
        D(30_000),
    )
    assert view.equity == D(250_000) - 1000 * D("0.01")
    assert view.buying_power == 2 * (view.equity - D(50_000))


def test_one_order_cannot_take_a_position_through_zero(bench: Any) -> None:
    bench.buy(1)
    answer = bench.ask("sell", 2)
    assert refusal(answer) == (403, 40310000)
    assert "(requested: 2, available: 1)" in answer.message
    bench.ask("sell", 1)
    bench.run(seconds=5)
    bench.ask("sell", 3)
    bench.run(seconds=5)
    assert bench.exchange.truth.positions() == {"GLD": D(-3)}
    assert refusal(bench.ask("buy", 4)) == (403, 40310000)


def test_open_sell_holds_its_shares_and_names_itself_to_the_next(bench: Any) -> None:
    bench.buy(10)
    first = bench.ask("sell", 8, kind="limit", limit_price=D("120"))
    answer = bench.ask("sell", 3)
    assert refusal(answer) == (403, 40310000)
    assert answer.details == {
        "symbol": "GLD",
        "available": "2",
        "existing_qty": "10",
        "held_for_orders": "8",
        "related_orders": [first.id],
    }
    position = bench.exchange.position("GLD", bench.now)
    assert (position.qty, position.qty_available) == (D(10), D(2))


def test_opposite_open_order_makes_a_wash_trade_until_its_cancel_is_done(bench: Any) -> None:
    bench.buy(10)
    buy = bench.ask("buy", 1, kind="limit", limit_price=D(90))
    assert refusal(bench.ask("sell", 10)) == (403, 40310000)
    bench.run(seconds=1)
    bench.exchange.cancel(buy.id, bench.now)
    answer = bench.ask("sell", 10)
    assert answer.details["existing_order_id"] == buy.id
    bench.run(seconds=1)
    assert isinstance(bench.ask("sell", 10), Order)


def test_position_intent_guards_against_the_wrong_side(bench: Any) -> None:
    answer = bench.ask("sell", 10, position_intent="sell_to_close")
    assert refusal(answer) == (422, 42210000)
    assert answer.message == "position intent mismatch. inferred sell to open"
    bench.buy(10)
    assert refusal(bench.ask("buy", 10, position_intent="buy_to_close")) == (422, 42210000)
    assert isinstance(bench.ask("sell", 10, position_intent="sell_to_close"), Order)


@pytest.mark.parametrize(
    ("switches", "side", "status"),
    [
        (Switches(suspend_trade=True), "buy", 403),
        (Switches(trading_blocked=True), "buy", 403),
        (Switches(account_blocked=True), "buy", 403),
        (Switches(no_shorting=True), "sell", 403),
        (Switches(max_margin_multiplier=D(1)), "sell", 403),
    ],
)
def test_account_switch_refuses_the_order(bench: Any, switches: Switches, side: str, status: int) -> None:
    bench.exchange.configure(switches, bench.now)
    assert refusal(bench.ask(side, 1))[0] == status


def test_cash_account_buys_for_its_cash_only(bench: Any) -> None:
    bench.exchange.configure(Switches(max_margin_multiplier=D(1)), bench.now)
    assert refusal(bench.ask("buy", 2500, kind="limit", limit_price=D("100.10"))) == (403, 40310000)
    assert isinstance(bench.ask("buy", 2497, kind="limit", limit_price=D("100.10")), Order)


def test_no_fractional_short(bench: Any) -> None:
    assert refusal(bench.ask("sell", "0.5")) == (422, 42210000)


@pytest.mark.parametrize(
    ("price", "limit", "is_taken"),
    [("100", "103", True), ("100", "103.01", False), ("40", "42", True), ("40", "42.01", False),
     ("20", "22", True), ("20", "22.01", False)],
)  # fmt: skip
def test_limit_far_through_the_market_is_refused_by_price_band(
    bench: Any, price: str, limit: str, is_taken: bool
) -> None:
    bench.market.price = D(price)
    answer = bench.ask("buy", 1, kind="limit", limit_price=D(limit))
    assert isinstance(answer, Order) is is_taken


def test_position_beyond_six_times_equity_leaves_only_closing_orders(bench: Any) -> None:
    bench.ask("sell", 2400)
    bench.run(seconds=20)
    bench.exchange.shock(Shock("GLD", bench.now, None, D("1.8")), bench.now)
    bench.run(seconds=1)
    # equity 250,000 - 2400 x 80 = 58,000 less the spread; the short is worth 432,000 = 7.4 times that
    answer = bench.ask("buy", 1, symbol="SLV")
    assert refusal(answer) == (403, 40310000)
    assert "600%" in answer.message
    assert isinstance(bench.ask("buy", 100), Order)


def at(hour: float, day: int = 0) -> datetime:
    return NEW_YORK_MIDNIGHT + timedelta(days=day, hours=hour)


HOURS = [
    # New York hour on Tuesday 2024-03-12, request, accepted?
    (10.0, {}, True),
    (15.99, {}, True),
    (16.0, {}, False),
    (18.99, {}, False),
    (19.0, {}, True),
    (3.0, {}, True),
    (16.5, {"kind": "limit", "limit_price": D(100), "extended_hours": True}, True),
    (16.5, {"kind": "limit", "limit_price": D(100), "time_in_force": "gtc"}, False),
    (9.46, {"time_in_force": "opg"}, True),
    (9.47, {"time_in_force": "opg"}, False),
    (18.9, {"time_in_force": "opg"}, False),
    (19.0, {"time_in_force": "opg"}, True),
    (15.83, {"time_in_force": "cls"}, True),
    (15.84, {"time_in_force": "cls"}, False),
    (19.0, {"time_in_force": "cls"}, True),
]


@pytest.mark.parametrize(("hour", "more", "is_taken"), HOURS)
def test_hour_decides_what_is_taken(
    make_bench: Any, hour: float, more: dict[str, Any], is_taken: bool
) -> None:
    bench = make_bench(at(hour))
    answer = bench.ask("buy", 1, **more)
    assert isinstance(answer, Order) is is_taken, answer


def test_half_day_closes_at_one_and_refuses_from_then_on(make_bench: Any) -> None:
    friday = datetime(2024, 11, 29, 17, 55, tzinfo=UTC)  # 12:55 New York, the day after Thanksgiving
    bench = make_bench(friday)
    assert bench.ask("buy", 1).expires_at == datetime(2024, 11, 29, 18, 0, tzinfo=UTC)
    bench.at(minutes=10)
    assert refusal(bench.ask("buy", 1, symbol="SLV"))[0] == 422


@pytest.mark.parametrize("hour", [4.5, 17.0, 21.0])
def test_extended_order_fills_before_after_and_overnight(make_bench: Any, hour: float) -> None:
    bench = make_bench(at(hour))
    order = bench.ask("buy", 1, kind="limit", limit_price=D(101), extended_hours=True)
    bench.run(seconds=1)
    assert order.status == "filled"


def test_overnight_trading_can_be_switched_off(make_bench: Any) -> None:
    bench = make_bench(at(21.0), switches=Switches(disable_overnight_trading=True))
    order = bench.ask("buy", 1, kind="limit", limit_price=D(101), extended_hours=True)
    bench.run(seconds=1)
    assert order.status == "accepted"
    bench.exchange.advance(at(28.0))
    assert order.status == "filled"


def test_week_begins_on_sunday_evening_for_extended_orders(make_bench: Any) -> None:
    bench = make_bench(at(12.0, day=4))  # Saturday noon
    order = bench.ask("buy", 1, kind="limit", limit_price=D(101), extended_hours=True)
    bench.exchange.advance(at(19.9, day=5))
    assert order.status == "accepted"
    bench.exchange.advance(at(20.0, day=5))
    assert order.status == "filled"
