"""The stock data stream: its conversation, and which bars, quotes, trades and statuses are due."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import msgpack

from qgtm.exchange.desk import Desk, Halt
from qgtm.exchange.hours import new_york
from qgtm.exchange.market.port import MarketBar, Quote
from qgtm.exchange.text import rfc3339
from qgtm.exchange.wire import Keys
from qgtm.exchange.wire_data import bar_json, quote_json, trade_json

CHANNELS: Final = ("trades", "quotes", "bars", "updatedBars", "dailyBars", "statuses", "lulds")
AUTH_WITHIN_S: Final = 10.0
SYMBOL_LIMIT: Final = 30
MOST_MINUTES: Final = 10
_MINUTE = timedelta(minutes=1)
Frame = list[dict[str, Any]]

CONNECTED: Final[Frame] = [{"T": "success", "msg": "connected"}]
ERRORS: Final = {
    400: "invalid syntax",
    401: "not authenticated",
    402: "auth failed",
    403: "already authenticated",
    404: "auth timeout",
    405: "symbol limit exceeded",
    406: "connection limit exceeded",
    407: "slow client",
    409: "insufficient subscription",
    410: "invalid subscribe action for this feed",
    500: "internal error",
}


def error_frame(code: int) -> Frame:
    """Return the error of this code, as a frame."""
    return [{"T": "error", "code": code, "msg": ERRORS[code]}]


def packed(frame: Frame, *, is_msgpack: bool) -> bytes | str:
    """Return a frame as it goes over the wire; in msgpack `t` is a Timestamp extension."""
    if is_msgpack:
        return bytes(msgpack.packb([_stamped(message) for message in frame], datetime=True))
    return json.dumps([_texted(message) for message in frame], separators=(",", ":"))


def unpacked(frame: bytes | str, *, is_msgpack: bool) -> dict[str, Any] | None:
    """Return a client's message, None when it cannot be read."""
    try:
        message = msgpack.unpackb(frame) if is_msgpack and isinstance(frame, bytes) else json.loads(frame)
    except (ValueError, TypeError, OverflowError, RecursionError, msgpack.UnpackException):
        return None
    return message if isinstance(message, dict) else None


def _stamped(message: dict[str, Any]) -> dict[str, Any]:
    at = message.get("t")
    return {**message, "t": msgpack.Timestamp.from_datetime(at)} if isinstance(at, datetime) else message


def _texted(message: dict[str, Any]) -> dict[str, Any]:
    at = message.get("t")
    return {**message, "t": rfc3339(at)} if isinstance(at, datetime) else message


@dataclass(slots=True)
class DataSession:
    """The conversation of one data socket. It does no I/O; `is_over` asks the front to close."""

    keys: Keys | None
    symbols: frozenset[str]
    refuses_keys: bool = False
    symbol_limit: int = SYMBOL_LIMIT
    is_authorized: bool = False
    is_over: bool = False
    wants: dict[str, set[str]] = field(default_factory=lambda: {channel: set() for channel in CHANNELS})

    def answer(self, message: dict[str, Any] | None) -> Frame:
        """Return the server's answer to a message of the client."""
        if message is None:
            return error_frame(400)
        action = message.get("action")
        if action == "auth":
            return self._auth(message)
        if not self.is_authorized:
            return error_frame(401)
        if action in ("subscribe", "unsubscribe"):
            return self._subscribe(message, is_more=action == "subscribe")
        return error_frame(400)

    def _auth(self, message: dict[str, Any]) -> Frame:
        if self.is_authorized:
            return error_frame(403)
        key_id, secret = str(message.get("key") or ""), str(message.get("secret") or "")
        is_right = bool(key_id and secret) and (self.keys is None or self.keys.fit(key_id, secret))
        if not is_right or self.refuses_keys:
            self.is_over = True
            return error_frame(402)
        self.is_authorized = True
        return [{"T": "success", "msg": "authenticated"}]

    def _subscribe(self, message: dict[str, Any], *, is_more: bool) -> Frame:
        lists = {c: message.get(c) or [] for c in CHANNELS}
        if not all(isinstance(names, list) for names in lists.values()):
            return error_frame(400)
        asked = {c: {str(s) for s in names} for c, names in lists.items()}
        if is_more and any(len(self.wants[c] | asked[c]) > self.symbol_limit for c in ("trades", "quotes")):
            return error_frame(405)
        for channel, names in asked.items():
            self.wants[channel] = self.wants[channel] | names if is_more else self.wants[channel] - names
        return [{"T": "subscription", **{c: sorted(names) for c, names in self.wants.items()}}]

    def listens(self, channel: str, symbol: str) -> bool:
        """Say whether the socket asked for a symbol on a channel."""
        names = self.wants[channel]
        return symbol in names or "*" in names

    def wanted(self, channel: str) -> tuple[str, ...]:
        """Return the known symbols that the socket asked for, in order."""
        return tuple(sorted(s for s in self.symbols if self.listens(channel, s)))


