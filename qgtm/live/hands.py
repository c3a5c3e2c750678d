"""Effects in flight: one of a kind at a time, paced, on threads whose answers come back as events."""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from qgtm.core.effects import Effect
from qgtm.core.errors import QgtmError
from qgtm.core.events import Event
from qgtm.live.beside import LookAtFeeds
from qgtm.live.perform import PACE_S, is_urgent, key_of, waits_for
from qgtm.live.reconciliation import Books, ReadBooks

Wanted = Effect | ReadBooks | LookAtFeeds
Done = Sequence[Event] | Books
Deed = Callable[[Wanted], Done]
# Both books are five calls: asked for without a pause while the broker is away they would use up the call
# limit, and the broker that is back would go unasked for a minute.
PACES_S: Final[dict[type[Wanted], float]] = {**PACE_S, ReadBooks: 2.0, LookAtFeeds: 2.0}
HURRIED_S: Final = 1.0  # the least pause between two asks, however many hints come


@dataclass(frozen=True)
class Answer:
    """What came of an effect: facts, or the problem that kept it from being done."""

    effect: Wanted
    events: Sequence[Event] = ()
    books: Books | None = None
    problem: Exception | None = None


@dataclass
class Hands:
    """Two workers, one for what reduces risk and one for all else, so that a slow read delays no cancel.

    Each is given a deed of its own, and so a broker session of its own. `wake` is called from the worker
    when an answer is ready.
    """

    ordinary: Deed
    urgent: Deed
    monotonic: Callable[[], float]
    wake: Callable[[], None]
    _flying: dict[str, tuple[Wanted, Future[Done]]] = field(default_factory=dict)
    _started_s: dict[str, float] = field(default_factory=dict)
    _hurried: set[str] = field(default_factory=set)
    _workers: dict[bool, ThreadPoolExecutor] = field(default_factory=dict)

    def start(self, effect: Wanted) -> None:
        """Start an effect, unless one of its kind is in flight or was started a moment ago."""
        key, pace_s = key_of(effect), PACES_S.get(type(effect), 0.0)
        if any(sending in self._flying for sending in waits_for(effect)):
            return
        pace_s = min(pace_s, HURRIED_S) if key in self._hurried else pace_s
        now_s = self.monotonic()
        if key in self._flying or now_s - self._started_s.get(key, -math.inf) < pace_s:
            return
        self._hurried.discard(key)
        self._started_s[key] = now_s
        urgent = is_urgent(effect)
        future = self._worker(urgent).submit(self.urgent if urgent else self.ordinary, effect)
        self._flying[key] = (effect, future)
        future.add_done_callback(lambda _: self.wake())

    def _worker(self, is_urgent: bool) -> ThreadPoolExecutor:
        if is_urgent not in self._workers:
            name = "urgent" if is_urgent else "ordinary"
            self._workers[is_urgent] = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        return self._workers[is_urgent]

    def answers(self) -> list[Answer]:
        """Return the answers that came since the last call, in the order in which they were asked for."""
        ready = [key for key, (_, future) in self._flying.items() if future.done()]
        return [self._answer(*self._flying.pop(key)) for key in ready]

    @staticmethod
    def _answer(effect: Wanted, future: Future[Done]) -> Answer:
        problem = future.exception()
        if problem is None:
            done = future.result()
            return Answer(effect, books=done) if isinstance(done, Books) else Answer(effect, done)
        if isinstance(problem, QgtmError):
            return Answer(effect, problem=problem)
        raise problem  # a fault of ours, not of the world: the daemon ends rather than limps

    def is_flying(self, kind: type[Wanted]) -> bool:
        """Return whether an effect of this kind is in flight."""
        return any(isinstance(effect, kind) for effect, _ in self._flying.values())

    def hurry(self, key: str) -> None:
        """Let the effect of this key start again a second after its last start, not after its pace."""
        self._hurried.add(key)

    def close(self) -> None:
        """Start nothing more; what is in flight ends within its own time limits."""
        for worker in self._workers.values():
            worker.shutdown(wait=False, cancel_futures=True)
