"""One process at a time, by a lock that the system lets go when the process dies."""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from qgtm.adapters.files import explained
from qgtm.core.errors import JournalError, JournalLocked


class FileLock:
    """Hold `path` until `release` or the end of the process; its content is the holder's process id.

    Raises JournalLocked naming the holder, with `what` it holds, and JournalError when the file
    cannot be opened. The file stays when the lock goes: removing it would let two in.
    """

    def __init__(self, path: Path, what: str) -> None:
        self._path = path
        with explained(path, JournalError):
            self._descriptor = _held(path, what)

    def release(self) -> None:
        """Let the next one in; twice does no harm."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def _held(path: Path, what: str) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_the_file(descriptor, path):
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
                return descriptor
        except BlockingIOError as problem:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(descriptor)
            raise JournalLocked(
                f"{what} is held by process {holder}. Stop it (`kill {holder}`) and try again, "
                "or set QGTM_STATE_DIR to another folder."
            ) from problem
        except OSError:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _is_the_file(descriptor: int, path: Path) -> bool:
    """Somebody may have removed the file between our open and our lock: then a newer one counts."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
