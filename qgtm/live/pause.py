"""Let venue time stand while a request waits for OpB: a fast venue would run through the answer."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from qgtm.adapters.chain import Row, entry_of
from qgtm.adapters.journal import JournalReader
from qgtm.core.events import Booted, RequestEnded, RequestMade
from qgtm.ports import Clock

HOLD: Final = "request"
HOLD_S: Final = 30.0
RENEW_S: Final = 10.0
KINDS: Final = (Booted.__name__, RequestMade.__name__, RequestEnded.__name__)


class Venue(Protocol):
    """The embedded exchange's control of venue time."""

    def hold(self, name: str, ttl_s: float) -> None:
        """Let venue time stand for at most so many process seconds."""
        ...

    def release(self, name: str) -> None:
        """Let venue time go on."""
        ...


@dataclass
class VenuePause:
    """Read on what is asked and answered, and hold or release venue time."""

    journal: Path
    venue: Venue
    clock: Clock
    _seq: int = 0
    _hash: str = ""
    _waiting: set[str] = field(default_factory=set)
    _held_s: float | None = None

    def look(self) -> None:
        """Hold while something waits. Raises JournalError, and BrokerError when the exchange is away."""
        self._read_on()
        now_s = self.clock.monotonic()
        if self._waiting and (self._held_s is None or now_s - self._held_s >= RENEW_S):
            self.venue.hold(HOLD, HOLD_S)
            self._held_s = now_s
        elif not self._waiting and self._held_s is not None:
            self.venue.release(HOLD)
            self._held_s = None

    def _read_on(self) -> None:
        if not self.journal.exists():
            return
        with JournalReader(self.journal) as reader:
            if self._seq and reader.hash_at(self._seq) != self._hash:  # another journal
                self._seq, self._waiting = 0, set()
            for row in reader.rows(self._seq):
                self._seq, self._hash = row.seq, row.hash
                if row.kind in KINDS:
                    self._take(row)

    def _take(self, row: Row) -> None:
        match entry_of(row).event:
            case Booted():
                self._waiting = set()  # a request does not outlive the daemon that made it
            case RequestMade(request=request):
                self._waiting.add(request.request_id)
            case RequestEnded(request_id=request_id):
                self._waiting.discard(request_id)
