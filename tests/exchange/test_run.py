"""Starting, stopping and resuming the exchange as a process: kill -9, ports, folders, options."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D
from pathlib import Path
from typing import Any

import pytest
import requests

from qgtm.adapters.clock import SystemClock
from qgtm.cli.exchange import command
from qgtm.core.errors import ConfigError, JournalLocked, MarketError, QgtmError
from qgtm.exchange.market.recorded import RecordedMarket
from qgtm.exchange.market.synthetic import SyntheticMarket
from qgtm.exchange.order import Order, OrderRequest
from qgtm.exchange.run import Options, bound, first_moment, market_of, opened, serve
from qgtm.exchange.server import Front, Server
from qgtm.exchange.state import state_hash

KEYS = {"APCA-API-KEY-ID": "k", "APCA-API-SECRET-KEY": "s"}
CODE = "import sys; from qgtm.cli import main; main(['exchange', *sys.argv[1:]])"


@contextmanager
def process(repo: Path, state: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run `qgtm exchange` on a free port and give its process and address."""
    arguments = [sys.executable, "-c", CODE, "--port", "0", "--state", str(state), *options]
    env = {**os.environ, "PYTHONPATH": str(repo)}
    child = subprocess.Popen(arguments, cwd=repo, stderr=subprocess.PIPE, text=True, env=env)
    try:
        assert child.stderr is not None
        line = child.stderr.readline()
        assert "paper exchange on http" in line, line + child.stderr.read()
        yield child, line.split()[3].rstrip(",")
    finally:
        if child.poll() is None:
            child.kill()
        child.wait(10)
        assert child.stderr is not None
        child.stderr.close()


def call(method: str, url: str, **body: Any) -> Any:
    with requests.request(method, url, json=body or None, headers=KEYS, timeout=5) as answer:
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None


def buy(url: str, client_order_id: str) -> Any:
    body = {"symbol": "GLD", "qty": "5", "side": "buy", "type": "market", "time_in_force": "day"}
    return call("POST", f"{url}/v2/orders", client_order_id=client_order_id, **body)


@pytest.mark.slow
def test_exchange_resumes_after_kill_9_with_orders_positions_and_venue_time(
    repo: Path, tmp_path: Path
) -> None:
    with process(repo, tmp_path, "--speed", "0", "--start", "2019-06-12") as (child, url):
        call("POST", f"{url}/control/advance", to="open")
        buy(url, "before")
        call("POST", f"{url}/control/advance", seconds=60)
        buy(url, "at the very end")
        shown = call("GET", f"{url}/control/state")
        child.kill()
        child.wait(10)
    with process(repo, tmp_path, "--speed", "0") as (child, url):
        after = call("GET", f"{url}/control/state")
        assert after["hash"] == shown["hash"]
        assert after["venue"]["venue_now"] == shown["venue"]["venue_now"]
        held = shown["truth"]["positions"]["GLD"]
        assert call("GET", f"{url}/v2/positions/GLD")["qty"] == held
        call("POST", f"{url}/control/advance", seconds=60)
        assert call("GET", f"{url}/v2/positions/GLD")["qty"] == "10"
        assert [o["client_order_id"] for o in call("GET", f"{url}/v2/orders?status=all&direction=asc")] == [
            "before",
            "at the very end",
        ]
        child.send_signal(signal.SIGTERM)
        assert child.wait(10) == 0
    with process(repo, tmp_path, "--speed", "0", "--fresh") as (_, url):
        assert call("GET", f"{url}/v2/orders?status=all") == []


@pytest.mark.slow
def test_accelerated_venue_time_goes_on_through_a_restart(repo: Path, tmp_path: Path) -> None:
    with process(repo, tmp_path, "--start", "2019-06-12") as (_, url):
        time.sleep(0.5)
        before = call("GET", f"{url}/v2/clock")["timestamp"]
        anchor = json.loads((tmp_path / "venue.json").read_text())
        assert (anchor["speed"], anchor["mode"]) == (390.0, "accelerated")
    with process(repo, tmp_path) as (_, url):
        after = call("GET", f"{url}/v2/clock")["timestamp"]
    assert before < after < "2019-06-12T16:06"


def options(state: Path, **more: Any) -> Options:
    return Options(**{"state": state, "speed": 0.0, "start": date(2019, 6, 12), **more})


def test_state_survives_a_reopening_to_the_digit(tmp_path: Path) -> None:
    station = opened(options(tmp_path), SystemClock())
    exchange = station.exchange
    for n in range(4):
        answer = exchange.submit(OrderRequest(symbol="GLD", side="buy", qty=D(n + 1)), exchange.now)
        assert isinstance(answer, Order)
    exchange.advance(exchange.next_at)
    exchange.deposit(D("12.34"), exchange.now)
    expected = state_hash(exchange)
    station.close()
    again = opened(options(tmp_path), SystemClock())
    assert state_hash(again.exchange) == expected
    again.close()


