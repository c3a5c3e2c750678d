"""The watchdog's own clock: it shares no code with the daemon, not even what tells the time."""

import time
from datetime import UTC, datetime
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def monotonic() -> float:
    """Return process time in seconds (CLOCK_MONOTONIC, which all processes of one boot share)."""
    return time.monotonic()


def wall() -> datetime:
    """Return the wall's time, aware UTC: for people, and to see that it jumps."""
    return datetime.now(UTC)


def wait(seconds: float) -> None:
    """Wait for `seconds` of process time."""
    time.sleep(max(0.0, seconds))


def boot_id() -> str:
    """Return what tells one boot of the machine from another, empty where the system has no such name."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""
