"""Bars refuse nonsense."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qgtm.core.bar import Bar, BarSet, nonsense, refuse_future
from qgtm.core.errors import BarError

SESSION = date(2024, 3, 1)
KNOWN_AT = datetime(2024, 3, 1, 21, 0, tzinfo=UTC)
GOOD = {"open": 10.0, "high": 12.0, "low": 9.0, "close": 11.0, "volume": 1000.0}


def bar(**changed) -> Bar:
    return Bar(**{"symbol": "GLD", "session": SESSION, "known_at": KNOWN_AT, **GOOD, **changed})


@pytest.mark.fault("E3", "L1")
@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"high": 8.0}, "below the low"),
        ({"low": 0.0}, "not above zero"),
        ({"low": -1.0}, "not above zero"),
        ({"open": 12.5}, "outside"),
        ({"close": 8.9}, "outside"),
        ({"volume": -1.0}, "negative"),
        *(({name: value}, "finite") for name in GOOD for value in (float("nan"), float("inf"))),
        ({"known_at": KNOWN_AT - timedelta(days=1)}, "before its session"),
    ],
)
def test_bar_that_cannot_be_true_is_refused_by_name_and_session(changed, said) -> None:
    with pytest.raises(BarError, match=rf"GLD 2024-03-01: .*{said}"):
        bar(**changed)


def test_bar_with_a_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        bar(known_at=KNOWN_AT.replace(tzinfo=None))


@given(st.lists(st.floats(0.01, 1e6), min_size=4, max_size=4).map(sorted), st.floats(0, 1e12), st.booleans())
def test_bar_whose_prices_are_in_order_is_taken(prices, volume, rises) -> None:
    low, one, other, high = prices
    open_, close = (one, other) if rises else (other, one)
    assert bar(open=open_, high=high, low=low, close=close, volume=volume).close == close


@pytest.mark.fault("E3")
@given(st.tuples(*[st.floats(width=32)] * 5))
def test_figures_are_nonsense_exactly_when_one_of_the_rules_is_broken(figures) -> None:
    open_, high, low, close, volume = figures
    holds = (
        0 < low <= min(open_, close)
        and max(open_, close) <= high < float("inf")
        and 0 <= volume < float("inf")
    )
    assert (nonsense(*figures) is None) == holds


def test_flat_bar_without_volume_is_taken() -> None:
    assert bar(open=5.0, high=5.0, low=5.0, close=5.0, volume=0.0).volume == 0


def test_bar_set_with_a_bar_under_a_foreign_name_is_refused() -> None:
    with pytest.raises(BarError, match="SLV 2024-03-01: holds the bar of GLD"):
        BarSet(session=SESSION, known_at=KNOWN_AT, bars={"SLV": bar()})


def test_bar_set_with_a_bar_of_another_session_is_refused() -> None:
    later = bar(session=SESSION + timedelta(days=1), known_at=KNOWN_AT + timedelta(days=1))
    with pytest.raises(BarError, match="holds the bar of GLD 2024-03-02"):
        BarSet(session=SESSION, known_at=KNOWN_AT, bars={"GLD": later})


def test_bar_set_stamped_in_the_future_is_refused() -> None:
    bars = BarSet(session=SESSION, known_at=KNOWN_AT, bars={"GLD": bar()})
    with pytest.raises(BarError, match="known only at"):
        refuse_future(bars, KNOWN_AT - timedelta(microseconds=1))
    assert refuse_future(bars, KNOWN_AT) is bars


@pytest.mark.fault("E2")
@pytest.mark.invariant("V17")
def test_bar_set_with_one_bar_of_the_future_is_refused_naming_it() -> None:
    late = bar(known_at=KNOWN_AT + timedelta(hours=1))
    bars = BarSet(session=SESSION, known_at=KNOWN_AT, bars={"GLD": late})
    with pytest.raises(BarError, match="GLD 2024-03-01"):
        refuse_future(bars, KNOWN_AT)
