"""The one proof that an order only reduces."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qgtm.core.order import Side
from qgtm.core.reducing import available, is_flattening, is_proven_reducing, why_not_reducing
from tests.risk.making import D, book, order


def test_order_that_closes_what_is_held_is_proven() -> None:
    assert is_proven_reducing(order(side="sell", quantity=100), book({"GLD": 100}))
    assert is_proven_reducing(order(side="buy", quantity=1), book({"GLD": -100}))


@pytest.mark.fault("C12")
@pytest.mark.parametrize(
    ("held", "side", "quantity"),
    [(100, "buy", 1), (-100, "sell", 1), (0, "sell", 1), (0, "buy", 1), (100, "sell", 101), (-5, "buy", 6)],
)
def test_order_that_opens_grows_or_flips_is_not_proven(held: int, side: str, quantity: int) -> None:
    assert not is_proven_reducing(order(side=side, quantity=quantity), book({"GLD": held}))


@pytest.mark.fault("A8", "C12")
def test_shares_that_another_order_is_closing_cannot_be_closed_twice() -> None:
    closing = order(side="sell", quantity=60, filled_quantity=D(20), number=2)
    held = book({"GLD": 80}, (closing,))  # 100 were held; 20 of the 60 are sold, 40 may still be
    assert available("GLD", Side.SELL, held) == 40
    assert is_proven_reducing(order(side="sell", quantity=40), held)
    assert not is_proven_reducing(order(side="sell", quantity=41), held)


def test_live_buy_does_not_add_to_what_a_sale_may_close() -> None:
    held = book({"GLD": 10}, (order(side="buy", quantity=90, number=2),))
    assert available("GLD", Side.SELL, held) == 10
    assert available("GLD", Side.BUY, held) == 0


@pytest.mark.parametrize("quantity", ["0", "-1", "NaN", "sNaN", "Infinity", "1e308", "1e5000"])
def test_quantity_that_is_none_is_not_proven(quantity: str) -> None:
    assert not is_proven_reducing(order(side="sell", quantity=quantity), book({"GLD": 100}))


@pytest.mark.parametrize("held", ["NaN", "Infinity"])
def test_position_that_is_no_number_proves_nothing(held: str) -> None:
    assert "no number" in str(why_not_reducing(order(side="sell"), book({"GLD": held})))


@pytest.mark.fault("L5")
def test_fraction_of_a_share_closes_at_market_only() -> None:
    held = book({"GLD": "10.5"})
    assert is_proven_reducing(order(side="sell", quantity="10.5", limit_price=None), held)
    assert not is_proven_reducing(order(side="sell", quantity="10.5"), held)


def test_order_with_a_foreign_or_a_used_id_is_not_proven() -> None:
    held = book({"GLD": 100}, (order(side="sell", quantity=10, number=7),))
    assert "not one of our order ids" in str(
        why_not_reducing(order(side="sell", client_order_id="abc"), held)
    )
    assert "at work already" in str(why_not_reducing(order(side="sell", number=7), held))


def test_foreign_position_can_be_closed_whatever_the_universe_says() -> None:
    assert is_proven_reducing(order("XYZ", "sell", 5), book({"XYZ": 5}))


def test_flatten_is_told_by_the_purpose_in_the_id() -> None:
    assert is_flattening(order(client_order_id="qgtm-3-flatten-20260302-GLD-1"))
    assert not is_flattening(order())
    assert not is_flattening(order(client_order_id="flatten"))


@pytest.mark.fault("C12")
@pytest.mark.invariant("V8")
@given(
    st.integers(-50, 50),
    st.lists(st.tuples(st.sampled_from(["buy", "sell"]), st.integers(1, 40)), max_size=4),
    st.sampled_from(["buy", "sell"]),
    st.integers(1, 60),
)
def test_proven_orders_filled_in_any_amount_with_their_side_never_flip_the_position(
    held: int, live: list[tuple[str, int]], side: str, quantity: int
) -> None:
    orders = tuple(order(side=way, quantity=count, number=n) for n, (way, count) in enumerate(live, start=2))
    ours = order(side=side, quantity=quantity)
    if not is_proven_reducing(ours, book({"GLD": held}, orders)):
        return
    same_side = sum(each.quantity for each in (*orders, ours) if each.side is ours.side)
    after = Decimal(held) + ours.side.sign * same_side
    assert after * held >= 0
    assert abs(after) < abs(held)
