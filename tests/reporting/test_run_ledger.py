"""What "latest" is: the newest run of the newest week of the journal reviewed last."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from qgtm.adapters.clock import ManualClock, SystemClock
from qgtm.core.errors import ReportError
from qgtm.reporting.failure import Failure
from qgtm.reporting.make import Order, record_failure, record_late, recover
from qgtm.reporting.run_ledger import DONE, FAILED, LATE, RUNNING, STOPPED, Run, RunLedger
from qgtm.views.action import Caps
from tests.reporting.hand_made import D, events, written

NOON = datetime(2026, 1, 12, 1, tzinfo=UTC)


@pytest.fixture
def ledger(tmp_path: Path) -> RunLedger:
    return RunLedger(tmp_path / "reports")


def run(week: str, state: str, began: int = 1, journal: str = "j") -> Run:
    return Run(
        week=week, number=0, state=state, journal=journal, began_at=f"2026-01-{began:02d}T00:00:00+00:00"
    )


def put(ledger: RunLedger, each: Run, text: str) -> Run:
    begun = ledger.begin(each)
    for kind in ("html", "pdf"):
        (ledger.folder(begun) / f"report.{kind}").write_text(text)
    return begun


@pytest.mark.parametrize("state", [DONE, FAILED, LATE])
def test_newest_run_of_the_newest_week_is_latest_however_it_ended(ledger: RunLedger, state: str) -> None:
    put(ledger, run("2026-W01", DONE, 1), "old")
    put(ledger, run("2026-W02", DONE, 2), "first")
    put(ledger, run("2026-W02", state, 3), "second")
    ledger.place()
    assert (ledger.reports / "latest.html").read_text() == "second"
    assert (ledger.reports / "latest.pdf").read_text() == "second"
    assert json.loads((ledger.reports / "latest.json").read_text())["state"] == state


def test_review_of_an_older_week_made_again_is_not_latest(ledger: RunLedger) -> None:
    put(ledger, run("2026-W02", DONE, 1), "new")
    put(ledger, run("2026-W01", FAILED, 2), "old week, made later")
    ledger.place()
    assert (ledger.reports / "latest.html").read_text() == "new"


def test_review_of_another_journal_is_latest_even_of_an_earlier_week(ledger: RunLedger) -> None:
    put(ledger, run("2026-W20", DONE, 1, "replay"), "replay")
    put(ledger, run("2024-W02", DONE, 2, "fresh"), "fresh start")
    ledger.place()
    assert (ledger.reports / "latest.html").read_text() == "fresh start"


@pytest.mark.parametrize("state", [RUNNING, STOPPED])
def test_run_that_is_not_over_is_not_latest(ledger: RunLedger, state: str) -> None:
    put(ledger, run("2026-W01", DONE, 1), "whole")
    ledger.begin(run("2026-W02", state, 2))
    ledger.place()
    assert (ledger.reports / "latest.html").read_text() == "whole"


def test_half_written_record_is_no_run(ledger: RunLedger) -> None:
    begun = put(ledger, run("2026-W01", DONE), "whole")
    (ledger.folder(begun).parent / "002").mkdir()
    (ledger.folder(begun).parent / "002" / "run.json").write_text('{"week": "2026-')
    assert ledger.runs() == (begun,)


def test_second_report_at_a_time_is_refused(ledger: RunLedger) -> None:
    clock = ManualClock(NOON)
    with (
        ledger.writing(clock),
        pytest.raises(ReportError, match="being made already"),
        ledger.writing(clock, 5.0),
    ):
        pass
    assert clock.monotonic() == pytest.approx(5.0)  # it waited as long as it was told to


def test_folder_that_cannot_be_written_is_refused_with_the_next_step(tmp_path: Path) -> None:
    (tmp_path / "reports").write_text("a file")
    with pytest.raises(ReportError, match="--to"), RunLedger(tmp_path / "reports").writing(ManualClock(NOON)):
        pass


def test_run_that_was_killed_becomes_a_failed_page_on_the_next_start(ledger: RunLedger) -> None:
    put(ledger, run("2026-W01", DONE, 1), "last week")
    ledger.begin(run("2026-W02", RUNNING, 2))
    clock = SystemClock()
    with ledger.writing(clock):
        recover(ledger, clock)
    assert [each.state for each in ledger.runs()] == [DONE, FAILED]
    page = (ledger.reports / "latest.html").read_text()
    assert "FAILED" in page
    assert "ended without a word" in page
    assert "last week" not in page


def order(tmp_path: Path, journal: Path) -> Order:
    due = datetime(2026, 1, 12, 1, tzinfo=UTC)
    caps = Caps(soft_frac=D("0.08"), hard_frac=D("0.12"))
    now = due.replace(hour=9)
    reports = tmp_path / "reports"
    return Order(journal=journal, reports=reports, now=now, caps=caps, week="2026-W02", due_at=due)


def test_due_review_that_is_not_there_puts_a_late_page_up(tmp_path: Path) -> None:
    wanted = order(tmp_path, written(tmp_path / "journal.db", events()))
    assert record_late(wanted, "Nobody was there.", SystemClock()).state == LATE
    page = (tmp_path / "reports" / "latest.html").read_text()
    for part in ("LATE", "Nobody was there.", "Sunday 11 January 2026, 20:00 New York", "make report"):
        assert part in page
    assert (tmp_path / "reports" / "latest.pdf").read_bytes().startswith(b"%PDF-")


def test_run_that_never_began_fails_without_a_journal_too(tmp_path: Path) -> None:
    failure = Failure(what="No journal.", step="start the daemon.")
    failed = record_failure(order(tmp_path, tmp_path / "none.db"), failure, SystemClock())
    assert (failed.state, failed.week, failed.journal) == (FAILED, "2026-W02", "")
    assert "start the daemon." in (tmp_path / "reports" / "latest.html").read_text()


def test_runs_of_a_week_are_numbered(ledger: RunLedger) -> None:
    first, second = (ledger.begin(run("2026-W02", DONE)) for _ in range(2))
    assert (first.number, second.number) == (1, 2)
    assert ledger.runs() == (replace(first), second)
