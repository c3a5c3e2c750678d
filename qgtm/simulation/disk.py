"""What outlives a process, in memory: the record, snapshots, inbox, lease, beat and bars of one machine.

Each has the behaviour of the file it stands for, and the faults of a disk: full, or a sync that fails after
which nobody knows whether the rows are there.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, Final, Literal, TypeVar

from qgtm.adapters.chain import GENESIS, Row, chained, entry_of, later_text
from qgtm.adapters.heartbeat import Heartbeat
from qgtm.adapters.inbox import Wish
from qgtm.adapters.kill_file import KillWord, text_of
from qgtm.adapters.snapshot import Restored
from qgtm.core.bar import BarSet
from qgtm.core.codec import canonical, decode
from qgtm.core.commands import Command
from qgtm.core.errors import EventError, JournalError, JournalLocked
from qgtm.core.events import Event
from qgtm.ports import Entry, Head

S = TypeVar("S")
Trouble = Literal["", "full", "sync"]
Notice = Callable[[str], None]
FULL: Final = "journal.db has no room left: free some space on its disk and start again"
UNSYNCED: Final = "journal.db could not be written by the system: look at the disk, then start again"


@dataclass
class Disk:
    """All files of one machine. `trouble` strikes at the next append to the journal; `full` stays."""

    rows: list[Row] = field(default_factory=list)
    snapshots: list[tuple[Head, str, str]] = field(default_factory=list)  # head, code, canonical state
    wishes: list[Wish] = field(default_factory=list)
    last_number: int = 0
    lease_epoch: int = 0
    lease_holder: str = ""
    lease_lock: object | None = None  # which process has it, while it lives
    beat: Heartbeat | None = None
    kill: bytes = b""  # the daemon's word for the watchdog, empty for no file
    watchdog: bytes = b""  # and the watchdog's own
    bars: list[BarSet] = field(default_factory=list)
    trouble: Trouble = ""
    is_torn_kept: bool = False  # of a sync that failed: whether its rows are there afterwards

    @property
    def head(self) -> Head:
        """Return the journal's last row."""
        return Head(self.rows[-1].seq, self.rows[-1].hash) if self.rows else GENESIS

    def put(self, command: Command, by: str, at: datetime) -> int:
        """Give a command, as the pages and the command line do."""
        self.last_number += 1
        kind = type(command).__name__
        wish = Wish(command_id=self.last_number, at=at, by=by, kind=kind, command=command)
        self.wishes.append(wish)
        return self.last_number

    def take_epoch(self, holder: str, least: int = 0) -> int:
        """Take the lease over everybody before."""
        self.lease_epoch = max(self.lease_epoch, least) + 1
        self.lease_holder = holder
        return self.lease_epoch


class MemoryRecord:
    """The journal of one process over the machine's disk; durable when `append` returns.

    `notice` is called with "commit" before and "committed" after each append, where a crash may fall.
    """

    def __init__(self, disk: Disk, notice: Notice) -> None:
        self._disk = disk
        self._notice = notice
        self._refusal: JournalError | None = None

    def append(self, events: Sequence[Event], at: datetime) -> None:
        """Write `events` in one go, or raise JournalError; after that nothing more is written."""
        if self._refusal:
            raise self._refusal
        disk = self._disk
        text = later_text(disk.rows[-1].at if disk.rows else "", at)
        rows = chained(disk.head, events, text)
        if not rows:
            return
        self._notice("commit")
        if disk.trouble:
            self._refuse(rows)
        disk.rows += rows
        self._notice("committed")

    def _refuse(self, rows: list[Row]) -> None:
        disk = self._disk
        if disk.trouble == "sync":
            disk.trouble = ""
            if disk.is_torn_kept:
                disk.rows += rows
            self._refusal = JournalError(UNSYNCED)
        else:
            self._refusal = JournalError(FULL)
        raise self._refusal

    def read(self, after: int = 0) -> Iterator[Entry]:
        """Yield the rows after `after`, oldest first."""
        for row in self._disk.rows[after:]:
            yield entry_of(row)

    def head(self) -> Head:
        """Return the last row's number and hash."""
        return self._disk.head

    def hash_at(self, seq: int) -> str | None:
        """Return the hash of row `seq`, None when there is no such row."""
        if seq == GENESIS.seq:
            return GENESIS.hash
        return self._disk.rows[seq - 1].hash if 0 < seq <= len(self._disk.rows) else None

    def close(self) -> None:
        """Do nothing."""


