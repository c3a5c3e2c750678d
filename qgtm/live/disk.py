"""Room on the disk that holds the record: told of while there is little, held back for when there is none.

A file of its own holds room back. It is given up when the disk is nearly full or a write has failed, so that
the halt which follows can still be written down, here or at the next start.
"""

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from qgtm.core.events import AlertRaised, Event, Latched
from qgtm.core.mode import Latch

FILE: Final = "reserve"
RESERVE_BYTES: Final = 32_000_000  # a day of a busy journal is a tenth of it
LEAST_BYTES: Final = 64_000_000  # below it nothing new is begun
LOW_BYTES: Final = 1_000_000_000  # below it a person is told
LOOK_S: Final = 10.0


def free_bytes(folder: Path) -> int:
    """Return how much this user can still write where `folder` lies. Raises OSError."""
    return shutil.disk_usage(folder).free


@dataclass
class Disk:
    """The disk under the state folder; what was said of it is no state of the fund."""

    folder: Path
    free: Callable[[Path], int] = free_bytes
    reserve_bytes: int = RESERVE_BYTES
    _looked_s: float | None = None
    _is_low: bool = False

    def prepare(self) -> None:
        """Hold room back where there is enough, and give it up where there is not."""
        with suppress(OSError):
            room = self.free(self.folder)
            if room < LEAST_BYTES:
                self.give_up()
            elif room > LEAST_BYTES + self.reserve_bytes:
                self._hold_back()

    def _hold_back(self) -> None:
        path = self.folder / FILE
        if not self.reserve_bytes or (path.exists() and path.stat().st_size == self.reserve_bytes):
            return
        with path.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, self.reserve_bytes)

    def give_up(self) -> None:
        """Give the room back that was held; nothing is raised where none is."""
        with suppress(OSError):
            (self.folder / FILE).unlink()

    def look(self, now_s: float, latches: tuple[Latch, ...]) -> list[Event]:
        """Return what follows from the room that is left; asked every ten process seconds."""
        if self._looked_s is not None and now_s - self._looked_s < LOOK_S:
            return []
        self._looked_s = now_s
        try:
            room = self.free(self.folder)
        except OSError:
            return []  # a folder that is gone fails at the next write, which ends the daemon
        if room < LEAST_BYTES:
            self.give_up()
            return [] if Latch.OPERATOR_HALT in latches else _halted(room)
        was_low, self._is_low = self._is_low, room < LOW_BYTES
        if not self._is_low:
            self.prepare()
        return [_low(room)] if self._is_low and not was_low else []


def _halted(room: int) -> list[Event]:
    left = f"{room / 1e6:,.0f} MB are left on the disk that holds the record"
    text = (
        f"Only {left}: no new orders. What is on its way is still written down. Make room, then "
        '`qgtm ack operator_halt --reason "…"`.'
    )
    return [
        Latched(latch=Latch.OPERATOR_HALT, reason=f"the system: {left}"),
        AlertRaised(level="red", cause="disk", text=text),
    ]


def _low(room: int) -> AlertRaised:
    text = (
        f"The disk that holds the record has {room / 1e9:.1f} GB left. Below {LEAST_BYTES / 1e6:.0f} MB no "
        "new orders go out, and a full one ends the daemon: make room."
    )
    return AlertRaised(level="orange", cause="disk", text=text)
