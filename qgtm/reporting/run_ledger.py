"""Which runs there were, what became of each, and which of them is "latest".

A run is a folder `reports/weekly_review/WEEK/NUMBER` with a `run.json`, written last and never half, so the
folders are the ledger. "Latest" is the newest run of the newest week of the journal that was reviewed last,
whether it went well, failed or is late: an old report never lies where a newer one should.
"""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from qgtm.adapters.files import write_atomic
from qgtm.adapters.lock import FileLock
from qgtm.core.errors import JournalError, JournalLocked, ReportError
from qgtm.reporting.child import WaitingClock

REVIEWS: Final = "weekly_review"
RECORD: Final = "run.json"
LATEST: Final = "latest"
KINDS: Final = ("html", "pdf")
RUNNING: Final = "running"
DONE: Final = "done"
FAILED: Final = "failed"
LATE: Final = "late"
STOPPED: Final = "stopped"
SHOWN: Final = (DONE, FAILED, LATE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run. Moments are ISO text in venue time; `journal` is the first row's hash, empty when not known.

    `failure` says in a sentence what went wrong, `cell` in which cell (0 for none).
    """

    week: str
    number: int
    state: str
    journal: str
    began_at: str
    due_at: str = ""
    took_s: float = 0.0
    rows: int = 0
    head: str = ""
    failure: str = ""
    task: str = ""
    cell: int = 0

    @property
    def key(self) -> tuple[str, int]:
        """Return what orders the runs."""
        return self.week, self.number


class RunLedger:
    """The folder `reports/`. One writer at a time: hold `writing()` while a run is made."""

    def __init__(self, reports: Path) -> None:
        self.reports = reports

    @contextlib.contextmanager
    def writing(self, clock: WaitingClock, patience_s: float = 0.0) -> Iterator[None]:
        """Keep every other run out, waiting for one that is under way for at most `patience_s`.

        Raises ReportError when it is not done by then, or when nothing can be written.
        """
        until_s = clock.monotonic() + patience_s
        while (lock := self._locked(is_last=clock.monotonic() >= until_s)) is None:
            clock.wait(1.0)
        with lock:
            yield

    def _locked(self, *, is_last: bool) -> FileLock | None:
        try:
            self.reports.mkdir(parents=True, exist_ok=True)
            return FileLock(self.reports / ".lock", "the folder of reports")
        except JournalLocked as problem:
            if is_last:
                raise ReportError(f"a report is being made already: {problem}") from problem
        except (OSError, JournalError) as problem:
            raise ReportError(
                f"{self.reports} cannot be written ({problem}). Give this user the right to, or name another "
                "folder with --to."
            ) from problem
        return None

    def folder(self, run: Run) -> Path:
        """Return where a run's files lie."""
        return self.reports / REVIEWS / run.week / f"{run.number:03d}"

    def begin(self, run: Run) -> Run:
        """Give a run its number and its folder, and write it down."""
        numbers = [each.number for each in self.runs() if each.week == run.week]
        begun = replace(run, number=max(numbers, default=0) + 1)
        self.folder(begun).mkdir(parents=True, exist_ok=True)
        self.write(begun)
        return begun

    def write(self, run: Run) -> None:
        """Write a run down; on the disk when this returns."""
        text = json.dumps(asdict(run), indent=2, ensure_ascii=False) + "\n"
        write_atomic(self.folder(run) / RECORD, text.encode())

    def runs(self) -> tuple[Run, ...]:
        """Return all runs, by week and number; a folder without a readable record is none."""
        paths = (self.reports / REVIEWS).glob(f"*/*/{RECORD}")
        found = [run for path in paths if (run := _read(path)) is not None]
        return tuple(sorted(found, key=lambda run: run.key))

    def unfinished(self) -> tuple[Run, ...]:
        """Return the runs that ended without a word; to be asked under `writing()`."""
        return tuple(run for run in self.runs() if run.state == RUNNING)

    def latest(self) -> Run | None:
        """Return the run that "latest" is to show, None before the first."""
        shown = [run for run in self.runs() if run.state in SHOWN]
        if not shown:
            return None
        journal = max(shown, key=lambda run: (run.began_at, run.number)).journal
        return max((run for run in shown if run.journal == journal), key=lambda run: run.key)

    def place(self) -> Run | None:
        """Put the latest run's page and paper where people look for them, each whole or not at all."""
        run = self.latest()
        if run is None:
            return None
        for kind in KINDS:
            content = (self.folder(run) / f"report.{kind}").read_bytes()
            write_atomic(self.reports / f"{LATEST}.{kind}", content)
        text = json.dumps(asdict(run), indent=2, ensure_ascii=False) + "\n"
        write_atomic(self.reports / f"{LATEST}.json", text.encode())
        return run


def _read(path: Path) -> Run | None:
    try:
        return Run(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
