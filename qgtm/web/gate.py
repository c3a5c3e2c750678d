"""Who may come in, and with what headers everything goes out: pure ASGI, for http and websocket alike.

Framework middleware for http is passed over on a websocket's upgrade, so this wraps the whole application.
"""

import json
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from itertools import count
from typing import Any, Final
from urllib.parse import urlsplit

from qgtm.core.errors import QgtmError
from qgtm.ports import Clock

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Header = tuple[bytes, bytes]

log = logging.getLogger(__name__)

WINDOW_S: Final = 60.0
MOST_CLIENTS: Final = 1000  # remembered at once, so that a flood of addresses costs no memory
POLICY_VIOLATION: Final = 1008
UNAVAILABLE: Final = 503
HTTPS: Final = "max-age=31536000"  # of this name alone: others under it are not ours to tell
LARGEST_FORM: Final = 65_536  # bytes
STRICT: Final = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
# BokehJS makes functions from text and sets styles: this page alone may, and it holds no secrets.
LIVE: Final = (
    "default-src 'none'; script-src 'self' blob: 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
ALWAYS: Final = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")


@dataclass(frozen=True, slots=True)
class Door:
    """The names by which this server may be called; `is_wide` lets any address (never a name) in.

    A name that somebody else's name server gave to this machine is refused: that is how a foreign
    page would read ours (DNS rebinding).
    """

    hosts: frozenset[str]
    port: int
    is_wide: bool = False

    def lets_host(self, host: str) -> bool:
        """Return whether a request may name this `host`, as its header says it."""
        return host.lower() in self.hosts or (self.is_wide and self._is_address(host))

    def lets_origin(self, origin: str) -> bool:
        """Return whether a page from this `origin` may ask."""
        parts = urlsplit(origin)
        is_plain = parts.scheme in ("http", "https") and not (parts.path or parts.query or parts.fragment)
        return is_plain and self.lets_host(parts.netloc)

    def _is_address(self, host: str) -> bool:
        name, _, port = host.rpartition(":")
        try:
            ip_address(name.strip("[]"))
        except ValueError:
            return False
        return port == str(self.port)


def door_of(host: str, port: int, names: Iterable[str] = ()) -> Door:
    """Return the door of a server that listens at `host` and `port`, called by these `names` besides."""
    is_wide = host in ("", "0.0.0.0", "::")
    own = f"[{host}]" if ":" in host else host
    hosts = {f"{each}:{port}" for each in (*LOOPBACK, own)}
    return Door(frozenset(each.lower() for each in {*hosts, *names}), port, is_wide)


@dataclass
class Meter:
    """Count each client's requests in the last minute of process time."""

    clock: Clock
    per_minute: int
    _seen: dict[str, tuple[float, int]] = field(default_factory=dict)

    def wait_s(self, client: str) -> float:
        """Count one more and return 0, or the seconds after which the client may come again."""
        now_s = self.clock.monotonic()
        began_s, asked = self._seen.get(client, (now_s, 0))
        if now_s - began_s >= WINDOW_S:
            began_s, asked = now_s, 0
        if asked >= self.per_minute:
            return WINDOW_S - (now_s - began_s)
        if client not in self._seen and len(self._seen) >= MOST_CLIENTS:
            self._seen.pop(next(iter(self._seen)))
        self._seen[client] = (began_s, asked + 1)
        return 0.0


@dataclass
class Gate:
    """Wrap an application. `metered` are the paths' beginnings that the meter counts.

    GET and HEAD are answered everywhere, POST only under `forms`: from our own pages, and no more than a
    form. With `lets_in` only those read whose cookies it knows, except under `open_to_all`; where it cannot
    tell (QgtmError), nobody does. With `is_https` browsers are told to come by https alone.
    """

    app: App
    door: Door
    meter: Meter
    metered: tuple[str, ...] = ("/api/", "/live")
    policies: Mapping[str, str] = field(default_factory=lambda: {"/live": LIVE})
    forms: tuple[str, ...] = ()
    lets_in: Callable[[str], Awaitable[bool]] | None = None
    open_to_all: tuple[str, ...] = ()
    is_https: bool = False
    most_sockets: int = 40
    _numbers: Any = field(default_factory=lambda: count(1))
    _sockets: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one connection in, or refuse it."""
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    # -- http ----------------------------------------------------------------------------

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        out = _Dressed(send, self._headers(scope["path"]))
        refusal = self._refusal(scope)
        if refusal:
            await _answer(out, *refusal)
            return
        try:
            is_let_in = await self._is_let_in(scope)
        except QgtmError as problem:
            log.error("nobody is let in: %s", problem)
            await _answer(out, UNAVAILABLE, "who is signed in cannot be read now; the log says why")
            return
        if not is_let_in:
            await _go_and_sign_in(out)
            return
        number = 0
        try:
            await self.app(scope, receive, out)
        except Exception:  # whatever failed: the log gets the trace, the client a number
            number = next(self._numbers)
            log.exception("request %s failed: %s", number, scope["path"])
        if out.is_failed or (number and not out.is_begun):
            out.keeps_errors = False
            await _answer(out, 500, f"something failed here; the log has it under request {number}")

    def _refusal(self, scope: Scope) -> tuple[int, str] | tuple[int, str, float] | None:
        """Return why a request is refused (status, sentence, seconds to wait), None when it may come in."""
        if not self._lets_host(scope):
            return 421, "this server is not called that; open the address that `qgtm serve` printed"
        origins = _values(scope, b"origin")
        if origins and not (len(origins) == 1 and self.door.lets_origin(origins[0])):
            return 403, "a page from elsewhere may not ask"
        if scope["method"] == "POST" and scope["path"].startswith(self.forms or ("\0",)):
            if not origins:
                return 403, "a form comes from one of our own pages, and this came from none"
            if not _is_form(scope):
                return 413, "that is no form of this server's"
        elif scope["method"] not in ("GET", "HEAD"):
            return 405, "this server only shows: GET and HEAD"
        if scope["path"].startswith(self.metered):
            wait_s = self.meter.wait_s(_client(scope))
            if wait_s:
                return 429, f"more than {self.meter.per_minute} requests in a minute; wait", wait_s
        return None

    async def _is_let_in(self, scope: Scope) -> bool:
        if self.lets_in is None or scope["path"].startswith(self.open_to_all or ("\0",)):
            return True
        return await self.lets_in("; ".join(_values(scope, b"cookie")))

    def _lets_host(self, scope: Scope) -> bool:
        hosts = _values(scope, b"host")
        return len(hosts) == 1 and self.door.lets_host(hosts[0])

    def _headers(self, path: str) -> dict[str, str]:
        policy = next((said for start, said in self.policies.items() if path.startswith(start)), STRICT)
        framing = {} if "frame-ancestors 'self'" in policy else {"x-frame-options": "DENY"}
        https = {"strict-transport-security": HTTPS} if self.is_https else {}
        return {**ALWAYS, **framing, **https, "content-security-policy": policy, "cache-control": "no-store"}

    async def _knows(self, scope: Scope) -> bool:
        try:
            return await self._is_let_in(scope)
        except QgtmError as problem:
            log.error("nobody is let in: %s", problem)
            return False

    # -- websocket -----------------------------------------------------------------------

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a websocket in from our own pages alone: one without an Origin is no page's."""
        origins = _values(scope, b"origin")
        is_ours = len(origins) == 1 and self.door.lets_origin(origins[0])
        is_known = is_ours and self._lets_host(scope) and await self._knows(scope)
        if not is_known or self._sockets >= self.most_sockets:
            await receive()  # the handshake, which has to be heard before it is answered
            await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": "not from here"})
            return
        self._sockets += 1
        try:
            await self.app(scope, receive, send)
        except Exception:
            log.exception("websocket %s failed", scope["path"])
            await _close(send)
        finally:
            self._sockets -= 1


@dataclass
class _Dressed:
    """Send an answer on, with the headers that every answer carries; keep back an error of the inside."""

    send: Send
    headers: Mapping[str, str]
    keeps_errors: bool = True
    is_begun: bool = False
    is_failed: bool = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            status = message["status"]  # one that says why it cannot be done now has no secrets
            self.is_failed = self.keeps_errors and status >= 500 and status != UNAVAILABLE
            self.is_begun = not self.is_failed
            message["headers"] = _with(message.get("headers", ()), self.headers)
        if not self.is_failed:
            await self.send(message)


async def _close(send: Send) -> None:
    try:
        await send({"type": "websocket.close", "code": 1011})
    except RuntimeError:  # it is closed already
        log.debug("the websocket was closed before")


async def _go_and_sign_in(send: Send) -> None:
    headers = [(b"location", b"/sign-in"), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 303, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def _is_form(scope: Scope) -> bool:
    kinds, lengths = _values(scope, b"content-type"), _values(scope, b"content-length")
    is_small = len(lengths) == 1 and lengths[0].isdigit() and int(lengths[0]) <= LARGEST_FORM
    return is_small and len(kinds) == 1 and kinds[0].startswith("application/x-www-form-urlencoded")


def _values(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key.lower() == name]


def _client(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def _with(headers: Iterable[Header], more: Mapping[str, str]) -> list[Header]:
    """Add headers; what the application itself said stands."""
    said = list(headers)
    names = {name.lower() for name, _ in said}
    return said + [
        (name.encode(), value.encode()) for name, value in more.items() if name.encode() not in names
    ]


async def _answer(send: Send, status: int, sentence: str, wait_s: float = 0.0) -> None:
    body = json.dumps({"error": sentence}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if status == 405:
        headers.append((b"allow", b"GET, HEAD"))
    if wait_s:
        headers.append((b"retry-after", str(int(wait_s) + 1).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
