"""What is written about gold and silver: Reddit's posts and comments, counted and scored by the hour.

Only sums are kept. No text, no name and no id of anybody's outlives the moment in which it is scored with
VADER (Hutto and Gilbert 2014): neither on the disk, nor in an error, nor in a log.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final, Protocol

from requests import Session

from qgtm.adapters.alpaca_line import Line, NoAnswer
from qgtm.adapters.feed_form import Taken, number_of, text_of
from qgtm.adapters.fetch import told_without
from qgtm.adapters.files import explained, write_atomic
from qgtm.core.errors import FeedError
from qgtm.core.fact import Fact
from qgtm.core.instant import aware_utc, instant_from_text, text_from_instant
from qgtm.core.universe import SECTORS

HOUR: Final = timedelta(hours=1)
WITHIN: Final = timedelta(hours=24)
FIRST_BACK: Final = timedelta(hours=25)
KEPT: Final = timedelta(hours=72)
CUT: Final = 950  # Reddit lists about a thousand; a listing that long may go on behind
WHOLE_S: Final = 120.0
READ_S: Final = 15
# What praw raises over a reply in another form, besides errors of its own.
UNREADABLE: Final = (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, AssertionError)
USER_AGENT: Final = "linux:qgtm:1 (counts mentions; keeps no text)"
CURE: Final = (
    "take it out of feeds.sentiment.subs, or look at the keys REDDIT_CLIENT_ID and REDDIT_CLIENT_SECRET"
)

_GOLD: Final = (*SECTORS["gold"], *SECTORS["gold_miners"], "UGL", "GLL", "NUGT", "DUST")
_SILVER: Final = (*SECTORS["silver"], *SECTORS["silver_miners"], "AGQ", "ZSL")
# Tickers that are words count with a dollar sign only; the others in capitals as well.
_WORDS: Final = frozenset({"RING", "DUST", "SIL"})


def _naming(word: str, tickers: Iterable[str]) -> re.Pattern[str]:
    bare = "|".join(ticker for ticker in tickers if ticker not in _WORDS)
    every = "|".join(tickers)
    return re.compile(rf"\b(?i:{word})\b|\b(?:{bare})\b|\$(?:{every})\b")


TOPICS: Final[dict[str, re.Pattern[str]]] = {
    "GOLD": _naming("gold", _GOLD),
    "SILVER": _naming("silver", _SILVER),
}


@dataclass(frozen=True, slots=True)
class Written:
    """When something was written and what; it lives no longer than its score takes."""

    at: datetime
    text: str = field(repr=False)


class Source(Protocol):
    """Who lists what was written."""

    def newest(self, sub: str, kind: str) -> Iterator[Written]:
        """Yield posts ("new") or comments ("comments") of a sub, the newest first. Raises FeedError."""
        ...


Score = Callable[[str], float]
Listing = Callable[[Callable[[Source], "Harvest"]], "Harvest"]


@dataclass(frozen=True, slots=True)
class Harvest:
    """Counts and sums of scores by hour and topic, and from when on nothing is missing."""

    hours: Mapping[datetime, Mapping[str, tuple[int, float]]]
    whole_from: datetime


def topics_of(text: str) -> tuple[str, ...]:
    """Return which metals a text names, itself or by a ticker of the universe."""
    return tuple(topic for topic, pattern in TOPICS.items() if pattern.search(text))


def hour_of(at: datetime) -> datetime:
    """Return the start of an hour."""
    return aware_utc(at).replace(minute=0, second=0, microsecond=0)


def harvest(source: Source, subs: Sequence[str], start: datetime, end: datetime, score: Score) -> Harvest:
    """Count and score what was written from `start` to `end`, whole hours both. Raises FeedError."""
    hours: dict[datetime, dict[str, tuple[int, float]]] = {}
    whole_from = start
    for sub in subs:
        for kind in ("new", "comments"):
            reached = _gather(source.newest(sub, kind), start, end, score, hours)
            whole_from = max(whole_from, reached)
    return Harvest(hours, whole_from)


def _gather(
    listed: Iterable[Written],
    start: datetime,
    end: datetime,
    score: Score,
    hours: dict[datetime, dict[str, tuple[int, float]]],
) -> datetime:
    """Add a listing to the hours; return from which hour on it holds everything."""
    count, oldest = 0, end
    for written in listed:
        count, oldest = count + 1, written.at
        if written.at < start:
            return start
        if written.at < end and (topics := topics_of(written.text)):
            scored = score(written.text)
            for topic in topics:
                number, total = hours.setdefault(hour_of(written.at), {}).get(topic, (0, 0.0))
                hours[hour_of(written.at)][topic] = (number + 1, total + scored)
    return start if count < CUT else hour_of(oldest) + HOUR


@dataclass(slots=True)
class _Memory:
    """Sums by hour of the last days, from when on they are whole, and up to when."""

    hours: dict[datetime, dict[str, tuple[int, float]]] = field(default_factory=dict)
    whole_from: datetime | None = None
    whole_until: datetime | None = None

    def text(self) -> str:
        """Return what is kept, as the file holds it."""
        hours = {
            text_from_instant(hour): {topic: list(pair) for topic, pair in topics.items()}
            for hour, topics in sorted(self.hours.items())
        }
        ends = [None if at is None else text_from_instant(at) for at in (self.whole_from, self.whole_until)]
        return json.dumps({"whole_from": ends[0], "whole_until": ends[1], "hours": hours}, indent=1) + "\n"


def _memory_from(text: str) -> _Memory:
    body = json.loads(text)
    ends = [None if at is None else instant_from_text(at) for at in (body["whole_from"], body["whole_until"])]
    hours = {
        instant_from_text(hour): {topic: (int(n), float(total)) for topic, (n, total) in topics.items()}
        for hour, topics in body["hours"].items()
    }
    return _Memory(hours, ends[0], ends[1])


class RedditFeed:
    """Tone and attention within 24 hours, told at the end of each hour; for one thread.

    `listing` hands its argument a source and returns what comes of it. `path` keeps the hours' sums between
    two looks, since Reddit lists no more than the last thousand.
    """

    def __init__(self, listing: Listing, subs: Sequence[str], path: Path, score: Score) -> None:
        self._listing = listing
        self._subs = tuple(subs)
        self._path = path
        self._score = score

    def fetch(self, now: datetime) -> Taken:
        """Return the facts of each hour that has ended since the last look and is whole. Raises FeedError."""
        until = hour_of(now)
        memory = self._loaded()
        if memory.whole_until is None or memory.whole_until < until - KEPT:
            memory = _Memory()
        start = memory.whole_until or until - FIRST_BACK
        if start >= until:
            return Taken(())
        found = self._listing(lambda source: harvest(source, self._subs, start, until, self._score))
        _join(memory, found, start, until)
        facts = tuple(_facts(memory, start, until))
        with explained(self._path, FeedError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(self._path, memory.text().encode())
        lacking = (memory.whole_from or until) + WITHIN - until
        return Taken(facts, () if lacking <= timedelta() else (_lacking(lacking),))

    def _loaded(self) -> _Memory:
        try:
            return _memory_from(self._path.read_text("utf-8"))
        except FileNotFoundError:
            return _Memory()
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as problem:
            raise FeedError(
                f"sentiment: {self._path} cannot be read ({problem}). Move it away; the count begins anew."
            ) from None


def _lacking(lacking: timedelta) -> str:
    hours = lacking / HOUR
    return f"sentiment: {hours:.0f} more hours are needed until 24 are whole"


def _join(memory: _Memory, found: Harvest, start: datetime, until: datetime) -> None:
    """Put new hours beside the old; where some between are missing, the old ones do not count any more."""
    if memory.whole_from is None or found.whole_from > start:
        memory.whole_from = found.whole_from
    memory.whole_until = until
    memory.hours.update({hour: dict(topics) for hour, topics in found.hours.items()})
    first = max(memory.whole_from, until - KEPT)
    memory.hours = {hour: topics for hour, topics in memory.hours.items() if hour >= first}
    memory.whole_from = first


def _facts(memory: _Memory, after: datetime, until: datetime) -> Iterator[Fact]:
    end = after + HOUR
    while end <= until:
        if memory.whole_from is not None and end - WITHIN >= memory.whole_from:
            yield from _facts_at(memory, end)
        end += HOUR


def _facts_at(memory: _Memory, end: datetime) -> Iterator[Fact]:
    for topic in TOPICS:
        pairs = [
            topics[topic]
            for hour, topics in memory.hours.items()
            if end - WITHIN <= hour < end and topic in topics
        ]
        count, total = sum(number for number, _ in pairs), sum(score for _, score in pairs)
        yield Fact(f"REDDIT_{topic}_COUNT", end, end, float(count))
        if count:  # of nothing there is no mean
            yield Fact(f"REDDIT_{topic}_SCORE", end, end, total / count)


@cache
def vader() -> Score:
    """Return VADER's compound score of a text, -1 to 1."""
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    analyzer = SentimentIntensityAnalyzer()
    return lambda text: float(analyzer.polarity_scores(text)["compound"])


