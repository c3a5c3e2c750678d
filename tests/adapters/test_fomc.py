"""The Federal Reserve's meetings, against the dates of its own documents."""

import gzip
import json
from datetime import UTC, date, datetime
from pathlib import Path

from qgtm.adapters.fomc import DECISIONS, decided_at


def test_decisions_are_those_of_the_published_minutes(shared_data: Path) -> None:
    documents = json.loads(
        gzip.decompress((shared_data / "calendars/fomc_documents_1959_on.json.gz").read_bytes())
    )
    minutes = {date.fromisoformat(each["date"]) for each in documents if each["doc_type"] == "minutes"}
    known = {day for day in minutes if 2015 <= day.year <= 2024} - {date(2020, 3, 15)}  # that Sunday
    assert {day for day in DECISIONS if day.year <= 2024} == known


def test_decisions_come_eight_times_a_year_on_working_days_in_order() -> None:
    assert list(DECISIONS) == sorted(DECISIONS)
    assert all(day.weekday() < 5 for day in DECISIONS)
    assert {year: sum(day.year == year for day in DECISIONS) for year in range(2015, 2028)} == {
        year: 7 if year == 2020 else 8 for year in range(2015, 2028)
    }


def test_a_decision_is_told_at_two_in_new_york() -> None:
    assert decided_at(date(2026, 1, 28)) == datetime(2026, 1, 28, 19, tzinfo=UTC)
    assert decided_at(date(2026, 7, 29)) == datetime(2026, 7, 29, 18, tzinfo=UTC)
