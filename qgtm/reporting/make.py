"""Make a report: run the pipeline, render, and put what came of it in the place of "latest".

Every step is a process of its own with a time limit. Whatever happens, a run ends as a report, as a FAILED
page that names the cell and the next step, or, if everything was killed, as such a page on the next start.
"""

import json
import os
import re
import shutil
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Final

import qgtm
from qgtm.adapters.files import write_atomic
from qgtm.adapters.manifest import load_manifest, manifest_sha
from qgtm.core.errors import ExportError, QgtmError, ReportError
from qgtm.core.instant import NEW_YORK
from qgtm.reporting.child import WaitingClock, start, waited
from qgtm.reporting.failure import Failure, failure_of, tail, too_slow
from qgtm.reporting.notice import Notice, put
from qgtm.reporting.pipeline import PLOOMBER, REVIEW, load_tasks, run_copy
from qgtm.reporting.run_ledger import DONE, FAILED, LATE, RUNNING, STOPPED, Run, RunLedger
from qgtm.reporting.source import Survey, head_at, survey
from qgtm.views.action import Caps
from qgtm.views.week import monday_from, monday_of, week_name

ROOT: Final = Path(qgtm.__file__).resolve().parents[1]  # where pipelines.yaml and the notebooks lie
LIMIT_S: Final = 900.0
RENDER_LIMIT_S: Final = 120.0
GRACE: Final = timedelta(minutes=15)  # past it a report is late
PIPELINE_LOG: Final = "pipeline.log"
RENDER_LOG: Final = "render.log"
BUILDING: Final = re.compile(r"Building task '(\w+)'")

Tell = Callable[[str, str], None]  # a task's name, and "running", "done" or "failed"


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is wanted: of which journal and week (empty: the newest), into which folder, by when.

    `now` is venue time; `due_at` is None for a report that nobody waits for.
    """

    journal: Path
    reports: Path
    now: datetime
    caps: Caps
    week: str = ""
    due_at: datetime | None = None
    root: Path = ROOT
    patience_s: float = 0.0  # for another run that is under way
    limit_s: float = LIMIT_S


class _Failed(ReportError):
    """Carry a failure up to where the page is made of it."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.what)
        self.failure = failure


def make(order: Order, clock: WaitingClock, tell: Tell = lambda task, state: None) -> Run:
    """Make one report and return its run, done or failed.

    Raises JournalError or ReportError, before anything is touched, when there is nothing to report on or
    another report is being made.
    """
    known = survey(order.journal)
    load_tasks(order.root)  # says what this installation lacks
    ledger = RunLedger(order.reports)
    with ledger.writing(clock, order.patience_s):
        recover(ledger, clock)
        run = ledger.begin(_opened(order, known))
        began_s = clock.monotonic()
        try:
            _made(order, run, ledger.folder(run), clock, tell)
            ended = replace(run, state=DONE)
        except _Failed as problem:
            ended = failed(ledger, run, problem.failure, clock)
        except BaseException:  # Ctrl-C, SIGTERM: nobody wants this report any more
            ledger.write(replace(run, state=STOPPED, failure="stopped before it was done"))
            raise
        ended = replace(ended, took_s=round(clock.monotonic() - began_s, 1))
        ledger.write(ended)
        ledger.place()
    return ended


def _opened(order: Order, known: Survey) -> Run:
    monday = _monday(order, known)
    rows, head = head_at(order.journal, monday) if known.rows else (0, known.head)
    return Run(
        week=week_name(monday),
        number=0,
        state=RUNNING,
        journal=known.first if known.rows else "",
        began_at=order.now.isoformat(),
        due_at=order.due_at.isoformat() if order.due_at else "",
        rows=rows,
        head=head,
    )


def _monday(order: Order, known: Survey) -> date:
    if not order.week:
        return known.newest_week() or monday_of(order.now.astimezone(NEW_YORK).date())
    try:
        return monday_from(order.week)
    except ValueError as problem:
        raise ReportError(
            f"{order.week!r} is no week: write it as 2026-W15, or one of its days."
        ) from problem


