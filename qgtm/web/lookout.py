"""The one place from which the pages and the command line look at the fund: journal, heartbeat, venue time.

It reads and never writes. Each look folds only the rows that are new since the last one.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

from qgtm.adapters.clock import Anchor, SystemClock, VenueClock, boot_id
from qgtm.adapters.files import StateDir, because
from qgtm.adapters.heartbeat import Heartbeat, load_heartbeat
from qgtm.adapters.journal import JournalReader
from qgtm.adapters.watchdog_file import WatchdogWord, load_watchdog
from qgtm.core.errors import ConfigError, JournalError, QgtmError
from qgtm.ports import Clock
from qgtm.risk.limits import Limits
from qgtm.views.chronicle import Chronicle
from qgtm.views.matter import Undelivered, Watchdog
from qgtm.views.summary import Outside, Summary, summary

FRESH_S: Final = 0.25  # a burst of visitors reads the disk once


class Watch(Protocol):
    """Whoever can be asked for a look at the fund."""

    def look(self) -> "Look":
        """Return what is to be seen now."""
        ...


@dataclass(frozen=True, slots=True)
class Look:
    """What one look saw, when (process time, and the wall's for people), and the fold behind it."""

    summary: Summary
    chronicle: Chronicle
    seen_s: float
    wall_at: datetime


@dataclass(frozen=True, slots=True)
class Beside:
    """What the command line lets a lookout see beside the state folder: reports, and alerts that wait.

    `undelivered` is asked with the wall's now. Raises JournalError when that cannot be told.
    """

    reports: Path | None = None
    undelivered: Callable[[datetime], Undelivered] | None = None


class Lookout:
    """Look at one state folder; call it from one thread at a time.

    A journal that is put anew (`qgtm up --fresh`) or restored from a backup is folded from its start.
    """

    def __init__(
        self, folder: StateDir, limits: Limits, clock: Clock | None = None, beside: Beside | None = None
    ) -> None:
        self._folder = folder
        self._limits = limits
        self._clock = clock or SystemClock()
        self._beside = beside or Beside()
        self._boot_id = boot_id()
        self._venue = VenueClock(folder.exchange / "venue.json")
        self._last: Look | None = None
        self._chronicle = Chronicle()
        self._reader: JournalReader | None = None
        self._file: tuple[int, int] | None = None
        self._seq, self._hash = 0, ""

    def look(self) -> Look:
        """Return what is to be seen now, at most a quarter of a second old. Raises nothing of its own."""
        now_s = self._clock.monotonic()
        if self._last is None or not 0 <= now_s - self._last.seen_s < FRESH_S:
            problem = self._read_on()
            outside = self._outside(problem)
            told = summary(self._chronicle, outside, self._limits)
            self._last = Look(told, self._chronicle, outside.monotonic_s, self._clock.now())
        return self._last

    def close(self) -> None:
        """Let go of the journal."""
        if self._reader:
            self._reader.close()
            self._reader = None

    # -- the journal ---------------------------------------------------------------------

    def _forget(self) -> None:
        self._chronicle, self._seq, self._hash = Chronicle(), 0, ""

    def _read_on(self) -> str | None:
        """Fold the rows that are new; return a sentence when that cannot be done to the end."""
        try:
            if not self._is_open():
                return None
            self._fold()
        except QgtmError as problem:
            self._drop_reader()
            return str(problem)
        except OSError as problem:
            self._drop_reader()
            return because(problem, self._folder.journal)
        return None

    def _is_open(self) -> bool:
        """Open the journal that is there now; return whether there is one."""
        try:
            status = self._folder.journal.stat()
        except FileNotFoundError:
            self._drop_reader()
            self._forget()
            return False
        file = (status.st_dev, status.st_ino)
        if self._reader is None or file != self._file:
            self._drop_reader()
            self._reader, self._file = JournalReader(self._folder.journal), file
            if (
                self._seq and self._reader.hash_at(self._seq) != self._hash
            ):  # another journal than the one known
                self._forget()
        return True

    def _fold(self) -> None:
        if self._reader is None:
            raise JournalError(f"{self._folder.journal} is not open; look again")
        for entry in self._reader.read(self._seq):
            self._chronicle.take(entry.event, entry.at)
            self._seq, self._hash = entry.seq, entry.hash

    def _drop_reader(self) -> None:
        if self._reader:
            with contextlib.suppress(JournalError):
                self._reader.close()
        self._reader = None

    # -- what is beside it ---------------------------------------------------------------

    def _outside(self, problem: str | None) -> Outside:
        beat = load_heartbeat(self._folder.heartbeat)
        dog = load_watchdog(self._folder.watchdog)
        anchor = self._anchor()
        wall_at = self._clock.now()
        undelivered = self._undelivered(wall_at)
        now_s = self._clock.monotonic()  # after the reading, which may have taken its time
        return Outside(
            monotonic_s=now_s,
            age_s=beat.age_s(now_s, self._boot_id) if beat else None,
            epoch=beat.epoch if beat else None,
            is_journal_there=self._reader is not None,
            journal_problem=problem,
            venue_at=self._venue_at(anchor, beat),
            speed=anchor.speed if anchor else None,
            held_by=anchor.held_by if anchor else (),
            wall_at=wall_at,
            watchdog=_watchdog(dog, dog.age_s(now_s, self._boot_id)) if dog else None,
            report=self._report(),
            undelivered=undelivered,
        )

    def _report(self) -> str | None:
        """Return the name of the last halt's report, None where it is not made yet."""
        folder, number = self._beside.reports, self._chronicle.state.switch.kill_epoch
        name = f"incident-{number}.html"
        return name if folder and number and (folder / name).exists() else None

    def _undelivered(self, wall_at: datetime) -> Undelivered | None:
        if self._beside.undelivered is None:
            return None
        try:
            return self._beside.undelivered(wall_at)
        except QgtmError as problem:
            return Undelivered(number=1, failing=1, since=None, problem=str(problem))

    def _anchor(self) -> Anchor | None:
        """Return the embedded exchange's time, None when the fund trades elsewhere or it never ran."""
        booted = self._chronicle.booted
        if booted is not None and booted.venue != "embedded":
            return None
        with contextlib.suppress(ConfigError):
            return self._venue.anchor()
        return None

    def _venue_at(self, anchor: Anchor | None, beat: Heartbeat | None) -> datetime | None:
        if anchor is not None:
            is_ours = anchor.boot_id == self._boot_id
            return anchor.venue_now(self._clock.monotonic()) if is_ours else anchor.venue_at
        booted = self._chronicle.booted
        if booted is not None and booted.venue != "embedded":
            return self._clock.now()
        return beat.venue_at if beat else None


def _watchdog(word: WatchdogWord, age_s: float | None) -> Watchdog:
    return Watchdog(
        state=word.state,
        age_s=age_s,
        alerts_s=word.alerts_s,
        flatten_s=word.flatten_s,
        reason=word.reason.rstrip("."),
        since=word.since_wall_at,
        left=word.positions_left,
    )
