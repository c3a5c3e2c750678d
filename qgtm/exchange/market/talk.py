"""What is written on Reddit about metals: invented posts and comments whose tone follows the prices.

An hour of a sub is drawn from the seed, the sub and the hour. How much is written rises with the size
of the last sessions' moves, and its tone follows their sign, with much noise. An hour knows the closes
that lie before it and no later one.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, Literal
from zlib import crc32

import numpy as np

from qgtm.exchange.hours import NEW_YORK, new_york
from qgtm.exchange.market import talk_words as words
from qgtm.exchange.market.macro import Macro, MacroDay
from qgtm.exchange.market.path import generator

Kind = Literal["post", "comment"]
HOUR: Final = timedelta(hours=1)
_EPOCH: Final = datetime(2005, 1, 1, tzinfo=UTC)
_PURPOSE: Final[dict[Kind, int]] = {"post": 35, "comment": 36}
_USUAL: Final[dict[Kind, float]] = {"post": 1.2, "comment": 5.0}  # an hour, on an ordinary day
_MOST: Final = 60
_HOURS_KEPT: Final = 40_000
_SLOTS: Final = 64
_SUBS: Final = 4096
# a night in New York is quiet; the mean over the day is about 1
_BY_HOUR: Final = tuple(1.0 + 0.75 * math.sin((hour - 8.5) / 24.0 * 2.0 * math.pi) for hour in range(24))


@dataclass(frozen=True, slots=True)
class Note:
    """A post (with a title) or a comment: `number` grows with time and tells the hour and the sub."""

    kind: Kind
    sub: str
    number: int
    at: datetime
    author: str
    title: str
    text: str
    score: int
    replies: int


class Talk:
    """The posts and comments of any sub, an hour at a time."""

    def __init__(self, macro: Macro, seed: int) -> None:
        self._macro = macro
        self._seed = seed
        self._hour = lru_cache(maxsize=_HOURS_KEPT)(self._made_hour)
        self._ends: list[datetime] = []
        self._rows: list[MacroDay] = []

    def newest(self, kind: Kind, subs: Sequence[str], now: datetime, count: int) -> list[Note]:
        """Return the last `count` notes written by `now`, the newest first."""
        found: list[Note] = []
        self._learn(now)
        hour = _hour_of(now)
        while len(found) < count and hour >= self._first_hour():
            notes = [note for sub in subs for note in self._hour(kind, sub.lower(), hour) if note.at <= now]
            found += sorted(notes, key=_newest_first, reverse=True)
            hour -= 1
        return found[:count]

    def _first_hour(self) -> int:
        return _hour_of(new_york(self._macro.first, 0))

    def _learn(self, now: datetime) -> None:
        rows = self._macro.until(now)
        for row in rows[len(self._rows) :]:
            self._rows.append(row)
            self._ends.append(new_york(row.day, 16))

    def _made_hour(self, kind: Kind, sub: str, hour: int) -> tuple[Note, ...]:
        begin = _EPOCH + hour * HOUR
        draw = generator(self._seed, _PURPOSE[kind], crc32(sub.encode()), hour)
        moods = {root: self._mood(root, begin) for root in words.NAMES}
        heat = math.fsum(abs(mood) for mood in moods.values()) / len(moods)
        quiet = _BY_HOUR[begin.astimezone(NEW_YORK).hour] * (1.0 if begin.weekday() < 5 else 0.6)
        count = min(int(draw.poisson(_USUAL[kind] * quiet * (0.6 + 0.9 * heat))), _MOST)
        minutes = sorted(draw.uniform(0.0, 3600.0, count).tolist())
        return tuple(
            _note(kind, sub, hour, slot, begin + timedelta(seconds=int(second)), moods, draw)
            for slot, second in enumerate(minutes)
        )

    def _mood(self, root: str, at: datetime) -> float:
        """Return how a fund's last sessions feel at a moment: their return in daily deviations, about ±3."""
        last = bisect_right(self._ends, at)
        rows = self._rows[max(last - 5, 0) : last]
        if not rows:
            return 0.0
        deviation = max(rows[-1].smiles[root].at_30 / math.sqrt(252.0), 1e-4)
        returns = [row.returns[root] for row in rows]
        return (0.6 * returns[-1] + 0.4 * math.fsum(returns) / math.sqrt(len(returns))) / deviation


def _newest_first(note: Note) -> tuple[datetime, int]:
    return (note.at, note.number)


def _hour_of(at: datetime) -> int:
    return (at - _EPOCH) // HOUR


def _note(
    kind: Kind,
    sub: str,
    hour: int,
    slot: int,
    at: datetime,
    moods: dict[str, float],
    draw: np.random.Generator,
) -> Note:
    chances = draw.random(8).tolist()
    root = words.topic_of(sub, chances[0])
    tone = 0.0 if root is None else math.tanh(0.5 * moods[root])
    feeling = tone + 0.9 * float(draw.standard_normal())
    title, text = words.written(root, feeling, chances[1:6])
    number = (hour * _SUBS + crc32(sub.encode()) % _SUBS) * _SLOTS + slot
    return Note(
        kind=kind,
        sub=sub,
        number=number,
        at=at,
        author=words.AUTHORS[int(chances[6] * len(words.AUTHORS))],
        title=title if kind == "post" else "",
        text=text,
        score=1 + int(30.0 * chances[7] ** 3),
        replies=int(40.0 * chances[6] ** 3),
    )
