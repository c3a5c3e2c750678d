"""The `trade_updates` stream: what its frames hold, and one socket for the account."""

import json
from dataclasses import dataclass
from typing import Any, Final, Literal

from qgtm.exchange.asset import Asset
from qgtm.exchange.event import TradeUpdate
from qgtm.exchange.text import number, rfc3339
from qgtm.exchange.wire import Keys
from qgtm.exchange.wire_order import order_json

_STREAM: Final = "trade_updates"


def update_json(update: TradeUpdate, assets: dict[str, Asset]) -> dict[str, Any]:
    """Return one update; `price` and `qty` are of the execution, the order's own figures cumulative."""
    at = rfc3339(update.at)
    data: dict[str, Any] = {
        "event": update.kind,
        "timestamp": at,
        "at": at,
        "event_id": f"{update.seq:026d}",
        "order": order_json(update.order, assets),
    }
    execution = update.execution
    if execution is not None:
        data["execution_id"] = execution.id
        data["price"] = number(execution.price)
        data["qty"] = number(execution.qty)
        data["position_qty"] = number(execution.position_qty)
    return {"stream": _STREAM, "data": data}


@dataclass(slots=True)
class TradeSession:
    """The conversation of one socket: authenticate, listen, then updates. It does no I/O."""

    keys: Keys | None
    refuses_keys: bool = False
    state: Literal["fresh", "authorized", "listening", "refused"] = "fresh"

    def answer(self, frame: str | bytes) -> list[dict[str, Any]]:
        """Return what the server sends back to a frame of the client."""
        try:
            message = json.loads(frame)
            action, data = message.get("action"), dict(message.get("data") or {})
            streams = [name for name in list(data.get("streams") or ()) if name == _STREAM]
        except (ValueError, AttributeError, TypeError, RecursionError):
            return [_error("invalid message format")]
        if action in ("authenticate", "auth"):
            return [self._authenticate({**message, **data})]
        if action == "listen" and self.state in ("authorized", "listening"):
            self.state = "listening" if streams else "authorized"
            return [{"stream": "listening", "data": {"streams": streams}}]
        return [_error("not authorized" if self.state in ("fresh", "refused") else "unknown action")]

    def _authenticate(self, data: dict[str, Any]) -> dict[str, Any]:
        key_id = str(data.get("key_id") or data.get("key") or "")
        secret = str(data.get("secret_key") or data.get("secret") or "")
        is_right = bool(key_id and secret) and (self.keys is None or self.keys.fit(key_id, secret))
        self.state = "authorized" if is_right and not self.refuses_keys else "refused"
        status = "authorized" if self.state == "authorized" else "unauthorized"
        return {"stream": "authorization", "data": {"status": status, "action": "authenticate"}}


def _error(message: str) -> dict[str, Any]:
    return {"stream": "error", "data": {"error_message": message}}


class Seat:
    """The account's one place on a stream, kept until its socket is gone.

    A peer that died without a word is found by pings; they are set so that it takes at most 90 s.
    """

    def __init__(self) -> None:
        self._holder: int | None = None

    def take(self, socket: int) -> bool:
        """Seat a socket; False while another one sits there."""
        if self._holder not in (None, socket):
            return False
        self._holder = socket
        return True

    def leave(self, socket: int) -> None:
        """Free the seat, if this socket has it."""
        if self._holder == socket:
            self._holder = None
