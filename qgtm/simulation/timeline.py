"""Virtual time: one agenda for the whole world, on which nothing waits and everything is in order.

Two times, as live: process seconds and venue time, which runs `speed` times as fast. Things are planned
at a process second or at a venue moment; what is due at the same time is done in the order of planning.
"""

import heapq
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, Protocol

Act = Callable[[], object]
LEAST_S: Final = 1e-6  # a moment of venue time lies on the microsecond, a float of seconds need not


class Outside(Protocol):
    """What has an agenda of its own in venue time: the exchange."""

    @property
    def next_at(self) -> datetime:
        """Return when something will happen there next."""
        ...


class Timeline:
    """The two clocks and the agenda. `pump` lets happen what is due outside."""

    def __init__(self, venue_at: datetime, outside: Outside, pump: Act, process_s: float = 1_000.0) -> None:
        self.process_s = process_s
        self.venue_at = venue_at
        self.speed = 1.0
        self._outside = outside
        self._pump = pump
        self._planned: list[tuple[float, int, Act]] = []
        self._planned_at: list[tuple[datetime, int, Act]] = []
        self._count = 0

    def after(self, seconds: float, act: Act) -> None:
        """Plan an act in so many process seconds."""
        self._count += 1
        heapq.heappush(self._planned, (self.process_s + max(0.0, seconds), self._count, act))

    def at(self, venue_at: datetime, act: Act) -> None:
        """Plan an act at a venue moment; at once when it is past."""
        self._count += 1
        heapq.heappush(self._planned_at, (venue_at, self._count, act))

    def advance(self, seconds: float, is_enough: Callable[[], bool] = lambda: False) -> None:
        """Let process time pass, with all that is planned for it, until `is_enough` or the time is over.

        An act may itself let time pass; the rest of the agenda goes on within it.
        """
        until_s = self.process_s + seconds
        while not is_enough():
            due_s = self._next_s()
            if due_s > until_s:
                self._move(until_s)
                return
            self._move(due_s)
            self._do_next()

    def _next_s(self) -> float:
        venue_at = self._outside.next_at
        if self._planned_at and self._planned_at[0][0] < venue_at:
            venue_at = self._planned_at[0][0]
        ahead_s = (venue_at - self.venue_at).total_seconds()
        due_s = self.process_s + ahead_s / self.speed if ahead_s > 0.0 else self.process_s
        return min(due_s, self._planned[0][0]) if self._planned else due_s

    def _move(self, to_s: float) -> None:
        if to_s > self.process_s:
            self.venue_at += timedelta(seconds=(to_s - self.process_s) * self.speed)
            self.process_s = to_s

    def _do_next(self) -> None:
        """Do one thing that is due now: what happens outside comes first, then what was planned first."""
        soon = self.venue_at + timedelta(seconds=LEAST_S)
        if self._outside.next_at <= soon:
            self.venue_at = max(self.venue_at, self._outside.next_at)
            self._pump()
        elif self._planned_at and self._planned_at[0][0] <= soon:
            venue_at, _, act = heapq.heappop(self._planned_at)
            self.venue_at = max(self.venue_at, venue_at)
            act()
        elif self._planned and self._planned[0][0] <= self.process_s:
            heapq.heappop(self._planned)[2]()


class Spell:
    """The daemon's clock: venue time with an error that a fault may set, and process time."""

    def __init__(self, line: Timeline) -> None:
        self._line = line
        self.error_s = 0.0

    def now(self) -> datetime:
        """Return what this machine takes for the time."""
        if not self.error_s:
            return self._line.venue_at
        return self._line.venue_at + timedelta(seconds=self.error_s)

    def monotonic(self) -> float:
        """Return process time in seconds."""
        return self._line.process_s

    def wait(self, seconds: float) -> None:
        """Let process time pass."""
        self._line.advance(seconds)


class Bell:
    """A flag that somebody waits for, in virtual time."""

    def __init__(self, rest: Callable[[float, Callable[[], bool]], None]) -> None:
        self._rest = rest
        self._is_set = False

    def set(self) -> None:
        """Ring."""
        self._is_set = True

    def clear(self) -> None:
        """Be silent again."""
        self._is_set = False

    def is_set(self) -> bool:
        """Return whether it rang."""
        return self._is_set

    def wait(self, timeout: float | None = None) -> bool:
        """Let time pass until it rings, `timeout` seconds at most."""
        self._rest(float("inf") if timeout is None else timeout, self.is_set)
        return self._is_set