class MemorySnapshots:
    """The last three states, as text, as on a disk."""

    def __init__(self, disk: Disk, code: str, notice: Notice) -> None:
        self._disk = disk
        self._code = code
        self._notice = notice

    def write(self, state: object, head: Head, at: datetime) -> None:
        """Write the state that the journal folds to at `head`."""
        self._notice("snapshot")
        if self._disk.trouble == "full":
            raise JournalError(FULL)
        self._disk.snapshots.append((head, self._code, canonical(state)))
        del self._disk.snapshots[:-3]
        self._notice("snapshot kept")

    def load(self, kind: type[S], hash_at: Callable[[int], str | None]) -> Restored[S]:
        """Return the newest state that the journal bears out."""
        import json

        refused: list[str] = []
        for head, code, text in reversed(self._disk.snapshots):
            try:
                if code != self._code or hash_at(head.seq) != head.hash:
                    raise EventError(f"the journal does not hold its row {head.seq}")
                return Restored(decode(kind, json.loads(text)), head, tuple(refused))
            except EventError as problem:
                refused.append(str(problem))
        return Restored(None, GENESIS, tuple(refused))


class MemoryInbox:
    """The operators' commands, as the daemon reads them."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    def wishes(self, after: int) -> tuple[Wish, ...]:
        """Return the commands after number `after`."""
        return tuple(wish for wish in self._disk.wishes if wish.command_id > after)

    def go_on_after(self, taken: int) -> tuple[Wish, ...]:
        """Give new commands numbers above `taken`; return those that this passes over."""
        if self._disk.last_number >= taken:
            return ()
        self._disk.last_number = taken
        return tuple(self._disk.wishes)

    def close(self) -> None:
        """Do nothing."""


class MemoryLease:
    """The lease of one process. Raises JournalLocked while another living process has it."""

    def __init__(self, disk: Disk, process: object, least: int) -> None:
        if disk.lease_lock is not None:
            raise JournalLocked("the daemon's lease is held by another process: end it, or let it run")
        self._disk, self._process = disk, process
        disk.lease_lock = process
        self.epoch = disk.take_epoch("daemon", least)

    def is_mine(self) -> bool:
        """Return whether nobody took the lease since."""
        return self._disk.lease_epoch == self.epoch

    def release(self) -> None:
        """Let the next one in; the epoch stays."""
        if self._disk.lease_lock is self._process:
            self._disk.lease_lock = None


class MemoryBeat:
    """The heartbeat of one process."""

    def __init__(self, disk: Disk, notice: Notice) -> None:
        self._disk = disk
        self._notice = notice
        self._last: int | None = None

    def write(self, heartbeat: Heartbeat) -> bool:
        """Write and return True when the loop has advanced."""
        if self._last is not None and heartbeat.counter <= self._last:
            return False
        self._notice("beat")
        if self._disk.trouble == "full":
            raise JournalError(FULL)
        self._disk.beat = replace(heartbeat)
        self._last = heartbeat.counter
        return True


class MemoryKill:
    """The daemon's word about its kill switch."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._last: KillWord | None = None

    def write(self, word: KillWord) -> None:
        """Put the word down; the same one leaves the same bytes."""
        if word != self._last:
            self._disk.kill, self._last = text_of(word), word


class MemoryBars:
    """The store of bars."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    def load(self) -> tuple[BarSet, ...]:
        """Return every session's bars, oldest first."""
        return tuple(self._disk.bars)

    def load_arrays(self, symbols: Sequence[str]) -> Sequence[Any]:
        """Return something as long as there are sessions: the boot asks for no more."""
        return self._disk.bars

    def append(self, *sets: BarSet) -> None:
        """Keep bar sets; a session that is written again counts as a correction, symbol by symbol."""
        kept = {one.session: one for one in self._disk.bars}
        for one in sets:
            before = kept.get(one.session)
            kept[one.session] = one if before is None else replace(one, bars={**before.bars, **one.bars})
        self._disk.bars[:] = [kept[session] for session in sorted(kept)]

    def last_session(self) -> date | None:
        """Return the newest session, None when there is none."""
        return self._disk.bars[-1].session if self._disk.bars else None

    def close(self) -> None:
        """Do nothing."""
