"""The control port: prices, time, holds and the truth, and for nobody but this machine."""

import json
from datetime import UTC, datetime
from decimal import Decimal as D
from typing import Any

import pytest

from qgtm.exchange.control import Control, handle_control, is_loopback
from qgtm.exchange.core import Exchange
from qgtm.exchange.gate import Gate
from qgtm.exchange.order import Order, OrderRequest
from qgtm.exchange.state import state_hash
from qgtm.exchange.venue import Instant, VenueTime
from qgtm.exchange.wire import Request
from tests.exchange.tiny import CLOSE, MINUTE, OPEN, TinyMarket

START = OPEN + 10 * MINUTE
AT = Instant(50.0, datetime(2026, 1, 1, tzinfo=UTC))


class Port:
    """A control port over a tiny market, without a socket."""

    def __init__(self) -> None:
        self.stored = 0
        self.exchange = Exchange(TinyMarket(), start=START)
        venue = VenueTime(
            self.exchange.desk.prices.calendar, venue_at=START, at=AT, speed=0.0, mode="stepped", boot_id="b"
        )
        self.control = Control(Gate(self.exchange), venue, self._store)

    def _store(self) -> None:
        self.stored += 1

    def ask(self, method: str, what: str, **body: Any) -> tuple[int, Any]:
        request = Request(method, f"/control/{what}", body=json.dumps(body).encode())
        answer = handle_control(self.control, request, AT)
        return answer.status, answer.body

    def do(self, what: str, **body: Any) -> Any:
        status, answer = self.ask("POST", what, **body)
        assert status == 200, answer
        return answer


@pytest.fixture
def port() -> Port:
    return Port()


def test_shift_of_all_symbols_moves_every_price(port: Port) -> None:
    port.do("prices", symbol="*", factor="0.85")
    assert [port.exchange.desk.prices.mark(s, START) for s in ("GLD", "SLV", "GDX")] == [D(85)] * 3
    assert port.stored == 1


def test_price_is_put_for_a_while_and_then_goes_back(port: Port) -> None:
    port.do("prices", symbol="GLD", action="price", price="60", seconds=30)
    assert port.exchange.desk.prices.mark("GLD", START) == 60
    assert port.exchange.desk.prices.mark("GLD", START + MINUTE) == 100


def test_halt_and_resume_reach_the_desk(port: Port) -> None:
    port.do("prices", symbol="GLD", action="halt", seconds=300, code="LUDP", reason="Volatility Pause")
    halt = port.exchange.desk.halt_at("GLD", START)
    assert halt is not None
    assert (halt.code, halt.until_at) == ("LUDP", START + 5 * MINUTE)
    port.do("prices", symbol="GLD", action="resume")
    assert port.exchange.desk.halt_at("GLD", START) is None


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"seconds": 90}, START + 1.5 * MINUTE),
        ({"to": "close"}, CLOSE),
        ({"to": "open"}, datetime(2024, 3, 13, 13, 30, tzinfo=UTC)),
        ({"to": "next"}, CLOSE + 5 * MINUTE),
        ({"to": "2024-03-12T15:00:00Z"}, datetime(2024, 3, 12, 15, tzinfo=UTC)),
    ],
)
def test_time_goes_where_it_is_told(port: Port, body: dict[str, Any], expected: datetime) -> None:
    assert port.do("advance", **body) == {"venue_at": expected.isoformat()}
    assert port.exchange.now == expected


def test_state_shows_the_truth_and_can_be_put_back(port: Port) -> None:
    order = port.exchange.submit(OrderRequest(symbol="GLD", side="buy", qty=D(3)), START)
    assert isinstance(order, Order)
    port.do("advance", seconds=5)
    status, shown = port.ask("GET", "state")
    assert status == 200
    assert shown["truth"] == {"positions": {"GLD": "3"}, "cash": "249699.97"}
    other = Port()
    assert other.do("state", state=shown["state"])["hash"] == shown["hash"]
    assert other.exchange.truth.positions() == {"GLD": D(3)}


def test_drifted_position_can_be_put_in_by_the_state(port: Port) -> None:
    port.do("state", state={"lots": {"GLD": {"qty": "7", "cost": "700"}}})
    assert [p.qty for p in port.exchange.positions(START)] == [D(7)]
    assert port.exchange.truth.positions() == {}  # no execution made it


def test_deposit_habits_and_switches_are_taken(port: Port) -> None:
    port.do("state", deposit="-500", habits={"slow_cancel_frac": 1.0}, switches={"trading_blocked": True})
    assert port.exchange.desk.ledger.cash == D(249_500)
    assert port.exchange.desk.habits.slow_cancel_frac == 1.0
    assert port.exchange.desk.switches.trading_blocked


