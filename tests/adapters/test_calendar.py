"""The calendar against dates that the exchange announced, not against the library it is made of."""

import subprocess
import sys
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from qgtm.adapters.calendar import Calendar, xnys

# nyse.com, "Holidays & Trading Hours" and the notices of unscheduled closings
CLOSED = [
    "2012-10-29",  # Hurricane Sandy
    "2012-10-30",
    "2018-12-05",  # mourning for President Bush
    "2025-01-09",  # mourning for President Carter
    "2021-04-02",  # Good Friday
    "2022-06-20",  # the first Juneteenth
    "2023-01-02",  # New Year's Day observed
    "2024-03-29",
    "2024-11-28",
    "2026-07-03",
    "2024-11-30",  # a Saturday
]
OPEN = ["2021-06-18", "2021-12-31", "2018-12-06", "2012-10-31", "2022-01-03"]
HALF = ["2018-07-03", "2019-12-24", "2020-11-27", "2023-07-03", "2024-11-29", "2024-12-24", "2025-07-03"]
SESSIONS = {2015: 252, 2018: 251, 2020: 253, 2022: 251, 2023: 250, 2024: 252}


@pytest.mark.fault("F3")
@pytest.mark.parametrize("day", CLOSED)
def test_holiday_has_no_session(day: str) -> None:
    assert xnys().session_on(date.fromisoformat(day)) is None


@pytest.mark.parametrize("day", OPEN)
def test_trading_day_lasts_six_and_a_half_hours(day: str) -> None:
    session = xnys().session_on(date.fromisoformat(day))
    assert session is not None
    assert session.close_at - session.open_at == timedelta(hours=6, minutes=30)


@pytest.mark.fault("F2")
@pytest.mark.parametrize("day", HALF)
def test_half_day_ends_at_one_in_new_york(day: str) -> None:
    session = xnys().session_on(date.fromisoformat(day))
    assert session is not None
    assert session.close_at - session.open_at == timedelta(hours=3, minutes=30)


@pytest.mark.fault("F1")
def test_hours_follow_new_yorks_summer_time() -> None:
    friday, monday = (xnys().session_on(date(2024, 3, day)) for day in (8, 11))
    assert friday is not None
    assert monday is not None
    assert friday.open_at == datetime(2024, 3, 8, 14, 30, tzinfo=UTC)
    assert monday.open_at == datetime(2024, 3, 11, 13, 30, tzinfo=UTC)
    assert monday.open_at.tzinfo is UTC


@pytest.mark.parametrize(("year", "count"), SESSIONS.items())
def test_year_has_the_sessions_that_were_held(year: int, count: int) -> None:
    assert len(xnys().sessions(date(year, 1, 1), date(year, 12, 31))) == count


def test_sessions_include_both_ends_and_come_in_order() -> None:
    found = xnys().sessions(date(2024, 11, 27), date(2024, 12, 2))
    assert [session.day.day for session in found] == [27, 29, 2]


def test_sessions_of_an_empty_span_are_none() -> None:
    assert xnys().sessions(date(2024, 11, 29), date(2024, 11, 27)) == ()


def test_sessions_run_on_where_one_block_of_years_meets_the_next() -> None:
    found = xnys().sessions(date(2034, 12, 28), date(2035, 1, 3))
    assert [session.day.isoformat() for session in found] == [
        "2034-12-28",
        "2034-12-29",
        "2035-01-02",
        "2035-01-03",
    ]


def test_next_and_previous_session_step_over_a_holiday_weekend() -> None:
    calendar = Calendar()
    assert calendar.next_session(date(2024, 8, 30)).day == date(2024, 9, 3)
    assert calendar.previous_session(date(2024, 9, 3)).day == date(2024, 8, 30)
    assert calendar.next_session(date(2024, 9, 1)).day == date(2024, 9, 3)


@pytest.mark.parametrize(
    ("clock", "is_open"),
    [("14:29:59", False), ("14:30:00", True), ("17:59:59", True), ("18:00:00", False)],
)
def test_market_is_open_from_the_open_to_before_the_close(clock: str, is_open: bool) -> None:
    at = datetime.fromisoformat(f"2024-11-29T{clock}+00:00")  # a half day
    assert xnys().is_open(at) is is_open


@pytest.mark.fault("F1")
def test_moment_in_another_zone_is_the_same_moment() -> None:
    tokyo = timezone(timedelta(hours=9))
    assert xnys().is_open(datetime(2024, 11, 30, 0, 0, tzinfo=tokyo))


def test_naive_moment_is_refused() -> None:
    with pytest.raises(ValueError, match="pass an aware datetime"):
        xnys().is_open(datetime(2024, 11, 29, 15))  # noqa: DTZ001 - the naive one is the point


@pytest.mark.parametrize("day", [date(2004, 12, 31), date(2215, 1, 1)])
def test_day_beyond_the_calendar_is_refused_rather_than_called_closed(day: date) -> None:
    with pytest.raises(LookupError, match="2005 to 2214"):
        xnys().session_on(day)


def test_importing_the_calendar_does_not_import_pandas() -> None:
    code = "import sys, qgtm.adapters.calendar; print('pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.fault("F4")
@pytest.mark.parametrize(
    ("day", "before", "after"),
    [
        ("2024-02-29", "2024-02-28", "2024-03-01"),  # a leap day, a Thursday
        ("2024-12-31", "2024-12-30", "2025-01-02"),  # the turn of the year
        ("2026-12-31", "2026-12-30", "2027-01-04"),  # over a long weekend
    ],
)
def test_leap_day_and_turn_of_the_year_have_their_neighbours(day: str, before: str, after: str) -> None:
    here = date.fromisoformat(day)
    assert xnys().session_on(here) is not None
    assert xnys().previous_session(here).day.isoformat() == before
    assert xnys().next_session(here).day.isoformat() == after
