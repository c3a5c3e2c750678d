"""The verbs that look: their JSON, their box, and a journal that is missing or broken."""

import json
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from benchmarks.made_up_fund import beat, made_up_state
from qgtm.cli.status import rows
from qgtm.views.summary import summary
from tests.views.told import LIMITS, live, outside, told

STATUS = (
    "daemon heartbeat_age_s strategies_loaded strategies_total broker positions notional_usd pnl_day_usd "
    "pnl_day_frac drawdown_frac signals_pending risk dot sentence"
).split()


def qgtm(repo: Path, state: Path, *arguments: str, columns: int = 100) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            sys.executable,
            "-c",
            "from qgtm.cli import main; main()",
            *arguments,
            "--config",
            str(repo / "qgtm_config.toml"),
        ],
        cwd=repo,
        env={"QGTM_STATE_DIR": str(state), "PATH": "/usr/bin:/bin", "COLUMNS": str(columns)},
        capture_output=True,
        text=True,
        timeout=60,
    )


def answer(repo: Path, state: Path, *arguments: str) -> Any:
    done = qgtm(repo, state, *arguments, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def orange(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_up_state(tmp_path_factory.mktemp("orange"), "orange", sessions=12).root


@pytest.fixture
def fund(orange: Path, tmp_path: Path) -> Path:
    """A copy of the made-up fund whose daemon has just beaten."""
    from qgtm.adapters.files import StateDir

    shutil.copytree(orange, tmp_path / "var")
    beat(StateDir(tmp_path / "var"), datetime(2026, 3, 2, tzinfo=UTC))
    return tmp_path / "var"


def test_status_answers_exactly_the_agreed_keys(repo: Path, fund: Path) -> None:
    status = answer(repo, fund, "status")
    assert list(status) == STATUS
    assert (status["dot"], status["daemon"], status["positions"]) == ("orange", "running", 7)


def test_status_at_a_narrow_terminal_breaks_no_label_and_drops_the_sources(repo: Path, fund: Path) -> None:
    done = qgtm(repo, fund, "status", "--summary", columns=60)
    assert max(map(len, done.stdout.splitlines())) == 60
    assert "║ Strategies  4/4 loaded" in done.stdout
    assert "kill switch" not in done.stdout


def test_status_box_shows_every_line_with_a_source(repo: Path, fund: Path) -> None:
    done = qgtm(repo, fund, "status", "--summary")
    assert done.returncode == 0
    for label in (
        "Daemon",
        "Heartbeat",
        "Strategies",
        "Broker",
        "Positions",
        "P&L (1d)",
        "Drawdown",
        "Signals",
        "Risk",
    ):
        assert re.search(rf"║ {re.escape(label)} ", done.stdout)
    assert "ORANGE" in done.stdout


def test_box_says_how_the_watchdog_is_and_what_stands_beside_the_dot(repo: Path, tmp_path: Path) -> None:
    state = made_up_state(tmp_path / "var", "request", sessions=4).root
    said = " ".join(qgtm(repo, state, "status", "--summary").stdout.split())
    assert "║ Watchdog watching" in said
    assert "║ Waits OpA asks to trade again." in said
    assert "║ Halted Stopped at the hard cap." in said
    assert list(answer(repo, state, "status")) == STATUS


def test_rows_of_the_box_all_name_where_they_were_read() -> None:
    found = rows(summary(told(live()), outside(), LIMITS))
    assert [source for _, _, source in found if not source] == []


@pytest.mark.parametrize("verb", [("status",), ("signals",), ("signals", "--pending"), ("strategies",)])
def test_verb_works_before_anything_has_run_and_says_the_next_step(
    repo: Path, tmp_path: Path, verb: tuple[str, ...]
) -> None:
    done = qgtm(repo, tmp_path / "nothing", *verb)
    assert (done.returncode, "qgtm up" in done.stdout) == (0, True)
    assert not (tmp_path / "nothing").exists()


def test_signals_are_not_called_none_when_the_journal_cannot_be_read(repo: Path, tmp_path: Path) -> None:
    (tmp_path / "journal.db").write_bytes(b"nonsense" * 1000)
    done = qgtm(repo, tmp_path, "signals")
    assert (done.returncode, done.stdout) == (1, "")
    assert "audit verify" in done.stderr


@pytest.mark.parametrize("verb", ["status", "strategies"])
def test_verb_works_with_a_journal_that_is_none(repo: Path, tmp_path: Path, verb: str) -> None:
    (tmp_path / "journal.db").write_bytes(b"nonsense" * 1000)
    done = qgtm(repo, tmp_path, verb)
    assert (done.returncode, "Traceback" in done.stderr, "audit verify" in done.stdout) == (0, False, True)


def test_strategies_answer_the_agreed_keys(repo: Path, fund: Path) -> None:
    found = {row["name"]: row for row in answer(repo, fund, "strategies")}
    keys = ["name", "category", "state", "loaded", "feeds", "last_signal_at", "evidence"]
    assert list(found["tsmom"]) == keys
    assert found["tsmom"]["evidence"].startswith("shadow: ")
    assert (found["tsmom"]["state"], found["gold_silver_ratio"]["state"]) == ("running", "disabled")
    assert (found["tsmom"]["loaded"], found["tsmom"]["feeds"]) == (True, ["ohlcv"])


def test_signals_answer_each_side_that_is_taken(repo: Path, fund: Path) -> None:
    found = {(row["strategy"], row["symbol"]): row["direction"] for row in answer(repo, fund, "signals")}
    assert found["gold_silver_ratio", "GLD"] == "short"
    assert len(found) == 11
    assert answer(repo, fund, "signals", "--pending") == []


def test_serve_on_a_port_in_use_names_the_next_step(repo: Path, fund: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        text = (
            (repo / "qgtm_config.toml").read_text().replace("port = 8700", f"port = {taken.getsockname()[1]}")
        )
        (fund / "config.toml").write_text(text)
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                "from qgtm.cli import main; main()",
                "serve",
                "--config",
                str(fund / "config.toml"),
            ],
            env={"QGTM_STATE_DIR": str(fund), "PATH": "/usr/bin:/bin"},
            cwd=repo,
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert (done.returncode, "web.port" in done.stderr, "Traceback" in done.stderr) == (1, True, False)
