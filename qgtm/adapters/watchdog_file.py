"""The watchdog's own small file, read by the daemon and the pages; it is written by the watchdog alone.

The watchdog shares no code with this, so tests/contracts hold both to one format.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

from qgtm.core.instant import instant_from_text

FLATTEN: Final = "flatten"


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchdogWord:
    """What the watchdog says of itself.

    `state` is one of unarmed, watching, alerted_1, alerted_2, firing, flat, halted, failed. `epoch` (the
    lease that it took), `kill_epoch` (in its orders' ids), `act` ("flatten" or "halt"), `reason` and
    `since_wall_at` tell of its last act, also once it watches a new daemon; all None or empty before any.
    `broker` says when the broker last answered it. `monotonic_s` counts only within one `boot_id`.
    """

    state: str
    beat: int
    monotonic_s: float
    boot_id: str
    wall_at: datetime
    pid: int
    epoch: int | None
    kill_epoch: int | None
    act: str | None
    reason: str
    since_wall_at: datetime | None
    positions_left: Mapping[str, Decimal]
    silence_s: float
    alerts_s: tuple[float, ...]
    flatten_s: float
    broker: str
    log: tuple[str, ...]

    def age_s(self, monotonic_s: float, boot_id: str) -> float | None:
        """Return seconds of process time since it was written; None when the machine has started anew."""
        if boot_id != self.boot_id or monotonic_s < self.monotonic_s:
            return None
        return monotonic_s - self.monotonic_s

    def has_flattened_since(self, epoch: int) -> bool:
        """Return whether the watchdog took the lease to close everything, later than the lease `epoch`.

        Also while it is still at it, and once it watches again: a daemon that holds or held `epoch` was
        fenced, and one that boots after it has this to fold before it may trade. One that went on without
        the lease, since the disk refused it, says so by its state alone.
        """
        if self.act != FLATTEN:
            return False
        return self.state in ("firing", "flat") if self.epoch is None else self.epoch > epoch


def load_watchdog(path: Path) -> WatchdogWord | None:
    """Return the watchdog's last word, None when there is none that can be read."""
    try:
        return word_from(path.read_bytes())
    except OSError:
        return None


def word_from(content: bytes) -> WatchdogWord | None:
    """Return the word that a file's bytes hold, None when they cannot be read as one."""
    try:
        return _word(json.loads(content))
    except (ValueError, KeyError, TypeError, InvalidOperation, AttributeError, RecursionError):
        return None


def _word(body: Mapping[str, Any]) -> WatchdogWord:
    since = body["since_wall_at"]
    return WatchdogWord(
        state=str(body["state"]),
        beat=int(body["beat"]),
        monotonic_s=float(body["monotonic_s"]),
        boot_id=str(body["boot_id"]),
        wall_at=instant_from_text(body["wall_at"]),
        pid=int(body["pid"]),
        epoch=_count(body["epoch"]),
        kill_epoch=_count(body["kill_epoch"]),
        act=body["act"],
        reason=str(body["reason"]),
        since_wall_at=None if since is None else instant_from_text(since),
        positions_left={name: Decimal(shares) for name, shares in body["positions_left"].items()},
        silence_s=float(body["silence_s"]),
        alerts_s=tuple(float(at_s) for at_s in body["alerts_s"]),
        flatten_s=float(body["flatten_s"]),
        broker=str(body["broker"]),
        log=tuple(str(line) for line in body["log"]),
    )


def _count(value: object) -> int | None:
    return None if value is None else int(str(value))
