"""The feed's port on Alpaca's stock data: daily bars of finished sessions, latest quotes and trades."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, time
from typing import Any, Final

from requests.adapters import BaseAdapter

from qgtm.adapters.alpaca_client import GuardedData, Keys, Refused
from qgtm.adapters.alpaca_line import WHOLE_S, NoAnswer
from qgtm.adapters.alpaca_parse import instant_or_none
from qgtm.adapters.alpaca_price import bar_or_reason, quote_or_none
from qgtm.adapters.call_budget import CallBudget
from qgtm.core.bar import Bar, BarSet
from qgtm.core.errors import FeedError
from qgtm.core.events import QuoteSeen
from qgtm.core.instant import NEW_YORK, new_york_day

Fields = Mapping[str, Any]
Rows = dict[date, dict[str, list[Fields]]]  # by session, by symbol
PAGE: Final = 10_000
PAGES: Final = 100


class AlpacaFeed:
    """Prices from Alpaca, or from an exchange that speaks its protocol; for one thread.

    `now` is venue time; `closes_at` gives a session's regular close, None for a day without one.
    """

    def __init__(
        self,
        keys: Keys,
        url: str,
        budget: CallBudget,
        *,
        now: Callable[[], datetime],
        closes_at: Callable[[date], datetime | None],
        feed: str = "iex",
        adjustment: str = "all",
        whole_s: float = WHOLE_S,
        adapter: BaseAdapter | None = None,
    ) -> None:
        self._client = GuardedData(keys, url, budget, whole_s=whole_s, adapter=adapter)
        self._budget = budget
        self._now = now
        self._closes_at = closes_at
        self._feed = feed
        self._adjustment = adjustment

    def close(self) -> None:
        """Shut the connection; a later call opens a new one."""
        self._client.hang_up()

    def daily(self, symbols: Sequence[str], start: date, end: date) -> tuple[BarSet, ...]:
        """Return the bars of the sessions from `start` to `end` that have closed, oldest first.

        A bar is known from its session's close on. A bar that cannot be true is left out and named in
        its set's `refused`; a symbol without a bar is in neither. Raises FeedError.
        """
        rows = self._rows(symbols, start, end)
        sets = (self._bar_set(session, rows[session]) for session in sorted(rows) if start <= session <= end)
        return tuple(found for found in sets if found is not None)

    def quotes(self, symbols: Sequence[str]) -> Mapping[str, QuoteSeen]:
        """Return bid, offer and last trade by symbol; leave out who lacks one. Raises FeedError."""
        asked = {"symbols": ",".join(symbols), "feed": self._feed}
        quotes = _by_symbol(self._get("/stocks/quotes/latest", asked), "quotes")
        trades = _by_symbol(self._get("/stocks/trades/latest", asked), "trades")
        now = self._now()
        seen = {
            symbol: quote_or_none(_fields(quotes[symbol]), _fields(trades[symbol]), now)
            for symbol in symbols
            if quotes.get(symbol) and trades.get(symbol)
        }
        return {symbol: quote for symbol, quote in seen.items() if quote is not None}

    def _rows(self, symbols: Sequence[str], start: date, end: date) -> Rows:
        asked = {
            "symbols": ",".join(symbols),
            "timeframe": "1Day",
            # a daily bar is stamped with midnight in New York
            "start": datetime.combine(start, time(), NEW_YORK).isoformat(),
            "end": datetime.combine(end, time(23, 59, 59), NEW_YORK).isoformat(),
            "limit": PAGE,
            "adjustment": self._adjustment,
            "feed": self._feed,
            "sort": "asc",
        }
        rows: Rows = {}
        for page in self._pages(asked):
            for symbol in symbols:
                for row in page.get(symbol) or ():
                    rows.setdefault(_session_of(symbol, row), {}).setdefault(symbol, []).append(row)
        return rows

    def _pages(self, asked: Mapping[str, object]) -> Iterator[Fields]:
        seen: set[str | None] = {None}
        token: str | None = None
        for _ in range(PAGES):
            body = self._get("/stocks/bars", {**asked, **({"page_token": token} if token else {})})
            yield _by_symbol(body, "bars")
            token = body.get("next_page_token") or None
            if token is None:
                return
            if token in seen:
                raise FeedError("the bars' page token came twice, so the pages have no end; ask again later")
            seen.add(token)
        raise FeedError(f"the bars have more than {PAGES} pages; ask for fewer sessions")

    def _bar_set(self, session: date, rows: Mapping[str, Sequence[Fields]]) -> BarSet | None:
        close_at = self._closes_at(session)
        if close_at is None or close_at > self._now():
            return None
        found = {symbol: _one_of(symbol, session, close_at, given) for symbol, given in rows.items()}
        return BarSet(
            session=session,
            known_at=close_at,
            bars={symbol: one for symbol, one in found.items() if isinstance(one, Bar)},
            refused={symbol: one for symbol, one in found.items() if isinstance(one, str)},
        )

    def _get(self, path: str, asked: Mapping[str, object]) -> Fields:
        try:
            if wait_s := self._budget.take():
                raise FeedError(f"our own call limit is used up for {wait_s:.1f} s; ask again then")
            return _fields(self._client.get(path, dict(asked)))
        except Refused as refusal:
            raise FeedError(f"{path} was refused: {refusal}; check keys, feed and plan") from refusal
        except NoAnswer as problem:
            raise FeedError(f"no answer for {path}: {problem}; ask again later") from problem


def _fields(body: object) -> Fields:
    if isinstance(body, Mapping):
        return body
    raise FeedError(f"the vendor sent {body!r:.60} where an object belongs; ask again later")


def _by_symbol(body: Fields, name: str) -> Fields:
    if name not in body:
        raise FeedError(f"the vendor's reply has no {name}, only {sorted(body)!r:.60}; has its form changed?")
    return _fields(body[name] or {})


def _session_of(symbol: str, row: object) -> date:
    at = instant_or_none(_fields(row).get("t"))
    if at is None:
        raise FeedError(f"a bar of {symbol} has no moment: {row!r:.80}; has the vendor's form changed?")
    return new_york_day(at)


def _one_of(symbol: str, session: date, known_at: datetime, rows: Sequence[Fields]) -> Bar | str:
    first, *others = rows
    if any(other != first for other in others):
        return "given more than once, and differently"
    return bar_or_reason(symbol, session, known_at, first)
