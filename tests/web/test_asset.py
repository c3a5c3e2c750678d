"""Packed files: compressed once, kept for a year only under a versioned address."""

import asyncio
import gzip
from typing import Any

import pytest

from qgtm.web.asset import FOREVER, Packed, takes_gzip

SCRIPT = b"function f(){return 1}\n" * 200


class Files:
    """A folder of one script that counts how often it is asked for."""

    def __init__(self, status: int = 200, kind: bytes = b"text/javascript", body: bytes = SCRIPT) -> None:
        self.asked = 0
        self.status, self.kind, self.body = status, kind, body

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked += 1
        headers = [
            (b"content-type", self.kind),
            (b"content-length", str(len(self.body)).encode()),
            (b"etag", b'"x"'),
        ]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


def got(
    app: Packed, path: str = "/static/a.js", query: bytes = b"v=1", encoding: bytes = b"br, gzip;q=0.9"
) -> Any:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"accept-encoding", encoding), (b"if-none-match", b'"x"')]
    scope = {"type": "http", "method": "GET", "path": path, "query_string": query, "headers": headers}
    asyncio.run(app(scope, None, send))  # type: ignore[arg-type]
    return sent[0]["status"], dict(sent[0]["headers"]), b"".join(m.get("body", b"") for m in sent[1:])


def test_script_is_packed_once_and_unpacks_to_itself() -> None:
    files = Files()
    app = Packed(files)
    first, again = got(app), got(app)
    assert first == again
    assert (files.asked, gzip.decompress(first[2])) == (1, SCRIPT)
    assert int(first[1][b"content-length"]) == len(first[2]) < len(SCRIPT) / 10


def test_versioned_address_is_kept_for_ever_and_another_is_asked_about() -> None:
    app = Packed(Files())
    assert got(app)[1][b"cache-control"] == FOREVER
    assert got(app, query=b"")[1][b"cache-control"] == b"no-cache"


@pytest.mark.parametrize(
    ("files", "path", "encoding"),
    [
        (Files(), "/static/a.js", b"identity"),
        (Files(), "/api/health", b"gzip"),
        (Files(kind=b"image/png"), "/static/a.png", b"gzip"),
        (Files(status=404), "/static/none.js", b"gzip"),
        (Files(body=b"short"), "/static/a.js", b"gzip"),
    ],
)
def test_what_is_no_large_text_goes_out_as_it_is(files: Files, path: str, encoding: bytes) -> None:
    status, headers, body = got(Packed(files), path, encoding=encoding)
    assert (status, body) == (files.status, files.body)
    assert b"content-encoding" not in headers


@pytest.mark.parametrize(
    ("said", "takes"),
    [(b"gzip", True), (b"br,gzip;q=0.5", True), (b"", False), (b"xgzip", False), (b"gzip; q=0", False)],
)
def test_client_takes_gzip_when_it_says_so(said: bytes, takes: bool) -> None:
    assert takes_gzip({"headers": [(b"accept-encoding", said)]}) is takes
