"""The five feeds as they are fetched here: where each is, with which keys, and at what times it is looked at.

With the embedded exchange all of them are served by it and no key is needed. With a real broker a feed whose
key is missing is off, and its name and the key are said. Times are New York's, in venue time.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from functools import partial
from pathlib import Path
from threading import Event
from typing import Final

from qgtm.adapters import alpaca_client, cot_calendar, feed_cot
from qgtm.adapters.agenda import AGENDA, load_agenda, save_agenda
from qgtm.adapters.alpaca_line import Line
from qgtm.adapters.alpaca_stream import BarStream
from qgtm.adapters.calendar import Calendar, xnys
from qgtm.adapters.chance import random_fraction
from qgtm.adapters.clock import VenueClock
from qgtm.adapters.feed_cot import CotFeed
from qgtm.adapters.feed_daily import DailyFeed
from qgtm.adapters.feed_form import Taken
from qgtm.adapters.feed_fred import CPI, EMPLOYMENT, FredFeed, released_at
from qgtm.adapters.feed_minutes import MinuteFeed
from qgtm.adapters.feed_options import OptionFeed
from qgtm.adapters.feed_reddit import READ_S, WHOLE_S, RedditFeed, RedditLogin, praw_listing, vader
from qgtm.adapters.fetch import Clock, Fetcher, RawShelf, Vendor
from qgtm.adapters.files import StateDir, explained
from qgtm.adapters.fomc import DECISIONS, decided_at
from qgtm.adapters.minute_tape import TAPE
from qgtm.config import Config
from qgtm.core.errors import FeedError
from qgtm.core.fact import Fact
from qgtm.core.instant import NEW_YORK, aware_utc, new_york_day
from qgtm.core.series import FRED_WORDS, MINUTE_ROOTS, FeedName
from qgtm.core.universe import SYMBOLS
from qgtm.keys import Keys, Venue, endpoints
from qgtm.live.collect import Feed, Step
from qgtm.live.minutes import MinuteWatch, newest

# The broker counts 200 calls a minute for the account; 20 are neither the daemon's nor the watchdog's.
# Prices take most: their first history is long. The last minutes are asked for where the stream is silent.
PRICE_CALLS, OPTION_CALLS, MINUTE_CALLS = 12, 6, 2
EMBEDDED_CALLS: Final = 200  # the embedded exchange does not count what is asked of prices
CFTC_CALLS: Final = 60
FRED_CALLS: Final = 100  # of the 120 that it takes
FOMC_RELEASE: Final = 101  # at the embedded exchange, whose committee meets on days of its own
FRED_ET: Final = (time(7), time(18, 30))
BEFORE_CLOSE: Final = timedelta(minutes=30)
AFTER_EVENT: Final = timedelta(minutes=1)
AFTER_CLOSE: Final = timedelta(minutes=20)
PAST_HOUR: Final = timedelta(minutes=5)
LOOK_BACK: Final = timedelta(days=5)
MINUTE_DAYS: Final = 168  # of a back-fill at a time
RELEASES_AHEAD: Final = timedelta(days=400)
WAIT_S: Final = 0.2
EMBEDDED: Final = "embedded"
FOMC: Final = "FOMC"
ASKED: Final = {"CPI": CPI, "EMPLOYMENT": EMPLOYMENT}


@dataclass(frozen=True, slots=True)
class Lookout:
    """The feeds that are fetched, and why the others are not, by name."""

    feeds: tuple[Feed, ...]
    off: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Making:
    """What the feeds are made of."""

    config: Config
    keys: Keys
    where: Venue
    state: StateDir
    clock: Clock
    calendar: Calendar = field(default_factory=xnys)
    stop: Event = field(default_factory=Event)

    @property
    def is_embedded(self) -> bool:
        """Return whether the embedded exchange stands in for every vendor."""
        return self.where == "embedded"

    def key(self, name: str) -> str:
        """Return a key, or what the embedded exchange takes for one."""
        found = self.keys.found.get(name)
        return EMBEDDED if self.is_embedded or found is None else found.reveal()

    def url(self, configured: str) -> str:
        """Return an address: the configured one, or the embedded exchange's."""
        return f"http://127.0.0.1:{self.config.exchange.port}" if self.is_embedded else configured

    def fetcher(self, vendor: Vendor) -> Fetcher:
        """Return what asks a vendor and keeps its replies."""
        return Fetcher(vendor, Waking(self.clock, self.stop), random_fraction, RawShelf(self.state.raw))


