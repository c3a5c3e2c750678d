"""Calls over sockets, against a server that answers as badly as it is told to; and no secret in any word."""

import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from qgtm.core.order import Order, Side
from qgtm.watchdog import line as module
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
)
from qgtm.watchdog.line import Line
from qgtm.watchdog.place import Keys
from tests.adapters import alpaca_venue as bad
from tests.adapters.alpaca_venue import Venue, reply, serving
from tests.live.processes import REPO, eventually, free_port

AT = datetime(2026, 1, 5, 15, 0, tzinfo=UTC)
KEYS = Keys("PKWATCH", "canary-secret")
ORDER = Order(
    client_order_id="qgtm-4-flatten-20260105-GLD-0",
    symbol="GLD",
    side=Side.SELL,
    quantity=Decimal("12"),
    limit_price=None,
    arrival_price=Decimal(0),
    formed_at=AT,
    is_reducing=True,
)
CLOSE = Close(ORDER)
BODY = {
    "id": "b1",
    "client_order_id": ORDER.client_order_id,
    "symbol": "GLD",
    "side": "sell",
    "type": "market",
    "status": "accepted",
    "qty": "12",
    "filled_qty": "0",
}


def asked(server: Venue, call: Call) -> Answer:
    answers: SimpleQueue[Answer] = SimpleQueue()
    line = Line(server.url, KEYS, lambda _, answer: answers.put(answer))
    line.ask(call, time.monotonic())
    until_s = time.monotonic() + 10.0
    while answers.empty() and time.monotonic() < until_s:
        line.check(time.monotonic())
        time.sleep(0.01)
    line.close()
    return answers.get_nowait()


def test_closing_order_carries_id_and_intent_and_the_keys_of_the_watchdog() -> None:
    with serving(reply(200, BODY)) as server:
        assert asked(server, CLOSE) == Done()
        sent = server.asked[0]
    assert (sent.method, sent.path) == ("POST", "/v2/orders")
    assert sent.sent == {
        "symbol": "GLD",
        "qty": "12",
        "side": "sell",
        "type": "market",
        "time_in_force": "day",
        "extended_hours": False,
        "client_order_id": "qgtm-4-flatten-20260105-GLD-0",
        "position_intent": "sell_to_close",
    }
    headers = {name.lower(): text for name, text in sent.headers.items()}
    assert (headers["apca-api-key-id"], headers["apca-api-secret-key"]) == ("PKWATCH", "canary-secret")


@pytest.mark.parametrize(
    ("call", "method", "path", "query"),
    [
        (CancelAll(), "DELETE", "/v2/orders", {}),
        (Cancel("b1"), "DELETE", "/v2/orders/b1", {}),
        (CloseAll(), "DELETE", "/v2/positions", {}),
        (AskOrders(), "GET", "/v2/orders", {"status": "open", "limit": "500"}),
        (AskOrders(AT), "GET", "/v2/orders", {"status": "all", "limit": "500", "after": AT.isoformat()}),
        (AskOrder("qgtm-1"), "GET", "/v2/orders:by_client_order_id", {"client_order_id": "qgtm-1"}),
        (AskPositions(), "GET", "/v2/positions", {}),
        (AskClock(), "GET", "/v2/clock", {}),
        (AskAccount(), "GET", "/v2/account", {}),
    ],
)
def test_call_goes_to_its_place(call: Call, method: str, path: str, query: dict[str, str]) -> None:
    with serving(reply(200, [])) as server:
        asked(server, call)
        sent = server.asked[0]
    assert (sent.method, sent.path, sent.query) == (method, path, query)


@pytest.mark.fault("A12")
@pytest.mark.parametrize(
    "answer",
    [
        bad.reset,
        bad.hang_up,
        reply(200),
        reply(200, b"<html>"),
        reply(200, b'{"id": "b1"'),
        reply(504, b"<html>"),
        reply(500, {"code": 1, "message": "odd"}),
        reply(408, {"code": 1, "message": "late"}),
        reply(403, b"<html>"),
        reply(307, None, {"Location": "/elsewhere"}),
        reply(200, {**BODY, "symbol": "SLV"}),
        reply(200, {**BODY, "qty": "NaN"}),
    ],
)
def test_answer_that_is_not_whole_and_clean_is_none(answer: Any) -> None:
    with serving(answer) as server:
        found = asked(server, CLOSE)
        assert isinstance(found, NoAnswer)
        assert len(server.asked) == 1  # and nothing is sent a second time behind our back
    assert "canary" not in found.reason


