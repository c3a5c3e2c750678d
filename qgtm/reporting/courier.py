"""The courier: carries the journal's alerts to the operators, and stays out of everybody's way.

Each channel has a thread of its own, so that one which hangs delays only itself.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

from qgtm.adapters.journal import JournalReader
from qgtm.core.errors import QgtmError
from qgtm.core.instant import NEW_YORK
from qgtm.core.request import Person
from qgtm.reporting.outbox import Message, Outbox

LOOK_S: Final = 0.5
PATIENCE_S: Final = 20.0  # a channel that takes longer is not waited for; what it says later is lost
SUBJECT: Final = {"red": "RED", "orange": "Orange", "yellow": "Yellow"}
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
class Courier:
    """Read the journal on, and deliver what is due. `now` is the wall clock; raises nothing while it runs."""

    journal: Path
    outbox: Outbox
    ways: Sequence[Way]
    now: Callable[[], datetime]
    say: Callable[[str], None]
    patience_s: float = PATIENCE_S
    _workers: dict[str, ThreadPoolExecutor] = field(default_factory=dict)
    _flying: dict[str, Future[str | None]] = field(default_factory=dict)
    _said: str = ""

    def look(self) -> None:
        """Take in what is new and deliver what is due; a problem is said once and tried again."""
        try:
            self._read_on()
            for message in self.outbox.due(self.now()):
                self._deliver(message)
            self._said = ""
        except (QgtmError, OSError) as problem:
            if str(problem) != self._said:
                self.say(f"alerts wait: {problem}")
            self._said = str(problem)

    def _read_on(self) -> None:
        if not self.journal.exists():
            return
        with JournalReader(self.journal) as reader:
            seq, known = self.outbox.mark
            if seq and reader.hash_at(seq) != known:  # back from a backup
                self.outbox.begin_anew()
                seq = 0
            self.outbox.take(reader.read(seq), self.now())

    def _deliver(self, message: Message) -> None:
        ways = [way for way in self.ways if way.person is message.person]
        if not ways:
            said = NO_CHANNEL.format(person=message.person.value, name=message.person.name)
            self.outbox.tried(message, [("none", said)], self.now())
            return
        title, text = told(message)
        sent = {way.name: self._send(way, title, text) for way in ways}
        wait([each for each in sent.values() if each is not None], self.patience_s)
        self.outbox.tried(message, [(name, _problem(each)) for name, each in sent.items()], self.now())

    def _send(self, way: Way, title: str, text: str) -> Future[str | None] | None:
        """Hand a message to a channel's own thread; None when the last one still hangs there."""
        before = self._flying.get(way.name)
        if before is not None and not before.done():
            return None
        if way.name not in self._workers:
            self._workers[way.name] = ThreadPoolExecutor(1, f"channel-{way.name}")
        self._flying[way.name] = self._workers[way.name].submit(way.send, title, text)
        return self._flying[way.name]


def _problem(sent: Future[str | None] | None) -> str:
    if sent is None or not sent.done():
        return "it does not answer"
    failed = sent.exception()
    return f"it failed with {type(failed).__name__}" if failed else sent.result() or ""


def told(message: Message) -> tuple[str, str]:
    """Return a message's subject and text, with the moment at which it arose."""
    at = f"{message.raised_at.astimezone(NEW_YORK):%a %d %b %Y, %H:%M} New York"
    return f"QGTM {SUBJECT[message.level]}: {message.cause}", f"{message.text}\n\n{at}"
