"""The only place that reads the machine's clocks: venue time for markets, process time for time limits.

Venue time belongs to the exchange and may run fast, stand still or jump. The embedded exchange
writes an anchor to `venue.json`; whoever reads it knows venue time without asking. Process
time is CLOCK_MONOTONIC, which all processes of one boot share.
"""

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from qgtm.core.errors import ConfigError

Mode = Literal["real", "accelerated", "stepped"]
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """A moment at which venue time and process time were both known, and how fast venue time runs since.

    `venue_at` and `wall_at` are aware UTC, `monotonic_at` is process seconds. While `held_by`
    names anybody, venue time stands at `venue_at`.
    """

    venue_at: datetime
    monotonic_at: float
    wall_at: datetime
    boot_id: str
    speed: float
    held_by: tuple[str, ...]
    mode: Mode

    def venue_now(self, monotonic: float) -> datetime:
        """Return venue time at a moment of process time; it never lies before the anchor."""
        passed_s = 0.0 if self.held_by else max(0.0, monotonic - self.monotonic_at) * self.speed
        return self.venue_at + timedelta(seconds=passed_s)

    def text(self) -> str:
        """Return the anchor as `venue.json` holds it."""
        body = {
            "venue_at": self.venue_at.isoformat(),
            "monotonic_at": self.monotonic_at,
            "wall_at": self.wall_at.isoformat(),
            "boot_id": self.boot_id,
            "speed": self.speed,
            "held_by": list(self.held_by),
            "mode": self.mode,
        }
        return json.dumps(body, indent=2) + "\n"


def anchor_from_text(text: str) -> Anchor:
    """Return the anchor that `text` holds. Raises `ValueError` or `KeyError` for anything else."""
    body = json.loads(text)
    if not isinstance(body, dict):
        raise ValueError("it holds no JSON object")
    return Anchor(
        venue_at=datetime.fromisoformat(body["venue_at"]).astimezone(UTC),
        monotonic_at=float(body["monotonic_at"]),
        wall_at=datetime.fromisoformat(body["wall_at"]).astimezone(UTC),
        boot_id=str(body["boot_id"]),
        speed=float(body["speed"]),
        held_by=tuple(str(name) for name in body["held_by"]),
        mode=body["mode"],
    )


def boot_id() -> str:
    """Return what tells one boot of the machine from another, empty where the system has no such name."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> datetime:
        """Return wall time, aware UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return process time in seconds."""
        return time.monotonic()

    def wait(self, seconds: float) -> None:
        """Wait for `seconds` of process time."""
        time.sleep(max(0.0, seconds))


class VenueClock:
    """Venue time by the exchange's anchor file, process time by the machine."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._anchor: Anchor | None = None
        self._boot_id = boot_id()

    def now(self) -> datetime:
        """Return venue time, aware UTC. Raises `ConfigError` when there is no anchor file to be read."""
        anchor = self.anchor()
        is_ours = anchor.boot_id == self._boot_id
        return anchor.venue_now(self.monotonic()) if is_ours else anchor.venue_at

    def monotonic(self) -> float:
        """Return process time in seconds."""
        return time.monotonic()

    def wait(self, seconds: float) -> None:
        """Wait for `seconds` of process time."""
        time.sleep(max(0.0, seconds))

    def anchor(self) -> Anchor:
        """Return the anchor, read anew only when the file has changed. Raises `ConfigError` as `now` does."""
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_ino)
            if self._anchor is None or stamp != self._stamp:
                self._anchor = anchor_from_text(self._path.read_text(encoding="utf-8"))
                self._stamp = stamp
        except FileNotFoundError as error:
            message = (
                f"no exchange has run in {self._path.parent} yet, and it keeps the time: "
                "start `qgtm up`, which starts everything, or `qgtm exchange` beside this"
            )
            raise ConfigError(message) from error
        except (OSError, ValueError, KeyError) as error:
            message = f"{self._path} tells no venue time ({error}); start `qgtm exchange` or `qgtm up`"
            raise ConfigError(message) from error
        return self._anchor


class ManualClock:
    """A clock that stands until it is moved: for tests and the simulation."""

    def __init__(self, now: datetime, monotonic: float = 0.0, speed: float = 1.0) -> None:
        self._now = now
        self._monotonic = monotonic
        self._speed = speed

    def now(self) -> datetime:
        """Return venue time, aware UTC."""
        return self._now

    def monotonic(self) -> float:
        """Return process time in seconds."""
        return self._monotonic

    def wait(self, seconds: float) -> None:
        """Let `seconds` of process time pass, and venue time at its speed."""
        self._monotonic += max(0.0, seconds)
        self._now += timedelta(seconds=max(0.0, seconds) * self._speed)

    def set_now(self, now: datetime) -> None:
        """Put venue time to `now`; process time stays."""
        self._now = now