class DataFeed:
    """What became known between two moments, as messages for one session."""

    def __init__(self, desk: Desk, since: datetime) -> None:
        self._desk = desk
        self._since = since
        self._halted: dict[str, Halt] = {}
        self._touched: dict[tuple[str, str], Quote] = {}

    def due(self, session: DataSession, now: datetime) -> Frame:
        """Return the messages for the time since the last call; after a jump only the latest minutes."""
        since, self._since = self._since, max(self._since, now)
        frame = self._statuses(session, now)
        if now > since:
            frame += self._bars(session, since, now)
            frame += self._daily(session, since, now)
            frame += self._touch(session, now)
        return frame

    def _bars(self, session: DataSession, since: datetime, now: datetime) -> Iterator[dict[str, Any]]:
        hours = self._desk.prices.calendar.current(now)
        first = max(since, now - MOST_MINUTES * _MINUTE)
        if now < hours.open_at or first > hours.close_at + 2 * _MINUTE:
            return
        for channel, kind, delay in (("bars", "b", _MINUTE), ("updatedBars", "u", 1.5 * _MINUTE)):
            for symbol in session.wanted(channel):
                for bar in self._desk.prices.minutes(symbol, hours.day):
                    if first < bar.at + delay <= now and (kind == "b" or bar.at.minute % 10 == 0):
                        yield _bar(kind, symbol, bar, bar.at)

    def _daily(self, session: DataSession, since: datetime, now: datetime) -> Frame:
        names = session.wanted("dailyBars")
        frame: Frame = []
        for hours in self._desk.prices.calendar.between(since.date() - timedelta(days=1), now.date()):
            if since < hours.close_at <= now:
                for symbol in names:
                    bar = self._desk.prices.daily(symbol, hours.day)
                    if bar is not None:
                        frame.append(_bar("d", symbol, bar, new_york(hours.day, 0)))
        return frame

    def _touch(self, session: DataSession, now: datetime) -> Frame:
        if self._desk.prices.calendar.phase(now) != "regular":
            return []
        frame: Frame = []
        for channel, kind in (("quotes", "q"), ("trades", "t")):
            for symbol in session.wanted(channel):
                quote = self._desk.prices.quote(symbol, now)
                if quote is not None and quote != self._touched.get((kind, symbol)):
                    self._touched[kind, symbol] = quote
                    body = quote_json(quote, now) if kind == "q" else trade_json(quote, now)
                    frame.append({"T": kind, "S": symbol, **body, "t": now})
        return frame

    def _statuses(self, session: DataSession, now: datetime) -> Frame:
        """Return what changed since the last look; by state, so that a clock that stands loses nothing."""
        halted = {s: halt for s in self._desk.halts if (halt := self._desk.halt_at(s, now)) is not None}
        began = [_status(halt, now, is_halted=True) for s, halt in halted.items() if s not in self._halted]
        ended = [_status(halt, now, is_halted=False) for s, halt in self._halted.items() if s not in halted]
        self._halted = halted
        return [message for message in began + ended if session.listens("statuses", message["S"])]


def _bar(kind: str, symbol: str, bar: MarketBar, at: datetime) -> dict[str, Any]:
    return {"T": kind, "S": symbol, **bar_json(bar), "t": at}


def _status(halt: Halt, at: datetime, *, is_halted: bool) -> dict[str, Any]:
    return {
        "T": "s",
        "S": halt.symbol,
        "sc": "H" if is_halted else "T",
        "sm": "Trading Halt" if is_halted else "Trading Resumption",
        "rc": halt.code if is_halted else "",
        "rm": halt.reason if is_halted else "",
        "t": at,
        "z": "B",
    }
