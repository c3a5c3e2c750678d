"""Alpaca's protocol as far as the watchdog speaks it: calls to requests, replies to answers. Pure.

Only a 4xx with the broker's own code is a refusal. All else that is not whole and clean is no answer.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from email.utils import parsedate_to_datetime
from typing import Any, Final

from qgtm.core.order import Order, Side
from qgtm.watchdog.deed import (
    AskAccount,
    AskClock,
    AskOrder,
    AskOrders,
    AskPositions,
    Call,
    Cancel,
    CancelAll,
    Close,
    CloseAll,
)
from qgtm.watchdog.fact import (
    AccountSeen,
    Answer,
    ClockSeen,
    Done,
    NoAnswer,
    OrderSeen,
    OrdersSeen,
    PositionsSeen,
    Refused,
    SeenOrder,
    SeenPosition,
)

LIMIT: Final = 500
WAIT_S: Final = 60.0  # after a 429 that does not say for how long
BELIEVABLE: Final = Decimal("1e12")
ZERO: Final = Decimal(0)
_STAMP = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:?\d\d)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Request:
    """One request, without host and keys."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back, whole, and not yet read."""

    status: int
    headers: Mapping[str, str]
    body: bytes


# --- there --------------------------------------------------------------------------------------


def request_of(call: Call) -> Request:
    """Return the request of a call."""
    return _REQUESTS[type(call)](call)


def _orders(call: AskOrders) -> Request:
    if call.after is None:
        return Request("GET", "/v2/orders", {"status": "open", "limit": str(LIMIT)})
    after = call.after.astimezone(UTC).isoformat()
    return Request("GET", "/v2/orders", {"status": "all", "limit": str(LIMIT), "after": after})


def _close(call: Close) -> Request:
    order = call.order
    body = {
        "symbol": order.symbol,
        "qty": f"{order.quantity.normalize():f}",
        "side": order.side.value,
        "type": "market",
        "time_in_force": "day",
        "extended_hours": False,
        "client_order_id": order.client_order_id,
        # the broker checks it: such an order can close a position and never turn it around
        "position_intent": _intent(order),
    }
    return Request("POST", "/v2/orders", body=body)


def _intent(order: Order) -> str:
    return "sell_to_close" if order.side is Side.SELL else "buy_to_close"


_REQUESTS: Final[dict[type[Any], Callable[[Any], Request]]] = {
    AskClock: lambda _: Request("GET", "/v2/clock"),
    AskAccount: lambda _: Request("GET", "/v2/account"),
    AskOrders: _orders,
    AskOrder: lambda call: Request(
        "GET", "/v2/orders:by_client_order_id", {"client_order_id": call.client_order_id}
    ),
    AskPositions: lambda _: Request("GET", "/v2/positions"),
    CancelAll: lambda _: Request("DELETE", "/v2/orders"),
    Cancel: lambda call: Request("DELETE", f"/v2/orders/{call.broker_order_id}"),
    Close: _close,
    # without cancel_orders: our own orders are at work, and stay there
    CloseAll: lambda _: Request("DELETE", "/v2/positions"),
}


# --- and back -----------------------------------------------------------------------------------


def answer_of(call: Call, reply: Reply) -> Answer:
    """Return what a reply to `call` says; what cannot be believed is NoAnswer. Raises nothing."""
    if not 200 <= reply.status < 300:
        return _turned_down(call, reply)
    try:
        return _READERS[type(call)](call, _json(reply.body))
    except (ValueError, TypeError, KeyError, AttributeError, ArithmeticError, RecursionError) as problem:
        return NoAnswer(f"status {reply.status} with a body that cannot be read ({type(problem).__name__})")


def _json(body: bytes) -> Any:
    return json.loads(body, parse_float=Decimal, parse_constant=_no_constant) if body else None


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is no number")


def _turned_down(call: Call, reply: Reply) -> Answer:
    if reply.status == 429:
        return NoAnswer("the broker's call limit is used up (429)", wait_s=_reset_in_s(reply.headers))
    try:
        body = _json(reply.body)
    except (ValueError, RecursionError):
        body = None
    code = body.get("code") if isinstance(body, Mapping) else None
    if not isinstance(code, int) or not 400 <= reply.status < 500 or reply.status == 408:
        return NoAnswer(f"status {reply.status} with a body that is not the broker's")
    if isinstance(call, AskOrder) and reply.status == 404:
        return OrderSeen(None)
    return Refused(status=reply.status, reason=str(body.get("message", "")))


