"""What was known beside the bars at each close, and whether the feeds that bring it are fresh.

`qgtm feeds` writes the store and the board; the daemon only reads both, on a worker of its own. A feed that
is late or off pauses the strategies that read it, and nothing else waits for it.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Final, Protocol

import numpy as np

from qgtm.adapters.agenda import AGENDA, agenda, load_agenda
from qgtm.adapters.calendar import xnys
from qgtm.adapters.freshness import FeedStands, Standing, freshness, minutes_stand, why_late
from qgtm.adapters.lake import Lake
from qgtm.adapters.minute_tape import TAPE, MinuteTape, load_tape
from qgtm.core.errors import ConfigError, FeedError
from qgtm.core.events import AlertRaised, Event, FeedFailed, FeedRecovered
from qgtm.core.instant import new_york_day
from qgtm.core.series import MINUTES, FeedName
from qgtm.engine.desk import Views
from qgtm.features.history import Known
from qgtm.live.collect import Word, words_from

NOT_FETCHED: Final = "is not fetched here: start `qgtm feeds`"


@dataclass(frozen=True, slots=True)
class LookAtFeeds:
    """Ask how the feeds stand."""


class Beside(Protocol):
    """What the daemon needs of the store of all that is no bar; `has_feeds` says whether there is one."""

    has_feeds: bool

    def rows(self, closes: Sequence[datetime]) -> Sequence[Mapping[str, Known]]:
        """Return for each close what was known then: the newest value of each series, and its day."""
        ...

    def judged(self, now: datetime) -> Sequence[Event]:
        """Return of each feed that it failed or that it is well."""
        ...

    def is_filled(self) -> bool:
        """Return whether each feed that is fetched here was tried."""
        ...


class NothingBeside:
    """A market of bars alone: nothing else is known, and no feed is judged."""

    has_feeds = False

    def rows(self, closes: Sequence[datetime]) -> Sequence[Mapping[str, Known]]:
        """Return nothing for each close."""
        return [{} for _ in closes]

    def judged(self, now: datetime) -> Sequence[Event]:
        """Return nothing."""
        return ()

    def is_filled(self) -> bool:
        """Return that nothing is to come."""
        return True


class StoreBeside:
    """Read what `qgtm feeds` keeps in `store`, and what it says of its feeds on its board.

    `read` names the feeds that enabled strategies read: these must be fetched. Any other is judged only where
    it is fetched at all. Safe between threads. Raises FeedError when the store cannot be read.
    """

    has_feeds = True

    def __init__(self, store: Path, board: Path, read: Collection[str]) -> None:
        self._lake = Lake(store)
        self._board = board
        self._read = frozenset(read) - {FeedName.OHLCV}
        self._lock = Lock()

    def rows(self, closes: Sequence[datetime]) -> Sequence[Mapping[str, Known]]:
        """Return for each close what was known then. Raises FeedError."""
        with self._lock:
            self._lake.refresh()
            panel = self._lake.panel(closes)
        told = load_agenda(self._board.parent / AGENDA)
        panel = panel.beside(agenda([new_york_day(close) for close in closes], told, xnys()))
        return [
            {
                name: (value, day)
                for name, value, day in zip(panel.names, values, days, strict=True)
                if not np.isnan(value)
            }
            for values, days in zip(panel.values.tolist(), panel.described.tolist(), strict=True)
        ]

    def judged(self, now: datetime) -> Sequence[Event]:
        """Return of each feed that it failed, with the reason, or that it is well; raises nothing."""
        try:
            words = words_from(self._board) if self._board.exists() else {}
            with self._lock:
                self._lake.refresh()
                off = {name: word.off for name, word in words.items() if word.off}
                stand = freshness(lambda name: self._lake.last(name, now), None, now, off)
            tape = load_tape(self._board.parent / TAPE)
        except (ConfigError, FeedError) as problem:
            return [FeedFailed(feed=feed, reason=str(problem)) for feed in sorted(self._read)]
        return [*self._facts(stand, words), *self._minutes(tape, words, now)]

    def _minutes(self, tape: MinuteTape | None, words: Mapping[str, Word], now: datetime) -> Iterator[Event]:
        """Say how the session's minutes come, and which symbols stand still."""
        if tape is None:
            if MINUTES in self._read and (not words or words.get(FeedName.OHLCV, Word()).tried_at):
                yield FeedFailed(feed=MINUTES, reason=NOT_FETCHED)
            return
        why = why_late(minutes_stand(tape, now))
        if why:
            yield FeedFailed(feed=MINUTES, reason=f"{why} ({tape.problem})" if tape.problem else why)
        else:
            yield FeedRecovered(feed=MINUTES)
        for symbol, halted in tape.halted.items():
            yield AlertRaised(level="yellow", cause=f"halt {symbol}", text=halted.text(symbol))

    def _facts(self, stand: Sequence[FeedStands], words: Mapping[str, Word]) -> Iterator[Event]:
        for each in stand:
            if each.feed is FeedName.OHLCV:
                continue  # whoever fetches the bars says how they come
            is_fetched = each.feed in words
            if not is_fetched and each.feed in self._read and not each.is_good:
                yield FeedFailed(feed=each.feed, reason=NOT_FETCHED)
            elif each.is_good or not (is_fetched or each.feed in self._read) or _is_to_come(words, each.feed):
                yield FeedRecovered(feed=each.feed)
            elif each.standing is not Standing.OFF or each.feed in self._read:
                yield FeedFailed(feed=each.feed, reason=_reason(each, words.get(each.feed)))

    def is_filled(self) -> bool:
        """Return whether each feed on the board was tried; True without a board."""
        try:
            words = words_from(self._board) if self._board.exists() else {}
        except ConfigError:
            return True
        return all(word.off or word.tried_at or word.next_due_at for word in words.values())


def _is_to_come(words: Mapping[str, Word], feed: FeedName) -> bool:
    """Return whether the first look at a feed is not due yet: nothing is late, and nothing is known."""
    word = words.get(feed)
    return word is not None and not word.off and word.tried_at is None and word.next_due_at is not None


def _reason(stands: FeedStands, word: Word | None) -> str:
    why = stands.why or stands.standing.value
    return f"{why} ({word.problem})" if word is not None and word.problem else why


def waiting(events: Sequence[Event], strategies: Sequence[Views]) -> str:
    """Return which strategies wait for which feeds, in a few words; empty when none does."""
    failed = [event.feed for event in events if isinstance(event, FeedFailed)]
    said = []
    for feed in failed:
        names = [strategy.name for strategy in strategies if feed in strategy.feeds]
        if names:
            said.append(f"{', '.join(names)} wait for {feed}")
    return "; ".join(said)
