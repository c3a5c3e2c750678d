"""Fetch every feed when it is due, each on a thread of its own, and hand what is new to the store.

A feed that hangs, fails or lies keeps no other waiting, and nobody waits for this process: what it has, it
has put down, with a word on each feed that freshness and the daemon read. Times are the venue's.
"""

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any, Final, Protocol

from qgtm.adapters.feed_form import Taken, as_fetched
from qgtm.adapters.fetch import Clock
from qgtm.adapters.files import explained, unread, write_atomic
from qgtm.core.bar import BarSet
from qgtm.core.corporate_action import CorporateAction
from qgtm.core.errors import ConfigError, QgtmError
from qgtm.core.fact import Fact
from qgtm.core.instant import instant_from_text, new_york_day, text_from_instant

log = logging.getLogger(__name__)

LOOK_S: Final = 0.25
END_S: Final = 8.0  # praw tries a cut line twice more
AFTER_FAILURE_S: Final = 1.0  # of process time at least, however fast the venue runs
# Of venue time, from one failed try to the next.
AGAIN: Final = tuple(timedelta(minutes=minutes) for minutes in (1, 2, 5, 10, 20, 30))
HISTORY: Final = timedelta(days=3 * 366)  # what a feed that was never fetched begins with
STATUS: Final = "status.json"
SAID_LETTERS: Final = 400
OUR_FAULT: Final = "failed with {problem!r}, a fault of ours: see the log; it is tried again"

Say = Callable[[str], None]


class FactStore(Protocol):
    """The bitemporal store, of which this process is the only writer."""

    def append(self, facts: Sequence[Fact]) -> int:
        """Keep the facts that say something new; return how many did. Raises QgtmError or OSError."""
        ...

    def append_bars(self, sets: Sequence[BarSet], now: datetime) -> int:
        """Keep the raw bars that say something new; a correction is known from `now`. Raises as above."""
        ...

    def append_actions(self, actions: Sequence[CorporateAction]) -> int:
        """Keep the splits and dividends that say something new. Raises as above."""
        ...


@dataclass(frozen=True, slots=True)
class Step:
    """A part of a back-fill: what it is in words, and what it gave."""

    words: str
    taken: Taken


@dataclass(frozen=True, kw_only=True)
class Feed:
    """One feed: how it is looked at, and when next.

    `look` gets venue time. `next_due` is the first moment for a look after another. `back_fill` yields its
    history since a day, in `parts` of them where their number is known. Where `again_until` names a time,
    what is missing is looked for again until then. One that `waits_at_start` has its first look when due.
    """

    name: str
    look: Callable[[datetime], Taken]
    next_due: Callable[[datetime], datetime]
    back_fill: Callable[[date, datetime], Iterator[Step]] | None = None
    parts: int | None = None
    waits_at_start: bool = False
    again_until: Callable[[datetime], datetime | None] = lambda due_at: None
    close: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """What became of a feed: last try and success, what it gave, what went wrong in words, and what is next.

    `off` says why it is not fetched at all, and is empty otherwise.
    """

    off: str = ""
    tried_at: datetime | None = None
    succeeded_at: datetime | None = None
    new_facts: int = 0
    problem: str = ""
    missing: tuple[str, ...] = ()
    failures: int = 0
    next_due_at: datetime | None = None


class Board:
    """The file that says how each feed stands; written whole at each change, safe between threads."""

    def __init__(self, folder: Path, names: Sequence[str], off: Mapping[str, str]) -> None:
        self._path = folder / STATUS
        self._lock = Lock()
        known = words_from(self._path) if self._path.exists() else {}
        self._words = {name: replace(known.get(name, Word()), off="") for name in names}
        self._words |= {name: Word(off=why) for name, why in off.items()}

    def word(self, name: str) -> Word:
        """Return how a feed stands."""
        with self._lock:
            return self._words[name]

    def words(self) -> Mapping[str, Word]:
        """Return how all feeds stand."""
        with self._lock:
            return dict(self._words)

    def note(self, name: str, word: Word, now: datetime) -> None:
        """Write down how a feed stands. Raises ConfigError when the file cannot be written."""
        with self._lock, explained(self._path, ConfigError):
            self._words[name] = word
            self._path.parent.mkdir(parents=True, exist_ok=True)
            body = {"written_at": text_from_instant(now), "feeds": _table(self._words)}
            write_atomic(self._path, (json.dumps(body, indent=1) + "\n").encode(), is_durable=False)


