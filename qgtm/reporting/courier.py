"""The courier: carries the journal's alerts to the operators, and stays out of everybody's way.

Each channel has a thread of its own, so that one which hangs delays only itself.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Final, Protocol

from qgtm.adapters.clock import SystemClock
from qgtm.adapters.journal import JournalReader
from qgtm.core.errors import JournalCorrupt, QgtmError
from qgtm.core.instant import NEW_YORK, instant_from_text
from qgtm.core.request import Person
from qgtm.reporting.nightly import last_due
from qgtm.reporting.outbox import NOBODY, YOUNG, Message, Outbox

LOOK_S: Final = 0.5
PATIENCE_S: Final = 8.0  # a channel that takes longer is not waited for; what it says later is noted
TICK_S: Final = 0.25
MOST_FLYING: Final = 40  # messages side by side
LONGEST_CAUSE: Final = 120
LONGEST_TEXT: Final = 8000  # characters
SILENT: Final = "it does not answer"
SUBJECT: Final = {"red": "RED", "orange": "Orange", "yellow": "Yellow", "info": "daily"}
HEAD_ET: Final = time(17)  # when people are awake
NO_CHANNEL: Final = "no channel is set for {person}: set QGTM_ALERTS_{name}, or a mail server and address"


class Way(Protocol):
    """What a channel is to the courier."""

    @property
    def person(self) -> Person:
        """Return whom it reaches."""
        ...

    @property
    def name(self) -> str:
        """Return what may be shown of it."""
        ...

    def send(self, title: str, text: str) -> str | None:
        """Send, and return what went wrong."""
        ...


@dataclass
class _Postman:
    """A channel's own thread: it takes one message after the other, and hangs alone."""

    way: Way
    monotonic: Callable[[], float]
    _bag: SimpleQueue[tuple[Future[str | None], str, str]] = field(default_factory=SimpleQueue)
    _began_s: float | None = None
    _is_walking: bool = False

    def take(self, title: str, text: str) -> Future[str | None]:
        """Hand a message over and return what will be said of it."""
        if not self._is_walking:
            self._is_walking = True  # a daemon: one that hangs keeps no process from ending
            Thread(target=self._walk, name=f"channel-{self.way.name}", daemon=True).start()
        said: Future[str | None] = Future()
        self._bag.put((said, title, text))
        return said

    def hangs(self, patience_s: float) -> bool:
        """Return whether the message at hand has taken too long: no other is given to it meanwhile."""
        began_s = self._began_s
        return began_s is not None and self.monotonic() - began_s >= patience_s

    def _walk(self) -> None:
        while True:
            said, title, text = self._bag.get()
            self._began_s = self.monotonic()
            try:
                said.set_result(self.way.send(title, text))
            except Exception as problem:  # noqa: BLE001 - a channel may fail in any way, and is asked again
                said.set_result(f"it failed with {type(problem).__name__}")
            self._began_s = None


@dataclass(frozen=True, slots=True)
class _Flight:
    """A message on its way by several channels."""

    message: Message
    sent: Mapping[str, Future[str | None]]
    since_s: float

    def open(self) -> list[Future[str | None]]:
        return [each for each in self.sent.values() if not each.done()]

    def said(self) -> list[tuple[str, str]]:
        return [(name, each.result() or "") for name, each in self.sent.items() if each.done()]


