"""How each feed stands: fresh, on schedule, stale or off, by what is known of it and by its calendar."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Final

from qgtm.adapters.publication import BARS, NOW_AND_THEN, fresh_until, published_at, schedule
from qgtm.core.fact import Fact
from qgtm.core.instant import NEW_YORK
from qgtm.core.series import SERIES, Cadence, FeedName

# Feed -> as the operators' table names it.
SOURCES: Final[dict[FeedName, str]] = {
    FeedName.OHLCV: "OHLCV (Alpaca)",
    FeedName.COT: "COT (CFTC)",
    FeedName.FRED: "FRED macro",
    FeedName.OPTIONS_VOL: "Options vol (Alpaca)",
    FeedName.SENTIMENT: "Sentiment (Reddit)",
}
SCHEDULES: Final[dict[FeedName, str]] = {
    FeedName.OHLCV: schedule(BARS),
    FeedName.COT: "weekly, Fridays 15:30 New York",
    FeedName.FRED: "each by its own release",
    FeedName.OPTIONS_VOL: schedule("IV30_GLD"),
    FeedName.SENTIMENT: "hourly",
}


class Standing(StrEnum):
    """What is said of a feed or a series."""

    FRESH = "fresh"
    ON_SCHEDULE = "on schedule"
    STALE = "stale"
    EMPTY = "nothing yet"
    OFF = "off"


GOOD: Final = (Standing.FRESH, Standing.ON_SCHEDULE)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesStands:
    """One series: the time its last value describes, since when that is known, and until when it is fresh."""

    name: str
    at: datetime | None
    known_at: datetime | None
    due_at: datetime | None
    standing: Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedStands:
    """One feed with its series; `why` names what is late and since when, empty while all is well."""

    feed: FeedName
    at: datetime | None
    standing: Standing
    why: str
    series: tuple[SeriesStands, ...]

    @property
    def is_good(self) -> bool:
        """Return whether strategies may go on with it."""
        return self.standing in GOOD


def freshness(
    last: Callable[[str], Fact | None],
    session: date | None,
    now: datetime,
    off: Mapping[str, str],
) -> tuple[FeedStands, ...]:
    """Return how the five feeds stand at `now`.

    `last` gives the newest fact of a series, `session` is the newest with bars of every symbol that trades,
    `off` says by feed why it is not fetched.
    """
    return tuple(_feed(feed, last, session, now, off.get(feed, "")) for feed in FeedName)


def _feed(
    feed: FeedName, last: Callable[[str], Fact | None], session: date | None, now: datetime, off: str
) -> FeedStands:
    stands = [_stands(name, last(name), now) for name, each in SERIES.items() if each.feed is feed]
    if feed is FeedName.OHLCV:
        stands.insert(0, _bars(session, now))
    newest = max((each.at for each in stands if each.at is not None), default=None)
    judged = [each for each in stands if each.name not in NOW_AND_THEN]
    if feed is FeedName.OHLCV:
        newest, judged = (
            stands[0].at,
            stands[:1],
        )  # what a session's minutes leave is told, and only some rules need it
    if off:
        return FeedStands(feed=feed, at=newest, standing=Standing.OFF, why=off, series=tuple(stands))
    standing = _together(judged)
    why = "" if standing in GOOD else _why(judged)
    return FeedStands(feed=feed, at=newest, standing=standing, why=why, series=tuple(stands))


def _together(series: list[SeriesStands]) -> Standing:
    """Return the feed's word: nothing yet when all are empty, stale when any is late or missing."""
    if all(each.standing is Standing.EMPTY for each in series):
        return Standing.EMPTY
    if any(each.standing not in GOOD for each in series):
        return Standing.STALE
    return series[0].standing


def _why(series: list[SeriesStands]) -> str:
    late = [each for each in series if each.standing is Standing.STALE and each.due_at is not None]
    empty = [each.name for each in series if each.standing is Standing.EMPTY]
    said = [f"{each.name} due by {_clock(each.due_at)}" for each in late if each.due_at is not None]
    said += [f"nothing of {_few(empty)}"] if empty else []
    return _few(said, "; ")


def _few(names: list[str], sep: str = ", ") -> str:
    more = f"{sep}and {len(names) - 3} more" if len(names) > 3 else ""
    return sep.join(names[:3]) + more


def _clock(at: datetime) -> str:
    return f"{at.astimezone(NEW_YORK):%a %d %b %H:%M} New York"


def _stands(name: str, fact: Fact | None, now: datetime) -> SeriesStands:
    if fact is None:
        return SeriesStands(name=name, at=None, known_at=None, due_at=None, standing=Standing.EMPTY)
    due_at = fresh_until(name, fact.at)
    is_fresh = due_at is None or now <= due_at
    good = Standing.ON_SCHEDULE if SERIES[name].cadence is Cadence.WEEKLY else Standing.FRESH
    return SeriesStands(
        name=name,
        at=fact.at,
        known_at=fact.known_at,
        due_at=due_at,
        standing=good if is_fresh else Standing.STALE,
    )


def _bars(session: date | None, now: datetime) -> SeriesStands:
    if session is None:
        return SeriesStands(name=BARS, at=None, known_at=None, due_at=None, standing=Standing.EMPTY)
    closed_at = published_at(BARS, session)
    due_at = fresh_until(BARS, closed_at)
    is_fresh = due_at is not None and now <= due_at
    standing = Standing.FRESH if is_fresh else Standing.STALE
    return SeriesStands(name=BARS, at=closed_at, known_at=closed_at, due_at=due_at, standing=standing)
