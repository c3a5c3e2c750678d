"""The worst case over live orders, against trying every subset."""

from decimal import Decimal
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qgtm.core.order import Order, OrderState
from qgtm.risk.exposure import Book, reach, recomputed_usd, worst_gross_usd, worst_net_usd
from tests.risk.making import D, book, order

SYMBOLS = ("GLD", "SLV", "AGQ", "ZSL")
MOVED = {"GLD": 1, "SLV": 1, "AGQ": 2, "ZSL": -2}  # what a dollar moves, written out by hand

orders = st.lists(
    st.tuples(
        st.sampled_from(SYMBOLS), st.sampled_from(["buy", "sell"]), st.integers(1, 50), st.integers(0, 50)
    ),
    max_size=5,
)
positions = st.dictionaries(st.sampled_from(SYMBOLS), st.integers(-60, 60))


def every_outcome(held: Book) -> list[dict[str, Decimal]]:
    """Return what is held after each subset of the live orders has filled in full."""
    outcomes = []
    for filled in product((0, 1), repeat=len(held.orders)):
        after = dict(held.positions)
        for each, is_filled in zip(held.orders, filled, strict=True):
            after[each.symbol] = after.get(each.symbol, D(0)) + is_filled * each.side.sign * each.remaining
        outcomes.append(after)
    return outcomes


@pytest.mark.mistake(4)
@pytest.mark.invariant("V1")
@given(positions, orders)
def test_closed_form_equals_the_worst_of_all_subsets(
    held: dict[str, int], wanted: list[tuple[str, str, int, int]]
) -> None:
    live = tuple(
        order(symbol, side, quantity, 50, number, filled_quantity=D(min(filled, quantity - 1)))
        for number, (symbol, side, quantity, filled) in enumerate(wanted)
    )
    crowded = book(held, live, marks=dict.fromkeys(SYMBOLS, D(200)))
    outcomes = every_outcome(crowded)
    gross = max(sum(abs(n * 200 * MOVED[s]) for s, n in after.items()) for after in outcomes)
    net = max(abs(sum(n * 200 * MOVED[s] for s, n in after.items())) for after in outcomes)
    assert worst_gross_usd(crowded, crowded.symbols) == gross
    assert worst_net_usd(crowded, crowded.symbols) == net


def test_price_is_the_highest_of_mark_and_limits_so_that_a_low_mark_hides_nothing() -> None:
    crowded = book({"GLD": 10}, (order("GLD", "buy", 10, 230),), marks={"GLD": D(1)})
    assert worst_gross_usd(crowded, ("GLD",)) == 20 * 230


@pytest.mark.mistake(5)
def test_held_symbol_without_a_price_makes_the_exposure_unknown() -> None:
    assert worst_gross_usd(book({"GLD": 10}, marks={}), ("GLD",)).is_nan()
    assert worst_net_usd(book({"GLD": 10}, marks={"GLD": D(0)}), ("GLD",)).is_nan()
    assert worst_net_usd(book(positions={"GLD": D("NaN")}), ("GLD",)).is_nan()


def test_symbol_that_was_sold_out_needs_no_price() -> None:
    assert worst_gross_usd(book({"GLD": 0}, marks={}), ("GLD",)) == 0


@pytest.mark.fault("A3")
@pytest.mark.invariant("V1")
def test_order_of_unknown_fate_stays_reserved_and_one_that_ended_does_not() -> None:
    def reached(state: OrderState) -> Decimal:
        held: Order = order(quantity=10, state=state)
        return reach("GLD", book(orders=(held,)))[1]

    assert reached(OrderState.UNKNOWN) == reached(OrderState.FORMED) == reached(OrderState.WORKING) == 10
    assert reached(OrderState.CANCELED) == reached(OrderState.REJECTED) == 0


def test_own_count_of_the_equity_needs_a_price_for_what_is_held_only() -> None:
    held = {"GLD": D(10), "SLV": D(-5), "GDX": D(0)}
    marks = {"GLD": D(200), "SLV": D(30)}
    assert recomputed_usd(D(1_000), held, marks) == 1_000 + 2_000 - 150
    assert recomputed_usd(D(1_000), held, {**marks, "SLV": D("NaN")}) is None
    assert recomputed_usd(D(1_000), held, {"GLD": D(200)}) is None
