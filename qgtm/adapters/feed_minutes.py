"""What a session's minutes leave behind: the first half hour, the London fix, the half hour after a release.

The minutes are Alpaca's raw ones: within a session no dividend and no split moves a return. A return is known
when its last minute has ended. Where the tape has no trade near one of its ends there is none.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final

from qgtm.adapters.calendar import Session
from qgtm.adapters.feed_form import Row, Taken, day_of, number_of, refuse, row_of, rows_of, text_of, value_of
from qgtm.adapters.fetch import Fetcher
from qgtm.core.fact import Fact
from qgtm.core.instant import NEW_YORK, aware_utc
from qgtm.core.series import MINUTE_ROOTS

BARS: Final = "/v2/stocks/bars"
ACTIONS: Final = "/v1/corporate-actions"
PAGE: Final = 10_000
PAGES: Final = 200
MINUTE: Final = timedelta(minutes=1)
HALF_HOUR: Final = timedelta(minutes=30)
STEP: Final = timedelta(minutes=5)  # every end of ours lies on one
NEAR: Final = timedelta(minutes=5)  # how far from its end a return's last trade may lie
MOST_USD: Final = 1_000_000.0
Sessions = Callable[[date, date], Sequence[Session]]
ReleasedAt = Callable[[date], datetime | None]


@dataclass(frozen=True, slots=True)
class Minute:
    """One minute of trading, or some, by its start; dollars."""

    start_at: datetime
    open: float
    close: float
    length: timedelta = MINUTE

    @property
    def end_at(self) -> datetime:
        """Return when it is over, and its close known."""
        return self.start_at + self.length


@dataclass(frozen=True, slots=True)
class Action:
    """A cash dividend (`cash_usd` a share) or a split (`ratio` new shares for one old), on its ex-day."""

    symbol: str
    ex_day: date
    cash_usd: float | None
    ratio: float | None


class MinuteFeed:
    """Minutes and corporate actions of shares; for one thread. `released_at` gives a day's release."""

    def __init__(self, fetcher: Fetcher, sessions: Sessions, released_at: ReleasedAt, feed: str) -> None:
        self._fetcher = fetcher
        self._sessions = sessions
        self._released_at = released_at
        self._feed = feed

    def fetch(self, since: date, now: datetime) -> Taken:
        """Return the returns that have come to their end at `now`, of sessions since `since`.

        Raises FeedError.
        """
        today = aware_utc(now).astimezone(NEW_YORK).date()
        begun = [each for each in self._sessions(since, today) if each.open_at < now]
        if not begun:
            return Taken(())
        end_at = min(begun[-1].close_at, now)
        minutes = self.minutes(MINUTE_ROOTS, begun[0].open_at, end_at, STEP)  # a fifth of the pages
        facts: list[Fact] = []
        missing: list[str] = []
        for root in MINUTE_ROOTS:
            tape = minutes.get(root, ())
            for session in begun:
                own = facts_of(root, session, tape, self._released_at(session.day))
                facts += [fact for fact in own if fact.at <= now]
                if session.close_at <= now and not _within(tape, session):
                    missing.append(f"{root} {session.day}: no minute of it came")
        return Taken(tuple(facts), tuple(missing))

    def minutes(
        self, symbols: Sequence[str], start_at: datetime, end_at: datetime, length: timedelta = MINUTE
    ) -> Mapping[str, Sequence[Minute]]:
        """Return minutes by symbol, or as many at a time as `length` has, oldest first. Raises FeedError."""
        asked = {
            "symbols": ",".join(symbols),
            "timeframe": f"{length // MINUTE}Min",
            "start": aware_utc(start_at).isoformat(),
            "end": aware_utc(end_at).isoformat(),
            "limit": PAGE,
            "adjustment": "raw",
            "feed": self._feed,
            "sort": "asc",
        }
        found: dict[str, list[Minute]] = {}
        for body in pages(self._fetcher, BARS, asked):
            where = f"ohlcv {BARS}"
            for symbol, rows in row_of(value_of(body, "bars", where) or {}, where).items():
                found.setdefault(symbol, []).extend(
                    minute_of(symbol, row, length) for row in rows_of(rows, where)
                )
        return found

    def actions(self, symbols: Sequence[str], start: date, end: date) -> tuple[Action, ...]:
        """Return cash dividends and splits with ex-days from `start` to `end`. Raises FeedError."""
        asked = {
            "symbols": ",".join(symbols),
            "types": "cash_dividend,forward_split,reverse_split",
            "start": start.isoformat(),
            "end": end.isoformat(),
            "limit": 1000,
            "sort": "asc",
        }
        found: list[Action] = []
        for body in pages(self._fetcher, ACTIONS, asked):
            kinds = row_of(value_of(body, "corporate_actions", ACTIONS) or {}, ACTIONS)
            found += [action_of(row) for rows in kinds.values() for row in rows_of(rows, ACTIONS)]
        return tuple(sorted(found, key=lambda each: (each.ex_day, each.symbol)))