@dataclass(frozen=True, slots=True, kw_only=True)
class RedditLogin:
    """Where Reddit is, and the keys of a read-only application."""

    url: str
    oauth_url: str
    client_id: str = field(repr=False)
    client_secret: str = field(repr=False)


class _PrawSource:
    """Reddit through praw."""

    def __init__(self, reddit: Any) -> None:
        self._reddit = reddit

    def newest(self, sub: str, kind: str) -> Iterator[Written]:
        place = self._reddit.subreddit(sub)
        listed = place.new(limit=None) if kind == "new" else place.comments(limit=None)
        for each in listed:
            yield written_of(vars(each), sub, kind)  # not the object: it fetches what it lacks


def written_of(row: Mapping[str, Any], sub: str, kind: str) -> Written:
    """Return a post or a comment. Raises FeedError naming the field that is wrong, never what it holds."""
    where = f"sentiment r/{sub}/{kind}"
    seconds = number_of(row, "created_utc", where, 1e9, 1e10)
    names = ("title", "selftext") if kind == "new" else ("body",)
    texts = []
    for name in names:
        if not isinstance(row.get(name, ""), str):
            raise FeedError(f"{where}: the field {name} is no text. Nothing of it was taken.")
        texts.append(text_of(row, name, where))
    return Written(datetime.fromtimestamp(seconds, UTC), "\n".join(texts))