@dataclass
class Courier:
    """Read the journal on, and deliver what is due, all of it side by side.

    `now` is the wall clock and `monotonic` process time in seconds; raises nothing while it runs. A message
    is done with the first channel that takes it; what the others say is written down when they do. With
    `tells_head` everybody who can be reached hears once a day where the journal stands.
    """

    journal: Path
    outbox: Outbox
    ways: Sequence[Way]
    now: Callable[[], datetime]
    say: Callable[[str], None]
    patience_s: float = PATIENCE_S
    tells_head: bool = False
    monotonic: Callable[[], float] = field(default_factory=lambda: SystemClock().monotonic)
    _postmen: dict[str, _Postman] = field(default_factory=dict)
    _flights: list[_Flight] = field(default_factory=list)
    _late: list[tuple[Message, str, Future[str | None]]] = field(default_factory=list)
    _said: str = ""
    _next_head_at: datetime | None = None

    def look(self) -> None:
        """Take in what is new and deliver what is due; a problem is said once and tried again."""
        try:
            self._carry()
            self._said = ""
        except (QgtmError, OSError) as problem:
            self._flights.clear()  # what was taken and not written down goes out again
            if isinstance(problem, JournalCorrupt) and self.outbox.is_renewed():
                self.say(f"the outbox was damaged ({problem}); a new one is begun from the journal.")
            elif str(problem) != self._said:
                self.say(f"alerts wait: {problem}")
            self._said = str(problem)

    def _carry(self) -> None:
        while True:
            self._read_on()
            self._land()
            self._start()
            if not self._flights:
                return
            wait([each for flight in self._flights for each in flight.open()], TICK_S, FIRST_COMPLETED)

    def _read_on(self) -> None:
        if not self.journal.exists():
            return
        with JournalReader(self.journal) as reader:
            seq, known = self.outbox.mark
            if seq and reader.hash_at(seq) != known:  # back from a backup
                self.outbox.begin_anew()
                seq = 0
            self.outbox.take(reader.rows(seq), self.now(), None if seq else _since(reader))
            is_due = self.tells_head and (self._next_head_at is None or self.now() >= self._next_head_at)
            if is_due and (head := reader.head()).seq:
                since = last_due(self.now(), HEAD_ET)
                self.outbox.tell_head(head, {way.person for way in self.ways}, self.now(), since)
                self._next_head_at = since + timedelta(hours=23)

    def _land(self) -> None:
        """Write down how those ended that are done, or waited for long enough."""
        flying = []
        for flight in self._flights:
            said, is_over = flight.said(), self.monotonic() - flight.since_s >= self.patience_s
            if flight.open() and not is_over and all(problem for _, problem in said):
                flying.append(flight)
                continue
            silent = {name: each for name, each in flight.sent.items() if name not in dict(said)}
            if all(problem for _, problem in said):
                said += [(name, SILENT) for name in silent]
            self._late += [(flight.message, name, each) for name, each in silent.items()]
            self.outbox.tried(flight.message, said, self.now())
        self._flights = flying
        done = [each for each in self._late if each[2].done()]
        self._late = [each for each in self._late if not each[2].done()]
        for message, name, each in done:
            self.outbox.learned(message.ids, name, each.result() or "", self.now())

    def _start(self) -> None:
        flying = {number for flight in self._flights for number in flight.message.ids}
        for message in self.outbox.due(self.now()):
            if len(self._flights) >= MOST_FLYING:
                return
            if flying.isdisjoint(message.ids):
                self._send(message)

    def _send(self, message: Message) -> None:
        ways = [way for way in self.ways if way.person is message.person]
        if not ways:
            said = NO_CHANNEL.format(person=message.person.value, name=message.person.name)
            self.outbox.tried(message, [(NOBODY, said)], self.now())
            return
        postmen = {way.name: self._postman(way) for way in ways}
        free = {name: each for name, each in postmen.items() if not each.hangs(self.patience_s)}
        if not free:
            self.outbox.tried(message, [(name, SILENT) for name in postmen], self.now())
            return
        title, text = told(message)
        sent = {name: each.take(title, text) for name, each in free.items()}
        self._flights.append(_Flight(message, sent, self.monotonic()))

    def _postman(self, way: Way) -> _Postman:
        return self._postmen.setdefault(way.name, _Postman(way, self.monotonic))


def _since(reader: JournalReader) -> datetime | None:
    """Return from when on a new outbox tells of alerts: a day before the journal's last row."""
    last = next(reader.rows(reader.head().seq - 1), None)
    return instant_from_text(last.at) - YOUNG if last else None


def told(message: Message) -> tuple[str, str]:
    """Return a message's subject and text, with the moment at which it arose."""
    at = f"{message.raised_at.astimezone(NEW_YORK):%a %d %b %Y, %H:%M} New York"
    cause = " ".join(message.cause.split())  # a subject is one line
    return f"QGTM {SUBJECT[message.level]}: {cause[:LONGEST_CAUSE]}", f"{_shortened(message.text)}\n\n{at}"


def _shortened(text: str) -> str:
    """Return the beginning of a long text: a phone shows no more, and the journal has all of it."""
    if len(text) <= LONGEST_TEXT:
        return text
    return (
        f"{text[:LONGEST_TEXT]}\n[{len(text) - LONGEST_TEXT} characters more: `qgtm audit tail` shows them]"
    )