def recover(ledger: RunLedger, clock: WaitingClock) -> None:
    """Turn runs that ended without a word into failed ones; to be called under `ledger.writing()`."""
    for run in ledger.unfinished():
        failure = Failure(
            what="The run ended without a word: its process was killed or the machine went down.",
            step="run `make report`; if it happens again, look at the system's log (`dmesg`).",
        )
        ledger.write(failed(ledger, run, failure, clock))
    ledger.place()


# -- the steps ---------------------------------------------------------------------------------------


def _made(order: Order, run: Run, folder: Path, clock: WaitingClock, tell: Tell) -> None:
    _run_pipeline(order, run, folder, clock, tell)
    tell("page and paper", "running")
    write_atomic(folder / "heading.json", _heading(order, run).encode())
    _render(order, folder, clock)
    tell("page and paper", "done")


def _run_pipeline(order: Order, run: Run, folder: Path, clock: WaitingClock, tell: Tell) -> None:
    products = order.reports / "pipeline"
    products.mkdir(parents=True, exist_ok=True)
    review = folder / "review.ipynb"
    params = {
        "journal": str(order.journal.absolute()),
        "week": run.week,
        "rows": run.rows,
        "soft_cap_frac": float(order.caps.soft_frac),
        "hard_cap_frac": float(order.caps.hard_frac),
    }
    try:
        text = run_copy(order.root, products.absolute(), review.absolute(), params)
    except QgtmError as problem:
        raise _Failed(Failure(what=str(problem), step="`make check` says more.")) from problem
    write_atomic(folder / "pipelines.yaml", text.encode())
    log, progress = folder / PIPELINE_LOG, _Progress(tell)
    arguments = [*_ploomber(), "build", "--entry-point", str(folder.absolute() / "pipelines.yaml")]
    with _warmed() as address:
        child = start(arguments, log, environ_of(order.root, folder) | address, order.root)
        code = waited(child, clock, order.limit_s, lambda: progress.look(log))
    progress.end(is_ok=code == 0)
    if code is None:
        raise _Failed(too_slow(order.limit_s, progress.task))
    if code != 0:
        tasks = load_tasks(order.root)
        ran = {task.name: products / Path(task.products["nb"]).name for task in tasks} | {REVIEW: review}
        raise _Failed(
            failure_of({task.name: (task.source, ran[task.name]) for task in tasks}, log, progress.task)
        )


def _warmed() -> AbstractContextManager[dict[str, str]]:
    from qgtm.reporting.forked_kernel import warmed  # Jupyter's, which a host without reports lacks

    return warmed()


def _ploomber() -> list[str]:
    if Path(sys.executable).with_name("ploomber").exists():
        return [sys.executable, "-c", PLOOMBER]
    found = shutil.which("ploomber")
    if found is None:
        raise _Failed(
            Failure(what="Ploomber is not installed here.", step="run `make report`, which installs it.")
        )
    return [found]


def environ_of(root: Path, folder: Path) -> dict[str, str]:
    """Return the environment of a report's processes; `folder` is the run's own."""
    path = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH", "")]))
    own = {
        "PLOOMBER_STATS_ENABLED": "false",
        "MPLBACKEND": "agg",
        "PYTHONPATH": path,
        "PYTHONUNBUFFERED": "1",
        "IPYTHONDIR": str(folder / ".ipython"),  # nobody's own profile gets into a report
        "JUPYTER_PLATFORM_DIRS": "1",
    }
    return {**os.environ, **own}


