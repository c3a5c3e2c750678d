"""The real alpaca-py in process: its requests meet the weather, then the exchange's own protocol."""

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

import requests
from requests.adapters import BaseAdapter
from urllib3 import HTTPResponse

from qgtm.exchange.core import Exchange
from qgtm.exchange.gate import HTML, LIMITED, Gate, Now, Reply
from qgtm.exchange.wire import Request, request_from_url
from qgtm.simulation.broker import CALL_S, LATE_FOR, LIMIT_S, RESCALED, Wire
from qgtm.simulation.timeline import Timeline

REFUSED: Final = b'{"code":40310000,"message":"insufficient buying power"}'
REVOKED: Final = b'{"code":40110000,"message":"request is not authorized"}'
ORDERS: Final = "/v2/orders"
DAY: Final = timedelta(days=1)  # a daily bar is stamped with the midnight before it
AGAIN: Final = "again"
NEVER: Final = "2000-01-01T00:00:00+00:00"


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


class VendorAdapter(BaseAdapter):
    """Answer the data client's `requests` session from the exchange, with the prices' weather in between."""

    def __init__(self, place: Place, wire: Wire) -> None:
        super().__init__()
        self._line = place.line
        self._gate = Gate(place.exchange, per_minute=1_000_000)
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
        """Return the vendor's answer: bars or the latest quotes, whole, late, spoilt or without an end."""
        asked = request_from_url(request.method or "GET", request.url or "", b"", request.headers)
        what, weather, chance = asked.path.removeprefix("/v2/stocks/"), self._wire.weather, self._wire.chance
        self._wire.spend(CALL_S / 2)
        if weather.strikes("bars_fail" if what == "bars" else "quotes_fail", chance):
            return _response(request, 503, HTML)
        now = Now(self._line.venue_at, self._line.process_s, self._line.venue_at.timestamp())
        reply = self._gate.reply(_rewound(asked), now)
        body = json.loads(reply.content)
        if what == "bars" and reply.status == 200:
            self._bend_bars(body)
        elif what == "quotes/latest" and reply.status == 200:
            self._bend_quotes(body["quotes"])
        return _response(request, reply.status, json.dumps(body).encode(), reply.headers)

    def close(self) -> None:
        """Do nothing: there is no connection."""

    def _bend_bars(self, body: dict[str, Any]) -> None:
        weather, bars = self._wire.weather, body["bars"]
        if weather.bars_late:
            newest = max((rows[-1]["t"] for rows in bars.values() if rows), default="")
            if datetime.fromisoformat(newest or NEVER) > self._line.venue_at - LATE_FOR - DAY:
                weather.note("bars_late")
                body["bars"] = {
                    name: [row for row in rows if row["t"] != newest] for name, rows in bars.items()
                }
        if weather.bars_times != 1.0:
            weather.note("bars_times")
            for row in (row for name in RESCALED for row in body["bars"].get(name, ())):
                row.update({field: row[field] * weather.bars_times for field in "ohlc"})
        if weather.strikes("pages_endless", self._wire.chance):
            body["next_page_token"] = AGAIN

    def _bend_quotes(self, quotes: dict[str, dict[str, Any]]) -> None:
        weather, chance = self._wire.weather, self._wire.chance
        if weather.quotes_stale_s:
            weather.note("quotes_stale_s")
        for name, quote in list(quotes.items()):
            at = datetime.fromisoformat(quote["t"]) - timedelta(seconds=weather.quotes_stale_s)
            quote["t"] = at.isoformat()
            if weather.strikes("quotes_missing", chance):
                del quotes[name]
            elif weather.strikes("quotes_spoilt", chance):
                quote.update(chance.choice(SPOILT_QUOTES)(quote["bp"], quote["ap"]))


def _rewound(asked: Request) -> Request:
    """Return a request for the page that never ends as one for the first page."""
    if asked.query.get("page_token") != AGAIN:
        return asked
    return replace(asked, query={name: value for name, value in asked.query.items() if name != "page_token"})


SPOILT_QUOTES: Final[tuple[Callable[[float, float], dict[str, Any]], ...]] = (
    lambda bid, ask: {"bp": 0, "ap": 0},
    lambda bid, ask: {"bp": bid * 10, "ap": ask * 10},
    lambda bid, ask: {"bp": float("nan")},
    lambda bid, ask: {"ap": bid / 2},
    lambda bid, ask: {"bp": -bid},
    lambda bid, ask: {"bp": "half a number"},
)


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


def adapter_on(place: Place, wire: Wire, *, is_data: bool = False) -> BaseAdapter:
    """Return the way of one process's real client to the exchange: to its orders, or to its prices."""
    return VendorAdapter(place, wire) if is_data else WeatheredAdapter(place, wire)
