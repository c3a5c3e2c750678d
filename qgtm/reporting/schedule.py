"""Jobs at their New York times, each week's exactly once, over restarts, jumps of venue time and DST.

A job's week is named by the Sunday it is due on. The ledger says of each week whether the job is begun or
ended; one that was begun and not ended is done again after a restart, since only its end is a result.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any, Final, Protocol

from qgtm.adapters.files import write_atomic
from qgtm.core.errors import BrokerError, ConfigError
from qgtm.core.instant import NEW_YORK
from qgtm.reporting.child import WaitingClock
from qgtm.views.week import monday_of, week_name

LOOK_S: Final = 0.2
HOLD_S: Final = 30.0
RENEW_S: Final = 10.0
GRACE: Final = timedelta(minutes=15)
MOST_TRIES: Final = 3
WEEKS_KEPT: Final = 60
BEGUN: Final = "begun"
DONE: Final = "done"
FAILED: Final = "failed"
MISSED: Final = "missed"
BEFORE: Final = "before"  # due before this scheduler ever ran: nobody waits for it


class Work(Protocol):
    """A job's process."""

    def poll(self) -> int | None:
        """Return the exit code, None while it runs."""
        ...

    def stop(self) -> None:
        """End it, with all that it started."""
        ...


class Venue(Protocol):
    """The embedded exchange's control of venue time."""

    def hold(self, name: str, ttl_s: float) -> None:
        """Let venue time stand for at most so many process seconds."""
        ...

    def release(self, name: str) -> None:
        """Let venue time go on."""
        ...


@dataclass(frozen=True, slots=True)
class Due:
    """One occurrence of a job: its week's name and the moment, in UTC."""

    week: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Job:
    """Work that is due once a week. `late` is told before a late start, `lost` when the work ended badly."""

    name: str
    at_et: time
    begin: Callable[[Due], Work]
    late: Callable[[Due], None] = lambda due: None
    lost: Callable[[Due, str], None] = lambda due, why: None
    weekday: int = 6  # Sunday
    limit_s: float = 1200.0

    def last_due(self, now: datetime) -> Due:
        """Return the newest occurrence that is not later than `now`."""
        day = now.astimezone(NEW_YORK).date()
        day -= timedelta(days=(day.weekday() - self.weekday) % 7)
        at = datetime.combine(day, self.at_et, NEW_YORK).astimezone(UTC)
        if at > now:
            day -= timedelta(days=7)
            at = datetime.combine(day, self.at_et, NEW_YORK).astimezone(UTC)
        return Due(week_name(monday_of(day)), at)


class JobLedger:
    """What became of each job in each week, on the disk. Raises OSError when it cannot be written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._jobs: dict[str, dict[str, dict[str, Any]]] = self._load()

    def _load(self) -> dict[str, dict[str, dict[str, Any]]]:
        try:
            return _jobs(json.loads(self._path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as problem:
            raise ConfigError(
                f"{self._path} cannot be read ({problem}). Move it away; the next job counts as the first."
            ) from problem

    def entry(self, job: str, week: str) -> Mapping[str, Any]:
        """Return what is known of a job's week; nothing when it has not come up."""
        return self._jobs.get(job, {}).get(week, {})

    def weeks(self, job: str) -> tuple[str, ...]:
        """Return the weeks that are known of a job, oldest first."""
        return tuple(sorted(self._jobs.get(job, {})))

    def note(self, job: str, due: Due, state: str, now: datetime, **more: Any) -> None:
        """Write down what became of a job's week; on the disk when this returns."""
        weeks = self._jobs.setdefault(job, {})
        weeks[due.week] = {
            **weeks.get(due.week, {}),
            "state": state,
            "due_at": due.at.isoformat(),
            "noted_at": now.isoformat(),
            **more,
        }
        for week in sorted(weeks)[:-WEEKS_KEPT]:
            del weeks[week]
        write_atomic(self._path, (json.dumps(self._jobs, indent=2, sort_keys=True) + "\n").encode())


def _jobs(found: Any) -> dict[str, dict[str, dict[str, Any]]]:
    if not (_is_table(found) and all(map(_is_table, found.values()))):
        raise ValueError("it is no ledger of jobs")
    if not all(_is_table(entry) for weeks in found.values() for entry in weeks.values()):
        raise ValueError("a week in it is no table")
    return dict(found)


def _is_table(value: Any) -> bool:
    return isinstance(value, dict)


