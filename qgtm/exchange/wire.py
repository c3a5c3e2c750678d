"""Alpaca's REST protocol as a pure function: a request and the time in, a response out.

Both fronts (sockets, in process) call `handle`; rate limits, faults and storage stand in front
of it, in `gate`.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from qgtm.exchange.core import Exchange
from qgtm.exchange.order import Refusal
from qgtm.exchange.truth import Seen

FORM_CODE: Final = 40010001
_NUMBER: Final = re.compile(r"[+-]?(\d{1,40}(\.\d{0,40})?|\.\d{1,40})([eE][+-]?\d{1,4})?", re.ASCII)
_MOST_DIGITS: Final = 18  # before or behind the point: no price, count or amount comes near


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request; header names in lower case."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP response; `body` is JSON-able, None for an empty one, bytes for what is no JSON."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def content(self) -> bytes:
        """Return the body as it goes over the wire."""
        if isinstance(self.body, bytes):
            return self.body
        return b"" if self.body is None else json.dumps(self.body, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True)
class Keys:
    """The key pair that an exchange accepts."""

    key_id: str
    secret_key: str

    def fit(self, key_id: str, secret_key: str) -> bool:
        """Say whether a pair is this one."""
        return (key_id, secret_key) == (self.key_id, self.secret_key)


@dataclass(frozen=True, slots=True)
class Call:
    """A request on its way through a handler: the exchange, the time, the parts of the path."""

    exchange: Exchange
    request: Request
    now: datetime
    parts: tuple[str, ...]

    def json(self) -> dict[str, Any]:
        """Return the body as an object, numbers as Decimal. Raises `Malformed`."""
        try:
            body = json.loads(self.request.body or b"{}", parse_float=Decimal, parse_int=Decimal)
        except (ValueError, ArithmeticError, RecursionError) as error:
            raise Malformed("request body format is invalid") from error
        if not isinstance(body, dict):
            raise Malformed("request body format is invalid")
        return body


class Malformed(ValueError):
    """A request that cannot be read; its text is the answer's message."""


Handler = Callable[[Call], Response]


def request_from_url(method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Request:
    """Return a request from a full URL or a raw path with its query."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    lower = {name.lower(): value for name, value in headers.items()}
    return Request(method.upper(), unquote(parts.path), query, body, lower)


def handle(
    exchange: Exchange,
    request: Request,
    now: datetime,
    keys: Keys | None = None,
    published_by: datetime | None = None,
) -> Response:
    """Answer a request as of `now`. Never raises for what a client sends; without `keys` any pair will do.

    The fronts of other vendors show what was published by `published_by`, by `now` unless given.
    """
    from qgtm.exchange.front import front_of  # these two import this module
    from qgtm.exchange.routes import find

    exchange.catch_up(now)
    exchange.truth.requests.append(_seen(request, exchange.now))
    front = front_of(request.path)
    if front is not None:
        return front.answer(Call(exchange, request, published_by or exchange.now, ()))
    if not _is_authorized(request, keys):
        return error(401, 40110000, "request is not authorized")
    handler, parts = find(request.method, request.path)
    if handler is None:
        return Response(404, {"message": "endpoint not found."})
    try:
        return handler(Call(exchange, request, exchange.now, parts))
    except Malformed as problem:
        return error(422, FORM_CODE, str(problem))


def error(status: int, code: int, message: str, **details: object) -> Response:
    """Return an error as Alpaca words it."""
    return Response(status, {"code": code, "message": message, **details})


def refused(refusal: Refusal) -> Response:
    """Return the response that a refusal makes."""
    return error(refusal.status, refusal.code, refusal.message, **refusal.details)


def decimal_from(value: object, name: str) -> Decimal | None:
    """Return a number that came as a JSON number or a string; None stays None. Raises `Malformed`."""
    if value is None or value == "":
        return None
    written = "" if isinstance(value, bool) else str(value)
    number = Decimal(written) if _NUMBER.fullmatch(written) else None
    if number is None or abs(number.adjusted()) > _MOST_DIGITS:
        raise Malformed(f"invalid {name}: {written[:40] or value}")
    return number


def _is_authorized(request: Request, keys: Keys | None) -> bool:
    key_id = request.headers.get("apca-api-key-id", "")
    secret_key = request.headers.get("apca-api-secret-key", "")
    if not key_id or not secret_key:
        return False
    return keys is None or keys.fit(key_id, secret_key)


def _seen(request: Request, at: datetime) -> Seen:
    client_order_id = None
    if request.method == "POST" and request.path == "/v2/orders":
        try:
            client_order_id = json.loads(request.body).get("client_order_id")
        except (ValueError, AttributeError, RecursionError):
            client_order_id = None
    own = client_order_id if isinstance(client_order_id, str) else None
    return Seen(at, request.method, request.path, own)
