"""The lease: who may send orders. Its epoch only rises, and whoever takes it fences all before.

`lease.json` holds {"epoch": 7, "holder": "daemon", "pid": 4711}. To take it, a process locks
`lease.json.turn`, writes the next epoch and lets go. A daemon also holds `lease.json.lock` as long as it
lives, so that a second one is told at once. The watchdog takes an epoch without that lock: a daemon that
wakes up afterwards finds that the lease is not its own.
"""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from qgtm.adapters.files import explained, write_atomic
from qgtm.adapters.lock import FileLock
from qgtm.core.errors import JournalError


class Lease:
    """Take the lease, alone among daemons; `epoch` is one above every earlier one.

    `least` is the highest epoch that the journal knows, so that a lost file cannot turn back the count.
    Raises JournalLocked naming the process that has it, and JournalError when the file cannot be used.
    """

    def __init__(self, path: Path, *, holder: str = "daemon", least: int = 0) -> None:
        self._path = path
        self._lock = FileLock(path.with_name(path.name + ".lock"), f"the {holder}'s lease {path}")
        try:
            self.epoch = take_epoch(path, holder=holder, least=least)
        except BaseException:
            self._lock.release()
            raise

    def is_mine(self) -> bool:
        """Return whether nobody took the lease since; no answer means no."""
        return is_held(self._path, self.epoch)

    def release(self) -> None:
        """Let the next one in; the epoch stays."""
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def is_held(path: Path, epoch: int) -> bool:
    """Return whether `epoch` is the lease's; False as well when the file cannot be read."""
    try:
        return bool(_epoch(path) == epoch)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def take_epoch(path: Path, *, holder: str, least: int = 0) -> int:
    """Return the next epoch, on the disk before this returns. Raises JournalError when it cannot be had."""
    with explained(path, JournalError), _turn(path):
        epoch = max(_last_epoch(path), least) + 1
        body = json.dumps({"epoch": epoch, "holder": holder, "pid": os.getpid()})
        write_atomic(path, body.encode() + b"\n")
    return epoch


def _last_epoch(path: Path) -> int:
    try:
        return _epoch(path)
    except FileNotFoundError:
        return 0
    except (ValueError, KeyError, TypeError) as problem:
        raise JournalError(
            f"{path} holds no epoch ({type(problem).__name__}): delete it, the count then goes on from the "
            "journal."
        ) from problem


def _epoch(path: Path) -> int:
    return int(json.loads(path.read_bytes())["epoch"])


@contextlib.contextmanager
def _turn(path: Path) -> Iterator[None]:
    descriptor = os.open(path.with_name(path.name + ".turn"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # held for one small write, so waiting is short
        yield
    finally:
        os.close(descriptor)
