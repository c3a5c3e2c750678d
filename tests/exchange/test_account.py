"""Cash, equity and positions by hand-made figures; corporate actions, deposits, closes and the truth."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D
from typing import Any

import pytest

from qgtm.exchange.account import Ledger
from qgtm.exchange.market.port import CorporateAction
from qgtm.exchange.price import Shock

OPEN = datetime(2024, 3, 12, 13, 30, tzinfo=UTC)
CLOSE = datetime(2024, 3, 12, 20, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def ledger() -> Ledger:
    return Ledger(opening_cash=D(1000), opened_at=OPEN, cash=D(1000))


def test_average_entry_price_stays_when_a_position_is_reduced() -> None:
    book = ledger()
    book.trade("GLD", "buy", D(4), D(10))
    book.trade("GLD", "buy", D(4), D(20))
    book.trade("GLD", "sell", D(6), D(30))
    assert book.lots["GLD"].avg_entry_price == 15
    assert (book.qty("GLD"), book.cash) == (D(2), D(1000 - 40 - 80 + 180))


def test_short_position_has_negative_shares_and_cost() -> None:
    book = ledger()
    book.trade("GLD", "sell", D(5), D(20))
    assert (book.lots["GLD"].qty, book.lots["GLD"].cost, book.cash) == (D(-5), D(-100), D(1100))
    book.trade("GLD", "buy", D(5), D(18))
    assert (book.lots, book.cash) == ({}, D(1010))


def test_equity_is_cash_and_positions_at_the_last_price(bench: Any) -> None:
    bench.buy(100)
    bench.exchange.shock(Shock("GLD", bench.now, None, D("1.1")), bench.now)
    view = bench.exchange.account(bench.now)
    assert view.equity == D(250_000) - D("10001") + D("11000")
    position = bench.exchange.position("GLD", bench.now)
    assert (position.current_price, position.unrealized_pl) == (D(110), D(999))


def test_last_equity_is_that_of_the_close_before(bench: Any) -> None:
    bench.buy(100)
    assert bench.exchange.account(bench.now).last_equity == D(250_000)
    bench.market.set("GLD", CLOSE - timedelta(minutes=1), "105")
    bench.exchange.shock(Shock("GLD", CLOSE + timedelta(hours=1), None, D("0.9")), bench.now)
    view = bench.exchange.account(CLOSE + timedelta(hours=2))
    assert view.last_equity == D(250_000) - D(10_001) + D(10_500)
    assert view.equity == D(250_000) - D(10_001) + D(9450)


def test_day_profit_counts_from_the_close_for_old_shares_and_from_entry_for_new(bench: Any) -> None:
    bench.buy(10)
    bench.market.set("GLD", OPEN + DAY, "102")
    bench.exchange.advance(OPEN + DAY + timedelta(minutes=5))
    bench.now = OPEN + DAY + timedelta(minutes=5)
    bench.buy(5)  # at 102.01
    position = bench.exchange.position("GLD", bench.now)
    assert position.lastday_price == 100
    assert position.unrealized_intraday_pl == 10 * 2 + 5 * D("-0.01")


def test_split_multiplies_shares_and_leaves_equity_and_open_orders_alone(bench: Any) -> None:
    ex_day = date(2024, 3, 13)
    bench.market.events.append(CorporateAction("GLD", ex_day, D(2), None))
    bench.market.set("GLD", OPEN + DAY, "50")
    bench.buy(10)
    stop = bench.ask("sell", 10, kind="stop", stop_price=D(80), time_in_force="gtc")
    before_open = OPEN + DAY - timedelta(minutes=30)
    view = bench.exchange.account(before_open)
    assert bench.exchange.truth.positions() == {"GLD": D(20)}
    assert view.equity == D(250_000) - D("0.10")  # the mark before the open is halved already
    assert bench.exchange.position("GLD", before_open).avg_entry_price == D("50.005")
    bench.exchange.advance(OPEN + DAY + timedelta(seconds=10))
    assert stop.status == "filled"  # its old price elects it: that happens at the real broker too
    assert [a.kind for a in bench.exchange.activities()] == ["SPLIT"]


def test_dividend_is_paid_for_the_shares_held_before_the_ex_day(bench: Any) -> None:
    bench.market.events.append(CorporateAction("GLD", date(2024, 3, 13), None, D("0.37")))
    bench.buy(10)
    bench.exchange.advance(OPEN + DAY)
    paid = bench.exchange.activities()[0]
    assert (paid.kind, paid.net_amount, paid.per_share_amount, paid.qty) == (
        "DIV",
        D("3.70"),
        D("0.37"),
        D(10),
    )
    assert bench.exchange.truth.cash() == bench.exchange.desk.ledger.cash


def test_short_holder_pays_the_dividend(bench: Any) -> None:
    bench.market.events.append(CorporateAction("GLD", date(2024, 3, 13), None, D("0.37")))
    bench.ask("sell", 10)
    bench.exchange.advance(OPEN + DAY)
    assert bench.exchange.activities()[0].net_amount == D("-3.70")


@pytest.mark.parametrize(("amount", "kind"), [("5000", "CSD"), ("-5000", "CSW")])
def test_deposit_and_withdrawal_move_cash_and_leave_an_activity(bench: Any, amount: str, kind: str) -> None:
    activity = bench.exchange.deposit(D(amount), bench.now)
    assert (activity.kind, activity.net_amount) == (kind, D(amount))
    assert bench.exchange.account(bench.now).cash == D(250_000) + D(amount)
    assert bench.exchange.truth.cash() == D(250_000) + D(amount)


def test_truth_follows_from_executions_and_equals_the_ledger_after_a_busy_week(make_bench: Any) -> None:
    bench = make_bench(seed=3)
    for n in range(60):
        symbol = ("GLD", "SLV", "GDX")[n % 3]
        held = bench.exchange.desk.ledger.qty(symbol)
        side = "sell" if held > 0 and n % 4 == 0 else "buy"
        bench.ask(side, min(held, 7) if side == "sell" else 3 + n % 5, symbol)
        bench.run(minutes=90)
    ledger_lots = {s: lot.qty for s, lot in bench.exchange.desk.ledger.lots.items()}
    assert bench.exchange.truth.positions() == ledger_lots
    assert bench.exchange.truth.cash() == bench.exchange.desk.ledger.cash
    assert len(bench.exchange.truth.orders) > 20


def test_equity_through_time_agrees_with_the_closes(bench: Any) -> None:
    bench.buy(10)
    bench.market.set("GLD", OPEN + DAY + timedelta(minutes=30), "103")
    bench.exchange.advance(OPEN + 2 * DAY)
    views = bench.exchange.views
    closes = [views.closing_equity(close) for close in bench.exchange.desk.ledger.closes]
    assert closes == [D("249999.90"), D("250029.90")]
    assert [views.equity_at(CLOSE), views.equity_at(CLOSE + DAY)] == closes
    assert views.equity_at(OPEN) == 250_000
