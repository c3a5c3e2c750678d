"""The real alpaca-py in process: its requests meet the weather, then the exchange's own protocol."""

import io
import json
from collections.abc import Mapping
from typing import Any, Final, Protocol

import requests
from requests.adapters import BaseAdapter
from urllib3 import HTTPResponse

from qgtm.exchange.core import Exchange
from qgtm.exchange.gate import HTML, LIMITED, Gate, Now, Reply
from qgtm.exchange.wire import request_from_url
from qgtm.simulation.broker import CALL_S, LIMIT_S, Wire
from qgtm.simulation.timeline import Timeline

REFUSED: Final = b'{"code":40310000,"message":"insufficient buying power"}'
REVOKED: Final = b'{"code":40110000,"message":"request is not authorized"}'
ORDERS: Final = "/v2/orders"


class Place(Protocol):
    """Where the client's requests arrive."""

    line: Timeline
    exchange: Exchange


class WeatheredAdapter(BaseAdapter):
    """Answer a `requests` session from the exchange, with the weather in between."""

    def __init__(self, place: Place, wire: Wire) -> None:
        super().__init__()
        self._line = place.line
        self._exchange = place.exchange
        self._gate = Gate(place.exchange, per_minute=1_000_000)  # our own count is checked by the checker
        self._wire = wire

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
        what = f"{asked.method} {asked.path.removeprefix('/v2')}"
        order_id = str(json.loads(body)["client_order_id"]) if what == "POST /orders" else ""
        spoilt = self._before(request, what, order_id)
        if spoilt is not None:
            return _response(request, *spoilt)
        now = Now(self._line.venue_at, self._line.process_s, self._line.venue_at.timestamp())
        reply = self._gate.reply(asked, now)
        is_new = what == "POST /orders" and reply.status == 200
        self._wire.reached(what, order_id, "Accepted" if is_new else str(reply.status))
        return self._after(request, asked.path, reply)

    def close(self) -> None:
        """Do nothing: there is no connection."""

    def _before(
        self, request: requests.PreparedRequest, what: str, order_id: str
    ) -> tuple[int, bytes] | None:
        """Let the request travel: return what the way itself answers, None when it arrives."""
        wire, weather = self._wire, self._wire.weather
        wire.sent(what, order_id)
        if weather.slow_s:
            weather.note("slow_s")
        wire.spend(CALL_S / 2 + weather.slow_s / 2)
        if weather.strikes("refused", wire.chance):
            raise requests.ConnectionError("connection refused", request=request)
        if weather.strikes("hang", wire.chance):
            wire.spend(LIMIT_S)
            raise requests.ReadTimeout(f"no answer within {LIMIT_S} s", request=request)
        if weather.revoked:
            weather.note("revoked")
            return 401, REVOKED
        if weather.strikes("limited", wire.chance):
            return 429, LIMITED
        if weather.strikes("failing", wire.chance):
            return 503, HTML
        if order_id and weather.strikes("rejected", wire.chance):
            return 403, REFUSED
        return None

    def _after(self, request: requests.PreparedRequest, path: str, reply: Reply) -> requests.Response:
        wire, weather = self._wire, self._wire.weather
        wire.spend(CALL_S / 2 + weather.slow_s / 2)
        if weather.strikes("lost", wire.chance):
            raise requests.ConnectionError("the connection was reset", request=request)
        if weather.strikes("gateway", wire.chance):
            return _response(request, 504, HTML)
        if weather.strikes("garbled", wire.chance):
            whole = reply.content
            return _response(request, 200, wire.chance.choice((HTML, b"", whole[: len(whole) // 2])))
        return _response(request, reply.status, self._bent(path, reply.content), reply.headers)

    def _bent(self, path: str, content: bytes) -> bytes:
        """Return an answer as the weather has it: a blocked account, a wrong equity, an unknown status."""
        weather, chance = self._wire.weather, self._wire.chance
        if path == "/v2/account" and (weather.blocked or weather.equity_times != 1.0):
            weather.note("blocked" if weather.blocked else "equity_times")
            body = json.loads(content)
            body["trading_blocked"] = weather.blocked
            body["equity"] = str(float(body["equity"]) * weather.equity_times)
            return json.dumps(body).encode()
        if path == ORDERS and weather.strikes("strange", chance):
            return content.replace(b'"status":"new"', b'"status":"held_for_review"')
        if path == "/v2/clock" and weather.closed_by_broker:
            weather.note("closed_by_broker")
            return _closed(json.loads(content))
        return content


def _closed(body: dict[str, Any]) -> bytes:
    """Return the clock of a market that is closed until its next regular open."""
    return json.dumps({**body, "is_open": False}).encode()


def _response(
    request: requests.PreparedRequest, status: int, content: bytes, headers: Mapping[str, str] | None = None
) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    response.headers.update(headers or {"Content-Type": "application/json"})
    response.raw = HTTPResponse(io.BytesIO(content), preload_content=False)
    response.url = request.url or ""
    response.request = request
    response.encoding = "utf-8"
    return response


def adapter_on(place: Place, wire: Wire) -> BaseAdapter:
    """Return the way of one process's real client to the exchange."""
    return WeatheredAdapter(place, wire)
