"""What leaves this machine for an order: whole shares, but for what closes a fraction at market."""

from dataclasses import replace
from decimal import Decimal

from qgtm.adapters.alpaca_order import problem_of, request_of
from tests.engine.making import order

CLOSING = replace(order(-100, purpose="flatten", is_reducing=True), quantity=Decimal("10.5"))


def test_fraction_of_a_share_can_be_closed_at_market_and_in_no_other_way() -> None:
    assert problem_of(CLOSING) is None
    assert request_of(CLOSING)["qty"] == "10.5"
    for other in (
        replace(CLOSING, limit_price=Decimal(100)),
        replace(CLOSING, is_reducing=False),
        replace(order(1), quantity=Decimal("0.5")),
    ):
        assert "not whole" in str(problem_of(other))


def test_whole_shares_are_written_without_an_exponent() -> None:
    assert request_of(order(1_000))["qty"] == "1000"
    assert request_of(replace(order(1), quantity=Decimal("1E+3")))["qty"] == "1000"
    assert request_of(replace(order(1), quantity=Decimal("7.000")))["qty"] == "7"