@pytest.mark.fault("A2")
@pytest.mark.mistake(9)
@pytest.mark.parametrize("answer", [bad.hang, bad.drip])
def test_call_that_hangs_or_drips_has_an_end(answer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WHOLE_S", 1.0)
    with serving(answer) as server:
        began_s = time.monotonic()
        assert isinstance(asked(server, CLOSE), NoAnswer)
        assert time.monotonic() - began_s < 3.0


def test_refusals_are_believed_with_the_brokers_code_only() -> None:
    with serving(reply(403, {"code": 40310000, "message": "held_for_orders"})) as server:
        assert asked(server, CLOSE) == Refused(status=403, reason="held_for_orders")
    with serving(reply(422, {"code": 40010001, "message": "client_order_id must be unique"})) as server:
        found = asked(server, CLOSE)
        assert isinstance(found, Refused)
        assert found.is_known_id
    with serving(reply(404, {"code": 40410000, "message": "order not found"})) as server:
        assert asked(server, AskOrder("x")) == OrderSeen(None)


def test_call_limit_says_how_long_by_the_brokers_own_clock() -> None:
    headers = {"X-Ratelimit-Reset": "1767625217", "Date": "Mon, 05 Jan 2026 15:00:00 GMT"}
    with serving(reply(429, {"code": 1, "message": "slow"}, headers)) as server:
        found = asked(server, CLOSE)
    assert isinstance(found, NoAnswer)
    assert found.wait_s == 17.0


@pytest.mark.fault("A13")
def test_readings_become_what_they_say_and_new_words_count_as_working() -> None:
    clock = {
        "timestamp": "2026-01-05T10:00:00.123456789-05:00",
        "is_open": True,
        "next_open": "2026-01-06T09:30:00-05:00",
        "next_close": "2026-01-05T16:00:00-05:00",
    }
    with serving(reply(200, clock)) as server:
        found = asked(server, AskClock())
    assert isinstance(found, ClockSeen)
    assert (found.now.hour, found.is_open, found.next_open_at.day) == (15, True, 6)
    rows = [
        {"symbol": "SLV", "qty": "-30", "qty_available": "-10", "side": "short"},
        {"symbol": "GLD", "qty": "30", "side": "short"},
        {"symbol": "GDX", "qty": "7", "qty_available": "7", "side": "long"},
    ]
    with serving(reply(200, rows)) as server:
        positions = asked(server, AskPositions())
    assert isinstance(positions, PositionsSeen)
    assert [(p.symbol, p.quantity, p.available) for p in positions.positions] == [
        ("SLV", Decimal(-30), Decimal(10)),
        ("GLD", Decimal(-30), Decimal(30)),
        ("GDX", Decimal(7), Decimal(7)),
    ]
    with serving(reply(200, [{**BODY, "status": "resting_on_mars", "filled_qty": "5"}])) as server:
        orders = asked(server, AskOrders())
    assert isinstance(orders, OrdersSeen)
    assert (orders.orders[0].is_over, orders.orders[0].remaining) == (False, Decimal(7))
    with serving(reply(200, {"account_number": "PA1", "id": "x"})) as server:
        assert asked(server, AskAccount()) == AccountSeen("PA1")


@pytest.mark.fault("J13")
@pytest.mark.invariant("V27")
def test_no_secret_is_ever_written_down(tmp_path: Path) -> None:
    """A whole process, with a broker, a mail server and a push service that all fail."""
    canary = "canary-7f3a"
    text = (REPO / "qgtm_config.toml").read_text("utf-8")
    with serving(reply(401, {"code": 40110000, "message": "not authorized"})) as server:
        text = text.replace("https://paper-api.alpaca.markets", server.url)
        (tmp_path / "qgtm_config.toml").write_text(text, "utf-8")
        own = {name: word for name, word in os.environ.items() if not name.startswith(("APCA_", "QGTM_"))}
        environ = {
            **own,
            "APCA_API_KEY_ID": f"PK{canary}",
            "APCA_API_SECRET_KEY": canary,
            "APCA_WATCHDOG_KEY_ID": f"PKW{canary}",
            "APCA_WATCHDOG_SECRET_KEY": canary,
            "QGTM_SMTP_URL": f"smtp://user:{canary}@127.0.0.1:{free_port()}?from=a@b.org&to=c@d.org",
            "QGTM_WATCHDOG_PUSH_URLS": f"http://127.0.0.1:{free_port()}/{canary}",
        }
        with (tmp_path / "said").open("w") as out:
            child = subprocess.Popen(
                [sys.executable, "-m", "qgtm.watchdog"], cwd=tmp_path, env=environ, stdout=out, stderr=out
            )
        try:
            eventually(lambda: (tmp_path / "var" / "watchdog.json").exists(), "the watchdog's file")
            eventually(lambda: "refused with 401" in (tmp_path / "said").read_text(), "the refusal")
        finally:
            child.terminate()
            assert child.wait(15) == 0
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) >= 4
    assert [path.name for path in written if canary.encode() in path.read_bytes()] == []