def test_order_and_cancel_are_done_while_venue_time_stands(tmp_path: Path) -> None:
    station = opened(options(tmp_path), SystemClock())
    exchange = station.exchange
    exchange.advance(exchange.now + timedelta(minutes=10))
    now = exchange.now
    order = exchange.submit(OrderRequest(symbol="GLD", side="buy", qty=D(5)), now)
    resting = exchange.submit(
        OrderRequest(symbol="SLV", side="buy", qty=D(5), kind="limit", limit_price=D(1)), now
    )
    assert isinstance(order, Order)
    assert isinstance(resting, Order)
    exchange.advance(now)
    assert order.filled_qty > 0
    exchange.cancel(resting.id, now)
    exchange.advance(now)
    assert resting.status == "canceled"
    station.close()


def test_server_ends_with_the_reason_when_its_state_cannot_be_stored(tmp_path: Path) -> None:
    clock = SystemClock()
    station = opened(options(tmp_path), clock)

    def broken(*_: Any, **__: Any) -> bool:
        raise ConfigError("the disk is full; free some space")

    assert station.store is not None
    station.store.keep = broken  # type: ignore[method-assign]
    station.close = lambda at=None: station.store.close()  # type: ignore[method-assign]
    with bound("127.0.0.1", 0) as listening, pytest.raises(ConfigError, match="disk is full"):
        asyncio.run(Server(Front(station, clock)).serve([listening]))


def test_port_in_use_names_the_next_step(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port} .* is in use.*--port"):
            serve(options(tmp_path, port=port))


@pytest.mark.slow
def test_second_exchange_on_one_folder_is_refused(repo: Path, tmp_path: Path) -> None:
    with (
        process(repo, tmp_path, "--speed", "0") as (child, _),
        pytest.raises(JournalLocked, match=str(child.pid)),
    ):
        serve(options(tmp_path, port=0))


def test_folder_that_cannot_be_written_names_the_next_step(tmp_path: Path) -> None:
    in_the_way = tmp_path / "state"
    in_the_way.write_text("a file")
    with pytest.raises(QgtmError, match="Next:"):
        serve(options(in_the_way, port=0))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"market": "recorded"}, "--bars DIR"),
        ({"bars": Path("x")}, "--market recorded"),
        ({"market": "real"}, "synthetic or recorded"),
        ({"market": "recorded", "bars": Path("nowhere")}, "nowhere"),
    ],
)
def test_market_that_cannot_be_made_is_refused_in_words(
    tmp_path: Path, more: dict[str, Any], words: str
) -> None:
    with pytest.raises(QgtmError, match=words):
        market_of(options(tmp_path, **more))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"cash": "much"}, "--cash"),
        ({"cash": "-1"}, "--cash"),
        ({"market": "real"}, "--market"),
        ({"market": "synthetic", "bars": Path("x")}, "--bars"),
    ],
)
def test_option_that_makes_no_sense_is_refused_in_words(
    repo: Path, tmp_path: Path, arguments: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        command(state=tmp_path, config=repo / "qgtm_config.toml", **arguments)


def test_state_of_one_market_is_not_taken_into_another(tmp_path: Path) -> None:
    opened(options(tmp_path), SystemClock()).close()
    opened(options(tmp_path), SystemClock()).close()
    with pytest.raises(ConfigError, match=r"market, seed 7, .*market, seed 8: .*--fresh"):
        opened(options(tmp_path, seed=8), SystemClock())
    opened(options(tmp_path, seed=8, is_fresh=True), SystemClock()).close()


def test_market_file_that_is_no_text_names_the_market_it_must_be_of(tmp_path: Path) -> None:
    opened(options(tmp_path), SystemClock()).close()
    (tmp_path / "market.txt").write_bytes(b"\xff\xfe" * 900)
    with pytest.raises(ConfigError, match=r"delete it if that is the .*market, seed 7, else .*--fresh"):
        opened(options(tmp_path), SystemClock())
    (tmp_path / "market.txt").unlink()
    opened(options(tmp_path), SystemClock()).close()


def test_first_moment_is_five_minutes_before_a_session() -> None:
    market = SyntheticMarket(7)
    assert first_moment(market, date(2024, 3, 9)) == datetime(2024, 3, 11, 13, 25, tzinfo=UTC)


def test_start_after_the_last_recorded_bar_is_refused_with_that_day(tmp_path: Path) -> None:
    (tmp_path / "GLD.csv").write_text(
        "date,open,high,low,close,volume\n2024-03-11,1,2,1,2,100\n2024-03-12,1,2,1,2,100\n"
    )
    market = RecordedMarket(tmp_path, 7)
    assert first_moment(market, date(2024, 3, 12)) == datetime(2024, 3, 12, 13, 25, tzinfo=UTC)
    with pytest.raises(MarketError, match="the bars end at 2024-03-12"):
        first_moment(market, date(2024, 3, 13))


def test_bound_socket_listens_on_loopback_only() -> None:
    with bound("127.0.0.1", 0) as listening:
        assert listening.getsockname()[0] == "127.0.0.1"


def test_reply_in_two_parts_does_not_wait_for_an_acknowledgement() -> None:
    with bound("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname()):
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