@dataclass
class Scheduler:
    """Look at venue time and run what is due. `venue` is None where venue time cannot be held."""

    jobs: Sequence[Job]
    ledger: JobLedger
    clock: WaitingClock
    say: Callable[[str], None]
    is_stopped: Callable[[], bool]
    venue: Venue | None = None
    _has_no_time: bool = field(init=False, default=False)
    _told: set[str] = field(init=False, default_factory=set)

    def run(self) -> None:
        """Go on until stopped; a job that is under way is ended and done again at the next start."""
        while not self.is_stopped():
            self.look()
            self.clock.wait(LOOK_S)

    def look(self) -> None:
        """Run every job that is due and not done."""
        try:
            now = self.clock.now()
        except ConfigError as problem:  # the exchange has not been started yet
            if not self._has_no_time:
                self.say(str(problem))
            self._has_no_time = True
            return
        self._has_no_time = False
        for job in self.jobs:
            due = job.last_due(now)
            if self._is_wanted(job, due, now):
                self._do(job, due, now)

    def _is_wanted(self, job: Job, due: Due, now: datetime) -> bool:
        known = self.ledger.weeks(job.name)
        entry = self.ledger.entry(job.name, due.week)
        if not known:
            is_now = now - due.at <= GRACE
            if not is_now:
                self.ledger.note(job.name, due, BEFORE, now)
            return is_now
        if entry.get("state", BEGUN) != BEGUN or due.week < known[-1]:
            return False
        if entry.get("tries", 0) >= MOST_TRIES:
            self._ended(job, due, FAILED, f"{job.name} was begun {MOST_TRIES} times and never ended")
            return False
        self._note_missed(job, due, known[-1], now)
        return True

    def _note_missed(self, job: Job, due: Due, last: str, now: datetime) -> None:
        """Note the weeks in between: only the newest is caught up, the others are said and left."""
        earlier = job.last_due(due.at - timedelta(days=1))
        while earlier.week > last:
            self.ledger.note(job.name, earlier, MISSED, now)
            self.say(f"{job.name} of {earlier.week} was missed; `qgtm report --week {earlier.week}` makes it")
            earlier = job.last_due(earlier.at - timedelta(days=1))

    def _do(self, job: Job, due: Due, now: datetime) -> None:
        tries = self.ledger.entry(job.name, due.week).get("tries", 0) + 1
        self._hold(job)
        try:
            self.ledger.note(job.name, due, BEGUN, now, tries=tries)
            if now - due.at > GRACE:
                self.say(
                    f"{job.name} of {due.week} was due {due.at.astimezone(NEW_YORK):%Y-%m-%d %H:%M}: late"
                )
                job.late(due)
            self._wait(job, due)
        finally:
            self._release(job)

    def _wait(self, job: Job, due: Due) -> None:
        self.say(f"{job.name} of {due.week} begins")
        began_s = renewed_s = self.clock.monotonic()
        work = job.begin(due)
        try:
            while (code := work.poll()) is None:
                now_s = self.clock.monotonic()
                if self.is_stopped():
                    self.say(f"{job.name} of {due.week} is stopped; the next start does it again")
                    return
                if now_s - began_s > job.limit_s:
                    work.stop()
                    self._ended(job, due, FAILED, f"{job.name} took more than {job.limit_s:.0f} s")
                    return
                if now_s - renewed_s >= RENEW_S:
                    self._hold(job)
                    renewed_s = now_s
                self.clock.wait(LOOK_S / 2)
        finally:
            work.stop()
        self._ended(
            job, due, *((DONE, "") if code == 0 else (FAILED, f"{job.name} ended with exit code {code}"))
        )

    def _ended(self, job: Job, due: Due, state: str, why: str) -> None:
        if state == FAILED:
            job.lost(due, why)
        self.ledger.note(job.name, due, state, self.clock.now(), **({"why": why} if why else {}))
        self.say(f"{job.name} of {due.week}: {why or 'done'}")

    def _hold(self, job: Job) -> None:
        if self.venue is not None:
            try:
                self.venue.hold(job.name, HOLD_S)
            except BrokerError as problem:
                self._say_once(f"venue time runs on while a job runs: {problem}")

    def _release(self, job: Job) -> None:
        if self.venue is not None:
            try:
                self.venue.release(job.name)
            except BrokerError as problem:
                self.say(
                    f"venue time could not be let go, it goes on by itself within {HOLD_S:.0f} s: {problem}"
                )

    def _say_once(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self.say(text)
