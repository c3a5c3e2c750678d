"""One life of the daemon's process: its hands and its stream in virtual time, and the end of it."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final, Protocol, cast

from qgtm.adapters.alpaca_stream import BACK_OFF_S, LISTEN_S, STEADY_S, TRIES
from qgtm.live.hands import Deed, Done, Hands, Wanted
from qgtm.simulation.timeline import Timeline
from qgtm.simulation.weather import Weather

CONNECT_S: Final = 0.2
FRAME_S: Final = 0.02
LATE_S: Final = 1.5


class Crashed(BaseException):
    """The process is gone: nothing of it runs on, not even what would clean up after it."""


@dataclass
class Life:
    """Whether a process is still there. What it had planned is passed over once it is not."""

    number: int
    is_alive: bool = True
    is_calling: bool = False  # on a worker, whose answer may come later than its deed is done
    spent_s: float = 0.0  # by the call in hand, beyond the moment it was made at
    paused_until_s: float = 0.0


class Worker:
    """One thread of the hands: one deed at a time, its answer when its calls have taken their time."""

    def __init__(self, line: Timeline, life: Life, doing: Callable[[Wanted, bool], None]) -> None:
        self._line = line
        self._life = life
        self._doing = doing
        self._waiting: list[tuple[Future[Done], Deed, Wanted]] = []
        self._is_busy = False

    def submit(self, deed: Deed, effect: Wanted) -> "Future[Done]":
        """Do a deed as soon as the one before it is done."""
        future: Future[Done] = Future()
        self._waiting.append((future, deed, effect))
        if not self._is_busy:
            self._is_busy = True
            self._line.after(0.0, self._next)
        return future

    def _next(self) -> None:
        life = self._life
        if not life.is_alive:
            return
        if life.paused_until_s > self._line.process_s:
            self._line.after(life.paused_until_s - self._line.process_s, self._next)
            return
        if not self._waiting:
            self._is_busy = False
            return
        future, deed, effect = self._waiting.pop(0)
        spent_s, answer, problem = self._done(deed, effect)
        self._line.after(spent_s, lambda: self._answered(future, answer, problem))

    def _done(self, deed: Deed, effect: Wanted) -> tuple[float, Done | None, Exception | None]:
        life = self._life
        before, life.spent_s, life.is_calling = (life.spent_s, life.is_calling), 0.0, True
        answer: Done | None = None
        trouble: Exception | None = None
        self._doing(effect, False)
        try:
            answer = deed(effect)
        except Exception as problem:  # noqa: BLE001 - handed to who asked, as a thread's future does
            trouble = problem
        self._doing(effect, True)
        spent_s = life.spent_s
        life.spent_s, life.is_calling = before
        return spent_s, answer, trouble

    def _answered(self, future: "Future[Done]", answer: Done | None, problem: Exception | None) -> None:
        life = self._life
        if not life.is_alive:
            return
        if life.paused_until_s > self._line.process_s:
            rest_s = life.paused_until_s - self._line.process_s
            self._line.after(rest_s, lambda: self._answered(future, answer, problem))
            return
        if problem is not None:
            future.set_exception(problem)
        else:
            future.set_result(cast(Done, answer))
        self._next()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Start nothing more."""
        self._waiting.clear()


class VirtualHands(Hands):
    """The daemon's hands with workers in virtual time: pacing and order are its own."""

    line: Timeline
    life: Life
    doing: Callable[[Wanted, bool], None]

    def _worker(self, is_urgent: bool) -> Any:
        if is_urgent not in self._workers:
            workers = cast(dict[bool, Any], self._workers)
            workers[is_urgent] = Worker(self.line, self.life, self.doing)
        return self._workers[is_urgent]


def hands_of(
    line: Timeline,
    life: Life,
    ordinary: Deed,
    urgent: Deed,
    wake: Callable[[], None],
    doing: Callable[[Any, bool], None],
) -> VirtualHands:
    """Return the hands of one life."""
    hands = VirtualHands(ordinary, urgent, monotonic=lambda: line.process_s, wake=wake)
    hands.line, hands.life, hands.doing = line, life, doing
    return hands


class Listener(Protocol):
    """Who is told what a stream says."""

    def connected(self) -> None:
        """Hear that the stream listens."""
        ...

    def dropped(self) -> None:
        """Hear that it broke."""
        ...

    def lost(self, reason: str) -> None:
        """Hear that three tries failed."""
        ...

    def hinted(self) -> None:
        """Hear that something happened to an order."""
        ...


@dataclass
class VirtualStream:
    """The order stream of one life: the supervisor's own pauses and tries, frames as the weather has it."""

    line: Timeline
    life: Life
    weather: Weather
    chance: Random
    listener: Listener
    is_listening: bool = False
    failures: int = 0
    is_stopped: bool = False
    _listened_s: float = 0.0
    _mute: bool = field(default=False)

    def start(self) -> None:
        """Begin."""
        self._try()

    def stop(self) -> bool:
        """End."""
        self.is_stopped, self.is_listening = True, False
        return True

    def wait_listening(self, timeout_s: float) -> bool:
        """Wait until the stream listens; return False when it does not in time."""
        self.line.advance(timeout_s, lambda: self.is_listening)
        return self.is_listening

    @property
    def _is_over(self) -> bool:
        return self.is_stopped or not self.life.is_alive

    def _try(self) -> None:
        if self._is_over:
            return
        if self.weather.stream_refused:
            self.weather.note("stream_refused")
            took_s = self.chance.choice((0.01, LISTEN_S))
            self.line.after(took_s, lambda: self._failed(took_s, "the handshake was refused"))
        else:
            self.line.after(CONNECT_S, self._listens)

    def _listens(self) -> None:
        if self._is_over:
            return
        self.is_listening, self._mute = True, False
        self._listened_s = self.line.process_s
        self.listener.connected()

    def _failed(self, took_s: float, reason: str) -> None:
        if self._is_over:
            return
        self.failures += 1
        if self.failures == TRIES:
            self.listener.lost(reason)
        rest_s = BACK_OFF_S[min(self.failures, len(BACK_OFF_S) - 1)] - took_s
        self.line.after(max(rest_s, BACK_OFF_S[0]), self._try)

    def drop(self) -> None:
        """Let the connection break."""
        if self._is_over or not self.is_listening:
            return
        self.weather.note("stream_drop")
        self.is_listening = False
        is_steady = self.line.process_s - self._listened_s >= STEADY_S
        self.listener.dropped()
        if is_steady:
            self.failures = 0
            self.line.after(BACK_OFF_S[0], self._try)
        else:
            self._failed(0.0, "the connection broke at once")

    def hear(self, frames: int) -> None:
        """Let frames come in, as the weather has it: they are hints, what they say is not believed."""
        if self._is_over or not self.is_listening:
            return
        for _ in range(frames):
            self._one()

    def _one(self) -> None:
        weather, chance = self.weather, self.chance
        if weather.stream_mute:
            weather.note("stream_mute")
            return
        if weather.strikes("frame_lost", chance):
            return
        late_s = LATE_S if weather.strikes("frame_late", chance) else 0.0
        for _ in range(1 + weather.strikes("frame_twice", chance)):
            self.line.after(FRAME_S + late_s, self._told)

    def _told(self) -> None:
        rest_s = self.life.paused_until_s - self.line.process_s
        if rest_s > 0:
            self.line.after(rest_s, self._told)
        elif not self._is_over and self.is_listening:
            self.listener.hinted()
