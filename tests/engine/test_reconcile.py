"""Both books side by side: every difference is found, none invented, none mended."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qgtm.engine.reconcile import find_breaks, find_cash_break, find_foreign_orders

books = st.dictionaries(
    st.sampled_from(["GLD", "SLV", "GDX", "AAPL"]), st.integers(-3, 3).map(Decimal), max_size=4
)


@pytest.mark.fault("C9", "C10", "C15")
@given(books, books)
def test_every_symbol_whose_shares_differ_is_reported_and_no_other(ours, brokers) -> None:
    before = (dict(ours), dict(brokers))
    found = find_breaks(ours, brokers)
    differing = [s for s in ("AAPL", "GDX", "GLD", "SLV") if ours.get(s, 0) != brokers.get(s, 0)]
    assert [each.subject for each in found] == differing
    assert all((b.ours, b.brokers) == (ours.get(b.subject, 0), brokers.get(b.subject, 0)) for b in found)
    assert (ours, brokers) == before


@given(books)
def test_book_has_no_break_with_itself(book) -> None:
    assert find_breaks(book, book) == ()


@pytest.mark.parametrize(("brokers", "is_break"), [("100.005", False), ("100.01", False), ("100.02", True)])
def test_cash_differs_beyond_a_cent_of_rounding(brokers, is_break) -> None:
    assert bool(find_cash_break(Decimal("100.00"), Decimal(brokers))) is is_break
    assert bool(find_cash_break(Decimal(brokers), Decimal("100.00"))) is is_break


def test_explanation_is_said_in_the_break_of_its_symbol() -> None:
    (found,) = find_breaks({"GLD": Decimal(1)}, {}, {"GLD": "A split of 2 for 1 was announced."})
    assert found.detail == "A split of 2 for 1 was announced."


@pytest.mark.fault("B10")
def test_open_order_that_we_never_wrote_down_is_reported_and_ours_is_not() -> None:
    found = find_foreign_orders({"ours"}, {"theirs": Decimal(7), "ours": Decimal(1)})
    assert [(each.subject, each.ours, each.brokers) for each in found] == [("theirs", 0, 7)]
