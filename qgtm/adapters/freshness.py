"""How each feed stands: fresh, on schedule, stale or off, by what is known of it and by its calendar."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Final

from qgtm.adapters.minute_tape import MinuteTape
from qgtm.adapters.publication import BARS, NOW_AND_THEN, fresh_until, published_at, schedule
from qgtm.core.fact import Fact
from qgtm.core.instant import NEW_YORK
from qgtm.core.series import MINUTE_ROOTS, MINUTES, SERIES, Cadence, FeedName

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
    tape: MinuteTape | None = None,
) -> tuple[FeedStands, ...]:
    """Return how the five feeds stand at `now`.

    `last` gives the newest fact of a series, `session` is the newest with bars of every symbol that trades,
    `off` says by feed why it is not fetched, `tape` how the session's minutes come where they are heard.
    """
    prices = [_bars(session, now), *minutes_stand(tape, now)]
    own = {FeedName.OHLCV: prices}
    return tuple(_feed(feed, last, own.get(feed, []), now, off.get(feed, "")) for feed in FeedName)


def minutes_stand(tape: MinuteTape | None, now: datetime) -> list[SeriesStands]:
    """Return how the minutes come, symbol by symbol: fresh for two minutes of market hours."""
    if tape is None:
        return []
    return [_minute(symbol, tape, now) for symbol in MINUTE_ROOTS]


def _minute(symbol: str, tape: MinuteTape, now: datetime) -> SeriesStands:
    at, due_at = tape.ended.get(symbol), tape.due_at(symbol)
    standing = Standing.FRESH if now <= due_at else Standing.STALE
    return SeriesStands(name=f"{MINUTES} of {symbol}", at=at, known_at=at, due_at=due_at, standing=standing)


def _feed(
    feed: FeedName,
    last: Callable[[str], Fact | None],
    prices: list[SeriesStands],
    now: datetime,
    off: str,
) -> FeedStands:
    facts = [_stands(name, last(name), now) for name, each in SERIES.items() if each.feed is feed]
    # What a session's minutes leave is told, and only some rules need it: prices are judged by themselves.
    judged = prices or [each for each in facts if each.name not in NOW_AND_THEN]
    stands = [*prices, *facts]
    newest = max((each.at for each in prices or facts if each.at is not None), default=None)
    if off:
        return FeedStands(feed=feed, at=newest, standing=Standing.OFF, why=off, series=tuple(stands))
    standing = _together(judged)
    why = "" if standing in GOOD else why_late(judged)
    return FeedStands(feed=feed, at=newest, standing=standing, why=why, series=tuple(stands))


def _together(series: list[SeriesStands]) -> Standing:
    """Return the feed's word: nothing yet when all are empty, stale when any is late or missing."""
    if all(each.standing is Standing.EMPTY for each in series):
        return Standing.EMPTY
    if any(each.standing not in GOOD for each in series):
        return Standing.STALE
    return series[0].standing


def why_late(series: list[SeriesStands]) -> str:
    """Return what is late and since when, empty while nothing is."""
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
