"""alpaca-py 0.44.0 with every guard that it needs.

Where each of the 18 guards of the specification (alpaca.md, 2.7) lives:

==  ==========================================  =====================================================
 1  no time limit on a call                     alpaca_line.Line (per read, and on the whole)
 2  hidden retries with sleeps, also of POST    _Guarded: `_retry = 0`; nothing here retries at all
 3  raw network faults, empty and cut replies   _Guarded._one_request: NoAnswer for all of them
 4  APIError.code fails on an HTML body         refusal_from, which reads the body itself
 5  strict enums lose a list for one new value  `raw_data=True` and alpaca_parse
 6  a handler that raises loses the message     alpaca_stream.Supervisor: hints, told and never raised
 7  no replay after a reconnect                 alpaca_stream.Supervisor: `on_connected` to back-fill
 8  a frozen peer is seen after 200 s           alpaca_wire.SOCKET, three settings
 9  connected but mute                          streams are hints; the daemon polls; pings see the rest
10  refused keys: retried for ever, in silence  alpaca_stream: "listening" within 6.5 s or failed
11  run() blocks and swallows Ctrl-C            alpaca_stream: own thread and loop, stop() within 2 s
12  subscribing inside a handler dead-locks     alpaca_wire subscribes once, before the first frame
13  no subscription spins the processor         alpaca_wire.BarWire refuses an empty one
14  websockets.legacy is deprecated             version pinned; tests/adapters/test_alpaca_canary.py
15  DEBUG prints the secret key                 alpaca_wire.mute_wire_logs, called at import
16  NaN and negative quantities                 the risk checks; again alpaca_order.problem_of
17  reconnects at random times                  alpaca_stream.BACK_OFF_S, a table
18  one session shared by threads               Line: one thread owns it; the kill path its own broker
==  ==========================================  =====================================================
"""

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NoReturn
from urllib.parse import urlsplit

from requests import Session
from requests.adapters import BaseAdapter

from qgtm.adapters.alpaca_line import WHOLE_S, Fence, Line, NoAnswer, Reply, always
from qgtm.adapters.call_budget import CallBudget
from qgtm.core.errors import ConfigError

with warnings.catch_warnings():
    # guard 14: alpaca-py still uses websockets.legacy, which says at import that it is deprecated
    warnings.simplefilter("ignore", DeprecationWarning)
    from alpaca.data.historical.stock import StockHistoricalDataClient
    from alpaca.data.live.stock import StockDataStream
    from alpaca.trading.client import TradingClient
    from alpaca.trading.stream import TradingStream

__all__ = [
    "GuardedData",
    "GuardedTrading",
    "Keys",
    "Refused",
    "StockDataStream",
    "TradingStream",
    "address",
    "read",
]


@dataclass(frozen=True, slots=True)
class Keys:
    """A key pair; neither half is ever shown."""

    key_id: str = field(repr=False)
    secret: str = field(repr=False)

    def __post_init__(self) -> None:
        if not (self.key_id and self.secret):
            raise ConfigError("half of the key pair is missing; set APCA_API_KEY_ID and APCA_API_SECRET_KEY")


def address(url: str, scheme: str = "http") -> str:
    """Return the address of a broker without trailing slash; `scheme` is "http" or "ws".

    Raises ConfigError for anything else, and for an open connection to another machine: it would
    carry the keys in the clear.
    """
    bare = url.strip().rstrip("/")
    parts = urlsplit(bare)
    if parts.scheme not in (scheme, f"{scheme}s") or not parts.hostname:
        raise ConfigError(f"{url!r} is no address of a broker; write it as {scheme}s://host")
    if parts.scheme == scheme and parts.hostname not in ("127.0.0.1", "::1", "localhost"):
        raise ConfigError(f"{url!r} would carry the keys in the clear; write {scheme}s://")
    return bare


def _rest_address(url: str) -> str:
    return address(url).removesuffix("/v2").rstrip("/")  # alpaca-py puts the version there itself


class Refused(Exception):
    """A clean 4xx: the broker says no, with its code, and has done nothing."""

    def __init__(self, status: int, code: int, reason: str) -> None:
        super().__init__(f"{status} {code}: {reason}")
        self.status = status
        self.code = code
        self.reason = reason


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number")


def body_of(reply: Reply) -> Any:
    """Return the JSON of a reply, fractions as Decimal, None when it is empty; raise ValueError."""
    if not reply.body:
        return None
    return json.loads(reply.body, parse_float=Decimal, parse_constant=_no_constant)


def refusal_from(reply: Reply) -> Refused | NoAnswer:
    """Return what a reply outside 2xx means: only a 4xx with the broker's code is a refusal."""
    if reply.status == 429:
        return NoAnswer("the broker's call limit is used up (429)", is_held_back=True)
    try:
        body = body_of(reply)
    except (ValueError, RecursionError):
        body = None
    code = body.get("code") if isinstance(body, Mapping) else None
    # 408 comes from something in between, which knows nothing of the order
    if isinstance(code, int) and 400 <= reply.status < 500 and reply.status != 408:
        return Refused(reply.status, code, str(body.get("message", "")))
    return NoAnswer(f"status {reply.status} with a body that is not the broker's")


def read(reply: Reply) -> Any:
    """Return the JSON of a 2xx reply; raise Refused or NoAnswer for every other reply."""
    if not 200 <= reply.status < 300:
        raise refusal_from(reply)
    try:
        return body_of(reply)
    except (ValueError, RecursionError) as problem:
        raise NoAnswer(f"status {reply.status} with a body that cannot be read: {problem}") from problem


class _Guarded:
    """The one request of alpaca-py's REST clients, replaced."""

    _session: Session
    _retry: int
    _line: Line
    _budget: CallBudget
    may_send: Fence  # whether an order may leave, asked again before each byte

    def _guard(self, line: Line, budget: CallBudget) -> None:
        self._session.trust_env = False
        self._retry = 0
        self._line = line
        self._budget = budget
        self.may_send = always

    def _one_request(self, method: str, url: str, opts: dict[str, Any], retry: int) -> Any:
        reply = self._line.ask(method, url, opts, self.may_send if method == "POST" else always)
        self._budget.heard(reply.status, reply.headers)
        return read(reply)

    def hang_up(self) -> None:
        """Shut the sockets."""
        self._line.close()


class GuardedTrading(_Guarded, TradingClient):
    """alpaca-py's trading client with the guards; for one thread."""

    def __init__(
        self,
        keys: Keys,
        url: str,
        budget: CallBudget,
        *,
        whole_s: float = WHOLE_S,
        adapter: BaseAdapter | None = None,
    ) -> None:
        super().__init__(keys.key_id, keys.secret, raw_data=True, url_override=_rest_address(url))
        self._guard(Line(whole_s, adapter), budget)


class GuardedData(_Guarded, StockHistoricalDataClient):
    """alpaca-py's stock data client with the guards; for one thread."""

    def __init__(
        self,
        keys: Keys,
        url: str,
        budget: CallBudget,
        *,
        whole_s: float = WHOLE_S,
        adapter: BaseAdapter | None = None,
    ) -> None:
        super().__init__(keys.key_id, keys.secret, raw_data=True, url_override=_rest_address(url))
        self._guard(Line(whole_s, adapter), budget)
