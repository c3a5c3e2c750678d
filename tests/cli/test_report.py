"""`qgtm report` and `qgtm scheduler`: what they refuse, and that a stop is a stop."""

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from qgtm import cli
from qgtm.adapters.clock import Anchor, SystemClock, boot_id

REPO = Path(__file__).resolve().parents[2]


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "qgtm_config.toml"
    path.write_text((REPO / "qgtm_config.toml").read_text())
    monkeypatch.setenv("QGTM_STATE_DIR", str(tmp_path / "var"))
    return path


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as end:
        cli.main([*arguments])
    assert end.value.code == 1
    return capsys.readouterr().err


def test_report_without_a_journal_says_what_to_start(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refused(capsys, "report", "--config", str(config))
    assert "there is nothing to report on" in said
    assert "`make run`" in said
    assert not (config.parent / "reports").exists()


@pytest.mark.parametrize("due", ["sunday", "2026-04-12T20:00"])
def test_due_moment_without_form_or_zone_is_refused(
    config: Path, due: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "write it as 2026-04-12T20:00-04:00" in refused(
        capsys, "report", "--due", due, "--config", str(config)
    )


def test_week_that_is_none_is_refused(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tests.reporting.hand_made import begun, written

    journal = written(config.parent / "journal.db", begun())
    said = refused(capsys, "report", "--week", "W9", "--journal", str(journal), "--config", str(config))
    assert "'W9' is no week: write it as 2026-W15" in said


def anchored(state: Path, venue_at: datetime) -> None:
    """Let venue time stand at a moment, as an exchange that is stepped does."""
    anchor = Anchor(
        venue_at=venue_at,
        monotonic_at=SystemClock().monotonic(),
        wall_at=SystemClock().now(),
        boot_id=boot_id(),
        speed=0.0,
        held_by=(),
        mode="stepped",
    )
    (state / "exchange").mkdir(parents=True)
    (state / "exchange" / "venue.json").write_text(anchor.text())


def test_scheduler_stops_within_three_seconds_and_keeps_its_ledger(config: Path) -> None:
    state = config.parent / "var"
    anchored(state, datetime(2026, 1, 14, tzinfo=UTC))
    process = subprocess.Popen(
        [sys.executable, "-m", "qgtm", "scheduler", "--config", str(config)],
        env={**os.environ, "QGTM_STATE_DIR": str(state), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPO,
    )
    clock, ledger = SystemClock(), state / "scheduler.json"
    until_s = clock.monotonic() + 60
    while not ledger.exists() and clock.monotonic() < until_s:
        clock.wait(0.05)
    began_s = clock.monotonic()
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=30)
    assert clock.monotonic() - began_s < 3.0
    assert process.returncode == 0
    assert "scheduler stopped" in said
    # first seen on a Wednesday: last Sunday's review was due before this scheduler ever ran
    assert json.loads(ledger.read_text())["review"]["2026-W02"]["state"] == "before"
