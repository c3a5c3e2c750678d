"""The in-process front: alpaca-py's requests and streams without a socket, on a clock that is moved by hand.

Mount `ExchangeAdapter` on the client's session; faults become the exceptions that `requests`
would raise. `TradeSocket` and `DataSocket` are the two streams as plain send and receive.
"""

import io
import json
from collections.abc import Callable, Mapping
from datetime import datetime

import requests
from requests.adapters import BaseAdapter
from urllib3 import HTTPResponse

from qgtm.exchange.data_stream import CONNECTED, DataFeed, DataSession, Frame, packed, unpacked
from qgtm.exchange.event import TradeUpdate
from qgtm.exchange.gate import Gate, Now, Reply
from qgtm.exchange.post import Post
from qgtm.exchange.trade_stream import TradeSession, update_json
from qgtm.exchange.wire import request_from_url

ReadNow = Callable[[], Now]
Wait = Callable[[float], None]


class ExchangeAdapter(BaseAdapter):
    """Answer a `requests` session from a gate; `wait` lets process seconds pass for a fault that hangs."""

    def __init__(self, gate: Gate, read_now: ReadNow, wait: Wait = lambda _: None) -> None:
        super().__init__()
        self._gate = gate
        self._read_now = read_now
        self._wait = wait

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: float | tuple[float, float] | tuple[float, None] | None = None,
        verify: bool | str = True,
        cert: bytes | str | tuple[bytes | str, bytes | str] | None = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Return the exchange's answer. Raises what `requests` raises for a broken or late one."""
        body = request.body if isinstance(request.body, bytes) else (request.body or "").encode()
        asked = request_from_url(request.method or "GET", request.url or "", body, request.headers)
        reply = self._gate.reply(asked, self._read_now())
        limit = timeout[1] if isinstance(timeout, tuple) else timeout
        if reply.how == "again":
            is_late = self._pass(reply.wait_s, limit)
            reply = self._gate.reply(asked, self._read_now())
            if is_late:
                raise requests.ReadTimeout(f"no answer within {limit} s", request=request)
        elif self._pass(reply.wait_s, limit):
            raise requests.ReadTimeout(f"no answer within {limit} s", request=request)
        return self._answer(request, reply)

    def close(self) -> None:
        """Do nothing: there is no connection."""

    def _pass(self, seconds: float, limit: float | None) -> bool:
        self._wait(seconds if limit is None else min(seconds, limit))
        return limit is not None and seconds > limit

    def _answer(self, request: requests.PreparedRequest, reply: Reply) -> requests.Response:
        if reply.how in ("close", "reset"):
            raise requests.ConnectionError("the connection was closed without an answer", request=request)
        if reply.how == "cut":
            raise requests.exceptions.ChunkedEncodingError("the answer broke off", request=request)
        self._wait(reply.drip_s)
        response = requests.Response()
        response.status_code = reply.status
        response.headers.update(reply.headers)
        response.raw = HTTPResponse(io.BytesIO(reply.content), preload_content=False)
        response.url = request.url or ""
        response.request = request
        response.encoding = "utf-8"
        return response


class TradeSocket:
    """A client's end of `trade_updates`: `send` what the client sends, `receive` what has come since."""

    def __init__(self, gate: Gate) -> None:
        bad_keys = gate.faults.strike("stream", "WS", "trade_updates", "auth_refuse") is not None
        self._session = TradeSession(gate.keys, refuses_keys=bad_keys)
        self._assets = gate.exchange.desk.assets
        self._post: Post[bytes] = Post(gate.faults, "trade_updates")
        self._inbox: list[bytes] = []

    @property
    def is_open(self) -> bool:
        """Say whether no fault has closed the socket."""
        return not self._post.is_dropped

    def send(self, frame: str | bytes) -> None:
        """Take a frame of the client."""
        self._inbox += [json.dumps(answer).encode() for answer in self._session.answer(frame)]

    def hear(self, updates: list[TradeUpdate]) -> None:
        """Take updates of the exchange; hand this to whoever calls `advance`."""
        if self._session.state == "listening":
            frames = [json.dumps(update_json(update, self._assets)).encode() for update in updates]
            self._inbox += self._post.outgoing(frames)

    def receive(self) -> list[bytes]:
        """Return the frames that came since the last call."""
        frames, self._inbox = self._inbox, []
        return frames


class DataSocket:
    """A client's end of the stock data stream, in msgpack as alpaca-py speaks it, or in JSON."""

    def __init__(self, gate: Gate, *, is_msgpack: bool = True) -> None:
        desk = gate.exchange.desk
        bad_keys = gate.faults.strike("stream", "WS", "data", "auth_refuse") is not None
        self._session = DataSession(gate.keys, frozenset(desk.prices.symbols), refuses_keys=bad_keys)
        self._feed = DataFeed(desk, desk.now)
        self._post: Post[Frame] = Post(gate.faults, "data")
        self._is_msgpack = is_msgpack
        self._inbox: list[bytes | str] = [packed(CONNECTED, is_msgpack=is_msgpack)]

    @property
    def is_open(self) -> bool:
        """Say whether neither side has closed the socket."""
        return not (self._post.is_dropped or self._session.is_over)

    def send(self, frame: bytes | str) -> None:
        """Take a frame of the client."""
        answer = self._session.answer(unpacked(frame, is_msgpack=self._is_msgpack))
        self._inbox.append(packed(answer, is_msgpack=self._is_msgpack))

    def advance(self, now: datetime) -> None:
        """Let market data up to `now` come in."""
        due = self._feed.due(self._session, now) if self._session.is_authorized else []
        for frame in self._post.outgoing([due] if due else []):
            self._inbox.append(packed(frame, is_msgpack=self._is_msgpack))

    def receive(self) -> list[bytes | str]:
        """Return the frames that came since the last call."""
        frames, self._inbox = self._inbox, []
        return frames
