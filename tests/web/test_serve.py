"""The real server in a process of its own: it answers, refuses, and ends when it is told to."""

import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import websocket

from benchmarks.made_up_fund import made_up_state
from benchmarks.serving import Served, serving


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    state = made_up_state(tmp_path_factory.mktemp("served"), sessions=6)
    with serving(state.root, "--no-live") as served:
        yield served


def reply(address: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    request = urllib.request.Request(address, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, dict(refusal.headers), refusal.read()


def test_page_of_the_real_server_fits_in_one_small_answer(server: Served) -> None:
    status, headers, body = reply(f"{server.address}/", **{"Accept-Encoding": "gzip"})
    assert (status, headers["content-encoding"]) == (200, "gzip")
    assert len(body) < 10_000


def test_real_server_names_no_software(server: Served) -> None:
    assert "server" not in {name.lower() for name in reply(f"{server.address}/")[1]}


@pytest.mark.fault("J8")
@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "http://evil.example"}])
def test_real_server_refuses_a_foreign_name_or_page(server: Served, headers: dict[str, str]) -> None:
    assert reply(f"{server.address}/", **headers)[0] in (421, 403)


@pytest.mark.fault("J9")
@pytest.mark.parametrize("origin", ["http://evil.example", None])
def test_real_server_refuses_a_websocket_from_elsewhere(server: Served, origin: str | None) -> None:
    more = {"origin": origin} if origin else {"suppress_origin": True}
    with pytest.raises(websocket.WebSocketBadStatusException) as refusal:
        websocket.create_connection(server.address.replace("http", "ws") + "/live/ws", timeout=10, **more)
    assert refusal.value.status_code == 403


def test_server_ends_within_three_seconds_of_sigterm(tmp_path: Path) -> None:
    state = made_up_state(tmp_path, sessions=3)
    with serving(state.root, "--no-live") as served:
        began = time.monotonic()
        os.kill(served.process.pid, signal.SIGTERM)
        try:
            code = served.process.wait(5)
        except subprocess.TimeoutExpired:
            code = None
    assert code in (0, -signal.SIGTERM)
    assert time.monotonic() - began < 3
