"""The state folder as the watchdog reads it, and the two files that it writes: its own, and the lease.

The formats are the daemon's; tests/contracts hold both sides to them. What cannot be read is None: the
kernel takes that for no news, never for good news.
"""

import fcntl
import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from qgtm.core.errors import ConfigError
from qgtm.watchdog.fact import KillWord, LeaseFailed, LeaseTaken, Looked, Progress, Wish

INBOX_S: Final = 0.2
TURN_TRIES: Final = 10
TURN_S: Final = 0.05
WISHES: Final = "SELECT id, kind, by FROM command WHERE kind IN ('Halt', 'Flatten') ORDER BY id DESC LIMIT 50"


class Folder:
    """Name what lies in the state folder, and read it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.state = root / "watchdog.json"
        self.lease = root / "lease.json"
        self._lock: int | None = None

    # -- one watchdog ------------------------------------------------------------------------

    def lock(self) -> None:
        """Hold the folder against a second watchdog; raise ConfigError naming the one that has it."""
        path = self.root / "watchdog.lock"
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as problem:
            cure = "give this user the right to write there, or set QGTM_STATE_DIR to another folder"
            raise ConfigError(f"{path} cannot be used: {problem.strerror}. Next: {cure}.") from problem
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as problem:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(descriptor)
            raise ConfigError(
                f"process {holder} is a watchdog of {self.root} already. Stop it (`kill {holder}`) and try "
                "again, or set QGTM_STATE_DIR to another folder."
            ) from problem
        with suppress(OSError):  # a full disk keeps nobody from watching
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._lock = descriptor

    # -- what is there -----------------------------------------------------------------------

    def look(self, monotonic: Callable[[], float], wall: Callable[[], datetime]) -> Looked:
        """Return one look; the clock is read before the files are."""
        asked_s, wall_at = monotonic(), wall()
        return Looked(
            asked_s=asked_s,
            wall_at=wall_at,
            progress=_read(self.root / "heartbeat.json", _progress),
            kill=_read(self.root / "kill.json", _kill),
            wishes=self._wishes(),
        )

    def _wishes(self) -> tuple[Wish, ...] | None:
        path = self.root / "inbox.db"
        if not path.exists():
            return ()
        try:
            with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=INBOX_S)) as inbox:
                rows = inbox.execute(WISHES).fetchall()
        except sqlite3.Error:
            return None
        return tuple(Wish(command_id=int(number), kind=str(kind), by=str(by)) for number, kind, by in rows)

    # -- its own file ------------------------------------------------------------------------

    def load(self) -> Mapping[str, Any] | None:
        """Return the watchdog's own file, None when there is none that can be read."""
        found: Mapping[str, Any] | None = _read(self.state, dict)
        return found

    def save(self, fields: Mapping[str, Any], *, is_durable: bool) -> None:
        """Write the watchdog's own file, whole or not at all. Raises OSError."""
        write_atomic(self.state, json.dumps(fields, separators=(",", ":")).encode() + b"\n", is_durable)

    # -- the lease ---------------------------------------------------------------------------

    def take_lease(self, least: int, wait: Callable[[float], None]) -> LeaseTaken | LeaseFailed:
        """Take the lease with an epoch above `least` and above every earlier one."""
        try:
            with _turn(self.lease, wait):
                epoch = max(self._last_epoch(), least) + 1
                body = {"epoch": epoch, "holder": "watchdog", "pid": os.getpid()}
                write_atomic(self.lease, json.dumps(body).encode() + b"\n", is_durable=True)
        except OSError as problem:
            return LeaseFailed(problem.strerror or type(problem).__name__)
        return LeaseTaken(epoch)

    def _last_epoch(self) -> int:
        return _read(self.lease, lambda body: int(body["epoch"])) or 0


def _read(path: Path, made: Callable[[Any], Any]) -> Any:
    try:
        return made(json.loads(path.read_bytes()))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _progress(body: Any) -> Progress:
    return Progress(
        boot_id=str(body["boot_id"]),
        pid=int(body["pid"]),
        epoch=int(body["epoch"]),
        counter=int(body["counter"]),
    )


def _kill(body: Any) -> KillWord:
    return KillWord(
        mode=str(body["mode"]), kill_epoch=int(body["kill_epoch"]), command_id=int(body["command_id"])
    )


@contextmanager
def _turn(path: Path, wait: Callable[[float], None]) -> Iterator[None]:
    """Hold the lease's turn for one small write; whoever stopped while it had it is not waited for."""
    descriptor = os.open(path.with_name(path.name + ".turn"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        for tries_left in range(TURN_TRIES, -1, -1):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not tries_left:
                    raise
                wait(TURN_S)
        yield
    finally:
        os.close(descriptor)


def write_atomic(path: Path, content: bytes, is_durable: bool) -> None:
    """Put `content` at `path` so that a reader, or a crash, sees the old file or the new one, never half."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            if is_durable:
                os.fsync(file.fileno())
        beside.replace(path)
    except OSError:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise
    if is_durable:
        _sync(path.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
