"""Moments and sessions."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qgtm.core.instant import aware_utc, instant_from_text, new_york_day, text_from_instant

moments = st.datetimes(timezones=st.just(UTC))


@given(moments)
def test_moment_comes_back_from_its_text(at: datetime) -> None:
    assert instant_from_text(text_from_instant(at)) == at


@given(moments, moments)
def test_text_sorts_as_time_does(one: datetime, other: datetime) -> None:
    assert (text_from_instant(one) < text_from_instant(other)) == (one < other)


@given(st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)), st.integers(-14 * 60, 14 * 60))  # noqa: DTZ001
def test_moment_of_any_zone_is_the_same_moment_in_utc(naive: datetime, minutes: int) -> None:
    there = naive.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    here = aware_utc(there)
    assert here == there
    assert here.utcoffset() == timedelta(0)


def test_naive_moment_is_refused() -> None:
    with pytest.raises(ValueError, match="has no time zone"):
        aware_utc(datetime(2024, 3, 1))  # noqa: DTZ001


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2024-03-01",
        "2024-03-01T21:00:00Z",
        "2024-03-01T21:00:00.000000",
        "2024-03-01T21:00:00.000000+00:00",
        "2024-03-01 21:00:00.000000Z",
        "2024-W09-5T21:00:00.000000Z",
        "2024-02-30T21:00:00.000000Z",
        "yesterday",
    ],
)
def test_text_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        instant_from_text(text)


@pytest.mark.fault("F1")
@pytest.mark.parametrize(
    ("at", "day"),
    [
        (datetime(2024, 3, 10, 4, 59, tzinfo=UTC), date(2024, 3, 9)),  # 23:59 EST
        (datetime(2024, 3, 10, 5, 0, tzinfo=UTC), date(2024, 3, 10)),
        (datetime(2024, 3, 11, 3, 59, tzinfo=UTC), date(2024, 3, 10)),  # 23:59 EDT, after the change
        (datetime(2024, 3, 11, 4, 0, tzinfo=UTC), date(2024, 3, 11)),
        (datetime(2024, 11, 4, 4, 59, tzinfo=UTC), date(2024, 11, 3)),  # 23:59 EST again
    ],
)
def test_day_in_new_york_follows_summer_time(at: datetime, day: date) -> None:
    assert new_york_day(at) == day
