"""Venue time as the exchange keeps it: anchor, speed and holds, and which hours are skipped.

Process time never runs faster; only venue time does. In accelerated mode the session runs at
`speed`, and of the closed hours only a few stops are visited, each held for some process
seconds: after the close, Sunday's jobs (18:00, 20:00, 21:00 New York), five minutes before the open.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from qgtm.adapters.clock import Anchor, Mode
from qgtm.exchange.hours import NEW_YORK, Calendar, Hours, new_york

DWELL: Final = "dwell"
DWELL_S: Final = 3.0
AFTER_CLOSE: Final = timedelta(minutes=5)
BEFORE_OPEN: Final = timedelta(minutes=5)
SUNDAY_HOURS: Final = (18, 20, 21)
SESSION_SPEED: Final = 390.0
_SUNDAY = 6


@dataclass(frozen=True, slots=True)
class Instant:
    """Process seconds and wall time of one moment, as the machine's clock gave them."""

    monotonic_s: float
    wall_at: datetime


class VenueTime:
    """The anchor, and the rules that move it. `publish` is given each new anchor, before it is used."""

    def __init__(
        self,
        calendar: Calendar,
        *,
        venue_at: datetime,
        at: Instant,
        speed: float,
        mode: Mode,
        boot_id: str,
        publish: Callable[[Anchor], None] = lambda _: None,
        dwell_s: float = DWELL_S,
    ) -> None:
        self._calendar = calendar
        self._speed = 0.0 if mode == "stepped" else speed
        self._publish = publish
        self._dwell_s = dwell_s
        self._holds: dict[str, float] = {}
        self._is_dwelling = False
        self._left_stop = venue_at
        self.mode: Mode = mode
        self.boot_id = boot_id
        self.anchor = self._made(venue_at, at)
        if mode == "accelerated" and not self._is_session(venue_at):
            self._dwell(venue_at, venue_at, at)
        else:
            self._move(venue_at, at)

    def now(self, monotonic_s: float) -> datetime:
        """Return venue time, without moving anything."""
        return self.anchor.venue_now(monotonic_s)

    def tick(self, at: Instant) -> datetime:
        """Let holds run out and stops be reached, and return venue time. Call it often."""
        venue_at = self.now(at.monotonic_s)
        ended = [name for name, until_s in self._holds.items() if until_s <= at.monotonic_s]
        for name in ended:
            del self._holds[name]
        if ended:
            self._go_on(venue_at, at)
        elif self.mode == "accelerated" and not self._holds:
            stop_at = next_stop(self._calendar, self._left_stop)
            if venue_at >= stop_at:
                self._dwell(stop_at, venue_at, at)
        return self.now(at.monotonic_s)

    def hold(self, name: str, ttl_s: float, at: Instant) -> None:
        """Stop venue time for a named reason, for at most `ttl_s` process seconds."""
        venue_at = self.now(at.monotonic_s)
        self._holds[name] = at.monotonic_s + ttl_s
        self._move(venue_at, at)

    def release(self, name: str, at: Instant) -> bool:
        """Take a hold back; False when there is none of that name."""
        venue_at = self.now(at.monotonic_s)
        if self._holds.pop(name, None) is None:
            return False
        self._go_on(venue_at, at)
        return True

    def jump(self, venue_at: datetime, at: Instant) -> None:
        """Put venue time forward. Raises `ValueError` for a moment that is past."""
        if venue_at < self.now(at.monotonic_s):
            raise ValueError(f"venue time is past {venue_at.isoformat()} already; ask for a later moment")
        self._left_stop = max(self._left_stop, venue_at)
        self._is_dwelling = False
        self._holds.pop(DWELL, None)
        self._move(venue_at, at)

    def _dwell(self, stop_at: datetime, venue_at: datetime, at: Instant) -> None:
        """Stand still at a stop, or a little after it: venue time never goes back."""
        self._left_stop = stop_at
        self._is_dwelling = True
        self._holds[DWELL] = at.monotonic_s + self._dwell_s
        self._move(max(stop_at, venue_at), at)

    def _go_on(self, venue_at: datetime, at: Instant) -> None:
        """Run on when nobody holds any more; from a stop in closed hours, go to the next at once."""
        if self._is_dwelling and not self._holds:
            self._is_dwelling = False
            if not self._is_session(venue_at):
                stop_at = next_stop(self._calendar, venue_at)
                self._dwell(stop_at, stop_at, at)
                return
        self._move(venue_at, at)

    def _is_session(self, venue_at: datetime) -> bool:
        hours = self._calendar.current(venue_at)
        return hours.open_at - BEFORE_OPEN <= venue_at < hours.close_at + AFTER_CLOSE

    def _move(self, venue_at: datetime, at: Instant) -> None:
        self.anchor = self._made(venue_at, at)
        self._publish(self.anchor)

    def _made(self, venue_at: datetime, at: Instant) -> Anchor:
        return Anchor(
            venue_at=venue_at,
            monotonic_at=at.monotonic_s,
            wall_at=at.wall_at,
            boot_id=self.boot_id,
            speed=self._speed,
            held_by=tuple(sorted(self._holds)),
            mode=self.mode,
        )


def next_stop(calendar: Calendar, after: datetime) -> datetime:
    """Return the first stop later than `after`: a Sunday job, or five minutes off an open or a close."""
    hours = calendar.current(after)
    while True:
        stops = [*_sunday_stops(hours, after), hours.open_at - BEFORE_OPEN, hours.close_at + AFTER_CLOSE]
        later = [stop for stop in stops if stop > after]
        if later:
            return min(later)
        hours = calendar.after(hours)


def _sunday_stops(hours: Hours, after: datetime) -> list[datetime]:
    stops: list[datetime] = []
    day = after.astimezone(NEW_YORK).date()
    while day < hours.day:
        if day.weekday() == _SUNDAY:
            stops += [new_york(day, hour) for hour in SUNDAY_HOURS]
        day += timedelta(days=1)
    return stops
