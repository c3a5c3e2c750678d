"""Make the incident report: the notebook, page and paper in processes with a time limit; else plain text.

`IncidentWatch` says when one is due: five minutes after a halt that closes everything, and again when the
broker shows that nothing is left.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from qgtm.adapters.chain import entry_of
from qgtm.adapters.files import explained, write_atomic
from qgtm.adapters.journal import JournalReader
from qgtm.core.errors import ReportError
from qgtm.core.events import FlatConfirmed, ModeChanged
from qgtm.ports import Entry
from qgtm.reporting.child import WaitingClock, start, waited
from qgtm.reporting.incident import incident_text, keep_incident, load_incident, sentences
from qgtm.reporting.make import ROOT, environ_of, when
from qgtm.reporting.plain import plain_html, plain_pdf
from qgtm.reporting.render import HEADING, HTML, NOTEBOOK, PDF, Heading
from qgtm.views.action import Caps
from qgtm.views.incident import HALTED, Incident

SOURCE: Final = "notebooks/reviews/incident.ipynb"
LIMIT_S: Final = 60.0
AFTER: Final = timedelta(minutes=5)
TITLE: Final = "Incident report"
FOLDED: Final = "incident.pickle"
KINDS: Final = (ModeChanged.__name__, FlatConfirmed.__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentReport:
    """Where a report lies, and whether it is the plain one, made because the notebook could not be."""

    number: int
    html: Path
    pdf: Path
    text: Path
    is_flat: bool
    problem: str


def make_incident(
    journal: Path, reports: Path, number: int, caps: Caps, now: datetime, clock: WaitingClock
) -> IncidentReport:
    """Make the report of halt `number` (0: the newest) in `reports`, and return where it lies.

    `now` is venue time. Raises JournalError or ReportError when there is no such halt, or no room to write.
    """
    incident = load_incident(journal, number)
    folder = reports / "incidents" / f"{incident.number:04}"
    with explained(folder, ReportError):
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(folder / HEADING, _heading(incident, now).text().encode())
        keep_incident(incident, folder / FOLDED)
        problem = _run(_papermill(journal, incident, caps, folder), folder, clock, "the notebook")
        problem = problem or _run(_render(folder), folder, clock, "page and paper")
        return _published(incident, reports, folder, problem)


def _heading(incident: Incident, now: datetime) -> Heading:
    notice = "" if incident.flat_at else "Not everything is closed yet; this report is renewed once it is."
    return Heading(
        title=TITLE,
        subtitle=f"Halt {incident.number}, {when(incident.at)}",
        footer=(f"Made {when(now)} from the journal alone",),
        notice=notice,
    )


def _papermill(journal: Path, incident: Incident, caps: Caps, folder: Path) -> list[str]:
    params = {
        "journal": str(journal.absolute()),
        "number": str(incident.number),
        "folded": str((folder / FOLDED).absolute()),
        "soft_cap_frac": str(caps.soft_frac),
        "hard_cap_frac": str(caps.hard_frac),
    }
    put = [part for name, value in params.items() for part in ("-p", name, value)]
    out = str((folder / NOTEBOOK).absolute())
    return [sys.executable, "-m", "papermill", "--no-progress-bar", str(ROOT / SOURCE), out, *put]


def _render(folder: Path) -> list[str]:
    return [sys.executable, "-m", "qgtm.reporting.render", str(folder.absolute())]


def _run(arguments: Sequence[str], folder: Path, clock: WaitingClock, what: str) -> str:
    """Run a step and return what went wrong, empty for nothing."""
    child = start(arguments, folder / "incident.log", environ_of(ROOT, folder), ROOT)
    code = waited(child, clock, LIMIT_S)
    if code is None:
        return f"{what} took more than {LIMIT_S:.0f} s"
    return f"{what} could not be made (exit {code}); {folder / 'incident.log'} says why" if code else ""


def _published(incident: Incident, reports: Path, folder: Path, problem: str) -> IncidentReport:
    text = incident_text(incident)
    if problem:
        text = f"Only plain text could be made: {problem}.\n\n{text}"
        html, pdf = plain_html(TITLE, text).encode(), plain_pdf(TITLE, text)
    else:
        html, pdf = (folder / HTML).read_bytes(), (folder / PDF).read_bytes()
    stem = reports / f"incident-{incident.number}"
    report = IncidentReport(
        number=incident.number,
        html=stem.with_suffix(".html"),
        pdf=stem.with_suffix(".pdf"),
        text=stem.with_suffix(".txt"),
        is_flat=incident.flat_at is not None,
        problem=problem,
    )
    for path, content in ((report.html, html), (report.pdf, pdf), (report.text, text.encode())):
        write_atomic(path, content)
    said = {"is_flat": report.is_flat, "problem": problem, "at": incident.at.isoformat()}
    write_atomic(stem.with_suffix(".json"), (json.dumps(said) + "\n").encode())
    return report


@dataclass
class IncidentWatch:
    """Say which report is due, from what is new in the journal."""

    journal: Path
    reports: Path
    _seq: int = 0
    _due_at: datetime | None = None

    def due(self, now: datetime) -> Incident | None:
        """Return the halt whose report is due at `now` (venue time), None for none. Raises JournalError."""
        if not self.journal.exists():
            return None
        with JournalReader(self.journal) as reader:
            self._seq = min(self._seq, reader.head().seq)
            for row in reader.rows(self._seq):
                if row.kind in KINDS:
                    self._heard(entry_of(row))
                self._seq = row.seq
        if self._due_at is None or now < self._due_at:
            return None
        self._due_at = None
        return self._wanted()

    def _heard(self, entry: Entry) -> None:
        """Note when a report is due. The journal is folded only then: that takes a while after some years."""
        event = entry.event
        if isinstance(event, ModeChanged) and event.after in HALTED and event.before not in HALTED:
            self._due_at = entry.at + AFTER
        elif isinstance(event, FlatConfirmed):
            self._due_at = self._due_at or entry.at  # a report of it is made already, and is renewed

    def _wanted(self) -> Incident | None:
        try:
            incident = load_incident(self.journal)
        except ReportError:
            return None
        return None if self._is_made(incident) else incident

    def _is_made(self, incident: Incident) -> bool:
        try:
            said = json.loads((self.reports / f"incident-{incident.number}.json").read_bytes())
        except (OSError, ValueError):
            return False
        return bool(said == {**said, "at": incident.at.isoformat(), "is_flat": incident.flat_at is not None})


def in_short(incident: Incident) -> str:
    """Return the incident in one paragraph, for a terminal or a mail."""
    return " ".join(sentences(incident))
