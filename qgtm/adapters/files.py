"""Files that are never half written, and the one folder in which everything that runs keeps its state."""

import contextlib
import errno
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from qgtm.core.errors import ConfigError, QgtmError

CURES: Final[dict[int, str]] = {
    errno.EACCES: "give this user the right to write there, or set QGTM_STATE_DIR to another folder",
    errno.EPERM: "give this user the right to write there, or set QGTM_STATE_DIR to another folder",
    errno.EROFS: "mount it writable, or set QGTM_STATE_DIR to another folder",
    errno.ENOSPC: "free some space there",
    errno.EDQUOT: "free some space there",
    errno.EFBIG: "raise this user's limit on the size of a file (`ulimit -f`)",
    errno.ENOENT: "make the folder, or set QGTM_STATE_DIR to another one",
    errno.EEXIST: "a file stands where a folder is meant: move it, or set QGTM_STATE_DIR",
    errno.ENOTDIR: "a file stands where a folder is meant: move it, or set QGTM_STATE_DIR",
}
READ_CURES: Final[dict[int, str]] = {
    errno.EACCES: "give this user the right to read it",
    errno.EPERM: "give this user the right to read it",
    errno.ENOENT: "put it back",
    errno.EISDIR: "a folder stands where a file is meant: move it away",
}


@dataclass(frozen=True, slots=True)
class StateDir:
    """Name what lies in the state folder."""

    root: Path

    @property
    def journal(self) -> Path:
        """Return the append-only record, written by the daemon alone."""
        return self.root / "journal.db"

    @property
    def inbox(self) -> Path:
        """Return the operators' commands, written by the pages and the command line."""
        return self.root / "inbox.db"

    @property
    def bars(self) -> Path:
        """Return the local copy of the daily bars."""
        return self.root / "bars.db"

    @property
    def snapshots(self) -> Path:
        """Return the folder of state snapshots."""
        return self.root / "snapshots"

    @property
    def heartbeat(self) -> Path:
        """Return the daemon's sign of progress."""
        return self.root / "heartbeat.json"

    @property
    def lease(self) -> Path:
        """Return who may send orders."""
        return self.root / "lease.json"

    @property
    def web(self) -> Path:
        """Return the web's own record of sessions and tries."""
        return self.root / "web.db"

    @property
    def secrets(self) -> Path:
        """Return the folder of the one-time secrets."""
        return self.root / "secrets"

    @property
    def kill(self) -> Path:
        """Return what the daemon tells the watchdog of its kill switch."""
        return self.root / "kill.json"

    @property
    def watchdog(self) -> Path:
        """Return the watchdog's own word."""
        return self.root / "watchdog.json"

    @property
    def crash_mark(self) -> Path:
        """Return the name of the strategy that is at work; it lies there after a crash in it."""
        return self.root / "at_work"

    @property
    def store(self) -> Path:
        """Return the folder of all that is known, with the time from which it was."""
        return self.root / "store"

    @property
    def feeds(self) -> Path:
        """Return the folder of what the collector of feeds says of itself."""
        return self.root / "feeds"

    @property
    def held(self) -> Path:
        """Return the values that wait for a person, as the collector of feeds holds them."""
        return self.feeds / "held.json"

    @property
    def released(self) -> Path:
        """Return which of them were released, as the daemon was told."""
        return self.root / "released.json"

    @property
    def raw(self) -> Path:
        """Return the folder of the vendors' replies, as they came."""
        return self.root / "raw"

    @property
    def exchange(self) -> Path:
        """Return the folder of the embedded exchange."""
        return self.root / "exchange"


def state_dir(environ: Mapping[str, str], config_path: Path, configured: str | None = None) -> StateDir:
    """Return the state folder: QGTM_STATE_DIR, else the config's, else `var` beside the config file."""
    beside = config_path.absolute().parent
    chosen = environ.get("QGTM_STATE_DIR") or configured or "var"
    return StateDir(beside / Path(chosen).expanduser())


def made_writable(folder: StateDir) -> StateDir:
    """Make the state folder if it is not there; raise ConfigError with the cure when it cannot be written."""
    probe = folder.root / f".probe-{os.getpid()}"
    try:
        folder.root.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as problem:
        raise ConfigError(f"the state folder {because(problem, folder.root)}") from problem
    return folder


def because(problem: OSError, path: Path) -> str:
    """Return `PATH cannot be used: WHY. CURE.` for an error of the operating system."""
    cure = CURES.get(problem.errno or 0, "look at the disk and its mount")
    return f"{path} cannot be used: {problem.strerror or problem}. Next: {cure}."


def unread(problem: OSError, path: Path) -> str:
    """Return `PATH cannot be read: WHY. CURE.`; what only needs reading wants no right to write."""
    cure = READ_CURES.get(problem.errno or 0, "look at the disk and its mount")
    return f"{path} cannot be read: {problem.strerror or problem}. Next: {cure}."


@contextlib.contextmanager
def explained(path: Path, error: type[QgtmError]) -> Iterator[None]:
    """Turn an OSError of the block into `error`, as a sentence with the next step."""
    try:
        yield
    except OSError as problem:
        raise error(because(problem, path)) from problem


def write_atomic(path: Path, content: bytes, *, is_durable: bool = True, mode: int = 0o644) -> None:
    """Put `content` at `path` so that a reader, or a crash, sees the old file or the new one, never half.

    With `is_durable` it is on the disk when this returns: the file is synced, then its folder.
    Raises OSError and leaves the old file.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        _write(beside, content, is_durable, mode)
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise
    if is_durable:
        sync_folder(path.parent)


def _write(path: Path, content: bytes, is_durable: bool, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        if is_durable:
            os.fsync(descriptor)


def sync_folder(folder: Path) -> None:
    """Put a folder's names on the disk, so that a new or renamed file outlives a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
