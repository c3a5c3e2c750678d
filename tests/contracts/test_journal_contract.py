"""What every journal promises, asked of the one on disk and the one in memory."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from qgtm.adapters.journal import MemoryJournal, SqliteJournal
from qgtm.core.errors import EventError
from qgtm.core.events import (
    AlertRaised,
    BarsClosed,
    BrokerLost,
    CashMoved,
    FeedFailed,
    SessionClosed,
    TimePassed,
)
from qgtm.ports import Head

AT = datetime(2024, 3, 1, 21, 0, 0, 123456, tzinfo=UTC)
Make = Callable[[], MemoryJournal | SqliteJournal]


def lost(number: int) -> BrokerLost:
    return BrokerLost(reason=f"reason {number}")


@pytest.fixture(params=["disk", "memory"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MemoryJournal | SqliteJournal]:
    if request.param == "memory":
        yield MemoryJournal()
        return
    with SqliteJournal(tmp_path / "journal.db") as opened:
        yield opened


def test_journal_that_is_new_has_no_rows_and_the_head_of_nothing(journal) -> None:
    assert list(journal.read()) == []
    assert journal.head() == Head(0, "0" * 64)


def test_journal_gives_back_what_was_appended_in_order(journal) -> None:
    moved = CashMoved(activity_id="a", kind="CSD", amount_usd=Decimal("10.10"))
    bars = BarsClosed(session=date(2024, 3, 1), known_at=AT, bars={"GLD": (1.0, 2.5, 0.5, 2.0, 1e7)})
    journal.append([moved, bars], AT)
    journal.append([SessionClosed(session=date(2024, 3, 1))], AT + timedelta(seconds=1))
    entries = list(journal.read())
    assert [entry.event for entry in entries] == [moved, bars, SessionClosed(session=date(2024, 3, 1))]
    assert [entry.seq for entry in entries] == [1, 2, 3]
    assert [entry.at for entry in entries] == [AT, AT, AT + timedelta(seconds=1)]


def test_journal_read_after_a_row_starts_with_the_next(journal) -> None:
    journal.append([lost(n) for n in range(1, 6)], AT)
    assert [entry.event for entry in journal.read(after=3)] == [lost(4), lost(5)]
    assert list(journal.read(after=5)) == []


def test_journal_head_is_the_last_entry(journal) -> None:
    journal.append([lost(1), lost(2)], AT)
    last = list(journal.read())[-1]
    assert journal.head() == Head(last.seq, last.hash)
    assert journal.hash_at(2) == last.hash
    assert journal.hash_at(0) == "0" * 64
    assert journal.hash_at(3) is None


@pytest.mark.fault("F6")
def test_journal_time_never_decreases_when_the_clock_goes_back(journal) -> None:
    journal.append([lost(1)], AT)
    journal.append([lost(2)], AT - timedelta(hours=1))
    journal.append([lost(3)], AT + timedelta(hours=1))
    assert [entry.at for entry in journal.read()] == [AT, AT, AT + timedelta(hours=1)]


def test_journal_keeps_times_in_utc_whatever_zone_they_come_in(journal) -> None:
    from zoneinfo import ZoneInfo

    journal.append([lost(1)], AT.astimezone(ZoneInfo("America/New_York")))
    assert next(iter(journal.read())).at.isoformat() == "2024-03-01T21:00:00.123456+00:00"


def test_journal_refuses_a_naive_time(journal) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        journal.append([lost(1)], AT.replace(tzinfo=None))
    assert journal.head().seq == 0


def test_journal_append_with_one_bad_event_writes_none_of_them(journal) -> None:
    nonsense = BarsClosed(session=date(2024, 3, 1), known_at=AT, bars={"GLD": (float("nan"),) * 5})
    with pytest.raises(EventError, match="BarsClosed"):
        journal.append([lost(1), nonsense], AT)
    assert journal.head().seq == 0
    journal.append([lost(2)], AT)
    assert [entry.event for entry in journal.read()] == [lost(2)]


def test_journal_leaves_out_what_is_never_journaled(journal) -> None:
    passed = TimePassed(session=None, open_at=None, close_at=None, is_open=False, monotonic_s=1.0)
    journal.append([passed], AT)
    assert journal.head().seq == 0
    journal.append([passed, lost(1), passed], AT)
    assert [entry.event for entry in journal.read()] == [lost(1)]


def test_journal_append_of_nothing_changes_nothing(journal) -> None:
    journal.append([lost(1)], AT)
    before = journal.head()
    journal.append([], AT + timedelta(days=1))
    journal.append([lost(2)], AT)
    assert before.seq == 1
    assert [entry.at for entry in journal.read()] == [AT, AT]


@pytest.mark.parametrize("text", ["–π€", "a\nb", "nul \0 inside", "half a pair \ud800", '"quoted\\"', ""])
def test_journal_keeps_any_text(journal, text: str) -> None:
    raised = AlertRaised(level="info", cause="test", text=text)
    journal.append([raised], AT)
    assert next(iter(journal.read())).event == raised


def test_journals_with_the_same_facts_have_the_same_head(tmp_path: Path) -> None:
    memory = MemoryJournal()
    with SqliteJournal(tmp_path / "journal.db") as disk:
        for journal in (memory, disk):
            journal.append([lost(1), FeedFailed(feed="ohlcv", reason="é")], AT)
            journal.append([lost(2)], AT - timedelta(days=1))
        assert memory.head() == disk.head()
        assert [entry.hash for entry in memory.read()] == [entry.hash for entry in disk.read()]


def test_journal_hash_follows_from_the_rows_by_another_route(journal) -> None:
    import hashlib

    journal.append([SessionClosed(session=date(2024, 3, 1))], AT)
    text = "0" * 64 + "\n1\n2024-03-01T21:00:00.123456Z\nSessionClosed\n" + '{"session":"2024-03-01"}'
    assert journal.head().hash == hashlib.sha256(text.encode()).hexdigest()


def test_journal_with_many_rows_is_read_whole(journal) -> None:
    journal.append([lost(n) for n in range(2500)], AT)
    assert [entry.event.reason for entry in journal.read()] == [f"reason {n}" for n in range(2500)]