def words_from(path: Path) -> dict[str, Word]:
    """Return what the file says of each feed. Raises ConfigError when it cannot be read."""
    try:
        feeds = json.loads(path.read_text("utf-8"))["feeds"]
        return {name: _word_from(row) for name, row in feeds.items()}
    except OSError as problem:
        raise ConfigError(f"the feeds' file {unread(problem, path)}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise ConfigError(f"{path} cannot be read ({problem!r}). Move it away; it is written anew.") from None


def _table(words: Mapping[str, Word]) -> dict[str, dict[str, Any]]:
    return {name: word_table(word) for name, word in words.items()}


def word_table(word: Word) -> dict[str, Any]:
    """Return a word as JSON has it."""
    return {
        "off": word.off,
        "tried_at": _text(word.tried_at),
        "succeeded_at": _text(word.succeeded_at),
        "new_facts": word.new_facts,
        "problem": word.problem,
        "missing": list(word.missing),
        "failures": word.failures,
        "next_due_at": _text(word.next_due_at),
    }


def _word_from(row: Mapping[str, Any]) -> Word:
    return Word(
        off=str(row["off"]),
        tried_at=_at(row["tried_at"]),
        succeeded_at=_at(row["succeeded_at"]),
        new_facts=int(row["new_facts"]),
        problem=str(row["problem"]),
        missing=tuple(map(str, row["missing"])),
        failures=int(row["failures"]),
        next_due_at=_at(row["next_due_at"]),
    )


def _text(at: datetime | None) -> str | None:
    return None if at is None else text_from_instant(at)


def _at(text: str | None) -> datetime | None:
    return None if text is None else instant_from_text(text)


@dataclass
class Collector:
    """All feeds, the store and the board. Only `append` to the store is done by one at a time."""

    feeds: Sequence[Feed]
    store: FactStore
    board: Board
    clock: Clock
    say: Say
    history: timedelta = HISTORY
    _writing: Lock = field(init=False, default_factory=Lock)
    _is_over: bool = field(init=False, default=False)

    def run(self, stop: Event) -> None:
        """Look at each feed when it is due, until `stop` is set."""
        threads = [
            Thread(target=self._tend, args=(feed, stop), name=feed.name, daemon=True) for feed in self.feeds
        ]
        for thread in threads:
            thread.start()
        stop.wait()
        until_s = self.clock.monotonic() + END_S
        for feed in self.feeds:
            feed.close()  # a call that is under way ends at once
        for thread in threads:
            thread.join(max(0.0, until_s - self.clock.monotonic()))
        if self._writing.acquire(timeout=2.0):
            self._is_over = True  # nobody writes any more
            self._writing.release()

    def _tend(self, feed: Feed, stop: Event) -> None:
        said = ""
        while not stop.is_set():
            wait_s = LOOK_S
            try:
                if self._is_due(feed) and not self.look(feed):
                    wait_s = AFTER_FAILURE_S
                said = ""
            except (QgtmError, OSError) as problem:  # venue time itself cannot be read
                if str(problem) != said:
                    self.say(f"{feed.name}: {problem}")
                said, wait_s = str(problem), AFTER_FAILURE_S
            stop.wait(wait_s)

    def _is_due(self, feed: Feed) -> bool:
        word, now = self.board.word(feed.name), self.clock.now()
        if word.next_due_at is None and feed.waits_at_start:
            self._noted(feed, replace(word, next_due_at=feed.next_due(now)), now)
            return False
        return word.next_due_at is None or now >= word.next_due_at

    def look(self, feed: Feed) -> bool:
        """Look at a feed once, keep what is new, and note how it went; return whether it went well."""
        now = self.clock.now()
        before = self.board.word(feed.name)
        try:
            new = self._begun(feed, before, now)
            taken = feed.look(now)
            new += self._kept(replace(taken, facts=as_fetched(taken.facts, self.clock.now())))
        except (QgtmError, OSError) as problem:
            return self._failed(feed, before, str(problem), now)
        except Exception as problem:  # a feed that ends for a fault of ours would be missed by nobody
            log.exception("feed %s", feed.name)
            return self._failed(feed, before, OUR_FAULT.format(problem=problem), now)
        word = Word(tried_at=now, succeeded_at=now, new_facts=new, missing=taken.missing)
        self._noted(feed, self._missed(feed, before, word, now), now)
        if before.problem:
            self.say(f"{feed.name} is back")
        return True

    def _begun(self, feed: Feed, before: Word, now: datetime) -> int:
        """Fetch some history of a feed that was never fetched well; return how many facts were new."""
        if before.succeeded_at is not None or feed.back_fill is None:
            return 0
        return self.fill(feed, new_york_day(now - self.history), lambda step: None)

    def _missed(self, feed: Feed, before: Word, word: Word, now: datetime) -> Word:
        """Return the word with its next look, which is soon where what is missing may still come."""
        next_due_at = feed.next_due(now)
        until = feed.again_until(now) if word.missing else None
        failures = before.failures + 1 if word.missing else 0
        if until is not None and (again_at := now + _pause(failures)) <= until:
            next_due_at = min(next_due_at, again_at)
        return replace(word, failures=failures, next_due_at=next_due_at)

    def _failed(self, feed: Feed, before: Word, problem: str, now: datetime) -> bool:
        failures = before.failures + 1
        next_due_at = min(now + _pause(failures), feed.next_due(now))
        said = problem if len(problem) <= SAID_LETTERS else f"{problem[:SAID_LETTERS]}…"
        word = replace(before, tried_at=now, problem=said, failures=failures, next_due_at=next_due_at)
        self._noted(feed, word, now)
        if problem != before.problem:
            self.say(f"{feed.name}: {said}")
        return False

    def _noted(self, feed: Feed, word: Word, now: datetime) -> None:
        try:
            self.board.note(feed.name, word, now)
        except QgtmError as problem:
            self.say(str(problem))

    def _kept(self, taken: Taken) -> int:
        with self._writing:
            if self._is_over:
                return 0
            new = self.store.append(taken.facts) if taken.facts else 0
            new += self.store.append_bars(taken.bars, self.clock.now()) if taken.bars else 0
            return new + (self.store.append_actions(taken.actions) if taken.actions else 0)

    def fill(self, feed: Feed, since: date, told: Callable[[Step], None]) -> int:
        """Fetch a feed's history since a day, step by step; return how many facts were new.

        They are known from their publication on, not from now on. Raises FeedError at the first step that
        fails; what came before it is kept.
        """
        count = 0
        if feed.back_fill is None:
            return count
        for step in feed.back_fill(since, self.clock.now()):
            count += self._kept(step.taken)
            told(step)
        return count


def _pause(failures: int) -> timedelta:
    return AGAIN[min(failures, len(AGAIN)) - 1]