def test_hold_shows_in_the_anchor(port: Port) -> None:
    assert port.do("hold", name="boot", ttl_s=5)["held_by"] == ["boot"]
    assert port.ask("GET", "hold")[1]["held_by"] == ["boot"]
    assert port.do("hold", name="boot", release=True)["held_by"] == []


@pytest.mark.parametrize(
    ("what", "body", "word"),
    [
        ("prices", {"symbol": "TSLA", "factor": 1}, "not traded here"),
        ("prices", {"factor": 1}, "symbol"),
        ("prices", {"symbol": "GLD", "action": "explode"}, "action"),
        ("prices", {"symbol": "GLD", "factor": "much"}, "/control/prices"),
        ("advance", {}, "to"),
        ("advance", {"seconds": -5}, "past"),
        ("hold", {"name": "x", "ttl_s": 0}, "ttl_s"),
        ("hold", {"ttl_s": 3}, "name"),
        ("faults", {"stage": "x"}, "stage"),
        ("state", {"habits": {"kind": 1}}, "habit"),
        ("state", {"habits": {"cancel_s": "soon"}}, "cancel_s"),
        ("state", {"habits": {"cancel_s": -1}}, "cancel_s"),
        ("state", {"habits": 5}, "/control/state"),
        ("state", {"switches": {"no_shorting": "x"}}, "no_shorting"),
        ("state", {"switches": {"max_margin_multiplier": "NaN"}}, "max_margin_multiplier"),
        ("state", {"deposit": "NaN"}, "deposit"),
        ("state", {"deposit": True}, "deposit"),
        ("state", {"state": {"cash": "much"}}, "all stays"),
        ("state", {"state": {"lots": {"TSLA": {"qty": "1", "cost": "1"}}}}, "TSLA"),
        ("state", {"state": {"orders": [{}]}}, "all stays"),
        ("state", {"state": {"weather": 1}}, "weather"),
        ("prices", {"symbol": "GLD", "factor": "NaN"}, "factor"),
        ("prices", {"symbol": "GLD", "factor": -1}, "factor"),
        ("prices", {"symbol": "GLD", "action": "price", "price": 0}, "price"),
        ("prices", {"symbol": "GLD", "factor": 1, "seconds": 1e308}, "seconds"),
        ("prices", {"symbol": "GLD", "action": "halt", "seconds": -5}, "seconds"),
        ("prices", {"symbol": "GLD", "factor": 1, "from": "0001-01-01T00:00:00+14:00"}, "range"),
        ("advance", {"seconds": 1e308}, "seconds"),
        ("advance", {"to": "9999-12-31T23:59:59+00:00"}, "ten years"),
        ("faults", {"stage": "before_apply", "action": "hang", "seconds": "x"}, "seconds"),
    ],
)
def test_wrong_request_is_answered_with_a_sentence(
    port: Port, what: str, body: dict[str, Any], word: str
) -> None:
    status, answer = port.ask("POST", what, **body)
    assert status == 422
    assert word in answer["message"]


@pytest.mark.parametrize(
    "body",
    [
        {"deposit": 5, "state": {"cash": "much"}},
        {"deposit": 5, "switches": {"x": 1}},
        {"state": {"orders": [{}], "cash": "7"}},
    ],
)
def test_state_that_cannot_be_put_in_leaves_everything_as_it_was(port: Port, body: dict[str, Any]) -> None:
    port.exchange.submit(OrderRequest(symbol="GLD", side="buy", qty=D(3)), START)
    before = state_hash(port.exchange)
    assert port.ask("POST", "state", **body)[0] == 422
    assert state_hash(port.exchange) == before
    port.do("advance", seconds=5)
    assert port.exchange.truth.positions() == {"GLD": D(3)}


def test_web_page_in_a_browser_of_this_machine_can_send_nothing(port: Port) -> None:
    origin = {"origin": "http://evil.example"}
    request = Request("POST", "/control/state", body=b'{"deposit": "-5"}', headers=origin)
    assert handle_control(port.control, request, AT).status == 403
    assert port.exchange.desk.ledger.cash == D(250_000)


@pytest.mark.parametrize("body", [b"{", b"[" * 100_000])
def test_unknown_path_and_no_json_are_refused(port: Port, body: bytes) -> None:
    assert port.ask("GET", "nothing")[0] == 404
    bad = Request("POST", "/control/hold", body=body)
    assert handle_control(port.control, bad, AT).status == 422


@pytest.mark.parametrize(
    ("host", "is_ours"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("10.0.0.5", False),
        ("", False),
        (None, False),
    ],
)
def test_only_this_machine_counts_as_loopback(host: str | None, is_ours: bool) -> None:
    assert is_loopback(host) is is_ours