@dataclass(frozen=True, slots=True)
class Waking:
    """A clock whose waits end at once when the process is told to stop."""

    clock: Clock
    stop: Event

    def now(self) -> datetime:
        """Return venue time, aware UTC."""
        return self.clock.now()

    def monotonic(self) -> float:
        """Return process time in seconds."""
        return self.clock.monotonic()

    def wait(self, seconds: float) -> None:
        """Wait for so many seconds of process time. Raises FeedError when told to stop."""
        end_s = self.clock.monotonic() + seconds
        while (left_s := end_s - self.clock.monotonic()) > 0:
            if self.stop.is_set():
                raise FeedError("stopped while it waited for its next try.")
            self.clock.wait(min(left_s, WAIT_S))


def lookout(making: Making) -> Lookout:
    """Return the feeds, and why some are off."""
    off = {name: why for name in FeedName if (why := _why_off(making, name))}
    makers: dict[FeedName, Callable[[Making, Releases], Feed]] = {
        FeedName.COT: _cot,
        FeedName.FRED: _fred,
        FeedName.OPTIONS_VOL: _options,
        FeedName.SENTIMENT: _sentiment,
        FeedName.OHLCV: _minutes,
    }
    releases = Releases(making.state.feeds / AGENDA, None if making.is_embedded else DECISIONS)
    return Lookout(
        tuple(make(making, releases) for name, make in makers.items() if name not in off),
        {name.value: why for name, why in off.items()},
    )


def _why_off(making: Making, name: FeedName) -> str:
    feeds = making.config.feeds
    switched = {
        FeedName.COT: feeds.cot.enabled,
        FeedName.FRED: feeds.fred.enabled,
        FeedName.OPTIONS_VOL: feeds.options_vol.enabled,
        FeedName.SENTIMENT: feeds.sentiment.enabled,
    }
    if not switched.get(name, True):
        return f"feeds.{name.value}.enabled is false"
    needed = {
        FeedName.FRED: ("FRED_API_KEY",),
        FeedName.SENTIMENT: ("REDDIT_CLIENT_ID", "REDDIT_CLIENT_SECRET"),
    }
    lacking = [key for key in needed.get(name, ()) if key not in making.keys.found]
    if lacking and not making.is_embedded:
        return f"{' and '.join(lacking)} not set: put it into the environment or into .env beside the config"
    return ""


class Releases:
    """When something is told that moves gold, by day; kept in a file from one look at FRED to the next.

    `decisions` are the Federal Reserve's days, None where FRED's own list has them.
    """

    def __init__(self, path: Path, decisions: Sequence[date] | None) -> None:
        self._path = path
        self._decisions = decisions
        self._days = load_agenda(path) | ({FOMC: tuple(decisions)} if decisions else {})

    def learn(self, fred: FredFeed, since: date, until: date) -> None:
        """Ask FRED for the days of consumer prices and employment. Raises FeedError."""
        found = {event: fred.release_days(number, since, until) for event, number in ASKED.items()}
        if self._decisions is None:
            found[FOMC] = fred.release_days(FOMC_RELEASE, since, until)
        for event, days in found.items():
            self._days[event] = tuple(sorted({*self._days.get(event, ()), *days}))
        with explained(self._path, FeedError):
            save_agenda(self._path, self._days)

    def at(self, day: date) -> datetime | None:
        """Return a day's release, None on a day without one."""
        if day in self._days.get(FOMC, ()):
            return decided_at(
                day
            )  # where both fall on one day it counts: it is told while the market is open
        is_release = any(day in self._days.get(event, ()) for event in ASKED)
        return released_at(day) if is_release else None


def _next_of(clocks: Sequence[time], after: datetime) -> datetime:
    """Return the first of New York's times on a weekday that is later."""
    day = new_york_day(after)
    days = [day + timedelta(days=n) for n in range(4)]
    moments = [
        aware_utc(datetime.combine(d, clock, NEW_YORK)) for d in days if d.weekday() < 5 for clock in clocks
    ]
    return min(moment for moment in moments if moment > after)


