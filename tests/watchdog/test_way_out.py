"""The way out against the exchange's own core and wire, on virtual time: flat, and never past flat."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as tries
from hypothesis import strategies as some

from qgtm.adapters.alpaca_order import request_of as daemons_body
from qgtm.core.ids import client_order_id
from qgtm.core.order import Order, Side
from qgtm.core.universe import TRADED
from qgtm.exchange.core import Exchange
from qgtm.exchange.desk import Halt
from qgtm.exchange.order import OrderRequest
from qgtm.exchange.setting import Habits, Switches
from qgtm.watchdog.deed import (
    AskAccount,
    AskClock,
    AskOrders,
    AskPositions,
    Call,
    Cancel,
    CancelAll,
    Close,
    CloseAll,
)
from qgtm.watchdog.fact import Answer, KillWord, NoAnswer, Refused, Wish
from qgtm.watchdog.setting import Settings, short
from qgtm.watchdog.way_out import Act
from tests.exchange.tiny import CLOSE, OPEN, TinyMarket
from tests.watchdog.driving import Driver, progress

D = Decimal
MIDDAY = OPEN + timedelta(hours=2)
BOOK = {"GLD": 100, "SLV": -40, "GDX": 7}
QUICK = Settings(alerts_s=(20.0, 40.0), flatten_s=60.0)


def site(
    book: dict[str, int] | None = None, at: Any = MIDDAY, settings: Settings = QUICK, **habits: Any
) -> Driver:
    """Return a driver whose exchange holds `book` (signed shares) at `at`."""
    book = BOOK if book is None else book
    names = tuple(book) or ("GLD",)
    exchange = Exchange(
        TinyMarket(names=names, size=100_000), start=MIDDAY, cash=D(1_000_000), habits=Habits(**habits)
    )
    for symbol, shares in book.items():
        side = "buy" if shares > 0 else "sell"
        exchange.submit(OrderRequest(symbol=symbol, side=side, qty=D(abs(shares))), exchange.now)  # type: ignore[arg-type]
    exchange.advance(MIDDAY + timedelta(minutes=5))
    driver = Driver(exchange, settings)
    assert driver.held() == {symbol: D(shares) for symbol, shares in sorted(book.items())}
    exchange.advance(max(at, exchange.now))
    driver.look()
    return driver


def fall_silent(driver: Driver) -> None:
    driver.until(lambda: driver.state.out is not None, 75.0)


def flat(driver: Driver, within_s: float = 60.0) -> float:
    """Let the daemon fall silent; return how long the book took to be flat."""
    fall_silent(driver)
    began_s = driver.now_s
    driver.until(lambda: not driver.held(), within_s)
    took_s = driver.now_s - began_s
    driver.until(lambda: driver.state.word == "flat", 60.0)
    assert driver.held() == {}
    assert driver.exchange.orders() == []
    return took_s


def never_grew_nor_flipped(driver: Driver, book: dict[str, int], since: int = 0) -> None:
    """Fold the executions anew: no position grows or changes its sign."""
    shares = {symbol: D(count) for symbol, count in book.items()}
    for each in driver.exchange.executions(since):
        after = shares[each.symbol] + (each.qty if each.side == "buy" else -each.qty)
        assert abs(after) < abs(shares[each.symbol])
        assert after * shares[each.symbol] >= 0
        shares[each.symbol] = after


def done_so_far(driver: Driver) -> int:
    return len(driver.exchange.executions())


# --- the plain way ------------------------------------------------------------------------------


@pytest.mark.fault("D8", "D19")
@pytest.mark.invariant("V8", "V16")
def test_silent_daemon_is_fenced_first_then_all_is_cancelled_and_closed() -> None:
    driver = site()
    driver.exchange.submit(
        OrderRequest(symbol="GLD", side="sell", qty=D(60), kind="limit", limit_price=D("101")),
        driver.exchange.now,
    )
    count = done_so_far(driver)
    took_s = flat(driver)
    assert took_s <= 5.0
    assert driver.epoch == 2
    assert driver.notes[0].startswith("lease epoch 2 taken")
    orders = [call for _, call in driver.asked if not isinstance(call, AskAccount)]
    assert [type(call) for call in orders[:3]] == [AskClock, CancelAll, AskOrders]
    never_grew_nor_flipped(driver, BOOK, count)
    assert {(o.symbol, o.side.value, o.quantity) for o in driver.closes()} >= {
        ("SLV", "buy", D(40)),
        ("GDX", "sell", D(7)),
    }
    assert driver.alerts[-1].text.startswith("Done")
    assert driver.state.out is not None
    assert driver.state.out.left == {}


def test_call_that_hangs_when_it_fires_does_not_delay_the_fence() -> None:
    driver = site({"GLD": 10})
    driver.state = replace(driver.state, flying=AskClock(), flying_s=driver.now_s)  # and no answer comes
    fall_silent(driver)
    assert driver.epoch == 2
    assert driver.state.out is not None
    assert driver.state.out.epoch == 2


@pytest.mark.fault("D5")
def test_ids_are_those_that_the_daemon_forms_for_the_same_kill() -> None:
    driver = site({"GLD": 100})
    driver.kill = KillWord(mode="halted_hard", kill_epoch=5, command_id=0)
    flat(driver)
    day = driver.exchange.now.date()
    assert driver.closes()[0].client_order_id == client_order_id(5, "flatten", day, "GLD", 0)


def test_kill_of_its_own_gets_an_epoch_that_no_earlier_kill_had() -> None:
    driver = site({"GLD": 100})
    driver.kill = KillWord(mode="active", kill_epoch=7, command_id=0)
    flat(driver)
    assert driver.closes()[0].client_order_id.startswith("qgtm-8-flatten-")


def test_flat_is_said_only_after_two_clean_reads_later_than_the_longest_send() -> None:
    driver = site({"GLD": 10})
    fall_silent(driver)
    fenced_s = driver.now_s
    driver.until(lambda: driver.state.word == "flat", 60.0)
    reads = [at_s for at_s, call in driver.asked if isinstance(call, AskPositions)]
    clean = [at_s for at_s in reads if at_s >= fenced_s + QUICK.longest_send_s]
    assert len(clean) >= 2
    assert clean[1] - clean[0] >= QUICK.clean_gap_s


@pytest.mark.fault("D19")
@pytest.mark.invariant("V5")
def test_order_that_was_past_the_fence_is_closed_when_it_arrives_late() -> None:
    driver = site({"GLD": 10})
    fall_silent(driver)
    driver.until(lambda: not driver.held())
    late = OrderRequest(symbol="GLD", side="buy", qty=D(30), client_order_id="qgtm-1-round-20240312-GLD-4")
    driver.exchange.submit(late, driver.exchange.now)
    driver.wait(1.0)
    assert driver.held() == {"GLD": D(30)}
    driver.until(lambda: not driver.held(), 20.0)
    driver.until(lambda: driver.state.word == "flat", 60.0)


@pytest.mark.fault("D19")
@pytest.mark.invariant("V5")
def test_order_of_a_daemon_that_wakes_up_after_all_was_closed_is_closed_as_well() -> None:
    driver = site({"GLD": 10})
    flat(driver)
    driver.wait(200.0)
    late = OrderRequest(symbol="GLD", side="buy", qty=D(30), client_order_id="qgtm-1-round-20240312-GLD-4")
    driver.exchange.submit(late, driver.exchange.now)
    driver.wait(45.0)
    assert driver.held() == {}
    assert [alert.cause for alert in driver.alerts].count("late order") == 1
    driver.until(lambda: driver.state.word == "flat", 60.0)


def test_trade_that_a_person_makes_by_hand_afterwards_is_left_alone() -> None:
    driver = site({"GLD": 10})
    flat(driver)
    driver.exchange.submit(OrderRequest(symbol="GLD", side="buy", qty=D(3)), driver.exchange.now)
    driver.wait(120.0)
    assert driver.held() == {"GLD": D(3)}
    assert driver.state.word == "flat"


def test_halt_cancels_all_orders_and_leaves_what_is_held() -> None:
    driver = site()
    driver.kill = KillWord(mode="active", kill_epoch=0, command_id=0)
    driver.wishes = (Wish(command_id=1, kind="Halt", by="OpB"),)
    driver.exchange.submit(
        OrderRequest(symbol="GLD", side="sell", qty=D(60), kind="limit", limit_price=D("101")),
        driver.exchange.now,
    )
    for _ in range(120):
        driver.beat()
        driver.wait(0.5)
    assert driver.state.word == "halted"
    assert driver.exchange.orders() == []
    assert driver.held() == {symbol: D(shares) for symbol, shares in sorted(BOOK.items())}
    assert driver.closes() == []


def test_halt_that_was_obeyed_does_not_keep_the_dead_man_from_firing_later() -> None:
    driver = site()
    driver.kill = KillWord(mode="active", kill_epoch=0, command_id=0)
    driver.wishes = (Wish(command_id=1, kind="Halt", by="OpB"),)
    driver.until(lambda: driver.state.word == "flat", 200.0)
    assert driver.held() == {}


def test_daemon_with_a_newer_lease_is_watched_again_once_all_is_closed() -> None:
    driver = site({"GLD": 10})
    flat(driver)
    driver.progress = progress(5, epoch=1)  # the fenced one, awake again: it changes nothing
    driver.wait(5.0)
    assert driver.state.word == "flat"
    driver.progress = progress(1, epoch=3, pid=101)
    driver.wait(1.0)
    assert driver.state.word == "watching"
    assert driver.state.last is not None
    assert driver.state.last.act is Act.FLATTEN
    driver.until(lambda: driver.state.out is not None, 75.0)  # and can fall silent once more


# --- what goes wrong ----------------------------------------------------------------------------


@pytest.mark.fault("D1")
def test_partial_fills_are_waited_for_and_the_rest_is_closed() -> None:
    driver = site({"GLD": 100, "SLV": -40}, partial_fill_frac=1.0, refill_s=5.0)
    count = done_so_far(driver)
    flat(driver)
    never_grew_nor_flipped(driver, {"GLD": 100, "SLV": -40}, count)


@pytest.mark.fault("D2")
@pytest.mark.invariant("V7")
def test_halted_symbol_is_named_after_a_minute_and_closed_when_it_resumes() -> None:
    driver = site()
    now = driver.exchange.now
    driver.exchange.halt(Halt("SLV", now, None, "T1", "news"), now)
    fall_silent(driver)
    driver.wait(59.0)
    assert driver.held() == {"SLV": D(-40)}
    assert [alert for alert in driver.alerts if alert.cause == "not flat"] == []
    driver.wait(16.0)
    named = [alert for alert in driver.alerts if alert.cause == "not flat"]
    assert len(named) == 1
    assert "SLV" in named[0].text
    assert "GLD" not in named[0].text
    assert driver.state.out is not None
    assert driver.state.out.left == {"SLV": D(-40)}
    driver.wait(600.0)
    assert len([order for order in driver.closes() if order.symbol == "SLV"]) == 1  # one waits, no storm
    driver.exchange.resume("SLV", driver.exchange.now)
    driver.until(lambda: not driver.held(), 60.0)
    driver.until(lambda: driver.state.word == "flat", 60.0)


@pytest.mark.fault("D17")
def test_broker_that_is_down_is_tried_for_ever_and_told_at_once() -> None:
    driver = site()
    down = {"is": True}
    driver.spoil = lambda call: NoAnswer("connection refused") if down["is"] else None
    fall_silent(driver)
    driver.wait(3.0)
    assert [alert.cause for alert in driver.alerts][-1] == "watchdog's broker"
    before = len(driver.asked)
    driver.wait(1800.0)
    assert 40 <= len(driver.asked) - before <= 400
    assert sum("connection refused" in note for note in driver.notes) >= 50
    assert [alert.cause for alert in driver.alerts].count("watchdog's broker") <= 8  # every five minutes
    down["is"] = False
    driver.until(lambda: not driver.held(), 60.0)


def test_clock_that_never_answers_does_not_keep_it_from_closing() -> None:
    driver = site()
    driver.spoil = lambda call: NoAnswer("timeout") if isinstance(call, AskClock) else None
    flat(driver)


def test_book_that_cannot_be_read_leads_to_close_all() -> None:
    driver = site()
    unread = (AskOrders, AskPositions)
    driver.spoil = lambda call: NoAnswer("status 500") if isinstance(call, unread) else None
    fall_silent(driver)
    driver.until(lambda: not driver.held(), 60.0)
    assert driver.calls(Close) == []


@pytest.mark.fault("C14")
def test_orders_that_are_refused_again_and_again_lead_to_close_all() -> None:
    driver = site({"GLD": 100})
    count = done_so_far(driver)
    driver.spoil = lambda call: Refused(status=403, reason="no") if isinstance(call, Close) else None
    fall_silent(driver)
    driver.until(lambda: not driver.held(), 60.0)
    assert len(driver.calls(Close)) == 3
    assert len(driver.calls(CloseAll)) == 1
    never_grew_nor_flipped(driver, {"GLD": 100}, count)


@pytest.mark.fault("A8", "D4")
def test_order_that_cannot_be_cancelled_is_named_and_leads_to_close_all() -> None:
    driver = site({"GLD": 100, "SLV": -40})
    stuck = OrderRequest(symbol="GLD", side="sell", qty=D(60), kind="limit", limit_price=D("101"))
    driver.exchange.submit(stuck, driver.exchange.now)

    def spoil(call: Call) -> Answer | None:
        return Refused(status=422, reason="no") if isinstance(call, CancelAll | Cancel) else None

    driver.spoil = spoil
    fall_silent(driver)
    driver.wait(50.0)
    assert driver.held() == {"GLD": D(100)}
    assert driver.calls(CloseAll) == []
    assert len(driver.calls(Cancel)) >= 5
    driver.wait(40.0)
    assert len(driver.calls(CloseAll)) == 1
    driver.spoil = lambda call: None
    driver.until(lambda: not driver.held(), 60.0)


@pytest.mark.fault("A16", "C14")
def test_account_that_is_blocked_is_told_and_tried_at_a_slow_rate() -> None:
    driver = site({"GLD": 100})
    driver.exchange.configure(Switches(trading_blocked=True), driver.exchange.now)
    fall_silent(driver)
    driver.wait(900.0)
    assert any("blocked" in alert.text for alert in driver.alerts if alert.cause == "not flat")
    assert len(driver.calls(Close)) <= 25
    driver.exchange.configure(Switches(), driver.exchange.now)
    driver.until(lambda: not driver.held(), 90.0)


def after_apply(driver: Driver, count: int) -> Callable[[Call], Answer | None]:
    """Let the exchange take closing orders, and lose the answers of the first `count`."""
    left = {"n": count}

    def spoil(call: Call) -> Answer | None:
        if not isinstance(call, Close) or not left["n"]:
            return None
        left["n"] -= 1
        driver.at_broker(call)
        return NoAnswer("no whole answer within 4.8 s")

    return spoil


@pytest.mark.fault("A3")
@pytest.mark.invariant("V4")
@pytest.mark.parametrize("lost", [1, 3])
def test_closing_order_without_an_answer_is_looked_up_and_not_sent_under_another_id(lost: int) -> None:
    driver = site()
    count = done_so_far(driver)
    driver.spoil = after_apply(driver, lost)
    flat(driver)
    never_grew_nor_flipped(driver, BOOK, count)
    assert {order.client_order_id[-2:] for order in driver.closes()} == {"-0"}


def test_id_that_the_daemon_used_up_is_looked_up_and_the_next_attempt_closes() -> None:
    driver = site({"GLD": 100})
    driver.kill = KillWord(mode="halted_hard", kill_epoch=5, command_id=0)
    now = driver.exchange.now
    for attempt in (0, 1):  # the daemon's, which came to nothing
        used = daemons_order(5, "GLD", D(100), Side.SELL, attempt, now)
        taken = driver.exchange.submit(
            OrderRequest(
                symbol="GLD",
                side="sell",
                qty=D(100),
                kind="limit",
                limit_price=D("101"),
                client_order_id=used.client_order_id,
            ),
            now,
        )
        driver.exchange.cancel(taken.id, now)  # type: ignore[union-attr]
        driver.exchange.advance(now + timedelta(seconds=1))
    flat(driver)
    ids = [order.client_order_id for order in driver.closes()]
    assert [each[-2:] for each in ids] == ["-0", "-1", "-2"]
    assert driver.calls(CloseAll) == []
    assert not any("refused" in note for note in driver.notes)


@pytest.mark.fault("D5")
@pytest.mark.invariant("V8")
def test_id_that_the_daemon_used_for_another_size_is_followed_by_the_rest_and_never_by_more() -> None:
    driver = site({"GLD": 100})
    driver.kill = KillWord(mode="halted_hard", kill_epoch=5, command_id=0)
    now = driver.exchange.now
    used = daemons_order(5, "GLD", D(60), Side.SELL, 0, now)
    driver.exchange.submit(
        OrderRequest(symbol="GLD", side="sell", qty=D(60), client_order_id=used.client_order_id), now
    )
    driver.exchange.advance(now + timedelta(seconds=1))
    assert driver.held() == {"GLD": D(40)}
    flat(driver)
    sold = {order.client_order_id[-2:]: order.quantity for order in driver.closes()}
    assert sold == {"-0": D(40), "-1": D(40)}  # the first was refused, since the id had 60 already
    assert driver.held() == {}


@pytest.mark.fault("A3")
def test_order_that_never_arrived_is_sent_again_under_the_same_id() -> None:
    driver = site({"GLD": 100})
    left = {"n": 1}

    def lose(call: Call) -> Answer | None:
        if isinstance(call, Close) and left["n"]:
            left["n"] -= 1
            return NoAnswer("connection reset")
        return None

    driver.spoil = lose
    flat(driver)
    ids = [order.client_order_id for order in driver.closes()]
    assert len(ids) == 2
    assert len(set(ids)) == 1


@pytest.mark.fault("A6")
def test_call_limit_of_the_broker_is_waited_for() -> None:
    driver = site({"GLD": 100})
    driver.spoil = lambda call: NoAnswer("429", wait_s=20.0) if driver.now_s < first_s + 30.0 else None
    first_s = driver.now_s + 60.0
    fall_silent(driver)
    driver.until(lambda: not driver.held(), 90.0)
    assert all(alert.cause != "watchdog's broker" for alert in driver.alerts)


@pytest.mark.fault("I6")
def test_wrong_account_is_never_touched() -> None:
    driver = site(settings=replace(QUICK, account_number="PA0000000000"))
    fall_silent(driver)
    driver.wait(300.0)
    assert driver.state.word == "failed"
    assert {type(call) for _, call in driver.asked} == {AskAccount}
    assert [alert.cause for alert in driver.alerts].count("watchdog's account") == 1


@pytest.mark.fault("H1")
def test_lease_that_cannot_be_taken_is_told_and_does_not_keep_it_from_closing() -> None:
    driver = site()
    driver.lease_problem = "no space left on device"
    flat(driver)
    assert [alert.cause for alert in driver.alerts].count("lease") == 1


# --- a closed market ----------------------------------------------------------------------------


@pytest.mark.fault("D3")
def test_after_the_close_it_waits_for_seven_in_the_evening_and_queues_the_exits_for_the_open() -> None:
    driver = site(at=CLOSE + timedelta(minutes=5), settings=replace(QUICK, closed_pace_s=15.0))
    count = done_so_far(driver)
    fall_silent(driver)
    driver.wait(600.0)
    assert driver.held() != {}
    refused = len(driver.calls(Close))
    assert refused == 1  # the first refusal says it for all
    told = [alert.text for alert in driver.alerts if "market is closed" in alert.text]
    assert len(told) == 1
    assert "2024-03-13 09:30" in told[0]
    driver.speed = 60.0
    driver.until(lambda: len(driver.exchange.orders()) == 3, 400.0)
    evening = driver.exchange.now
    assert evening - CLOSE < timedelta(hours=3, minutes=30)
    assert {order.client_order_id[:25] for order in driver.exchange.orders()} == {
        "qgtm-2-flatten-20240313-G"
    } | {"qgtm-2-flatten-20240313-S"}
    driver.until(lambda: not driver.held(), 1200.0)
    assert driver.exchange.now - OPEN < timedelta(days=1, minutes=30)
    never_grew_nor_flipped(driver, BOOK, count)


def test_exits_that_are_gone_at_the_open_are_sent_again() -> None:
    driver = site(at=CLOSE + timedelta(hours=4))
    fall_silent(driver)
    driver.until(lambda: len(driver.exchange.orders()) == 3, 60.0)
    driver.exchange.advance(OPEN + timedelta(days=1, minutes=-1))
    for order in driver.exchange.orders():
        driver.exchange.cancel(order.id, driver.exchange.now)  # somebody took them away
    assert driver.held() != {}
    driver.wait(150.0)
    assert driver.held() == {}
    ids = [order.client_order_id for order in driver.closes()]
    assert {each[-2:] for each in ids} == {"-0", "-1"}
    assert len(set(ids)) == len(ids)  # what has ended is asked about, and never sent under its id again


@pytest.mark.fault("D2")
def test_halted_symbols_day_order_is_placed_anew_for_the_next_session() -> None:
    driver = site({"GLD": 10}, at=CLOSE - timedelta(minutes=20))
    now = driver.exchange.now
    driver.exchange.halt(Halt("GLD", now, None, "T1", "news"), now)
    fall_silent(driver)
    driver.speed = 60.0
    driver.until(lambda: driver.exchange.now > CLOSE + timedelta(hours=4), 600.0)
    assert [order.status for order in driver.exchange.orders()] == ["accepted"]
    driver.exchange.resume("GLD", driver.exchange.now)
    driver.until(lambda: not driver.held(), 1200.0)
    assert [o.client_order_id.split("-")[3] for o in driver.closes()][-1] == "20240313"


# --- with the daemon ----------------------------------------------------------------------------


def daemons_order(epoch: int, symbol: str, quantity: Decimal, side: Side, attempt: int, at: Any) -> Order:
    return Order(
        client_order_id=client_order_id(epoch, "flatten", at.date(), symbol, attempt),
        symbol=symbol,
        side=side,
        quantity=quantity,
        limit_price=None,
        arrival_price=D(0),
        formed_at=at,
        is_reducing=True,
    )


@pytest.mark.fault("D5")
@pytest.mark.invariant("V8")
@tries(max_examples=25, deadline=None)
@given(some.lists(some.sampled_from([*BOOK, "none"]), min_size=1, max_size=12), some.booleans())
def test_daemon_and_watchdog_that_close_the_same_book_at_once_end_at_exactly_zero(
    turns: list[str], is_slow: bool
) -> None:
    habits = {"partial_fill_frac": 1.0, "refill_s": 3.0} if is_slow else {}
    driver = site(**habits)
    driver.kill = KillWord(mode="halted_hard", kill_epoch=5, command_id=0)
    count = done_so_far(driver)
    queue = list(turns)

    def daemon(_: Call) -> None:
        """Send what the daemon would, from the book as it was before: as late as can be."""
        if driver.state.out is None or not queue:
            return
        symbol = queue.pop(0)
        if symbol == "none":
            return
        side = Side.SELL if BOOK[symbol] > 0 else Side.BUY
        order = daemons_order(5, symbol, D(abs(BOOK[symbol])), side, 0, driver.exchange.now)
        body = daemons_body(order)
        request = OrderRequest(
            symbol=symbol,
            side=side.value,
            qty=D(str(body["qty"])),
            client_order_id=order.client_order_id,
            position_intent=body["position_intent"],  # type: ignore[arg-type]
        )
        driver.exchange.submit(request, driver.exchange.now)

    driver.also = daemon
    flat(driver, within_s=120.0)
    never_grew_nor_flipped(driver, BOOK, count)


@pytest.mark.fault("D19")
def test_daemon_that_is_back_while_it_closes_gets_its_calls_back() -> None:
    driver = site({"GLD": 10})
    now = driver.exchange.now
    driver.exchange.halt(Halt("GLD", now, None, "T1", "news"), now)
    fall_silent(driver)
    driver.wait(5.0)
    driver.progress = progress(1, epoch=9, pid=101)
    driver.wait(90.0)
    began_s = driver.now_s - 60.0
    assert sum(at_s > began_s for at_s, _ in driver.asked) <= 20
    assert driver.state.word == "firing"


# --- the minute's calls -------------------------------------------------------------------------


@pytest.mark.invariant("V7", "V22")
def test_twenty_positions_are_closed_within_seconds_and_within_the_minutes_calls() -> None:
    book = {symbol: 10 if number % 2 else -10 for number, symbol in enumerate(TRADED)}
    assert len(book) == 20
    driver = site(book)
    fall_silent(driver)
    began_s = driver.now_s
    driver.until(lambda: not driver.held(), 60.0)
    closes = [at_s for at_s, call in driver.asked if isinstance(call, Close)]
    assert len(closes) == 20
    assert max(closes) - began_s <= 5.0
    assert driver.busiest_minute() <= 60


def test_without_the_lease_it_keeps_to_twenty_calls_a_minute() -> None:
    book = dict.fromkeys(TRADED, 10)
    driver = site(book)
    driver.lease_problem = "no space left on device"
    fall_silent(driver)
    driver.until(lambda: not driver.held(), 120.0)
    assert driver.busiest_minute() <= 20


@pytest.mark.invariant("V8", "V22")
@tries(max_examples=40, deadline=None)
@given(some.lists(some.sampled_from(["ok", "lost", "refused", "limited", "unseen"]), max_size=60))
def test_whatever_the_broker_answers_the_minute_is_kept_and_the_book_only_shrinks(answers: list[str]) -> None:
    driver = site()
    count = done_so_far(driver)
    queue = list(answers)

    def spoil(call: Call) -> Answer | None:
        word = queue.pop(0) if queue and driver.state.out is not None else "ok"
        if word == "lost":
            driver.at_broker(call)
        kinds: dict[str, Answer | None] = {
            "ok": None,
            "lost": NoAnswer("reset after the fact"),
            "unseen": NoAnswer("refused before it"),
            "refused": Refused(status=403, reason="no"),
            "limited": NoAnswer("429", wait_s=7.0),
        }
        return kinds[word]

    driver.spoil = spoil
    fall_silent(driver)
    driver.until(lambda: not driver.held(), 1200.0)
    driver.until(lambda: driver.state.word == "flat", 120.0)
    assert driver.busiest_minute() <= 60
    never_grew_nor_flipped(driver, BOOK, count)


def test_short_paces_suit_a_venue_whose_night_lasts_seconds() -> None:
    driver = site(at=CLOSE + timedelta(minutes=5), settings=replace(short(QUICK), grace_s=0.0))
    fall_silent(driver)
    driver.wait(20.0)
    assert driver.busiest_minute() <= 60
    assert len(driver.calls(AskClock)) >= 8