def pages(fetcher: Fetcher, path: str, asked: Mapping[str, object]) -> Iterator[Row]:
    """Yield the pages of a reply of Alpaca's. Raises FeedError when they have no end (faults E10)."""
    where = f"{fetcher.vendor.name} {path}"
    seen: set[object] = {None}
    token: object = None
    for _ in range(PAGES):
        body = row_of(fetcher.fetch_json(path, {**asked, **({"page_token": token} if token else {})}), where)
        yield body
        token = value_of(body, "next_page_token", where) or None
        if token is None:
            return
        if token in seen:
            refuse(where, "the field next_page_token came twice, so the pages have no end")
        seen.add(token)
    refuse(where, f"there are more than {PAGES} pages; ask for less at a time")


def minute_of(symbol: str, given: object, length: timedelta = MINUTE) -> Minute:
    """Return a minute. Raises FeedError naming the field that cannot be true."""
    where = f"ohlcv minute of {symbol}"
    row = row_of(given, where)
    opened, high, low, close = (number_of(row, name, where, 1e-4, MOST_USD) for name in "ohlc")
    number_of(row, "v", where, 0.0, 1e12)
    if not low <= min(opened, close) <= max(opened, close) <= high:
        refuse(where, f"the fields h and l ({high:g}, {low:g}) do not hold o and c ({opened:g}, {close:g})")
    return Minute(_moment(row, "t", where), opened, close, length)


def action_of(given: object) -> Action:
    """Return a corporate action. Raises FeedError naming the field that cannot be true."""
    where = "ohlcv corporate action"
    row = row_of(given, where)
    ex_day = day_of(row, "ex_date", where)
    symbol = text_of(row, "symbol", where)
    if "rate" in row:
        return Action(symbol, ex_day, number_of(row, "rate", where, 0.0, MOST_USD), None)
    new, old = (number_of(row, name, where, 1e-6, 1e6) for name in ("new_rate", "old_rate"))
    return Action(symbol, ex_day, None, new / old)


def facts_of(
    root: str, session: Session, minutes: Sequence[Minute], released_at: datetime | None
) -> Iterator[Fact]:
    """Yield a session's returns, but none whose ends the tape does not show or the session does not hold."""
    own = _within(minutes, session)

    def at(clock: time) -> datetime:
        return aware_utc(datetime.combine(session.day, clock, NEW_YORK))

    spans = {
        "FIRST30": (session.open_at, session.open_at + HALF_HOUR),
        "PRE_FIX": (at(time(9, 45)), at(time(10))),
        "POST_FIX": (at(time(10)), at(time(11))),
    }
    if released_at is not None:
        begin = max(aware_utc(released_at), session.open_at)
        spans["EVENT30"] = (begin, begin + HALF_HOUR)
    for name, (start_at, end_at) in spans.items():
        moved = log_return(own, start_at, end_at) if end_at <= session.close_at else None
        if moved is not None:
            yield Fact(f"{name}_{root}", end_at, end_at, moved)


def log_return(minutes: Sequence[Minute], start_at: datetime, end_at: datetime) -> float | None:
    """Return the log return between two moments, None when there is no trade within five minutes of one.

    A moment's price is the close of the last minute that has ended; at the open it is the first one's open.
    """
    first, last = price_at(minutes, start_at), price_at(minutes, end_at)
    return None if first is None or last is None else math.log(last / first)


def price_at(minutes: Sequence[Minute], at: datetime) -> float | None:
    """Return the price at a moment, None when no minute near it is there."""
    ended = [each for each in minutes if each.end_at <= at]
    if ended:
        return ended[-1].close if at - ended[-1].end_at < NEAR else None
    return minutes[0].open if minutes and minutes[0].start_at - at < NEAR else None


def _within(minutes: Sequence[Minute], session: Session) -> list[Minute]:
    return [each for each in minutes if session.open_at <= each.start_at < session.close_at]


def _moment(row: Row, name: str, where: str) -> datetime:
    text = text_of(row, name, where)
    try:
        return aware_utc(datetime.fromisoformat(text))
    except ValueError:
        refuse(where, f"the field {name} is {text!r:.40} and no moment")
