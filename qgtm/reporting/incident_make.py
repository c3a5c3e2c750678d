"""Make the incident report: the notebook, page and paper in processes with a time limit; else plain text.

`IncidentWatch` says when one is due: five minutes after a halt that closes everything, and again when the
broker shows that nothing is left.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
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
from qgtm.risk.kill_switch import KillSwitch, moved
from qgtm.views.action import Caps
from qgtm.views.incident import HALTED, Incident

SOURCE: Final = "notebooks/reviews/incident.ipynb"
LIMIT_S: Final = 60.0
AFTER: Final = timedelta(minutes=5)
AGAIN: Final = timedelta(minutes=1)
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
class _Halt:
    """A halt as the watch knows it: its count when it began and by now, and when its report is due next."""

    first: int
    number: int
    at: datetime
    due_at: datetime
    is_flat: bool = False


@dataclass
class IncidentWatch:
    """Say which report is due, from what is new in the journal: each halt has one, not the newest alone."""

    journal: Path
    reports: Path
    _seq: int = 0
    _switch: KillSwitch = field(default_factory=KillSwitch)
    _halts: list[_Halt] = field(default_factory=list)

    def due(self, now: datetime) -> Incident | None:
        """Return a halt whose report is due at `now` (venue time), None for none. Raises JournalError.

        One that could not be made is due again a minute later.
        """
        if not self.journal.exists():
            return None
        with JournalReader(self.journal) as reader:
            if self._seq > reader.head().seq:  # another journal, or one that was put back
                self._seq, self._switch, self._halts = 0, KillSwitch(), []
            for row in reader.rows(self._seq):
                if row.kind in KINDS:
                    self._heard(entry_of(row))
                self._seq = row.seq
        return next((found for halt in self._halts if (found := self._due(halt, now)) is not None), None)

    def _heard(self, entry: Entry) -> None:
        """Note when a report is due. The journal is folded only then: that takes a while after some years."""
        event = entry.event
        if isinstance(event, ModeChanged):
            self._moved(event, entry.at)
        elif self._halts and not self._halts[-1].is_flat:
            halt = self._halts[-1]
            halt.is_flat, halt.due_at = True, max(entry.at, halt.at + AFTER)

    def _moved(self, event: ModeChanged, at: datetime) -> None:
        before = self._switch
        self._switch = moved(
            before, event.trigger, event.at, event.drawdown_frac, kill_epoch=event.kill_epoch
        )
        number = self._switch.kill_epoch
        if event.after not in HALTED or number == before.kill_epoch:
            return
        if event.before in HALTED and self._halts:  # one cause more, and the same halt
            self._halts[-1].number = number
        else:
            self._halts.append(_Halt(number, number, at, at + AFTER))

    def _due(self, halt: _Halt, now: datetime) -> Incident | None:
        if now < halt.due_at or self._is_made(halt):
            return None
        halt.due_at = now + AGAIN
        try:
            return load_incident(self.journal, halt.first)
        except ReportError:
            return None

    def _is_made(self, halt: _Halt) -> bool:
        try:
            said = json.loads((self.reports / f"incident-{halt.number}.json").read_bytes())
        except (OSError, ValueError):
            return False
        return bool(said == {**said, "at": halt.at.isoformat(), "is_flat": halt.is_flat})


def in_short(incident: Incident) -> str:
    """Return the incident in one paragraph, for a terminal or a mail."""
    return " ".join(sentences(incident))
