"""When numbers come out: against the agencies' own calendars of past years."""

import gzip
import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from qgtm.exchange.market.holiday import federal_holidays, is_business_day
from qgtm.exchange.market.release import (
    cot_as_of,
    cot_published_at,
    employment_days,
    event_days,
    fomc_days,
    price_index_days,
    published_at,
)


def test_federal_holidays_are_those_of_the_office_of_personnel_management() -> None:
    # opm.gov, 2021: New Year's Day of 2022 fell on a Saturday and was kept on the last of 2021
    kept = "01-01 01-18 02-15 05-31 06-18 07-05 09-06 10-11 11-11 11-25 12-24 12-31"
    assert sorted(federal_holidays(2021)) == [date.fromisoformat(f"2021-{day}") for day in kept.split()]
    assert date(2022, 1, 1) not in federal_holidays(2022)
    assert is_business_day(date(2019, 6, 19))
    assert not is_business_day(date(2024, 6, 19))


# The Commission's release schedule of 2026: what does not come out on the Friday after its Tuesday.
LATE = {
    "2025-12-30": "2026-01-05",
    "2026-06-16": "2026-06-22",
    "2026-06-30": "2026-07-06",
    "2026-11-10": "2026-11-16",
    "2026-11-24": "2026-11-30",
    "2026-12-22": "2026-12-28",
}


def test_positions_come_out_on_friday_and_in_the_weeks_of_the_schedule_on_monday() -> None:
    week = date(2025, 12, 29)
    for number in range(52):
        as_of = cot_as_of(date.fromordinal(week.toordinal() + 7 * number))
        friday = date.fromordinal(as_of.toordinal() + 3).isoformat()
        expected = LATE.get(as_of.isoformat(), friday)
        assert cot_published_at(as_of).date().isoformat() == expected, as_of


def test_report_describes_monday_when_tuesday_is_a_holiday(shared_data: Path) -> None:
    import csv
    import io
    import zipfile

    for year in (2017, 2018):
        with zipfile.ZipFile(shared_data / "cot" / f"fut_disagg_txt_{year}.zip") as archive:
            text = archive.read(archive.namelist()[0]).decode("latin-1")
        recorded = {row["Report_Date_as_YYYY-MM-DD"] for row in csv.DictReader(io.StringIO(text))}
        days = (date(year, 1, 1).toordinal() + 7 * number for number in range(53))
        ours = {day.isoformat() for n in days if (day := cot_as_of(date.fromordinal(n))).year == year}
        assert ours == recorded


def test_positions_are_published_at_half_past_three_in_new_york_summer_and_winter() -> None:
    assert cot_published_at(date(2024, 1, 9)) == datetime(2024, 1, 12, 20, 30, tzinfo=UTC)
    assert cot_published_at(date(2024, 7, 9)) == datetime(2024, 7, 12, 19, 30, tzinfo=UTC)


def test_employment_reports_come_on_the_days_of_2024() -> None:
    # bls.gov, schedule of releases for 2024
    days = "01-05 02-02 03-08 04-05 05-03 06-07 07-05 08-02 09-06 10-04 11-01 12-06"
    assert employment_days(2024) == tuple(date.fromisoformat(f"2024-{day}") for day in days.split())


def test_price_index_comes_once_a_month_between_the_tenth_and_the_sixteenth() -> None:
    for day in price_index_days(2024):
        assert 10 <= day.day <= 16
        assert is_business_day(day)


def test_decisions_are_told_within_nine_days_of_the_committees_own(shared_data: Path) -> None:
    with gzip.open(shared_data / "calendars" / "fomc_documents_1959_on.json.gz", "rt") as file:
        documents = json.load(file)
    told = {date.fromisoformat(row["date"]) for row in documents if row["doc_type"] == "minutes"}
    for year in range(2015, 2024):
        real = [day for day in told if day.year == year]
        assert len(real) >= 8
        for day in fomc_days(year):
            assert min(abs((day - each).days) for each in real) <= 9, (day, sorted(real))


@pytest.mark.parametrize(
    ("series", "day", "at"),
    [
        ("DGS10", date(2024, 7, 3), datetime(2024, 7, 5, 20, 15, tzinfo=UTC)),  # over the fourth
        ("DFF", date(2024, 6, 22), datetime(2024, 6, 24, 20, 15, tzinfo=UTC)),  # a Saturday's, on Monday
        ("T10Y2Y", date(2024, 6, 26), datetime(2024, 6, 26, 21, 2, tzinfo=UTC)),
        ("VIXCLS", date(2024, 1, 12), datetime(2024, 1, 16, 14, 36, tzinfo=UTC)),  # over a long weekend
        ("DTWEXBGS", date(2024, 5, 20), datetime(2024, 5, 28, 20, 15, tzinfo=UTC)),  # Memorial Day's Monday
        ("WALCL", date(2024, 7, 3), datetime(2024, 7, 5, 20, 30, tzinfo=UTC)),
        ("SOFR", date(2024, 3, 8), datetime(2024, 3, 11, 12, 0, tzinfo=UTC)),  # the clocks went forward
    ],
)
def test_value_comes_out_when_its_vendor_says(series: str, day: date, at: datetime) -> None:
    assert published_at(series, day) == at


def test_days_of_a_release_are_those_of_its_values() -> None:
    assert len(event_days(20, 2024)) == 52
    assert all(day.weekday() in (3, 4) for day in event_days(20, 2024))
    assert date(2024, 7, 5) in event_days(18, 2024)
    assert date(2024, 7, 4) not in event_days(18, 2024)
