"""`qgtm scheduler`: what is to be done at its time."""

import logging
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from threading import Event as Flag
from threading import Thread, current_thread

from rich.console import Console

from qgtm.adapters.channel import ADDRESSES, Channel, channels
from qgtm.adapters.clock import SystemClock, VenueClock
from qgtm.adapters.files import StateDir, made_writable
from qgtm.adapters.lock import FileLock
from qgtm.adapters.venue_control import VenueControl
from qgtm.cli.options import ConfigPath, configured
from qgtm.cli.report import caps_of, reports_of
from qgtm.config import Config
from qgtm.core.errors import QgtmError
from qgtm.keys import load_keys, venue
from qgtm.live.pause import VenuePause
from qgtm.reporting.child import Child, start
from qgtm.reporting.courier import LOOK_S as COURIER_S
from qgtm.reporting.courier import Courier
from qgtm.reporting.failure import Failure
from qgtm.reporting.incident_make import IncidentWatch, make_incident
from qgtm.reporting.make import LIMIT_S, Order, record_failure, record_late
from qgtm.reporting.nightly import Nightly
from qgtm.reporting.outbox import Outbox
from qgtm.reporting.run_ledger import FAILED, RunLedger
from qgtm.reporting.schedule import Due, Job, JobLedger, Scheduler

log = logging.getLogger(__name__)

LEDGER = "scheduler.json"
LOG = "review.log"
OUTBOX = "outbox.db"
BACKUPS = "backups"
BACKUP_S = 60.0
INCIDENT_S = 1.0
PAUSE_S = 0.25
REVIEW = "review"
MERCY_S = 2.0  # more than the report gives its own children, less than we are given ourselves
MORE_S = 300.0  # beyond the notebooks' own limit, for page, paper and a FAILED page

Clock = SystemClock | VenueClock
Say = Callable[[str], None]
Errands = Mapping[str, tuple[float, Callable[[], None]]]


def command(config: ConfigPath = None) -> None:
    """Run the Sunday review at its New York time, once a week, until SIGTERM or Ctrl-C.

    With the embedded exchange that time is the exchange's, which stands still while a job runs. A review
    that was missed is made up for at the next start, with a LATE page in its place until it is there.
    """
    loaded, state = configured(config)
    made_writable(state)
    stop = Flag()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    console = Console(highlight=False, soft_wrap=True)
    keys = load_keys(loaded.path, os.environ)
    ways = channels({name: key.reveal() for name, key in keys.found.items()}, loaded.operators.mails)
    is_embedded = venue(loaded, keys, os.environ) == "embedded"
    clock: Clock = VenueClock(state.exchange / "venue.json") if is_embedded else SystemClock()
    control = VenueControl(loaded.exchange.port) if is_embedded else None
    with FileLock(state.root / "scheduler.lock", "the scheduler"):
        scheduler = Scheduler(
            jobs=[review_job(loaded, state, clock, console.print)],
            ledger=JobLedger(state.root / LEDGER),
            clock=clock,
            say=console.print,
            is_stopped=stop.is_set,
            venue=control,
        )
        console.print(f"the review is made on Sundays at {loaded.schedule.review_et:%H:%M} New York")
        with closing(Outbox(state.root / OUTBOX)) as outbox:
            courier = Courier(state.journal, outbox, ways, SystemClock().now, console.print, tells_head=True)
            console.print(_told(ways))
            errands = _errands(loaded, state, courier, clock, control, console.print)
            _begin_errands(errands, stop, console.print)
            scheduler.run()
    console.print("scheduler stopped")


