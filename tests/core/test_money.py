"""The bridge between float and Decimal: answers by hand, and by Fractions."""

from decimal import Decimal
from fractions import Fraction
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qgtm.core.money import exact, limit_price, tick, usd, whole_shares

NONSENSE = [float("nan"), float("inf"), float("-inf")]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_decimal_of_a_float_prints_as_the_float_and_goes_back(value: float) -> None:
    assert float(exact(value)) == value
    assert exact(value) == Decimal(str(value))


def test_decimal_of_a_tenth_is_a_tenth() -> None:
    assert exact(0.1) + exact(0.2) == Decimal("0.3")


@pytest.mark.fault("I8", "L1")
@pytest.mark.parametrize("value", NONSENSE)
@pytest.mark.parametrize("bridge", [exact, usd, limit_price])
def test_number_that_is_not_finite_is_refused(bridge, value) -> None:
    with pytest.raises(ValueError, match="not a finite number"):
        bridge(value)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "sNaN"])
@pytest.mark.parametrize("bridge", [usd, limit_price])
def test_decimal_that_is_not_finite_is_refused(bridge, text) -> None:
    with pytest.raises(ValueError, match="not a finite number"):
        bridge(Decimal(text))


@pytest.mark.parametrize(
    ("value", "cents"),
    [
        ("1.005", "1.00"),
        ("1.015", "1.02"),
        ("1.025", "1.02"),
        ("-2.675", "-2.68"),
        ("0.004", "0.00"),
        ("7", "7.00"),
    ],
)
def test_dollars_round_to_the_cent_halves_to_even(value: str, cents: str) -> None:
    assert str(usd(Decimal(value))) == cents
    assert usd(float(value)) == Decimal(cents)


@pytest.mark.parametrize(
    ("price", "step"), [("1", "0.01"), ("250.13", "0.01"), ("0.9999", "0.0001"), ("0.0001", "0.0001")]
)
def test_tick_is_a_cent_from_a_dollar_up_and_a_hundredth_of_one_below(price: str, step: str) -> None:
    assert tick(Decimal(price)) == Decimal(step)


@pytest.mark.parametrize(
    ("price", "rounded"),
    [(190.123, "190.12"), (190.126, "190.13"), (0.12345, "0.1234"), (0.99996, "1.0000"), (1.0, "1.00")],
)
def test_limit_price_lies_on_the_tick(price: float, rounded: str) -> None:
    assert str(limit_price(price)) == rounded


@pytest.mark.parametrize("price", [0.0, -1.0, 0.00001])
def test_limit_price_that_rounds_to_nothing_is_refused(price: float) -> None:
    with pytest.raises(ValueError, match="above zero"):
        limit_price(price)


@given(
    st.floats(-3, 3),
    st.integers(0, 10**12).map(lambda cents: Decimal(cents) / 100),
    st.integers(1, 10**8).map(lambda mills: Decimal(mills) / 10_000),
)
def test_whole_shares_never_cost_more_than_the_weight_allows(weight, equity_usd, price) -> None:
    shares = whole_shares(weight, equity_usd, price)
    wanted = Fraction(str(Decimal(repr(weight)))) * Fraction(equity_usd) / Fraction(price)
    assert shares == (floor(wanted) if wanted >= 0 else -floor(-wanted))


def test_whole_shares_of_a_small_short_are_plain_zero() -> None:
    assert str(whole_shares(-0.00001, Decimal(1000), Decimal(100))) == "0"


@pytest.mark.parametrize("price", ["0", "-1", "NaN", "Infinity"])
def test_whole_shares_at_no_price_are_refused(price: str) -> None:
    with pytest.raises(ValueError, match=r"above zero|finite"):
        whole_shares(0.1, Decimal(1000), Decimal(price))


@pytest.mark.parametrize("weight", NONSENSE)
def test_whole_shares_of_a_weight_that_is_not_finite_are_refused(weight: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        whole_shares(weight, Decimal(1000), Decimal(10))