def praw_listing(login: RedditLogin, line: Line | None = None) -> Listing:
    """Return what lends a source of Reddit for one look, which ends in two minutes, come what may."""
    lent = line or Line(WHOLE_S, read_s=READ_S)

    def lend(use: Callable[[Source], Harvest]) -> Harvest:
        from praw.exceptions import PRAWException
        from prawcore.exceptions import PrawcoreException

        try:
            return lent.lend(lambda session: use(_PrawSource(_reddit(login, session))))
        except (NoAnswer, PrawcoreException, PRAWException) as problem:
            secrets = (login.client_id, login.client_secret)
            why = told_without(f"{type(problem).__name__}: {problem}", secrets)
        except UNREADABLE as problem:
            why = type(problem).__name__  # and no word of it, which may be somebody's
        raise FeedError(f"sentiment: Reddit did not answer as it should ({why}); {CURE}.")

    return lend


def _reddit(login: RedditLogin, session: Session) -> Any:
    import praw

    reddit = praw.Reddit(
        client_id=login.client_id,
        client_secret=login.client_secret,
        user_agent=USER_AGENT,
        oauth_url=login.oauth_url,
        reddit_url=login.url,
        check_for_updates=False,
        timeout=READ_S,
        ratelimit_seconds=30,
        requestor_kwargs={"session": session},
    )
    reddit.read_only = True
    return reddit
