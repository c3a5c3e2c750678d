"""What is learned about an order may come twice and in any order; the table says what may follow what."""

from datetime import UTC, datetime
from decimal import Decimal
from itertools import permutations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qgtm.core.errors import OrderError
from qgtm.core.order import ALLOWED, ENDS, Order, OrderState, Side, later, learned

S = OrderState
ORDER = Order(
    client_order_id="qgtm-1-open-20240301-GLD-1",
    symbol="GLD",
    side=Side.BUY,
    quantity=Decimal(10),
    limit_price=Decimal("190.10"),
    arrival_price=Decimal("190.00"),
    formed_at=datetime(2024, 3, 1, 14, 30, tzinfo=UTC),
)
# Written by hand from what the broker may do; rows are "from", columns "to".
TABLE = """
          formed unknown working filled canceled expired rejected
formed    .      x       x       x      x        x       x
unknown   .      .       x       x      x        x       x
working   .      .       .       x      x        x       x
filled    .      .       .       .      .        .       .
canceled  .      .       .       x      .        .       .
expired   .      .       .       x      .        .       .
rejected  .      .       .       .      .        .       .
"""
# From what is known least to what holds whatever else is heard.
RANK = ["formed", "unknown", "working", "rejected", "expired", "canceled", "filled"]
update = st.tuples(
    st.sampled_from(S),
    st.integers(0, 10).map(Decimal),
    st.sampled_from([Decimal(0), Decimal("190.05"), Decimal("190.10")]),
    st.sampled_from([None, "b-1", "b-2"]),
)


def cells() -> list[tuple[str, str, bool]]:
    head, *rows = [line.split() for line in TABLE.strip().splitlines()]
    return [(row[0], to, mark == "x") for row in rows for to, mark in zip(head, row[1:], strict=True)]


@pytest.mark.parametrize(("known", "news", "is_allowed"), cells())
def test_status_change_is_allowed_as_the_hand_written_table_says(known, news, is_allowed) -> None:
    assert (S(news) in ALLOWED[S(known)]) is is_allowed


@pytest.mark.parametrize(("one", "other"), list(product(RANK, RANK)))
def test_of_two_states_the_one_that_says_more_holds(one, other) -> None:
    expected = RANK[max(RANK.index(one), RANK.index(other))]
    assert later(S(one), S(other)) == S(expected)


def test_every_state_has_its_row_and_ends_are_four() -> None:
    assert set(ALLOWED) == set(S)
    assert {S.FILLED, S.CANCELED, S.EXPIRED, S.REJECTED} == ENDS


def told(order: Order, updates) -> Order:
    for each in updates:
        order = learned(order, *each)
    return order


@pytest.mark.fault("C1", "C2")
@pytest.mark.invariant("V10")
@given(st.lists(update, max_size=5), st.randoms(use_true_random=False))
def test_updates_shuffled_and_doubled_give_the_same_order(updates, random) -> None:
    shuffled = updates + random.choices(updates, k=3) if updates else []
    random.shuffle(shuffled)
    assert told(ORDER, shuffled) == told(ORDER, updates)


@pytest.mark.fault("C2")
@pytest.mark.invariant("V10")
def test_every_permutation_of_a_days_updates_gives_the_same_order() -> None:
    day = [
        (S.UNKNOWN, Decimal(0), Decimal(0), None),
        (S.WORKING, Decimal(0), Decimal(0), "b-1"),
        (S.WORKING, Decimal(4), Decimal("190.05"), "b-1"),
        (S.CANCELED, Decimal(4), Decimal("190.05"), "b-1"),
        (S.CANCELED, Decimal(7), Decimal("190.07"), "b-1"),
    ]
    found = {told(ORDER, each) for each in permutations(day)}
    assert len(found) == 1
    last = found.pop()
    assert (last.state, last.filled_quantity, last.filled_price) == (
        S.CANCELED,
        Decimal(7),
        Decimal("190.07"),
    )


@pytest.mark.fault("C6")
def test_fill_that_comes_after_a_cancel_counts_and_ends_the_order_filled() -> None:
    canceled = learned(ORDER, S.CANCELED, Decimal(3), Decimal(190))
    late = learned(canceled, S.FILLED, Decimal(10), Decimal("190.02"))
    assert (late.state, late.filled_quantity, late.filled_price) == (S.FILLED, Decimal(10), Decimal("190.02"))


def test_all_shares_filled_end_the_order_whatever_its_state_is_called() -> None:
    assert learned(ORDER, S.WORKING, Decimal(10), Decimal(190)).state is S.FILLED


def test_old_news_changes_nothing() -> None:
    filled = learned(ORDER, S.WORKING, Decimal(6), Decimal(190), "b-1")
    assert learned(filled, S.FORMED, Decimal(2), Decimal(189)) == filled


@pytest.mark.fault("C4")
def test_count_is_cumulative_and_not_added_up() -> None:
    order = told(ORDER, [(S.WORKING, Decimal(n), Decimal(190), None) for n in (1, 3, 3, 6)])
    assert order.filled_quantity == 6
    assert order.remaining == 4


def test_more_shares_than_ordered_are_refused_with_the_next_step() -> None:
    with pytest.raises(OrderError, match="counts 11 filled of 10; treat it as a break"):
        learned(ORDER, S.FILLED, Decimal(11), Decimal(190))


@pytest.mark.parametrize("state", S)
def test_order_is_live_until_it_has_ended(state) -> None:
    order = learned(ORDER, state, Decimal(4), Decimal(190))
    ended = state.value in ("filled", "canceled", "expired", "rejected")
    assert order.is_live is not ended
    assert order.remaining == (0 if ended else 6)


def test_sides_have_opposite_signs() -> None:
    assert (Side.BUY.sign, Side.SELL.sign) == (1, -1)
