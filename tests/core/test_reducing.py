"""An order that is proven to reduce can do nothing else, whatever else fills beside it."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qgtm.core.order import Order, OrderState, Side
from qgtm.core.reducing import available, is_flattening, is_proven_reducing, why_not_reducing

ORDER = Order(
    client_order_id="qgtm-1-flatten-20240301-GLD-1",
    symbol="GLD",
    side=Side.SELL,
    quantity=Decimal(10),
    limit_price=None,
    arrival_price=Decimal(190),
    formed_at=datetime(2024, 3, 1, 14, 30, tzinfo=UTC),
)


@dataclass(frozen=True)
class Book:
    positions: dict[str, Decimal] = field(default_factory=dict)
    orders: tuple[Order, ...] = ()


def order(side: Side, quantity: int, number: int = 2, filled: int = 0, symbol: str = "GLD") -> Order:
    return replace(
        ORDER,
        client_order_id=f"qgtm-1-open-20240301-{symbol}-{number}",
        symbol=symbol,
        side=side,
        quantity=Decimal(quantity),
        filled_quantity=Decimal(filled),
        state=OrderState.WORKING,
    )


def held(quantity: int | str, *orders: Order) -> Book:
    return Book({"GLD": Decimal(quantity)}, orders)


@pytest.mark.parametrize(
    ("side", "quantity", "book", "is_proven"),
    [
        (Side.SELL, 10, held(10), True),
        (Side.SELL, 9, held(10), True),
        (Side.SELL, 11, held(10), False),  # would go short
        (Side.SELL, 1, held(0), False),
        (Side.SELL, 1, held(-10), False),  # would go shorter
        (Side.BUY, 10, held(-10), True),
        (Side.BUY, 11, held(-10), False),
        (Side.BUY, 1, held(10), False),
        (Side.SELL, 6, held(10, order(Side.SELL, 4)), True),
        (Side.SELL, 7, held(10, order(Side.SELL, 4)), False),
        (Side.SELL, 7, held(10, order(Side.SELL, 4, filled=1)), True),  # only its remaining 3 still count
        (Side.SELL, 10, held(10, order(Side.SELL, 4, symbol="SLV")), True),
        (Side.SELL, 10, held(10, order(Side.BUY, 4)), True),
        (Side.SELL, 1, Book({"SLV": Decimal(10)}), False),
    ],
)
def test_order_reduces_when_the_book_covers_it(
    side: Side, quantity: int, book: Book, is_proven: bool
) -> None:
    assert is_proven_reducing(replace(ORDER, side=side, quantity=Decimal(quantity)), book) is is_proven


@given(
    st.integers(-20, 20),
    st.lists(st.tuples(st.sampled_from(Side), st.integers(1, 12)), max_size=3),
    st.sampled_from(Side),
    st.integers(1, 25),
)
def test_proven_order_never_flips_or_grows_the_position_whatever_fills_beside_it(
    position: int, live: list[tuple[Side, int]], side: Side, quantity: int
) -> None:
    beside = [order(each, shares, number) for number, (each, shares) in enumerate(live)]
    wanted = replace(ORDER, side=side, quantity=Decimal(quantity))
    if not is_proven_reducing(wanted, held(position, *beside)):
        return
    same_side = [each for each in beside if each.side is side]
    for fills in product([0, 1], repeat=len(same_side) + 1):  # each fills whole or not at all
        shares = [each.quantity for each in same_side] + [wanted.quantity]
        after = position + side.sign * sum(
            share for share, is_filled in zip(shares, fills, strict=True) if is_filled
        )
        assert abs(after) <= abs(position)
        assert after * position >= 0


@pytest.mark.parametrize(
    ("changed", "book", "said"),
    [
        ({"client_order_id": "by-hand"}, held(10), "not one of our order ids"),
        ({}, held(20, replace(ORDER, state=OrderState.UNKNOWN)), "is at work already"),
        ({"quantity": Decimal(0)}, held(10), "0 shares are no quantity"),
        ({"quantity": Decimal(-1)}, held(10), "-1 shares are no quantity"),
        ({"quantity": Decimal("NaN")}, held(10), "NaN shares are no quantity"),
        ({"quantity": Decimal("0.5"), "limit_price": Decimal(190)}, held(10), "at market only"),
        ({}, held("NaN"), "which is no number"),
        ({}, held(3), "3 are held and 3 can be closed"),
    ],
)
def test_order_that_is_not_proven_says_why(changed: dict[str, object], book: Book, said: str) -> None:
    reason = why_not_reducing(replace(ORDER, **changed), book)  # type: ignore[arg-type]
    assert reason is not None
    assert said in reason


def test_share_with_a_fraction_can_be_closed_at_market() -> None:
    assert is_proven_reducing(replace(ORDER, quantity=Decimal("0.5")), held("0.5"))


def test_shares_that_can_be_closed_are_never_below_zero() -> None:
    assert available("GLD", Side.SELL, held(3, order(Side.SELL, 5))) == 0
    assert available("GLD", Side.BUY, held(3)) == 0


def test_purpose_in_the_id_tells_a_flatten() -> None:
    assert is_flattening(ORDER)
    assert not is_flattening(order(Side.SELL, 1))
    assert not is_flattening(replace(ORDER, client_order_id="by-hand"))
