"""Positions: answers by hand, and by Fractions from the whole list of fills."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qgtm.core.position import Position, fill_price, filled

fills = st.lists(
    st.tuples(
        st.integers(-500, 500).filter(bool).map(Decimal),
        st.integers(1, 1_000_000).map(lambda cents: Decimal(cents) / 100),
    ),
    max_size=12,
)


def held_after(trades) -> Position:
    position = Position()
    for quantity, price in trades:
        position = filled(position, Decimal(quantity), Decimal(price))
    return position


@pytest.mark.parametrize(
    ("trades", "quantity", "cost_usd", "realized_usd"),
    [
        ([(100, 10)], 100, 1000, 0),
        ([(100, 10), (100, 12)], 200, 2200, 0),
        ([(100, 10), (-40, 13)], 60, 600, 120),
        ([(100, 10), (100, 12), (-50, 15)], 150, 1650, 200),
        ([(100, 10), (-100, 9)], 0, 0, -100),
        ([(-10, 50)], -10, -500, 0),
        ([(-10, 50), (4, 45)], -6, -300, 20),
        ([(-10, 50), (10, 60)], 0, 0, -100),
        ([(100, 10), (-150, 12)], -50, -600, 200),  # through zero: the rest opens anew at 12
        ([(-100, 10), (150, 8)], 50, 400, 200),
        ([(10, 10), (-10, 11), (5, 20)], 5, 100, 10),
    ],
)
def test_position_after_fills_is_what_a_hand_counts(trades, quantity, cost_usd, realized_usd) -> None:
    assert held_after(trades) == Position(
        quantity=Decimal(quantity), cost_usd=Decimal(cost_usd), realized_usd=Decimal(realized_usd)
    )


@given(fills)
def test_cash_is_cost_and_gain_together_whatever_the_fills(trades) -> None:
    position = held_after(trades)
    spent = sum((Fraction(quantity) * Fraction(price) for quantity, price in trades), Fraction(0))
    assert position.quantity == sum(quantity for quantity, _ in trades)
    # Money that went out is either still in the position or lost: spent = cost - realized.
    assert abs(Fraction(position.cost_usd) - Fraction(position.realized_usd) - spent) < Fraction(1, 10**12)


@given(fills)
def test_position_by_average_cost_equals_the_one_in_fractions(trades) -> None:
    held, mean, gained = Fraction(0), Fraction(0), Fraction(0)
    for quantity, price in ((Fraction(q), Fraction(p)) for q, p in trades):
        for _ in range(2):  # at most a closing part and an opening part
            part = (
                max(-held, quantity)
                if held > 0 > quantity
                else min(-held, quantity)
                if held < 0 < quantity
                else quantity
            )
            closes = held * part < 0
            gained += -part * (price - mean) if closes else 0
            mean = mean if closes else (held * mean + part * price) / (held + part) if part else mean
            held, quantity = held + part, quantity - part
            mean = mean if held else Fraction(0)
    position = held_after(trades)
    assert position.quantity == held
    assert abs(Fraction(position.cost_usd) - held * mean) < Fraction(1, 10**12)
    assert abs(Fraction(position.realized_usd) - gained) < Fraction(1, 10**12)


@given(fills)
def test_position_that_is_closed_keeps_no_dust_of_cost(trades) -> None:
    position = held_after(trades)
    flat = filled(position, -position.quantity, Decimal("33.33")) if position.quantity else position
    assert (flat.quantity, flat.cost_usd) == (0, 0)


def test_price_of_the_new_shares_follows_from_two_cumulative_counts() -> None:
    # 4 shares at 10 cost 40, 10 shares at 11.20 cost 112: the 6 new ones cost 72, so 12 each.
    assert fill_price((Decimal(4), Decimal(10)), (Decimal(10), Decimal("11.20"))) == 12
    assert fill_price((Decimal(0), Decimal(0)), (Decimal(3), Decimal("7.5"))) == Decimal("7.5")


def test_price_between_equal_counts_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing was filled"):
        fill_price((Decimal(4), Decimal(10)), (Decimal(4), Decimal(11)))
