"""How many calls the broker takes a minute, split so that a cancel always finds room.

The broker counts 200 a minute for the account; the daemon has 120 ordinary and 40 urgent ones
(cancel, flatten), the watchdog 20, and 20 are spare. Two processes share nothing, so each keeps
its own count, in process time: a venue that runs fast has no more calls than a slow one.
"""

from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from threading import Lock
from typing import Final

WINDOW_S: Final = 60.0
ORDINARY: Final = 120
URGENT: Final = 40
RESERVED: Final = 60  # of the broker's own count: kept for cancel and flatten of both processes


class _Window:
    """At most `size` calls in any window."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.taken: deque[float] = deque()

    def wait_s(self, now_s: float) -> float:
        while self.taken and self.taken[0] <= now_s - WINDOW_S:
            self.taken.popleft()
        return 0.0 if len(self.taken) < self.size else self.taken[-self.size] + WINDOW_S - now_s


class CallBudget:
    """Calls that may still be made. Safe to share between threads of one process.

    `monotonic` gives process time in seconds. An urgent call that finds its own share used up may
    take from the ordinary one; an ordinary call never takes from the urgent one.
    """

    def __init__(
        self, monotonic: Callable[[], float], ordinary: int = ORDINARY, urgent: int = URGENT
    ) -> None:
        self._monotonic = monotonic
        self._ordinary = _Window(ordinary)
        self._urgent = _Window(urgent)
        self._stopped_until_s = float("-inf")
        self._lock = Lock()

    def take(self, *, is_urgent: bool = False) -> float:
        """Take one call and return 0.0, or take none and return the seconds until there is one."""
        with self._lock:
            now_s = self._monotonic()
            wait_s, window = self._room(is_urgent, now_s)
            if wait_s == 0.0:
                window.taken.append(now_s)
            return wait_s

    def wait_s(self, *, is_urgent: bool = False) -> float:
        """Return the seconds until a call may be made, 0.0 when one may be made now."""
        with self._lock:
            return self._room(is_urgent, self._monotonic())[0]

    def stop(self, seconds: float) -> None:
        """Let no ordinary call through for `seconds` (at most a minute)."""
        with self._lock:
            until_s = self._monotonic() + min(max(seconds, 1.0), WINDOW_S)
            self._stopped_until_s = max(self._stopped_until_s, until_s)

    def heard(self, status: int, headers: Mapping[str, str]) -> None:
        """Learn from a reply: stop ordinary calls at a 429, or when the account's count runs low."""
        remaining = _count(headers.get("X-Ratelimit-Remaining"))
        if status == 429 or (remaining is not None and remaining < RESERVED):
            self.stop(_reset_in_s(headers))

    def _room(self, is_urgent: bool, now_s: float) -> tuple[float, _Window]:
        ordinary_s = max(self._ordinary.wait_s(now_s), self._stopped_until_s - now_s, 0.0)
        if not is_urgent:
            return ordinary_s, self._ordinary
        urgent_s = self._urgent.wait_s(now_s)
        # after a 429 an urgent call still tries its own share: the broker may have room again
        return (urgent_s, self._urgent) if urgent_s <= ordinary_s else (ordinary_s, self._ordinary)


def _count(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() else None


def _reset_in_s(headers: Mapping[str, str]) -> float:
    """Return the seconds to the broker's reset by its own clock (both stamps are in its reply)."""
    reset, sent_at = _count(headers.get("X-Ratelimit-Reset")), _date(headers.get("Date"))
    return WINDOW_S if reset is None or sent_at is None else reset - sent_at.timestamp()


def _date(text: str | None) -> datetime | None:
    try:
        return parsedate_to_datetime(text) if text else None
    except ValueError:
        return None
