"""Numbers as people read them."""

from decimal import Decimal as D

import pytest

from qgtm.views.words import bound, change, count, dollars, percent, span


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (D("247300.4"), "$247,300"),
        (D("-1412"), "−$1,412"),
        (D("-0.3"), "$0"),
        (D(0), "$0"),
        (None, "unknown"),
    ],
)
def test_dollars_are_whole_and_a_minus_stands_before_the_sign(amount: D | None, text: str) -> None:
    assert dollars(amount) == text


def test_dollars_with_cents_keep_a_loss_of_a_cent() -> None:
    assert dollars(D("-0.01"), cents=True) == "−$0.01"


@pytest.mark.parametrize(
    ("amount", "text"), [(D(1412), "+$1,412"), (D(-3), "−$3"), (D(0), "$0"), (None, "unknown")]
)
def test_change_carries_its_sign_unless_it_is_nothing(amount: D | None, text: str) -> None:
    assert change(amount) == text


@pytest.mark.parametrize(
    ("frac", "text"), [(D("0.08"), "8%"), (D("0.0850"), "8.5%"), (D("0.1"), "10%"), (D("0.05625"), "5.625%")]
)
def test_bound_is_never_rounded(frac: D, text: str) -> None:
    assert bound(frac) == text


@pytest.mark.parametrize(
    ("frac", "text"),
    [(D("0.0057"), "+0.57%"), (D("-0.0057"), "−0.57%"), (D("-0.00001"), "0.00%"), (None, "unknown")],
)
def test_signed_percent_of_a_fraction(frac: D | None, text: str) -> None:
    assert percent(frac, signed=True) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (12.9, "12s"),
        (89, "1m 29s"),
        (7200, "2h 0m"),
        (14 * 86400 + 7 * 3600 + 59, "14d 7h"),
        (None, "unknown"),
    ],
)
def test_span_says_its_two_largest_units(seconds: float | None, text: str) -> None:
    assert span(seconds) == text


def test_count_of_one_has_no_plural() -> None:
    assert [count(n, "position") for n in (1, 2, 0, None)] == [
        "1 position",
        "2 positions",
        "0 positions",
        "unknown positions",
    ]