def _cot(making: Making, _: Releases) -> Feed:
    setting = making.config.feeds.cot
    fetcher = making.fetcher(Vendor(name="cot", url=making.url(setting.url), calls_per_minute=CFTC_CALLS))
    feed = CotFeed(fetcher, cot_calendar.published_at)

    def look(now: datetime) -> Taken:
        taken = feed.fetch(new_york_day(now), now)
        due = cot_calendar.newest_due(now)
        if any(new_york_day(fact.at) >= due for fact in taken.facts):
            return taken
        return Taken(taken.facts, (*taken.missing, f"the report of {due} should be out and is not there yet"))

    def fill(since: date, now: datetime) -> Iterator[Step]:
        yield Step(f"reports since {since}", feed.fetch(since, now, is_back_fill=True))

    return Feed(
        name=FeedName.COT.value,
        look=look,
        next_due=lambda after: cot_calendar.next_publication(after) + timedelta(seconds=30),
        back_fill=fill,
        parts=1,
        again_until=lambda now: cot_calendar.next_publication(now),
        close=fetcher.close,
    )


def year_of_cot(making: Making, year: int, now: datetime) -> Taken:
    """Return the reports of a year's file, for the time before the table or to compare. Raises FeedError."""
    url = making.url(making.config.feeds.cot.files_url)
    fetcher = making.fetcher(Vendor(name="cot", url=url, calls_per_minute=CFTC_CALLS))
    content = fetcher.fetch_bytes(f"/files/dea/history/fut_disagg_txt_{year}.zip")
    return Taken(tuple(feed_cot.facts_of(feed_cot.weeks_from_zip(content), cot_calendar.published_at, now)))


def _fred_feed(making: Making) -> tuple[FredFeed, Fetcher]:
    vendor = Vendor(
        name="fred",
        url=making.url(making.config.feeds.fred.url),
        calls_per_minute=FRED_CALLS,
        key_names="FRED_API_KEY",
        secret_query={"api_key": making.key("FRED_API_KEY")},
    )
    fetcher = making.fetcher(vendor)
    return FredFeed(fetcher), fetcher


def _fred(making: Making, releases: Releases) -> Feed:
    feed, fetcher = _fred_feed(making)

    def look(now: datetime) -> Taken:
        """Take the series that answer well; say of the others what is wrong with them."""
        today = new_york_day(now)
        releases.learn(feed, today - timedelta(days=400), today + RELEASES_AHEAD)
        facts: list[Fact] = []
        problems: list[str] = []
        for series in FRED_WORDS:
            try:
                facts += feed.fetch(series, today, now).facts
            except FeedError as problem:
                problems.append(str(problem))
                if len(problems) > 2:  # it is FRED that fails, not a series
                    raise
        return Taken(tuple(facts), tuple(problems))

    def fill(since: date, now: datetime) -> Iterator[Step]:
        for series in FRED_WORDS:
            yield Step(series, feed.fetch(series, since, now, is_back_fill=True))

    return Feed(
        name=FeedName.FRED.value,
        look=look,
        next_due=partial(_next_of, FRED_ET),
        back_fill=fill,
        parts=len(FRED_WORDS),
        again_until=lambda now: now + timedelta(hours=3),
        close=fetcher.close,
    )


def _broker(making: Making, calls: int) -> Fetcher:
    where = endpoints(making.config, making.where)
    headers = {
        "APCA-API-KEY-ID": making.key("APCA_API_KEY_ID"),
        "APCA-API-SECRET-KEY": making.key("APCA_API_SECRET_KEY"),
    }
    return making.fetcher(
        Vendor(
            name="alpaca",
            url=where.data_url,
            calls_per_minute=EMBEDDED_CALLS if making.is_embedded else calls,
            key_names="APCA_API_KEY_ID and APCA_API_SECRET_KEY",
            is_broker=not making.is_embedded,
            secret_headers=headers,
        )
    )


def _minute_feed(making: Making, fetcher: Fetcher, releases: Releases) -> MinuteFeed:
    return MinuteFeed(fetcher, making.calendar.sessions, releases.at, making.config.broker.feed)


def _options(making: Making, releases: Releases) -> Feed:
    fetcher = _broker(making, OPTION_CALLS)
    feed = OptionFeed(fetcher, _minute_feed(making, fetcher, releases), making.clock.now)

    def look(now: datetime) -> Taken:
        """Look while the market is open; what is missed is missed, and tomorrow's look is the next."""
        if not making.calendar.is_open(now):
            return Taken((), ("the market is closed, and its options' quotes say nothing",))
        return feed.fetch()

    def closes_at(now: datetime) -> datetime | None:
        session = making.calendar.session_on(new_york_day(now))
        return session.close_at if session else None

    def due(after: datetime) -> datetime:
        return _next_at(
            making.calendar, after, lambda session_open, session_close: [session_close - BEFORE_CLOSE]
        )

    return Feed(
        name=FeedName.OPTIONS_VOL.value,
        look=look,
        next_due=due,
        waits_at_start=True,
        again_until=closes_at,
        close=fetcher.close,
    )


