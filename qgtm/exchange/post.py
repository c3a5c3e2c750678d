"""Frames on their way to a socket, with the faults that are set for its stream."""

from collections.abc import Iterable
from typing import Generic, TypeVar

from qgtm.exchange.fault import FaultTable

F = TypeVar("F")
FRAME_ACTIONS = ("duplicate", "reorder", "lose", "mute", "drop", "half_open")


class Post(Generic[F]):
    """Turn due frames into those that really go out; `is_dropped` asks the front to close the socket."""

    def __init__(self, faults: FaultTable, stream: str) -> None:
        self._faults = faults
        self._stream = stream
        self._late: list[F] = []
        self.is_mute = False
        self.is_half_open = False
        self.is_dropped = False

    def outgoing(self, frames: Iterable[F]) -> list[F]:
        """Return the frames to send now; one put behind the next waits for that one."""
        sent: list[F] = []
        for frame in frames:
            sent += self._one(frame)
        return sent

    def strike_idle(self) -> None:
        """Let faults strike that need no frame: a drop, a socket gone mute or half dead."""
        fault = self._faults.strike("stream", "WS", self._stream, "drop", "mute", "half_open")
        if fault is not None:
            self._take(fault.action)

    def _one(self, frame: F) -> list[F]:
        fault = self._faults.strike("stream", "WS", self._stream, *FRAME_ACTIONS)
        action = "" if fault is None else fault.action
        if action == "reorder":
            self._late.append(frame)
            return []
        self._take(action)
        if self.is_mute or self.is_dropped or action == "lose":
            return []
        late, self._late = self._late, []
        return [frame, *([frame] if action == "duplicate" else []), *late]

    def _take(self, action: str) -> None:
        self.is_dropped = self.is_dropped or action == "drop"
        self.is_half_open = self.is_half_open or action == "half_open"
        self.is_mute = self.is_mute or action in ("mute", "half_open")
