"""What stands between a front and the core: limits, faults, storage. Shared by sockets and in-process."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal

from qgtm.exchange.core import Exchange
from qgtm.exchange.draw import id_in
from qgtm.exchange.fault import Fault, FaultTable, Stage
from qgtm.exchange.front import FRONTS, Front, front_of
from qgtm.exchange.rate_limit import RateLimiter
from qgtm.exchange.routes import MUTATING
from qgtm.exchange.spoil import MUTATIONS, garbled, rewound, spoilt_body
from qgtm.exchange.wire import Keys, Request, Response, handle

_PAST_KEPT: Final = 400
_LATE: Final[tuple[Stage, ...]] = ("after_apply", "during_reply")
HTML: Final = b"<html><head><title>504 Gateway Time-out</title></head><body>nginx</body></html>"
LIMITED: Final = b'{"code":42910000,"message":"rate limit exceeded"}'
_JSON: Final = {"Content-Type": "application/json; charset=UTF-8"}


@dataclass(frozen=True, slots=True)
class Reply:
    """What a front does: wait `wait_s`, then send these bytes whole, half, by drops, or not at all.

    "again" means: after the wait, ask the gate once more; the request has not been applied yet.
    """

    status: int
    headers: dict[str, str]
    content: bytes
    wait_s: float = 0.0
    how: Literal["whole", "cut", "drip", "close", "reset", "again"] = "whole"
    drip_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Now:
    """The times of a request: venue time, process seconds, and the wall's epoch for a header."""

    venue_at: datetime
    monotonic_s: float
    wall_s: float


class Gate:
    """One exchange behind its limits and faults; `keep` is called after each request, before its answer."""

    def __init__(
        self,
        exchange: Exchange,
        *,
        keys: Keys | None = None,
        keep: Callable[[], None] | None = None,
        per_minute: int = 200,
    ) -> None:
        self.exchange = exchange
        self.keys = keys
        self.keep = keep
        self.limiter = RateLimiter(per_minute)
        self._limiters = {front.name: RateLimiter(front.per_window, front.window_s) for front in FRONTS}
        self.faults = FaultTable(exchange.desk.seed)
        self._served = 0
        self._past: deque[tuple[float, str, Response]] = deque(maxlen=_PAST_KEPT)

    def reply(self, request: Request, now: Now) -> Reply:
        """Answer a client's request, with whatever faults are set for it."""
        self._served += 1
        headers = {**_JSON, "X-Request-ID": id_in(self.exchange.desk.space, f"request {self._served}")}
        fault = self.faults.strike("before_apply", request.method, request.path, *_SPOILING)
        if fault is not None:
            reply = _spoilt(Reply(200, headers, b""), fault, request)
            return replace(reply, how="again") if fault.action == "hang" else reply
        headers.update(self._limit_headers(request, now))
        if headers.get("X-Ratelimit-Allowed") == "no":
            headers.pop("X-Ratelimit-Allowed")
            return Reply(429, headers, _limited_body(request))
        response = self._applied(request, now)
        reply = Reply(response.status, {**headers, **response.headers}, response.content())
        return self._after(request, reply)

    def _applied(self, request: Request, now: Now) -> Response:
        front = front_of(request.path)
        by = self._published_by(request, now) if front is not None else None
        endless = self.faults.strike("during_reply", request.method, request.path, "endless")
        asked = request if endless is None else rewound(request)
        response = handle(self.exchange, asked, now.venue_at, self.keys, by)
        if self.keep is not None:
            self.keep()
        response = self._changed(request, response, front, endless)
        return response if request.method in MUTATING else self._lagging(request, response, now)

    def _published_by(self, request: Request, now: Now) -> datetime | None:
        """Return the moment at which a stale front has stopped to publish, None when it goes on."""
        fault = self.faults.strike("during_reply", request.method, request.path, "stale")
        return None if fault is None else self.faults.since(fault, now.venue_at)

    def _changed(
        self, request: Request, response: Response, front: Front | None, endless: Fault | None
    ) -> Response:
        """Return the answer with other names, other units, fewer rows or more pages than it should have."""
        faults = [endless] if endless is not None else []
        for action in MUTATIONS:
            fault = self.faults.strike("during_reply", request.method, request.path, action)
            faults += [] if fault is None else [fault]
        for fault in faults:
            usual = {} if front is None else front.usual(fault.action)
            body = spoilt_body(fault.action, response.body, {**usual, **(fault.body or {})}, self._served)
            response = replace(response, body=body)
        return response

    def _limit_headers(self, request: Request, now: Now) -> dict[str, str]:
        """Count a call on the trading API or a front; the broker's data have a limit of their own."""
        front = front_of(request.path)
        if front is not None:
            allowance = self._limiters[front.name].take(now.monotonic_s, now.wall_s)
            denied = {} if allowance.is_allowed else {"X-Ratelimit-Allowed": "no"}
            return {**front.headers(allowance), **denied}
        if not request.path.startswith("/v2/") or request.path.startswith("/v2/stocks/"):
            return {}
        allowance = self.limiter.take(now.monotonic_s, now.wall_s)
        denied = {} if allowance.is_allowed else {"X-Ratelimit-Allowed": "no"}
        return {**allowance.headers(), **denied}

    def _lagging(self, request: Request, response: Response, now: Now) -> Response:
        if not request.path.startswith("/v2/") or request.path.startswith("/v2/stocks/"):
            return response
        name = f"{request.path}?{sorted(request.query.items())}"
        self._past.append((now.monotonic_s, name, response))
        fault = self.faults.strike("during_reply", request.method, request.path, "lag")
        if fault is None:
            return response
        old = [r for at, n, r in self._past if n == name and at <= now.monotonic_s - fault.seconds]
        first = next((r for _, n, r in self._past if n == name), response)
        return old[-1] if old else first

    def _after(self, request: Request, reply: Reply) -> Reply:
        for stage in _LATE:
            fault = self.faults.strike(stage, request.method, request.path, *_SPOILING)
            if fault is not None:
                reply = _spoilt(reply, fault, request)
        return reply


