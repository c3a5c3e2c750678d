"""Orders from submit to end: fills, cancels, replaces, expiry, halts. Prices are worked out by hand."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D
from typing import Any

import pytest

from qgtm.exchange.change import Replacement
from qgtm.exchange.desk import Halt
from qgtm.exchange.order import NEXT_STATUS, TERMINAL, Order, OrderRequest, Refusal
from qgtm.exchange.price import Shock
from qgtm.exchange.setting import Habits, Switches

OPEN = datetime(2024, 3, 12, 13, 30, tzinfo=UTC)
CLOSE = datetime(2024, 3, 12, 20, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def kinds(updates: list[Any]) -> list[str]:
    return [update.kind for update in updates]


def test_market_order_in_the_session_fills_at_the_ask_and_moves_cash(bench: Any) -> None:
    order = bench.ask("buy", 10)
    assert order.status == "pending_new"
    assert kinds(bench.run(seconds=1)) == ["pending_new", "new", "fill"]
    assert (order.status, order.filled_avg_price) == ("filled", D("100.01"))
    assert bench.exchange.account(bench.now).cash == D("250000") - D("1000.10")
    assert bench.exchange.truth.positions() == {"GLD": D(10)}


def test_order_beyond_the_touch_fills_in_parts_two_seconds_apart(bench: Any) -> None:
    bench.market.size = 4
    order = bench.ask("buy", 10)
    assert kinds(bench.run(seconds=1)) == ["pending_new", "new", "partial_fill"]
    assert order.filled_qty == 4
    assert kinds(bench.run(seconds=6)) == ["partial_fill", "fill"]
    assert [e.qty for e in bench.exchange.executions()] == [D(4), D(4), D(2)]
    assert [e.leaves_qty for e in bench.exchange.executions()] == [D(6), D(2), D(0)]


def test_partial_fills_come_in_about_one_order_of_ten_and_are_the_same_on_every_run(make_bench: Any) -> None:
    def parted(seed: int) -> list[bool]:
        bench = make_bench(seed=seed, habits=Habits())
        orders = [bench.buy(10, symbol="GLD") for _ in range(60)]
        return [sum(e.order_id == o.id for e in bench.exchange.executions()) > 1 for o in orders]

    first = parted(7)
    assert first == parted(7)
    assert 1 <= sum(first) <= 15
    assert first != parted(8)


def test_resting_limit_fills_at_its_price_when_a_minute_trades_through_it(bench: Any) -> None:
    order = bench.ask("buy", 10, kind="limit", limit_price=D("99.50"))
    touched = OPEN + 20 * MINUTE
    bench.market.set("GLD", touched, "100", "100", "99.50", "100")  # at the price, not through it
    bench.market.set("GLD", touched + 5 * MINUTE, "100", "100", "99.40", "100")
    bench.run(minutes=14)
    assert order.status == "new"
    bench.run(minutes=10)
    assert (order.status, order.filled_avg_price) == ("filled", D("99.50"))
    assert order.filled_at == touched + 6 * MINUTE


def test_resting_limit_takes_a_tenth_of_the_minute_at_most(bench: Any) -> None:
    bench.market.volume = 50
    order = bench.ask("buy", 10, kind="limit", limit_price=D("99.50"))
    for n in (20, 30):
        bench.market.set("GLD", OPEN + n * MINUTE, "100", "100", "99", "100")
    bench.run(minutes=12)
    assert order.filled_qty == 5
    bench.run(minutes=10)
    assert order.status == "filled"


def test_marketable_limit_fills_at_the_ask_not_at_its_limit(bench: Any) -> None:
    order = bench.ask("buy", 10, kind="limit", limit_price=D("101"))
    bench.run(seconds=1)
    assert order.filled_avg_price == D("100.01")


def test_stop_is_elected_by_the_minute_and_then_sells_at_the_bid_of_that_moment(bench: Any) -> None:
    bench.buy(10)
    order = bench.ask("sell", 10, kind="stop", stop_price=D("95"))
    bench.market.set("GLD", OPEN + 30 * MINUTE, "100", "100", "94", "94.50")
    bench.run(minutes=30)
    assert (order.status, order.filled_avg_price) == ("filled", D("94.49"))


def test_stop_limit_waits_at_its_limit_after_a_fall_through_both(bench: Any) -> None:
    bench.buy(10)
    order = bench.ask("sell", 10, kind="stop_limit", stop_price=D("95"), limit_price=D("94.80"))
    bench.market.set("GLD", OPEN + 30 * MINUTE, "100", "100", "90", "90")
    bench.run(minutes=30)
    assert order.elected
    assert order.status == "new"
    bench.market.set("GLD", OPEN + 50 * MINUTE, "90", "96", "90", "96")
    bench.exchange.shock(Shock("GLD", bench.now, bench.now, D(1)), bench.now)  # look again: the path changed
    bench.run(minutes=30)
    assert order.filled_avg_price == D("94.80")


def test_trailing_stop_follows_the_high_and_sells_below_it(bench: Any) -> None:
    bench.buy(10)
    order = bench.ask("sell", 10, kind="trailing_stop", trail_price=D("2"))
    bench.market.set("GLD", OPEN + 20 * MINUTE, "100", "105", "100", "105")
    bench.run(minutes=15)
    assert (order.hwm, order.stop_price) == (D("105"), D("103"))
    bench.market.set("GLD", OPEN + 40 * MINUTE, "104", "104", "102.50", "102.50")
    bench.run(minutes=30)
    assert (order.status, order.filled_avg_price) == ("filled", D("102.49"))


def test_day_order_expires_at_the_close_and_gtc_order_lives_on(bench: Any) -> None:
    day = bench.ask("buy", 1, kind="limit", limit_price=D("90"))
    gtc = bench.ask("buy", 1, kind="limit", limit_price=D("90"), time_in_force="gtc")
    bench.exchange.advance(CLOSE + MINUTE)
    assert (day.status, day.expired_at) == ("expired", CLOSE)
    assert gtc.status == "new"
    bench.market.set("GLD", OPEN + timedelta(days=1, minutes=5), "91", "91", "89", "90.50")
    bench.exchange.advance(OPEN + timedelta(days=1, minutes=10))
    assert (gtc.status, gtc.filled_avg_price) == ("filled", D("90"))


def test_order_queued_overnight_is_accepted_and_fills_at_the_open(make_bench: Any) -> None:
    bench = make_bench(OPEN - timedelta(hours=10))
    order = bench.ask("buy", 10)
    assert order.status == "accepted"
    bench.exchange.advance(OPEN - timedelta(seconds=1))
    assert order.status == "accepted"
    bench.exchange.advance(OPEN)
    assert (order.status, order.filled_at) == ("filled", OPEN)


def test_auction_orders_fill_whole_at_the_official_price_without_spread(make_bench: Any) -> None:
    bench = make_bench(OPEN - timedelta(minutes=10))
    bench.market.size = 1
    at_open = bench.ask("buy", 50, time_in_force="opg")
    at_close = bench.ask("buy", 50, symbol="SLV", time_in_force="cls")
    bench.exchange.advance(CLOSE)
    assert (at_open.filled_avg_price, at_open.filled_at) == (D("100"), OPEN)
    assert (at_close.filled_avg_price, at_close.filled_at) == (D("100"), CLOSE)


def test_ioc_keeps_what_it_got_and_fok_takes_all_or_nothing(bench: Any) -> None:
    bench.market.size = 4
    ioc = bench.ask("buy", 10, time_in_force="ioc")
    fok = bench.ask("buy", 10, symbol="SLV", time_in_force="fok")
    bench.run(seconds=1)
    assert (ioc.status, ioc.filled_qty) == ("canceled", D(4))
    assert (fok.status, fok.filled_qty) == ("canceled", D(0))


def test_notional_order_buys_parts_of_a_share_rounded_down(bench: Any) -> None:
    order = bench.ask("buy", notional=D("500"))
    bench.run(seconds=1)
    assert order.status == "filled"
    assert order.filled_qty == D("4.999500049")  # 500 / 100.01 = 4.99950004999…
    assert bench.exchange.truth.cash() == D(250_000) - D("4.999500049") * D("100.01")


def test_cancel_is_asked_for_first_and_done_a_little_later(bench: Any) -> None:
    order = bench.ask("buy", 1, kind="limit", limit_price=D("90"))
    bench.run(seconds=1)
    answer = bench.exchange.cancel(order.id, bench.now)
    assert answer.status == "pending_cancel"
    assert kinds(bench.run(seconds=1)) == ["pending_cancel", "canceled"]
    refusal = bench.exchange.cancel(order.id, bench.now)
    assert (refusal.status, refusal.code) == (422, 42210000)


def test_fill_may_come_before_the_cancel_that_was_asked_for(make_bench: Any) -> None:
    bench = make_bench(habits=Habits(partial_fill_frac=0.0, cancel_s=120.0))
    order = bench.ask("buy", 1, kind="limit", limit_price=D("99"))
    bench.run(seconds=1)
    bench.exchange.cancel(order.id, bench.now)
    bench.market.set("GLD", OPEN + 11 * MINUTE, "99", "99", "98", "98")
    bench.exchange.shock(Shock("GLD", bench.now, bench.now, D(1)), bench.now)
    assert kinds(bench.run(minutes=2)) == ["pending_cancel", "fill"]
    assert order.status == "filled"


def test_slow_cancel_out_of_hours_stays_pending_until_the_next_open(make_bench: Any) -> None:
    bench = make_bench(OPEN - timedelta(hours=10), habits=Habits(slow_cancel_frac=1.0))
    order = bench.ask("buy", 1)
    bench.exchange.cancel(order.id, bench.now)
    bench.exchange.advance(OPEN - timedelta(seconds=1))
    assert order.status == "pending_cancel"
    bench.exchange.advance(OPEN)
    assert (order.status, order.filled_qty) == ("canceled", D(0))


def test_replace_gives_a_new_order_that_takes_over_what_is_open(bench: Any) -> None:
    old = bench.ask("buy", 10, kind="limit", limit_price=D("90"))
    bench.run(seconds=1)
    new = bench.exchange.replace(old.id, Replacement(limit_price=D("101"), qty=D(12)), bench.now)
    assert isinstance(new, Order)
    assert (new.replaces, old.status) == (old.id, "pending_replace")
    bench.run(seconds=1)
    assert (old.status, old.replaced_by) == ("replaced", new.id)
    assert (new.status, new.filled_qty) == ("filled", D(12))


def test_replacement_is_rejected_when_the_old_order_fills_first(make_bench: Any) -> None:
    bench = make_bench(habits=Habits(partial_fill_frac=0.0, cancel_s=150.0))
    old = bench.ask("buy", 10, kind="limit", limit_price=D("99"))
    bench.run(seconds=1)
    new = bench.exchange.replace(old.id, Replacement(limit_price=D("98")), bench.now)
    bench.market.set("GLD", OPEN + 11 * MINUTE, "99", "99", "98.50", "99")
    bench.exchange.shock(Shock("GLD", bench.now, bench.now, D(1)), bench.now)
    updates = kinds(bench.run(minutes=3))
    assert "order_replace_rejected" in updates
    assert (old.status, new.status) == ("filled", "rejected")
    assert bench.exchange.truth.positions() == {"GLD": D(10)}


@pytest.mark.parametrize("status", ["accepted", "pending_new", "pending_cancel"])
def test_replace_is_refused_while_the_order_is_not_working(make_bench: Any, status: str) -> None:
    bench = make_bench(OPEN - timedelta(hours=10) if status == "accepted" else OPEN + MINUTE)
    order = bench.ask("buy", 1, kind="limit", limit_price=D("99"))
    if status == "pending_cancel":
        bench.exchange.cancel(order.id, bench.now)
    assert order.status == status
    answer = bench.exchange.replace(order.id, Replacement(limit_price=D("98")), bench.now)
    assert isinstance(answer, Refusal)
    assert answer.status == 422


@pytest.mark.parametrize(
    ("wanted", "status", "word"),
    [
        (Replacement(qty=D(6000)), 403, "buying power"),
        (Replacement(limit_price=D("104")), 403, "through the market"),
        (Replacement(time_in_force="fok", limit_price=D("1e9")), 422, "limit_price"),
        (Replacement(time_in_force="opg"), 422, "opg"),
    ],
)
def test_replacement_obeys_the_rules_of_a_new_order(
    bench: Any, wanted: Replacement, status: int, word: str
) -> None:
    old = bench.ask("buy", 10, kind="limit", limit_price=D("99"))
    bench.run(seconds=1)
    answer = bench.exchange.replace(old.id, wanted, bench.now)
    assert isinstance(answer, Refusal)
    assert answer.status == status
    assert word in answer.message
    assert old.status == "new"


def test_suspended_account_replaces_nothing(bench: Any) -> None:
    old = bench.ask("buy", 10, kind="limit", limit_price=D("99"))
    bench.run(seconds=1)
    bench.exchange.configure(Switches(suspend_trade=True), bench.now)
    answer = bench.exchange.replace(old.id, Replacement(qty=D(5)), bench.now)
    assert isinstance(answer, Refusal)
    assert answer.status == 403


def test_replacement_of_a_part_filled_order_holds_power_for_the_open_part_only(make_bench: Any) -> None:
    bench = make_bench(habits=Habits(partial_fill_frac=0.0, refill_s=600.0))
    bench.market.size = 40
    old = bench.ask("buy", 100, kind="limit", limit_price=D("101"))
    bench.run(seconds=1)
    assert old.filled_qty == 40
    new = bench.exchange.replace(old.id, Replacement(limit_price=D("90")), bench.now)
    bench.run(seconds=1)
    assert (new.qty, new.held_usd) == (D(60), D(5400))  # 60 shares at 90, and nothing for the 40


def test_halted_symbol_fills_nothing_until_it_resumes_and_market_orders_go_first(bench: Any) -> None:
    bench.exchange.halt(Halt("GLD", bench.now, None), bench.now)
    limit = bench.ask("buy", 10, kind="limit", limit_price=D("101"))
    order = bench.ask("buy", 10)
    other = bench.ask("buy", 10, symbol="SLV")
    bench.run(minutes=5)
    assert (order.status, limit.status, other.status) == ("pending_new", "pending_new", "filled")
    bench.exchange.resume("GLD", bench.now)
    bench.run(seconds=1)
    assert [e.order_id for e in bench.exchange.executions()[1:]] == [order.id, limit.id]


def test_halt_with_an_end_lifts_by_itself(bench: Any) -> None:
    bench.exchange.halt(Halt("GLD", bench.now, bench.now + 5 * MINUTE), bench.now)
    order = bench.ask("buy", 10)
    bench.run(minutes=6)
    assert order.filled_at == OPEN + 15 * MINUTE


def test_symbol_without_trades_that_day_fills_nothing_and_the_order_expires(bench: Any) -> None:
    bench.market.silent.add(("GLD", OPEN.date()))
    order = bench.ask("buy", 10)
    bench.exchange.advance(CLOSE + MINUTE)
    assert (order.status, order.filled_qty) == ("expired", D(0))


def test_shock_moves_prices_from_its_moment_on_and_resting_orders_notice(bench: Any) -> None:
    order = bench.ask("buy", 10, kind="limit", limit_price=D("90"))
    bench.run(seconds=1)
    bench.exchange.shock(Shock("GLD", bench.now, None, D("0.85")), bench.now)
    bench.run(seconds=1)
    assert order.filled_avg_price == D("85.01")
    assert bench.exchange.account(bench.now).equity == D(250_000) - 10 * (D("85.01") - D("85"))


@pytest.mark.parametrize("status", sorted(NEXT_STATUS))
def test_status_table_leads_every_status_to_an_end(status: str) -> None:
    seen: set[str] = set()
    ahead = {status}
    while ahead:
        seen |= ahead
        ahead = {after for s in ahead for after in NEXT_STATUS[s]} - seen  # type: ignore[index]
    assert seen & TERMINAL


def test_result_does_not_depend_on_how_often_time_is_moved_on(make_bench: Callable[..., Any]) -> None:
    def trace(step_s: float) -> list[tuple[Any, ...]]:
        bench = make_bench(habits=Habits(partial_fill_frac=0.5))
        bench.market.size = 3
        for n in range(8):
            bench.market.set("GLD", OPEN + (12 + 3 * n) * MINUTE, 100 - n, 101 - n, 98 - n, 99 - n)
        ask = OrderRequest(symbol="GLD", side="buy", qty=D(20), kind="limit", limit_price=D("97"))
        bench.exchange.submit(ask, bench.now)
        bench.ask("buy", 17, symbol="SLV")
        end = bench.now + timedelta(minutes=60)
        while bench.now < end:
            bench.run(seconds=step_s)
        return [(e.id, e.symbol, e.qty, e.price, e.executed_at) for e in bench.exchange.executions()]

    whole = trace(3600)
    assert len(whole) > 8
    assert trace(1.7)[: len(whole)] == whole
    assert trace(61) == whole
