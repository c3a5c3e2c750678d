"""Who may come in: every pair of Host and Origin, on http and on websockets, and what headers go out."""

import asyncio
from typing import Any

import pytest

from qgtm.adapters.clock import ManualClock
from qgtm.web.gate import ALWAYS, Gate, Meter, door_of
from tests.views.told import live, told
from tests.web.seen import HOST, WALL, fetched, look_at, served

OURS, EVIL = f"http://{HOST}", "http://evil.example"
HOSTS = {
    HOST: True, "localhost:8700": True, "[::1]:8700": True, "LOCALHOST:8700": True, "127.0.0.1": False,
    "127.0.0.1:80": False, "evil.example": False, "evil.example:8700": False, "": False,
}  # fmt: skip
ORIGINS = {
    None: True, OURS: True, "http://localhost:8700": True, "https://localhost:8700": True, EVIL: False,
    "null": False,
    f"{OURS}/path": False, f"{OURS}.evil.example": False, "http://127.0.0.1:8701": False, "file://": False,
    f"ftp://{HOST}": False, "": False, "http://127.0.0.1:8700@evil.example": False,
}  # fmt: skip


async def inside(scope: Any, receive: Any, send: Any) -> None:
    """An application that is glad of everybody."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"in"})


def gate(**more: Any) -> Gate:
    meter = more.pop("meter", None) or Meter(ManualClock(WALL), 60)
    return Gate(more.pop("app", inside), door_of(more.pop("host", "127.0.0.1"), 8700), meter, **more)


def answers(
    gate: Gate, kind: str, headers: list[tuple[str, str]], path: str = "/", method: str = "GET"
) -> list[Any]:
    """Return what the gate sends to one visitor."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": f"{kind}.{'connect' if kind == 'websocket' else 'request'}"}

    async def send(message: Any) -> None:
        sent.append(message)

    raw = [(name.encode(), value.encode()) for name, value in headers]
    scope = {"type": kind, "path": path, "method": method, "headers": raw, "client": ("9.9.9.9", 1)}
    asyncio.run(gate(scope, receive, send))
    return sent


def visit(host: str | None, origin: str | None) -> list[tuple[str, str]]:
    return [(k, v) for k, v in (("host", host), ("origin", origin)) if v is not None]


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("origin", ORIGINS)
def test_http_comes_in_by_a_known_host_and_no_foreign_origin(host: str, origin: str | None) -> None:
    status = answers(gate(), "http", visit(host, origin))[0]["status"]
    assert status == (421 if not HOSTS[host] else 200 if ORIGINS[origin] else 403)


@pytest.mark.fault("J9")
@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("origin", ORIGINS)
def test_websocket_comes_in_from_our_own_page_alone(host: str, origin: str | None) -> None:
    first = answers(gate(), "websocket", visit(host, origin))[0]
    is_ours = HOSTS[host] and ORIGINS[origin] and origin is not None
    assert first["type"] == ("websocket.accept" if is_ours else "websocket.close")


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize("headers", [[], [("host", HOST), ("host", HOST)]])
def test_host_that_is_missing_or_said_twice_is_refused(kind: str, headers: list[tuple[str, str]]) -> None:
    first = answers(gate(), kind, [*headers, ("origin", OURS)])[0]
    assert first.get("status") == 421 or first["type"] == "websocket.close"


def test_two_origins_are_refused() -> None:
    assert answers(gate(), "http", [("host", HOST), ("origin", OURS), ("origin", OURS)])[0]["status"] == 403


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_nothing_but_reading_is_answered(method: str) -> None:
    first = answers(gate(), "http", visit(HOST, None), method=method)[0]
    assert (first["status"], dict(first["headers"])[b"allow"]) == (405, b"GET, HEAD")


@pytest.mark.parametrize(
    ("host", "is_in"),
    [
        ("192.168.1.5:8700", True),
        ("[fe80::1]:8700", True),
        ("192.168.1.5:80", False),
        ("evil.example:8700", False),
    ],
)
def test_server_open_to_all_is_called_by_address_and_never_by_a_foreign_name(host: str, is_in: bool) -> None:
    assert door_of("0.0.0.0", 8700).lets_host(host) is is_in
    assert not door_of("127.0.0.1", 8700).lets_host(host)


def test_door_knows_the_names_it_is_given() -> None:
    assert door_of("127.0.0.1", 8700, ["Fund.example"]).lets_origin("https://fund.example")


@pytest.mark.parametrize("path", ["/", "/api/health", "/nowhere", "/live"])
def test_security_headers_go_out_with_every_answer(path: str) -> None:
    headers = {
        k.decode(): v.decode() for k, v in answers(gate(), "http", visit(HOST, None), path)[0]["headers"]
    }
    assert {name: headers[name] for name in ALWAYS} == ALWAYS
    assert headers["cache-control"] == "no-store"
    assert "frame-ancestors" in headers["content-security-policy"]


@pytest.mark.fault("J8")
def test_only_the_live_view_may_be_framed_and_only_by_us() -> None:
    def policy(path: str) -> str:
        headers = dict(answers(gate(), "http", visit(HOST, None), path)[0]["headers"])
        return headers[b"content-security-policy"].decode()

    assert "frame-ancestors 'self'" in policy("/live")
    assert "frame-ancestors 'none'" in policy("/")
    assert "unsafe" not in policy("/")


def test_sixty_first_request_of_a_minute_waits_for_its_end() -> None:
    clock = ManualClock(WALL)
    mine = gate(meter=Meter(clock, 60))
    statuses = [answers(mine, "http", visit(HOST, None), "/api/health")[0]["status"] for _ in range(61)]
    assert (statuses[:60], statuses[60]) == ([200] * 60, 429)
    clock.wait(45)
    refused = answers(mine, "http", visit(HOST, None), "/api/health")[0]
    assert dict(refused["headers"])[b"retry-after"] == b"16"
    clock.wait(15)
    assert answers(mine, "http", visit(HOST, None), "/api/health")[0]["status"] == 200


def test_page_itself_is_not_metered() -> None:
    mine = gate(meter=Meter(ManualClock(WALL), 1))
    assert [answers(mine, "http", visit(HOST, None))[0]["status"] for _ in range(3)] == [200] * 3


def test_meter_forgets_old_clients_so_that_a_flood_of_them_costs_nothing() -> None:
    meter = Meter(ManualClock(WALL), 60)
    for number in range(5000):
        meter.wait_s(f"client {number}")
    assert len(meter._seen) == 1000


def test_websockets_are_counted_and_the_last_one_too_many_is_refused() -> None:
    mine = gate(most_sockets=0)
    assert answers(mine, "websocket", visit(HOST, OURS))[0]["type"] == "websocket.close"


@pytest.mark.fault("J13")
@pytest.mark.invariant("V27")
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_failure_inside_shows_no_trace(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    async def broken(scope: Any, receive: Any, send: Any) -> None:
        raise ZeroDivisionError("secret detail")

    sent = answers(gate(app=broken), kind, visit(HOST, OURS))
    assert "secret" not in str(sent)
    assert sent[0].get("status", 500) == 500
    assert "secret detail" in caplog.text


async def refusals(path: str) -> Any:
    return await fetched(served(look_at(told(live()))), path)


def test_unknown_page_is_told_in_json_where_to_go() -> None:
    reply = asyncio.run(refusals("/nowhere"))
    assert (reply.status_code, "OpB's page" in reply.json()["error"]) == (404, True)