def _reset_in_s(headers: Mapping[str, str]) -> float:
    """Return the seconds to the broker's reset by its own clock: both stamps are in its reply."""
    reset = headers.get("X-Ratelimit-Reset", "")
    try:
        sent_at = parsedate_to_datetime(headers.get("Date", ""))
    except ValueError:
        return WAIT_S
    if not (reset.isascii() and reset.isdigit()):
        return WAIT_S
    return min(max(int(reset) - sent_at.timestamp(), 1.0), WAIT_S)


def _clock(_: Call, body: Any) -> ClockSeen:
    is_open = body["is_open"]
    if not isinstance(is_open, bool):
        raise ValueError("is_open is neither true nor false")
    return ClockSeen(now=instant(body["timestamp"]), is_open=is_open, next_open_at=instant(body["next_open"]))


def _account(_: Call, body: Any) -> AccountSeen:
    return AccountSeen(_text(body.get("account_number") or body["id"]))


def _listed(_: Call, body: Any) -> OrdersSeen:
    return OrdersSeen(tuple(order(row) for row in _rows(body)))


def _positions(_: Call, body: Any) -> PositionsSeen:
    return PositionsSeen(tuple(position(row) for row in _rows(body)))


def _sent(call: Close, body: Any) -> Answer:
    """Believe the reply only when it speaks of the order that was sent."""
    found, ours = order(body), call.order
    if (found.client_order_id, found.symbol, found.side) != (ours.client_order_id, ours.symbol, ours.side):
        return NoAnswer("the broker answered with a different order")
    return Done()


_READERS: Final[dict[type[Any], Callable[[Any, Any], Answer]]] = {
    AskClock: _clock,
    AskAccount: _account,
    AskOrders: _listed,
    AskOrder: lambda _, body: OrderSeen(order(body)),
    AskPositions: _positions,
    CancelAll: lambda _, body: Done(),
    Cancel: lambda _, body: Done(),
    Close: _sent,
    CloseAll: lambda _, body: Done(),
}


def order(row: Mapping[str, Any]) -> SeenOrder:
    """Return an order. A status that is new to us counts as working. Raises what a bad row raises."""
    filled = _number(row.get("filled_qty") or 0)
    quantity = filled if row.get("qty") is None else _number(row["qty"])
    return SeenOrder(
        broker_order_id=_text(row["id"]),
        client_order_id=_text(row["client_order_id"]),
        symbol=str(row.get("symbol") or ""),
        side=Side(row["side"]) if row.get("side") in ("buy", "sell") else None,
        kind=str(row.get("type") or row.get("order_type") or ""),
        status=_text(row["status"]),
        remaining=max(ZERO, quantity - filled),
    )


def position(row: Mapping[str, Any]) -> SeenPosition:
    """Return a position; a short one is negative. Raises what a bad row raises."""
    quantity = _number(row["qty"])
    sign = -1 if row.get("side") == "short" and quantity > 0 else 1
    free = row.get("qty_available")
    available = abs(quantity) if free is None else abs(_number(free))
    return SeenPosition(symbol=_text(row["symbol"]), quantity=sign * quantity, available=available)


def instant(value: object) -> datetime:
    """Return an RFC 3339 text (nanoseconds are cut) as an aware UTC datetime; raise ValueError."""
    match = _STAMP.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"{value!r:.40} is no moment")
    day, clock, fraction, zone = match.groups()
    micro = (fraction or "").ljust(6, "0")[:6]
    return datetime.fromisoformat(f"{day}T{clock}.{micro}{zone.upper()}").astimezone(UTC)


def _rows(body: Any) -> list[Mapping[str, Any]]:
    if not isinstance(body, list) or not all(isinstance(row, Mapping) for row in body):
        raise ValueError("no list of objects")
    return body


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("no text")
    return value


def _number(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise ValueError("no number")
    try:
        found = Decimal(value)
    except InvalidOperation:
        raise ValueError("no number") from None
    if not found.is_finite() or abs(found) >= BELIEVABLE:
        raise ValueError("a number that cannot be believed")
    return found
