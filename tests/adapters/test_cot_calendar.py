"""When the CFTC publishes, against its own schedules, typed in by hand."""

from datetime import UTC, date, datetime, timedelta

import pytest

from qgtm.adapters.cot_calendar import described_in, newest_due, next_publication, published_at

# The Commission's schedule of 2024: month, and the days on which a report comes out.
SCHEDULE_2024 = {
    1: (5, 12, 19, 26), 2: (2, 9, 16, 23), 3: (1, 8, 15, 22, 29), 4: (5, 12, 19, 26),
    5: (3, 10, 17, 24, 31), 6: (7, 14, 24, 28), 7: (8, 12, 19, 26), 8: (2, 9, 16, 23, 30),
    9: (6, 13, 20, 27), 10: (4, 11, 18, 25), 11: (1, 8, 15, 22), 12: (2, 6, 13, 20, 30),
}  # fmt: skip


def test_reports_of_2024_come_out_on_the_days_of_the_commissions_schedule() -> None:
    weeks = (date(2024, 1, 2) + timedelta(weeks=n) for n in range(52))
    found = sorted(published_at(described_in(week)).date() for week in weeks)
    assert [day for day in found if day.year == 2024] == [
        date(2024, month, day) for month, days in SCHEDULE_2024.items() for day in days
    ]


@pytest.mark.parametrize(
    ("as_of", "out"),
    [
        (date(2017, 7, 3), date(2017, 7, 7)),  # a Monday, since the 4th was a Tuesday
        (date(2018, 12, 18), date(2018, 12, 21)),  # the last before the shutdown
        (date(2018, 12, 24), date(2019, 2, 1)),
        (date(2018, 12, 31), date(2019, 2, 5)),
        (date(2019, 2, 26), date(2019, 3, 5)),
        (date(2019, 3, 5), date(2019, 3, 8)),  # back to the rule
        (date(2025, 9, 23), date(2025, 9, 26)),
        (date(2025, 9, 30), date(2025, 11, 19)),
        (date(2025, 11, 10), date(2025, 12, 12)),
        (date(2026, 1, 20), date(2026, 1, 23)),
    ],
)
@pytest.mark.fault("E9")
def test_a_report_after_a_shutdown_or_a_holiday_comes_late(as_of: date, out: date) -> None:
    assert published_at(as_of).date() == out
    assert described_in(out if as_of == date(2017, 7, 3) else as_of) == as_of


def test_the_hour_is_half_past_three_in_new_york_summer_and_winter() -> None:
    assert published_at(date(2024, 7, 9)) == datetime(2024, 7, 12, 19, 30, tzinfo=UTC)
    assert published_at(date(2024, 1, 9)) == datetime(2024, 1, 12, 20, 30, tzinfo=UTC)


def test_the_next_publication_is_later_and_the_newest_report_is_out() -> None:
    at = datetime(2024, 7, 12, 19, 30, tzinfo=UTC)
    assert next_publication(at - timedelta(seconds=1)) == at
    assert next_publication(at) == datetime(2024, 7, 19, 19, 30, tzinfo=UTC)
    assert newest_due(at) == date(2024, 7, 9)
    assert newest_due(at - timedelta(seconds=1)) == date(2024, 7, 2)


@pytest.mark.fault("E9")
def test_no_report_is_due_while_the_government_is_shut() -> None:
    at = datetime(2025, 11, 1, 12, tzinfo=UTC)
    assert newest_due(at) == date(2025, 9, 23)
    assert next_publication(at) == datetime(2025, 11, 19, 20, 30, tzinfo=UTC)