class _Progress:
    """Tell which task is under way, from what Ploomber says."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._place = 0
        self.task = ""

    def look(self, log: Path) -> None:
        with log.open("rb") as said:
            said.seek(self._place)
            text = said.read()
            self._place += len(text)
        for name in BUILDING.findall(text.decode("utf-8", "replace")):
            if name != self.task:
                self.end(is_ok=True)
                self.task = name
                self._tell(name, "running")

    def end(self, *, is_ok: bool) -> None:
        if self.task:
            self._tell(self.task, "done" if is_ok else "failed")


def _render(order: Order, folder: Path, clock: WaitingClock) -> None:
    log = folder / RENDER_LOG
    arguments = [sys.executable, "-m", "qgtm.reporting.render", str(folder.absolute())]
    code = waited(start(arguments, log, environ_of(order.root, folder), order.root), clock, RENDER_LIMIT_S)
    if code != 0:
        after = f"within {RENDER_LIMIT_S:.0f} s" if code is None else f"(exit {code})"
        raise _Failed(
            Failure(
                what=f"The notebook ran, but page and paper could not be made {after}.",
                step=f"open {folder / 'review.ipynb'} in JupyterLab; it holds everything.",
                task="page and paper",
                detail=tail(log),
            )
        )


# -- what is written around it ------------------------------------------------------------------------


def _heading(order: Order, run: Run) -> str:
    from qgtm.reporting.review import period_of

    heading = {
        "title": "Weekly review",
        "subtitle": period_of(monday_from(run.week)),
        "notice": _lateness(order),
        "footer": [f"Journal: {run.rows:,} rows, head {run.head}", _made_said(order)],
    }
    return json.dumps(heading, ensure_ascii=False, indent=2) + "\n"


def _lateness(order: Order) -> str:
    if order.due_at is None or order.now - order.due_at <= GRACE:
        return ""
    return f"Late: this review was due {when(order.due_at)} and was made {when(order.now)}."


def _made_said(order: Order) -> str:
    prints = ""
    try:
        prints = f", prints {manifest_sha(load_manifest(order.root / 'qgtm'))[:12]}"
    except ExportError:
        prints = ", prints unknown"
    return f"Made {when(order.now)}{prints}"


def when(at: datetime) -> str:
    """Return a moment as a reader in New York says it."""
    local = at.astimezone(NEW_YORK)
    return f"{local:%A} {local.day} {local:%B %Y, %H:%M} New York"


def failed(ledger: RunLedger, run: Run, failure: Failure, clock: WaitingClock) -> Run:
    """Put a FAILED page and paper into a run's folder and return the run as failed; `place` comes after."""
    where = [("In", f"{failure.task}, cell {failure.cell}" if failure.cell else failure.task)]
    lines = [("What", failure.what), *(where if failure.task else [])]
    notice = Notice(
        word="FAILED",
        title="Weekly review",
        subtitle=f"Week {run.week}, run {run.number}; no report was made.",
        lines=(*lines, ("Begun", when(datetime.fromisoformat(run.began_at)))),
        step=failure.step,
        detail=failure.detail,
        footer=(f"Journal: {run.rows:,} rows, head {run.head}", f"Files of the run: {ledger.folder(run)}"),
    )
    put(notice, ledger.folder(run), clock)
    return replace(run, state=FAILED, failure=failure.what, task=failure.task, cell=failure.cell)


def record_failure(order: Order, failure: Failure, clock: WaitingClock) -> Run:
    """Record a run that never began and put its FAILED page in the place of "latest"."""
    return _record(order, clock, lambda ledger, run: failed(ledger, run, failure, clock))


def record_late(order: Order, why: str, clock: WaitingClock) -> Run:
    """Record that a due review is not there and put a LATE page in the place of "latest"."""
    due = when(order.due_at) if order.due_at else "before now"

    def told(ledger: RunLedger, run: Run) -> Run:
        notice = Notice(
            word="LATE",
            title="Weekly review",
            subtitle=f"Week {run.week}; the review was due {due}.",
            lines=(("What", why), ("Seen", when(order.now))),
            step="wait a few minutes: it is being made now. If this page stays, run `make report`.",
        )
        put(notice, ledger.folder(run), clock)
        return replace(run, state=LATE, failure=why)

    return _record(order, clock, told)


def _record(order: Order, clock: WaitingClock, told: Callable[[RunLedger, Run], Run]) -> Run:
    ledger = RunLedger(order.reports)
    with ledger.writing(clock):
        recover(ledger, clock)
        run = ledger.begin(_opened(order, _survey_or_none(order.journal)))
        run = told(ledger, run)
        ledger.write(run)
        ledger.place()
    return run


def _survey_or_none(journal: Path) -> Survey:
    try:
        return survey(journal)
    except QgtmError:
        return Survey(rows=0, head="", first="", last_session=None, last_at=None)