def _spoilt(reply: Reply, fault: Fault, request: Request) -> Reply:
    """Return what a fault makes of an answer."""
    if fault.action == "429":
        return replace(reply, status=429, content=_limited_body(request))
    make = _MAKE.get(fault.action, _status)
    return make(reply, fault)


def _status(reply: Reply, fault: Fault) -> Reply:
    body = None if fault.status in (204, 304) else fault.body  # these two have none
    return replace(reply, status=fault.status, content=Response(fault.status, body).content())


def _limited_body(request: Request) -> bytes:
    front = front_of(request.path)
    return LIMITED if front is None else front.limited.content()


def _html(reply: Reply, status: int) -> Reply:
    headers = {**reply.headers, "Content-Type": "text/html"}
    return replace(reply, status=status, headers=headers, content=HTML)


def _redirect(reply: Reply, fault: Fault) -> Reply:
    headers = {**reply.headers, "Location": "/elsewhere"}
    return replace(reply, status=307, headers=headers, content=b"")


_MAKE: Final[dict[str, Callable[[Reply, Fault], Reply]]] = {
    "refuse": lambda reply, _: replace(reply, how="close"),
    "drop": lambda reply, _: replace(reply, how="reset"),
    "hang": lambda reply, fault: replace(reply, wait_s=reply.wait_s + fault.seconds),
    "cut": lambda reply, _: replace(reply, how="cut"),
    "drip": lambda reply, fault: replace(reply, how="drip", drip_s=fault.seconds),
    "empty": lambda reply, _: replace(reply, status=200, content=b""),
    "html": lambda reply, _: _html(reply, 200),
    "504": lambda reply, _: _html(reply, 504),
    "redirect": _redirect,
    "garbled": lambda reply, _: replace(reply, content=garbled(reply.content)),
}
_SPOILING: Final = (*_MAKE, "429", "status")