def _begin_errands(errands: Errands, stop: Flag, say: Say) -> None:
    """Run each errand every so many seconds on a thread of its own, which no job and no other keeps waiting.

    A problem is said once, and the errand tried again.
    """

    def go(every_s: float, errand: Callable[[], None]) -> None:
        said = ""
        while not stop.wait(every_s):
            try:
                errand()
                said = ""
            except (QgtmError, OSError) as problem:
                if str(problem) != said:
                    say(str(problem))
                said = str(problem)
            except Exception as problem:  # an errand that ends for a fault of ours would be missed by nobody
                if repr(problem) != said:
                    say(f"{current_thread().name} failed with {problem!r}; it is tried again")
                    log.exception("errand %s", current_thread().name)
                said = repr(problem)

    for name, what in errands.items():
        Thread(target=go, args=what, name=name, daemon=True).start()


def _errands(
    config: Config, state: StateDir, courier: Courier, clock: Clock, venue: VenueControl | None, say: Say
) -> Errands:
    """Return what is done beside the jobs: alerts carried, the record copied, incidents reported.

    With the embedded exchange, venue time also waits for OpB's answer to a request.
    """
    wall, reports = SystemClock(), reports_of(config)
    nightly = Nightly(state, state.root / BACKUPS)
    watch = IncidentWatch(state.journal, reports)

    def copy() -> None:
        if path := nightly.look(wall.now()):
            say(f"backup {path}")

    def report() -> None:
        now = clock.now()
        if found := watch.due(now):
            made = make_incident(state.journal, reports, found.number, caps_of(config), now, wall)
            say(f"incident report {made.html}{f' ({made.problem})' if made.problem else ''}")

    errands = {
        "courier": (COURIER_S, courier.look),
        "backup": (BACKUP_S, copy),
        "incident": (INCIDENT_S, report),
    }
    if venue is not None:
        errands["pause"] = (PAUSE_S, VenuePause(state.journal, venue, wall).look)
    return errands


def _told(ways: Sequence[Channel]) -> str:
    names = ", ".join(f"{way.person.value} by {way.name}" for way in ways)
    return (
        f"alerts go to {names}" if names else f"alerts go nowhere yet: set {' or '.join(ADDRESSES.values())}"
    )


def review_job(config: Config, state: StateDir, clock: Clock, say: Callable[[str], None]) -> Job:
    """Return the Sunday review: `qgtm report` in a process of its own."""
    reports = reports_of(config)

    def order(due: Due, now: datetime) -> Order:
        caps = caps_of(config)
        return Order(journal=state.journal, reports=reports, now=now, caps=caps, week=due.week, due_at=due.at)

    def begin(due: Due) -> Child:
        verb = ["report", "--week", due.week, "--due", due.at.isoformat(), "--config", str(config.path)]
        arguments = [sys.executable, "-m", "qgtm", *verb, "--to", str(reports), "--limit", str(LIMIT_S)]
        environ = {**os.environ, "QGTM_STATE_DIR": str(state.root)}
        return start(
            arguments,
            state.root / LOG,
            environ,
            config.path.parent,
            asked_by=signal.SIGTERM,
            mercy_s=MERCY_S,
        )

    def late(due: Due) -> None:
        why = "The scheduler was not running, or not in time, when the review was due."
        _noted(lambda: record_late(order(due, clock.now()), why, SystemClock()), say)

    def lost(due: Due, why: str) -> None:
        if _has_failed_page(RunLedger(reports), due):
            return
        failure = Failure(
            what=f"{why[0].upper()}{why[1:]}.",
            step=f"read {state.root / LOG}, mend what it names, and run `qgtm report --week {due.week}`.",
        )
        _noted(lambda: record_failure(order(due, clock.now()), failure, SystemClock()), say)

    return Job(
        name=REVIEW,
        at_et=config.schedule.review_et,
        begin=begin,
        late=late,
        lost=lost,
        limit_s=LIMIT_S + MORE_S,
    )


def _has_failed_page(ledger: RunLedger, due: Due) -> bool:
    """Return whether the report's own process has already put its FAILED page up."""
    latest = ledger.latest()
    return latest is not None and latest.week == due.week and latest.state == FAILED


def _noted(record: Callable[[], object], say: Callable[[str], None]) -> None:
    try:
        record()
    except (QgtmError, OSError) as problem:
        say(f"the page in the place of the review could not be written: {problem}")
