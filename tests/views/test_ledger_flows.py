"""What counts as the owners' money and what as profit, by hand."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from qgtm.core.events import BarsClosed, CashMoved, Event
from qgtm.views.ledger import Ledger, attribution
from tests.views.told import sample, traded

AT = datetime(2026, 1, 5, 21, 0, tzinfo=UTC)


def moved(kind: str, amount: int) -> CashMoved:
    return CashMoved(activity_id=f"{kind}{amount}", kind=kind, amount_usd=Decimal(amount))


def closed(day: int) -> BarsClosed:
    return BarsClosed(session=date(2026, 1, day), known_at=AT, bars={"GLD": (1.0, 1.0, 1.0, 1.0, 1.0)})


def ledger(*events: Event) -> Ledger:
    return Ledger().take_all((event, AT) for event in events)


@pytest.mark.parametrize("kind", ["DIV", "INT", "FEE"])
def test_what_a_holding_pays_or_costs_is_profit_of_the_residual(kind: str) -> None:
    before, after = ledger(moved("start", 1000), closed(5), moved(kind, 7), closed(6)).closes
    told = attribution(before, after)
    assert told.account_usd == 7
    assert told.residual_usd == 7
    assert after.equity_usd == 1007


@pytest.mark.parametrize(("kind", "amount"), [("CSD", 500), ("CSW", -300)])
def test_money_of_the_owners_is_no_profit(kind: str, amount: int) -> None:
    before, after = ledger(moved("start", 1000), closed(5), moved(kind, amount), closed(6)).closes
    assert attribution(before, after).account_usd == 0
    assert after.flows_usd == 1000 + amount


def test_books_are_compared_at_the_samples_own_prices_and_not_at_the_close() -> None:
    bars = BarsClosed(session=date(2026, 1, 5), known_at=AT, bars={"GLD": (90.0, 90.0, 90.0, 90.0, 1.0)})
    # 1000 of cash, 10 shares at 100: the account stays 1000; at 103 it is 1030, at the close of 90 it is 900
    (close,) = ledger(
        moved("start", 1000), *traded("GLD", 10, "100"), sample("1029", "1000", GLD="103"), bars
    ).closes
    assert (close.equity_usd, close.books_gap_usd) == (900, 1)
