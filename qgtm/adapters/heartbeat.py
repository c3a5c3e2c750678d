"""The heartbeat: a small file that only a loop which makes progress can renew."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from qgtm.adapters.files import explained, write_atomic
from qgtm.core.errors import JournalError
from qgtm.core.instant import instant_from_text, text_from_instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """How far the loop has come. `monotonic_s` is process time, and counts only within one `boot_id`.

    `what` is the phase or the work at hand, `last_broker_at` when the broker last answered.
    """

    counter: int
    epoch: int
    pid: int
    boot_id: str
    monotonic_s: float
    wall_at: datetime
    venue_at: datetime
    what: str
    last_broker_at: datetime | None = None

    def age_s(self, monotonic_s: float, boot_id: str) -> float | None:
        """Return seconds of process time since it was written; None when the machine has started anew."""
        if boot_id != self.boot_id or monotonic_s < self.monotonic_s:
            return None
        return monotonic_s - self.monotonic_s


class HeartbeatFile:
    """Write the heartbeat, and only when the counter has advanced since the last one.

    So a thread that merely repeats the loop's last word keeps nothing alive.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last: int | None = None

    def write(self, heartbeat: Heartbeat) -> bool:
        """Write and return True when the loop has advanced; otherwise leave the file as it is.

        Not synced: after a power cut it is another boot's anyway. Raises JournalError when it cannot.
        """
        if self._last is not None and heartbeat.counter <= self._last:
            return False
        with explained(self._path, JournalError):
            write_atomic(self._path, _text(heartbeat).encode(), is_durable=False)
        self._last = heartbeat.counter
        return True


def load_heartbeat(path: Path) -> Heartbeat | None:
    """Return the last heartbeat, None when there is none that can be read."""
    try:
        fields = json.loads(path.read_bytes())
        for name in ("wall_at", "venue_at", "last_broker_at"):
            fields[name] = None if fields[name] is None else instant_from_text(fields[name])
        return Heartbeat(**fields)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _text(heartbeat: Heartbeat) -> str:
    fields = asdict(heartbeat)
    moments = {
        name: text_from_instant(value) for name, value in fields.items() if isinstance(value, datetime)
    }
    return json.dumps({**fields, **moments}) + "\n"
