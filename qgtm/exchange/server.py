"""The socket front: an ASGI application for REST, streams and the control port, and its server."""

import asyncio
import contextlib
import signal
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Generator, MutableMapping
from typing import Any, Final, Protocol
from urllib.parse import parse_qsl

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from qgtm.exchange.control import PREFIX, is_loopback
from qgtm.exchange.gate import Reply
from qgtm.exchange.socket_stream import serve_data, serve_trades
from qgtm.exchange.station import Station
from qgtm.exchange.venue import Instant
from qgtm.exchange.wire import Request

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

TICK_S: Final = 0.02
PING_S: Final = 30.0
PING_TIMEOUT_S: Final = 60.0
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
_MOST_BODY: Final = 2**20
_RESET: Final = struct.pack("ii", 1, 0)


class MachineClock(Protocol):
    """The part of a clock that the server needs."""

    def monotonic(self) -> float:
        """Return process seconds."""
        ...

    def now(self) -> Any:
        """Return wall time, aware UTC."""
        ...


class Front:
    """The ASGI application of one station."""

    def __init__(self, station: Station, clock: MachineClock) -> None:
        self.station = station
        self._clock = clock

    def instant(self) -> Instant:
        """Return this moment in process and wall time."""
        return Instant(self._clock.monotonic(), self._clock.now())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)

    async def run_ticks(self) -> None:
        """Move the station on for ever."""
        while True:
            self.station.tick(self.instant())
            await asyncio.sleep(TICK_S)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = await _request(scope, receive)
        if request is None:
            await _send_plain(send, 413, b'{"message":"request body is too large"}')
            return
        if request.path.startswith(PREFIX):
            await self._control(scope, request, send)
            return
        reply = self.station.reply(request, self.instant())
        while reply.how == "again":
            await asyncio.sleep(reply.wait_s)
            reply = self.station.reply(request, self.instant())
        await asyncio.sleep(reply.wait_s)
        await _deliver(scope, receive, send, reply)

    async def _control(self, scope: Scope, request: Request, send: Send) -> None:
        client = scope.get("client")
        if not is_loopback(client[0] if client else None):
            await _send_plain(send, 403, b'{"message":"the control port is for this machine only"}')
            return
        response = self.station.control(request, self.instant())
        self.station.tick(self.instant())
        await _send_plain(send, response.status, response.content())

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path == "/stream":
            await serve_trades(self.station, self.instant, scope, receive, send)
        elif path in ("/v2/iex", "/v2/sip", "/v1beta1/indicative"):
            await serve_data(self.station, self.instant, scope, receive, send)
        else:
            await receive()
            await send({"type": "websocket.close"})


async def _request(scope: Scope, receive: Receive) -> Request | None:
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":  # gone in the middle: what came is no request
            return None
        body += message.get("body", b"")
        if len(body) > _MOST_BODY:
            return None
        if not message.get("more_body"):
            break
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
    return Request(scope["method"], scope["path"], query, body, headers)


async def _send_plain(send: Send, status: int, content: bytes) -> None:
    await _send_head(send, status, {"Content-Type": "application/json"}, len(content))
    await send({"type": "http.response.body", "body": content})


async def _send_head(send: Send, status: int, headers: dict[str, str], length: int) -> None:
    rows = [(name.encode(), value.encode()) for name, value in headers.items()]
    if status != 204:
        rows.append((b"Content-Length", str(length).encode()))
    await send({"type": "http.response.start", "status": status, "headers": rows})


async def _deliver(scope: Scope, receive: Receive, send: Send, reply: Reply) -> None:
    if reply.how in ("close", "reset"):
        await _hang_up(scope, receive, is_reset=reply.how == "reset")
        return
    await _send_head(send, reply.status, reply.headers, len(reply.content))
    if reply.how == "cut":
        half = reply.content[: len(reply.content) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})
        await asyncio.sleep(0.02)
        await _hang_up(scope, receive, is_reset=False)
    elif reply.how == "drip" and reply.content:
        for place in range(len(reply.content)):
            drop = reply.content[place : place + 1]
            await send({"type": "http.response.body", "body": drop, "more_body": True})
            await asyncio.sleep(reply.drip_s / len(reply.content))
        await send({"type": "http.response.body", "body": b""})
    else:
        await send({"type": "http.response.body", "body": reply.content})


async def _hang_up(scope: Scope, receive: Receive, *, is_reset: bool) -> None:
    """End the connection under the protocol's feet, with a reset or an ordinary close."""
    transport: asyncio.Transport = scope["state"]["transport"]
    if is_reset:
        own = transport.get_extra_info("socket")
        own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        transport.abort()
    else:
        transport.close()
    while (await receive())["type"] != "http.disconnect":
        continue


class _OpenProtocol(H11Protocol):
    """uvicorn's protocol that lets the application see its transport, so that faults can cut it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.app_state = {**self.app_state, "transport": transport}
        super().connection_made(transport)


class Server(uvicorn.Server):
    """uvicorn with the station's ticks beside it; both end together."""

    def __init__(
        self, front: Front, *, ping_s: float = PING_S, ping_timeout_s: float = PING_TIMEOUT_S
    ) -> None:
        config = uvicorn.Config(
            front,
            http=_OpenProtocol,
            ws="websockets-sansio",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,  # who the peer is decides about the control port
            ws_ping_interval=ping_s,
            ws_ping_timeout=ping_timeout_s,
            timeout_graceful_shutdown=1,
        )
        super().__init__(config)
        self._front = front

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Stop cleanly on SIGTERM and SIGINT; uvicorn's own way would die of the signal in the end."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until told to stop."""
        ticks = asyncio.create_task(self._front.run_ticks())
        ticks.add_done_callback(self._stop_with)
        try:
            await super().serve(sockets)
        finally:
            ticks.cancel()
            self._front.station.close(self._front.instant())
        with contextlib.suppress(asyncio.CancelledError):
            await ticks  # raises what stopped them, if anything did

    def _stop_with(self, ticks: "asyncio.Task[None]") -> None:
        """Stop when the ticks stop: an exchange whose time stands must not look alive."""
        if not ticks.cancelled():
            self.should_exit = True
