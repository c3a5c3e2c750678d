"""Putting a backup back, so that neither a halt nor a crash in the middle makes the fund forget anything.

All that takes time is done beside the record; then names change. A mark stands from before the first of them
to after the last: no daemon starts on a record that is half put back, and the next restore finishes it.
"""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from qgtm.adapters.backup import COPIED, Backup, verified
from qgtm.adapters.files import StateDir, explained, sync_folder, write_atomic
from qgtm.adapters.inbox import Inbox
from qgtm.adapters.journal import RESTORING, JournalReader
from qgtm.adapters.lake import LOCK
from qgtm.adapters.lock import FileLock
from qgtm.adapters.store_copy import STORE, is_of_store
from qgtm.core.commands import Flatten, Halt
from qgtm.core.errors import JournalError, QgtmError
from qgtm.core.events import (
    BreakAccepted,
    CommandTaken,
    Event,
    LimitsChanged,
    OperatorEnrolled,
    OperatorRevoked,
    StrategyDisabled,
)
from qgtm.core.mode import Mode
from qgtm.engine.state import State, changed
from qgtm.risk.kill_switch import must_flatten

STAGE: Final = "restoring"
MOVED: Final = (*(f"{name}{end}" for name in COPIED for end in ("", "-wal", "-shm")), "snapshots")
# With the feeds' word on their last look: without it the collector fetches what the store lacks since then.
MOVED_WITH_STORE: Final = (STORE, "released.json", "feeds")
HALTED: Final = (Mode.HALTED_HARD.value, Mode.HALTED_DEAD_MAN.value)
UNREADABLE: Final = (QgtmError, ValueError, ArithmeticError, LookupError, TypeError)  # of a damaged row
FORGOTTEN: Final[dict[type[Event], str]] = {
    LimitsChanged: "limits were changed",
    OperatorRevoked: "a key was revoked, and counts again",
    OperatorEnrolled: "a key was enrolled, and counts no more",
    StrategyDisabled: "a strategy was disabled, and runs again",
    BreakAccepted: "a break was accepted",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What was put back, where the old record lies, and what that one knows and the backup does not."""

    sheet: Backup
    aside: Path
    is_flattening: bool
    has_store: bool
    forgotten: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Begun:
    """What a restore learned before it moved anything: kept on the disk until it is done."""

    aside: str
    is_flattening: bool
    taken: int
    forgotten: tuple[str, ...]


def restore(
    path: Path, state: StateDir, at: datetime, *, is_another: bool = False, is_keeping_store: bool = False
) -> Restored:
    """Put a backup in the place of what `state` holds.

    What the journal does not know of since then may be riskier than it says, so the fund comes back halted
    until OpA acknowledges; a halt that closes everything, in the record that is put aside or asked for since,
    goes on. The store of values is put back with it, unless the backup has none or with `is_keeping_store`.
    A restore that was cut off is finished. Raises JournalLocked while a daemon, a collector of feeds or `qgtm
    up` runs, JournalError for a backup of another record (unless `is_another`), and as `verified`.
    """
    sheet = verified(path, is_keeping_store=is_keeping_store)
    has_store = bool(sheet.stored) and not is_keeping_store
    with (
        ExitStack() as locks,
        FileLock(state.root / "up.lock", f"`qgtm up` in {state.root}"),
        FileLock(state.journal.with_name(state.journal.name + ".lock"), f"the journal {state.journal}"),
        explained(state.root, JournalError),
    ):
        begun = _cut_off(state)
        if begun is None:
            if not is_another:
                _refuse_another(path, state)
            begun = _learned(state, path, sheet, at)
        if has_store:
            state.store.mkdir(exist_ok=True)
        if state.store.is_dir():
            locks.enter_context(FileLock(state.store / LOCK, f"the store {state.store}"))
        begun = replace(
            begun, is_flattening=begun.is_flattening or _is_flatten_asked(state.inbox, begun.taken)
        )
        _stage(path, sheet, state, begun, at, has_store=has_store)
        _keep(state, begun)
        _swap(state, state.root / begun.aside, has_store=has_store)
    return Restored(
        sheet=sheet,
        aside=state.root / begun.aside,
        is_flattening=begun.is_flattening,
        has_store=has_store,
        forgotten=begun.forgotten,
    )


# --- what the old record knows ------------------------------------------------------------------


def _refuse_another(path: Path, state: StateDir) -> None:
    ours, copied = _first(state.journal), _first(path / "journal.db")
    if ours is not None and ours != copied:
        raise JournalError(
            f"{path} is a backup of another record than the one in {state.root}: its first row is another. "
            "Look which fund and account it is; `--another` puts it back all the same."
        )


def _first(journal: Path) -> str | None:
    """Return the hash of a journal's first row, None where there is none that can be read."""
    with suppress(JournalError), JournalReader(journal) as reader:
        return reader.hash_at(1)
    return None


def _learned(state: StateDir, path: Path, sheet: Backup, at: datetime) -> _Begun:
    known = _Known()
    with suppress(*UNREADABLE):
        for event, seq in _events(state.journal):
            known.take(event, is_new=seq > sheet.seq)
    for event, _ in _events(path / "journal.db"):
        known.taken = max(known.taken, event.command_id if isinstance(event, CommandTaken) else 0)
    mode, taken = _kill_word(state)
    known.taken = max(known.taken, taken)
    return _Begun(
        aside=str(Path("aside") / f"{at:%Y%m%dT%H%M%S}"),
        is_flattening=must_flatten(known.state.switch) or mode in HALTED,
        taken=known.taken,
        forgotten=tuple(known.forgotten),
    )


class _Known:
    """The old record's state, as far as it can be read."""

    def __init__(self) -> None:
        self.state, self.taken = State(), 0
        self.forgotten: list[str] = []

    def take(self, event: Event, *, is_new: bool) -> None:
        if isinstance(event, CommandTaken):
            self.taken = max(self.taken, event.command_id)
        said = FORGOTTEN.get(type(event)) if is_new else None
        if said and said not in self.forgotten:
            self.forgotten.append(said)
        self.state = changed(self.state, event)


def _events(journal: Path) -> Iterator[tuple[Event, int]]:
    """Yield a journal's events and rows up to the first that cannot be read."""
    with suppress(QgtmError), JournalReader(journal) as reader:
        for entry in reader.read():
            yield entry.event, entry.seq


def _kill_word(state: StateDir) -> tuple[str, int]:
    """Return the mode and the last command taken that the daemon told the watchdog, empty and 0 for none.

    It outlives a journal that cannot be read at all.
    """
    try:
        found = json.loads(state.kill.read_bytes())
        return str(found["mode"]), int(found["command_id"])
    except (OSError, ValueError, KeyError, TypeError):
        return "", 0


def _is_flatten_asked(inbox: Path, taken: int) -> bool:
    """Return whether somebody asked to close everything, and no daemon has taken it yet."""
    if not inbox.exists():
        return False
    after = taken
    with suppress(QgtmError), Inbox(inbox) as found:
        while wishes := found.wishes(after):
            if any(isinstance(wish.command, Flatten) for wish in wishes):
                return True
            after = wishes[-1].command_id
    return False


# --- the mark -----------------------------------------------------------------------------------


def _cut_off(state: StateDir) -> _Begun | None:
    """Return what a restore that was cut off had learned, None when there is none."""
    mark = state.root / RESTORING
    if not mark.exists():
        return None
    try:
        fields = json.loads(mark.read_bytes())
        return _Begun(**{**fields, "forgotten": tuple(fields["forgotten"])})
    except (ValueError, TypeError, KeyError) as problem:
        raise JournalError(
            f"{mark} cannot be read ({problem}): look what lies in {state.root / 'aside'}, put the journal "
            "of your choice in its place, and remove the mark."
        ) from problem


def _keep(state: StateDir, begun: _Begun) -> None:
    write_atomic(state.root / RESTORING, (json.dumps(asdict(begun), indent=2) + "\n").encode())


# --- the files ----------------------------------------------------------------------------------


def _stage(
    path: Path, sheet: Backup, state: StateDir, begun: _Begun, at: datetime, *, has_store: bool
) -> None:
    """Put all that is to stand in the state folder into one beside it, on the disk. Raises OSError."""
    stage = state.root / STAGE
    shutil.rmtree(stage, ignore_errors=True)
    try:
        stage.mkdir(mode=0o700)
        for name in sheet.files.keys() - {"inbox.db"}:  # what waited then is not wanted now
            if has_store or not is_of_store(name):
                (stage / name).parent.mkdir(parents=True, exist_ok=True)
                _copy(path / name, stage / name)
        _halt(stage / "inbox.db", path, begun, at)
        for folder in (*filter(Path.is_dir, stage.rglob("*")), stage):
            sync_folder(folder)
    except BaseException:
        shutil.rmtree(stage, ignore_errors=True)
        raise


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as old, target.open("xb") as new:
        shutil.copyfileobj(old, new, 1 << 20)
        new.flush()
        os.fsync(new.fileno())


def _halt(inbox: Path, path: Path, begun: _Begun, at: datetime) -> None:
    reason = f"restored from the backup {path.name}: compare with the broker before you go on"
    with Inbox(inbox) as new:
        new.go_on_after(begun.taken)
        new.put(Halt(reason=reason, by="restore"), "restore", at)
        if begun.is_flattening:
            new.put(Flatten(reason=f"{reason}; the halt goes on", by="restore"), "restore", at)


def _swap(state: StateDir, aside: Path, *, has_store: bool) -> None:
    """Change the names: the old record into `aside`, the staged one into its place. Raises OSError.

    What lies in `aside` already was moved by a restore that was cut off; the snapshots remember later rows.
    """
    aside.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in (*MOVED, *(MOVED_WITH_STORE if has_store else ())):
        if (state.root / name).exists() and not (aside / name).exists():
            (state.root / name).rename(aside / name)
    sync_folder(aside)
    if not has_store:
        _give_back(state, aside)
    stage = state.root / STAGE
    for staged in sorted(stage.iterdir(), reverse=True):  # the journal before the inbox, which holds the halt
        _put(staged, state.root / staged.name)
    sync_folder(state.root)
    (state.root / RESTORING).unlink()
    sync_folder(state.root)
    stage.rmdir()


def _give_back(state: StateDir, aside: Path) -> None:
    """Put the store back that a restore which was cut off had moved, where this one leaves it alone."""
    for name in MOVED_WITH_STORE:
        if (aside / name).exists():
            _put(aside / name, state.root / name)


def _put(what: Path, target: Path) -> None:
    if target.is_dir():  # left by a restore that was cut off: the old one lies in `aside`
        shutil.rmtree(target)
    what.replace(target)
