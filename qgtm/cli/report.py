"""`qgtm report`: the weekly review, made from whatever the journal holds."""

import dataclasses
import os
import signal
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from qgtm.adapters.clock import SystemClock, VenueClock
from qgtm.adapters.files import StateDir
from qgtm.cli.options import AsJson, ConfigPath, configured, say, say_json
from qgtm.config import Config
from qgtm.core.errors import ConfigError, ReportError
from qgtm.keys import load_keys, venue
from qgtm.reporting.make import LIMIT_S, Order, make
from qgtm.reporting.run_ledger import FAILED, LATEST, Run
from qgtm.reporting.source import survey
from qgtm.views.action import Caps

WeekName = Annotated[
    str, typer.Option("--week", help="As 2026-W15 or one of its days; else the newest with a session.")
]
Into = Annotated[
    Path | None, typer.Option("--to", help="The folder of reports; else reports/ beside the configuration.")
]
Journal = Annotated[
    Path | None, typer.Option("--journal", help="Another journal, as `qgtm replay --journal` keeps one.")
]
Due = Annotated[str, typer.Option("--due", help="When it was due (ISO, with a zone); past it it says so.")]
Limit = Annotated[float, typer.Option("--limit", help="Seconds that the notebooks may take.", min=1)]
WORDS = {"running": "[cyan]…[/]", "done": "[green]ok[/]", "failed": "[red]failed[/]"}


def command(
    week: WeekName = "",
    to: Into = None,
    journal: Journal = None,
    due: Due = "",
    limit: Limit = LIMIT_S,
    config: ConfigPath = None,
    as_json: AsJson = False,
) -> None:
    """Make the weekly review as one HTML file and a PDF, and put both in the place of "latest"."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    loaded, state = configured(config)
    order = Order(
        journal=journal or state.journal,
        reports=reports_of(loaded, to),
        now=_now(loaded, state, journal),
        caps=caps_of(loaded),
        week=week,
        due_at=_moment(due),
        patience_s=limit if due else 0.0,
        limit_s=limit,
    )
    if not order.journal.exists():
        raise ReportError(
            f"there is nothing to report on: no journal at {order.journal}. `make run` starts the platform "
            "and its journal; `qgtm replay --bars DIR --journal FILE` and `qgtm report --journal FILE` try "
            "it out on recorded prices."
        )
    with Shown(Console(stderr=True, highlight=False), is_quiet=as_json) as shown:
        run = make(order, SystemClock(), shown.tell)
    _tell(order, run, as_json)
    if run.state == FAILED:
        sys.exit(1)


def reports_of(config: Config, chosen: Path | None = None) -> Path:
    """Return the folder of reports: the chosen one, else `reports` beside the configuration."""
    return (chosen or config.path.parent / "reports").absolute()


def caps_of(config: Config) -> Caps:
    """Return the two falls from the peak that the limits name."""
    return Caps(soft_frac=config.limits.soft_cap_frac, hard_frac=config.limits.hard_cap_frac)


def _now(config: Config, state: StateDir, journal: Path | None) -> datetime:
    """Return venue time; of a journal that no venue goes with, its last moment."""
    if journal is None and venue(config, load_keys(config.path, os.environ), os.environ) != "embedded":
        return SystemClock().now()
    if journal is None:
        try:
            return VenueClock(state.exchange / "venue.json").now()
        except ConfigError:
            journal = state.journal
    last_at = survey(journal).last_at if journal.exists() else None
    return last_at or SystemClock().now()


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError as problem:
        raise ReportError(f"--due is {text!r}: write it as 2026-04-12T20:00-04:00.") from problem
    if at.tzinfo is None:
        raise ReportError(f"--due is {text!r} and names no zone: write it as 2026-04-12T20:00-04:00.")
    return at


class Shown:
    """Show each task while it runs: a spinner at a terminal, a line each elsewhere."""

    def __init__(self, console: Console, *, is_quiet: bool) -> None:
        self._progress = Progress(
            SpinnerColumn(finished_text=" "),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=console,
            disable=is_quiet or not console.is_terminal,
        )
        self._console = console
        self._lines = not is_quiet and not console.is_terminal
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> "Shown":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def tell(self, task: str, state: str) -> None:
        """Show that a task is running, done or failed."""
        label = task.replace("_", " ")
        if self._lines and state != "running":
            self._console.print(f"{WORDS[state]}  {label}")
        if task not in self._tasks:
            self._tasks[task] = self._progress.add_task(label, total=1)
        if state != "running":
            self._progress.update(self._tasks[task], description=f"{label} {WORDS[state]}", completed=1)


def _tell(order: Order, run: Run, as_json: bool) -> None:
    page, paper = (order.reports / f"{LATEST}.{kind}" for kind in ("html", "pdf"))
    if as_json:
        say_json({**dataclasses.asdict(run), "html": str(page), "pdf": str(paper)})
        return
    if run.state == FAILED:
        where = f" (cell {run.cell} of {run.task})" if run.cell else ""
        say(f"The review of {run.week} FAILED{where}: {run.failure}")
    else:
        say(f"The review of {run.week} is made, in {run.took_s:.0f} s.")
    say(f"  {page}", f"  {paper}")
