"""Fills, sizes, profit and drawdown against the answers of tests/answers/make_book.py."""

from datetime import timedelta
from decimal import Decimal

import pytest

from qgtm.core.events import BarsClosed, CashMoved, QuoteSeen
from qgtm.core.order import OrderState
from qgtm.engine.intent import wishes
from qgtm.engine.state import State, folded
from qgtm.risk.drawdown import flowed, sampled, started
from qgtm.views.ledger import Ledger, attribution
from tests.answers.read import HERE
from tests.engine.making import LIMITS, NOON, SESSION, begun, dec, formed, order, updated

CENTS = 1e-6


def cells(name: str) -> list[dict[str, str]]:
    _, header, *rows = (HERE / f"{name}.csv").read_text(encoding="utf-8").splitlines()
    return [dict(zip(header.split(","), row.split(","), strict=True)) for row in rows]


def test_fills_in_parts_give_the_position_the_cost_and_the_cash_of_the_answer() -> None:
    state = folded([CashMoved(activity_id="1", kind="start", amount_usd=dec(100_000))])
    orders = {}
    for row in cells("fills"):
        number = int(row["order"])
        if number not in orders:
            orders[number] = order(int(row["side"]) * int(row["ordered"]), number=number)
            state = folded([formed(orders[number])], state)
        state = folded([updated(orders[number], row["count"], row["mean_price"])], state)
        position = state.positions["GLD"]
        assert position.quantity == int(row["held"])
        assert float(position.cost_usd) == pytest.approx(float(row["cost_usd"]), abs=CENTS)
        assert float(position.realized_usd) == pytest.approx(float(row["realized_usd"]), abs=CENTS)
        assert float(state.cash_usd) == pytest.approx(float(row["cash_usd"]), abs=CENTS)


@pytest.mark.parametrize("row", cells("sizes"), ids=lambda row: row["weight"])
def test_weight_buys_the_shares_of_the_answer(row: dict[str, str]) -> None:
    seen = QuoteSeen(bid=dec(row["bid"]), ask=dec(row["ask"]), last=dec(row["bid"]), at=NOON)
    state = State(equity_usd=dec(row["equity_usd"]), weights={"GLD": float(row["weight"])})
    (wish,) = wishes(state, {"GLD": seen}, LIMITS)
    assert wish.quantity == int(row["shares"])


def test_profit_by_strategy_and_the_account_are_those_of_the_answer() -> None:
    ledger, before = Ledger(), None
    ledger.take(CashMoved(activity_id="start", kind="start", amount_usd=dec(100_000)), NOON)
    for day, row in enumerate(cells("profit")):
        for owner in ("a", "b"):
            bought = int(row[f"{owner}_bought"])
            if bought:
                what = order(
                    bought, price=row["fill_price"], number=2 * day + (owner == "b"), shares={owner: bought}
                )
                ledger.take(formed(what), NOON)
                ledger.take(updated(what, abs(bought), row["fill_price"], OrderState.FILLED), NOON)
        close = float(row["close"])
        session = SESSION + timedelta(days=day)
        ledger.take(
            BarsClosed(session=session, known_at=NOON, bars={"GLD": (close, close, close, close, 1.0)}), NOON
        )
        found = attribution(before, ledger.closes[-1])
        before = ledger.closes[-1]
        for owner in ("a", "b"):
            earned = found.by_strategy_usd.get(owner, Decimal(0))
            assert float(earned) == pytest.approx(float(row[f"{owner}_earned_usd"]), abs=0.006)
        assert sum(found.by_strategy_usd.values()) + found.residual_usd == found.account_usd
        assert float(before.equity_usd) == pytest.approx(float(row["equity_usd"]), abs=CENTS)


def test_price_that_is_corrected_later_is_booked_once_in_state_and_ledger_alike() -> None:
    what = order(100, shares={"a": 60, "b": 40})
    facts = [formed(what), updated(what, 40, "100"), updated(what, 100, "101"), updated(what, 100, "101.5")]
    state, ledger = begun(*facts), Ledger()
    ledger.take(CashMoved(activity_id="start", kind="start", amount_usd=dec(1_000_000)), NOON)
    for fact in facts:
        ledger.take(fact, NOON)
    assert state.cash_usd == ledger.cash_usd == Decimal(1_000_000) - Decimal("10150")
    assert {n: float(purse.cash_usd) for n, purse in ledger.purses.items()} == {"a": -6090.0, "b": -4060.0}
    assert sum(fill.quantity * fill.price for fill in ledger.fills) == Decimal("10150")
    assert len(ledger.fills) == 2


def test_ledger_counts_no_more_than_was_ordered() -> None:
    what, ledger = order(100), Ledger()
    for fact in (formed(what), updated(what, 300, 100)):
        ledger.take(fact, NOON)
    assert ledger.positions == {"GLD": 100}


def test_drawdown_with_money_in_and_out_is_that_of_the_answer() -> None:
    fund, at_s = started(dec(100_000)), 0.0
    for row in cells("drawdown"):
        for _ in range(3):  # three agreeing samples, ten seconds apart
            at_s += 10.0
            fund = sampled(fund, dec(row["equity_usd"]), dec(row["equity_usd"]), at_s, is_regular=True)
        assert float(fund.drawdown_frac) == pytest.approx(float(row["drawdown_frac"]), abs=1e-12)
        assert float(fund.high_water_mark_usd) == pytest.approx(float(row["peak"]), abs=1e-12)
        if row["flow_usd"] != "0":
            fund = flowed(fund, dec(row["flow_usd"]))
