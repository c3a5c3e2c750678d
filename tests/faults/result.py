"""The last result of each test that bears a marker: written after every run, read by the table."""

import json
import os
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

from tests.faults.mapping import MARKERS

KEPT: Final = "qgtm/faults.json"
WORSE: Final = ("passed", "skipped", "failed")


@dataclass(frozen=True, slots=True)
class Result:
    """How a case ended, on which day, and at which commit."""

    outcome: str
    day: str
    commit: str


def file_of(repo: Path) -> Path:
    """Return where the results are kept: beside pytest's own memory, which nobody commits."""
    return repo / ".pytest_cache" / KEPT


def load_results(repo: Path) -> dict[str, Result]:
    """Return the last result by node id; none of them where nothing was run yet."""
    try:
        kept = json.loads(file_of(repo).read_text("utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return {nodeid: Result(**told) for nodeid, told in kept.items()}


def commit_of(repo: Path) -> str:
    """Return the commit that the tree stands at; with a plus where the tree differs from it."""
    try:
        told = subprocess.run(
            ["git", "--no-optional-locks", "describe", "--always", "--dirty=+", "--exclude=*"],
            cwd=repo,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return told.stdout.strip()


class Recorder:
    """Listen to a run, and add what its marked tests came to, to what is kept."""

    def __init__(self, repo: Path) -> None:
        self._repo = repo
        self._outcomes: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        is_marked = any(name in report.keywords for name in MARKERS)
        if not is_marked or (report.when != "call" and report.outcome == "passed"):
            return
        before = self._outcomes.get(report.nodeid, "passed")
        self._outcomes[report.nodeid] = max(before, report.outcome, key=WORSE.index)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        with suppress(OSError):  # a tree that cannot be written is tested all the same
            if self._outcomes:
                keep(self._repo, self._outcomes)


def keep(repo: Path, outcomes: Mapping[str, str]) -> None:
    """Put outcomes of this day and commit over those that are kept."""
    commit, day = commit_of(repo), f"{datetime.now(UTC):%Y-%m-%d}"
    kept = load_results(repo) | {nodeid: Result(outcome, day, commit) for nodeid, outcome in outcomes.items()}
    path = file_of(repo)
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_suffix(f".{os.getpid()}")
    half.write_text(json.dumps({nodeid: asdict(kept[nodeid]) for nodeid in sorted(kept)}, indent=0), "utf-8")
    half.replace(path)
