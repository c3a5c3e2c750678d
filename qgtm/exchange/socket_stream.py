"""The two streams over real websockets."""

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from qgtm.exchange.data_stream import (
    AUTH_WITHIN_S,
    CONNECTED,
    DataFeed,
    DataSession,
    Frame,
    error_frame,
    packed,
    unpacked,
)
from qgtm.exchange.event import TradeUpdate
from qgtm.exchange.post import Post
from qgtm.exchange.station import Station
from qgtm.exchange.trade_stream import TradeSession, update_json
from qgtm.exchange.venue import Instant

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

STEP_S: Final = 0.05
_SOCKETS = itertools.count(1)


async def serve_trades(
    station: Station, instant: Callable[[], Instant], scope: Message, receive: Receive, send: Send
) -> None:
    """Serve `/stream` to one socket; a second one is refused with HTTP 429.

    A socket that does not say who it is has to go after a while: it would keep the account's only seat.
    """
    number = next(_SOCKETS)
    refused = station.gate.faults.strike("stream", "WS", "trade_updates", "refuse")
    await receive()
    if refused is not None or not station.seats.trade.take(number):
        await _refuse(send, 429 if refused is None or refused.status == 500 else refused.status)
        return
    waiting: list[TradeUpdate] = []
    listener = waiting.extend
    station.listeners.append(listener)
    try:
        await send({"type": "websocket.accept"})
        await _trade_talk(station, instant, scope, receive, send, waiting)
    finally:
        station.listeners.remove(listener)
        station.seats.trade.leave(number)


async def _trade_talk(
    station: Station,
    instant: Callable[[], Instant],
    scope: Message,
    receive: Receive,
    send: Send,
    waiting: list[TradeUpdate],
) -> None:
    faults = station.gate.faults
    bad_keys = faults.strike("stream", "WS", "trade_updates", "auth_refuse") is not None
    session = TradeSession(station.gate.keys, refuses_keys=bad_keys)
    post: Post[bytes] = Post(faults, "trade_updates")
    since_s = instant().monotonic_s
    heard = asyncio.ensure_future(receive())
    try:
        while not post.is_dropped:
            await asyncio.wait({heard}, timeout=STEP_S)
            if heard.done():
                message = heard.result()
                if message["type"] == "websocket.disconnect":
                    return
                heard = asyncio.ensure_future(receive())
                for answer in session.answer(message.get("bytes") or message.get("text") or ""):
                    await send({"type": "websocket.send", "bytes": json.dumps(answer).encode()})
            due, waiting[:] = list(waiting), []
            if session.state == "listening":
                assets = station.exchange.desk.assets
                frames = [json.dumps(update_json(update, assets)).encode() for update in due]
                for frame in post.outgoing(frames):
                    await send({"type": "websocket.send", "bytes": frame})
                _idle(post, scope)
            elif session.state != "authorized" and instant().monotonic_s - since_s > AUTH_WITHIN_S:
                break
        await send({"type": "websocket.close", "code": 1011})
    finally:
        heard.cancel()


async def serve_data(
    station: Station, instant: Callable[[], Instant], scope: Message, receive: Receive, send: Send
) -> None:
    """Serve `/v2/iex` or `/v2/sip` to one socket; a second one hears error 406."""
    number = next(_SOCKETS)
    refused = station.gate.faults.strike("stream", "WS", "data", "refuse")
    await receive()
    if refused is not None:
        await _refuse(send, 429 if refused.status == 500 else refused.status)
        return
    is_msgpack = any(
        name == b"content-type" and value == b"application/msgpack" for name, value in scope["headers"]
    )
    try:
        await send({"type": "websocket.accept"})
        await _DataTalk(station, instant, number, is_msgpack=is_msgpack).run(scope, receive, send)
    finally:
        station.seats.data.leave(number)


class _DataTalk:
    """One data socket: answers as they are asked, market data as it becomes known."""

    def __init__(
        self, station: Station, instant: Callable[[], Instant], number: int, *, is_msgpack: bool
    ) -> None:
        faults = station.gate.faults
        bad_keys = faults.strike("stream", "WS", "data", "auth_refuse") is not None
        desk = station.exchange.desk
        self._station = station
        self._instant = instant
        self._number = number
        self._is_msgpack = is_msgpack
        self._session = DataSession(station.gate.keys, frozenset(desk.prices.symbols), refuses_keys=bad_keys)
        self._feed = DataFeed(desk, desk.now)
        self._post: Post[Frame] = Post(faults, "data")
        self._since_s = instant().monotonic_s

    async def run(self, scope: Message, receive: Receive, send: Send) -> None:
        """Talk until either side goes."""
        await self._send(send, CONNECTED)
        heard = asyncio.ensure_future(receive())
        try:
            while not (self._session.is_over or self._post.is_dropped):
                await asyncio.wait({heard}, timeout=STEP_S)
                if heard.done():
                    message = heard.result()
                    if message["type"] == "websocket.disconnect":
                        return
                    heard = asyncio.ensure_future(receive())
                    await self._send(send, self._answer(message.get("bytes") or message.get("text") or b""))
                await self._step(scope, send)
            await send({"type": "websocket.close", "code": 1000})
        finally:
            heard.cancel()

    def _answer(self, frame: bytes | str) -> Frame:
        was_authorized = self._session.is_authorized
        answer = self._session.answer(unpacked(frame, is_msgpack=self._is_msgpack))
        is_new = self._session.is_authorized and not was_authorized
        if is_new and not self._station.seats.data.take(self._number):
            self._session.is_over = True
            return error_frame(406)
        return answer

    async def _step(self, scope: Message, send: Send) -> None:
        if not self._session.is_authorized:
            if self._instant().monotonic_s - self._since_s > AUTH_WITHIN_S:
                self._session.is_over = True
                await self._send(send, error_frame(404))
            return
        due = self._feed.due(self._session, self._station.exchange.now)
        for frame in self._post.outgoing([due] if due else []):
            await self._send(send, frame)
        _idle(self._post, scope)

    async def _send(self, send: Send, frame: Frame) -> None:
        content = packed(frame, is_msgpack=self._is_msgpack)
        kind = "bytes" if isinstance(content, bytes) else "text"
        await send({"type": "websocket.send", kind: content})


def _idle(post: Post[Any], scope: Message) -> None:
    post.strike_idle()
    if post.is_half_open:
        transport: asyncio.Transport = scope["state"]["transport"]
        if transport.is_reading():
            transport.pause_reading()


async def _refuse(send: Send, status: int) -> None:
    headers = [(b"content-type", b"application/json")]
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": b'{"message":"connection limit exceeded"}'})
