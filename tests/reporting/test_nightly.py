"""The record is copied once a night, by the wall clock of New York."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from qgtm.adapters.files import StateDir
from qgtm.adapters.journal import SqliteJournal
from qgtm.core.events import CashMoved
from qgtm.reporting.nightly import Nightly, last_due


@pytest.mark.parametrize(
    ("at", "due"),
    [  # New York is five hours behind in winter and four in summer; 3:00 is there on both days of change
        ("2026-01-15T08:00", "2026-01-15T08:00"), ("2026-01-15T07:59", "2026-01-14T08:00"),
        ("2026-03-08T06:59", "2026-03-07T08:00"), ("2026-03-08T07:00", "2026-03-08T07:00"),
        ("2026-11-01T08:00", "2026-11-01T08:00"), ("2026-11-01T07:59", "2026-10-31T07:00"),
    ],
)  # fmt: skip
def test_copy_is_due_at_three_in_new_york(at: str, due: str) -> None:
    assert last_due(datetime.fromisoformat(f"{at}Z")) == datetime.fromisoformat(f"{due}Z")


def test_one_copy_is_made_a_night_and_a_missed_one_at_once(tmp_path: Path) -> None:
    (tmp_path / "var").mkdir()
    nightly = Nightly(StateDir(tmp_path / "var"), tmp_path / "copies")
    looks = [datetime(2026, 1, day, hour, tzinfo=UTC) for day in (5, 6, 9) for hour in (7, 8, 9, 20)]
    assert nightly.look(looks[0]) is None  # there is nothing to copy yet
    with SqliteJournal(nightly.state.journal) as journal:
        journal.append([CashMoved(activity_id="a", kind="CSD", amount_usd=Decimal(1))], looks[0])
    made = [path.name[:13] for at in looks if (path := nightly.look(at))]
    assert made == ["2026-01-05T07", "2026-01-05T08", "2026-01-06T08", "2026-01-09T07", "2026-01-09T08"]