def _minutes(making: Making, releases: Releases) -> Feed:
    fetcher = _broker(making, PRICE_CALLS)
    feed = _minute_feed(making, fetcher, releases)
    daily = DailyFeed(fetcher, making.calendar.sessions, feed, making.config.broker.feed)

    def look(now: datetime) -> Taken:
        since = new_york_day(now) - LOOK_BACK
        minutes, bars = feed.fetch(since, now), daily.fetch(since, now)
        return replace(bars, facts=minutes.facts, missing=(*minutes.missing, *bars.missing))

    def moments(open_at: datetime, close_at: datetime) -> list[datetime]:
        half_hour, fix = open_at + timedelta(minutes=31), open_at + timedelta(minutes=91)
        told = releases.at(new_york_day(open_at))
        event = [] if told is None else [max(told, open_at) + timedelta(minutes=30) + AFTER_EVENT]
        return [half_hour, fix, *event, close_at + AFTER_CLOSE]

    def fill(since: date, now: datetime) -> Iterator[Step]:
        if not _why_off(making, FeedName.FRED):
            fred, asking = _fred_feed(making)
            releases.learn(fred, since, new_york_day(now) + RELEASES_AHEAD)
            asking.close()
        first = since
        while first <= new_york_day(now):
            last = first + timedelta(days=MINUTE_DAYS - 1)
            until = min(now, aware_utc(datetime.combine(last, time(23, 59), NEW_YORK)))
            yield Step(f"minutes of {first} to {last}", feed.fetch(first, until))
            yield Step(f"bars of {first} to {last}", daily.fetch(first, until, is_back_fill=True))
            first = last + timedelta(days=1)

    return Feed(
        name=FeedName.OHLCV.value,
        look=look,
        next_due=lambda after: _next_at(making.calendar, after, moments),
        back_fill=fill,
        close=fetcher.close,
    )


@contextmanager
def listening(making: Making) -> Iterator[MinuteWatch]:
    """Hear the session's minutes and halts for as long as the context lasts.

    Raises ConfigError when venue time cannot be read yet.
    """
    fetcher = _broker(making, MINUTE_CALLS)
    feed = _minute_feed(making, fetcher, Releases(making.state.feeds / AGENDA, None))

    def ask(since: datetime, now: datetime) -> dict[str, datetime]:
        found = feed.minutes(MINUTE_ROOTS, since, now)
        return newest(
            {root: [each.end_at for each in tape if each.end_at <= now] for root, tape in found.items()}
        )

    speed = making.clock.anchor().speed if isinstance(making.clock, VenueClock) else 1.0
    watch = MinuteWatch(making.state.feeds / TAPE, making.clock, making.calendar, ask, speed)
    stream = BarStream(
        alpaca_client.Keys(making.key("APCA_API_KEY_ID"), making.key("APCA_API_SECRET_KEY")),
        endpoints(making.config, making.where).data_stream_url,
        SYMBOLS,
        on_hint=watch.heard,
        on_connected=watch.listens,
        on_dropped=watch.broke,
        on_lost=watch.broke,
    )
    stream.start()
    try:
        yield watch
    finally:
        stream.stop()
        fetcher.close()


def _next_at(
    calendar: Calendar, after: datetime, moments: Callable[[datetime, datetime], Sequence[datetime]]
) -> datetime:
    """Return the first of the sessions' moments that is later."""
    day = new_york_day(after) - timedelta(days=1)
    while True:
        session = calendar.next_session(day)
        later = [each for each in moments(session.open_at, session.close_at) if each > after]
        if later:
            return min(later)
        day = session.day


def _sentiment(making: Making, _: Releases) -> Feed:
    setting = making.config.feeds.sentiment
    login = RedditLogin(
        url=making.url(setting.url),
        oauth_url=making.url(setting.oauth_url),
        client_id=making.key("REDDIT_CLIENT_ID"),
        client_secret=making.key("REDDIT_CLIENT_SECRET"),
    )
    path = making.state.feeds / "reddit.json"
    line = Line(WHOLE_S, read_s=READ_S)
    feed = RedditFeed(praw_listing(login, line), setting.subs, path, lambda text: vader()(text))

    def due(after: datetime) -> datetime:
        at = after.replace(minute=0, second=0, microsecond=0) + PAST_HOUR
        return at if at > after else at + timedelta(hours=1)

    return Feed(name=FeedName.SENTIMENT.value, look=feed.fetch, next_due=due, close=line.close)
