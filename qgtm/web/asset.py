"""Files that never change under their address: hashed, compressed once, kept by the browser for a year."""

import gzip
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from importlib.resources import files
from typing import Final
from urllib.parse import parse_qs

from qgtm.web.gate import App, Header, Message, Receive, Scope, Send

FOREVER: Final = b"public, max-age=31536000, immutable"
ASK_FIRST: Final = b"no-cache"
TEXT: Final = (b"text/", b"application/javascript", b"application/json", b"image/svg")
LEAST: Final = 512


@dataclass(frozen=True, slots=True)
class Asset:
    """One file of ours under an address that names its content."""

    path: str
    content: bytes
    kind: str


def asset(name: str, kind: str) -> Asset:
    """Return a file of this package as an asset."""
    content = files("qgtm.web").joinpath(name).read_bytes()
    stem, _, suffix = name.rpartition(".")
    return Asset(f"/assets/{stem}.{sha256(content).hexdigest()[:16]}.{suffix}", content, kind)


def takes_gzip(scope: Scope) -> bool:
    """Return whether the client can unpack gzip."""
    said = b",".join(value for name, value in scope["headers"] if name == b"accept-encoding")
    parts = [part.replace(b" ", b"").split(b";") for part in said.split(b",")]
    return any(part[0] == b"gzip" and b"q=0" not in part for part in parts)


@dataclass
class Packed:
    """Wrap an application and pack what it answers under `start` once; later visitors get the packed copy.

    Addresses that carry a version (`?v=`) are kept by the browser for ever, others are asked about.
    """

    app: App
    start: str = "/static/"
    _kept: dict[str, tuple[list[Header], bytes]] = field(default_factory=dict)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        is_ours = scope["type"] == "http" and scope["path"].startswith(self.start)
        if not is_ours or scope["method"] != "GET" or not takes_gzip(scope):
            await self.app(scope, receive, send)
            return
        path = scope["path"]
        if path not in self._kept:
            start, body = await _collected(self.app, scope, receive)
            if start["status"] != 200 or not _is_text(start["headers"]) or len(body) < LEAST:
                await send(start)
                await send({"type": "http.response.body", "body": body})
                return
            packed = gzip.compress(body, 9, mtime=0)
            self._kept[path] = (_packed_headers(start["headers"], len(packed)), packed)
        headers, packed = self._kept[path]
        kept = FOREVER if b"v" in parse_qs(scope["query_string"]) else ASK_FIRST
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [*headers, (b"cache-control", kept)],
            }
        )
        await send({"type": "http.response.body", "body": packed})


async def _collected(app: App, scope: Scope, receive: Receive) -> tuple[Message, bytes]:
    parts: list[bytes] = []
    start: Message = {"type": "http.response.start", "status": 500, "headers": []}
    plain = [
        (n, v) for n, v in scope["headers"] if n not in (b"if-none-match", b"if-modified-since", b"range")
    ]

    async def collect(message: Message) -> None:
        nonlocal start
        if message["type"] == "http.response.start":
            start = message
        elif message["type"] == "http.response.body":
            parts.append(message.get("body", b""))

    await app({**scope, "headers": plain}, receive, collect)
    return start, b"".join(parts)


def _is_text(headers: Iterable[Header]) -> bool:
    kinds = [value for name, value in headers if name == b"content-type"]
    return bool(kinds) and kinds[0].startswith(TEXT)


def _packed_headers(headers: Iterable[Header], length: int) -> list[Header]:
    gone = (b"content-length", b"cache-control", b"etag", b"last-modified", b"accept-ranges")
    kept = [(name, value) for name, value in headers if name not in gone]
    return [
        *kept,
        (b"content-encoding", b"gzip"),
        (b"content-length", str(length).encode()),
        (b"vary", b"accept-encoding"),
    ]
