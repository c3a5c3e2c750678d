"""Every REST fault, over sockets and in process, and what the truth says meanwhile."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from alpaca.common.exceptions import APIError
from alpaca.trading.enums import OrderSide, TimeInForce
from alpaca.trading.requests import MarketOrderRequest

from qgtm.exchange.core import Exchange
from qgtm.exchange.fault import REST_ACTIONS, FaultTable
from qgtm.exchange.setting import Habits
from tests.exchange.sockets import InProcess, Live, in_process, live
from tests.exchange.tiny import MINUTE, OPEN, TinyMarket

START = OPEN + 10 * MINUTE
POST = {"method": "POST", "path": "/v2/orders"}


@pytest.fixture
def served() -> Iterator[Live]:
    with live(Exchange(TinyMarket(), start=START, habits=Habits(partial_fill_frac=0.0))) as found:
        found.trading._retry = 0
        yield found


@pytest.fixture
def inside() -> InProcess:
    found = in_process(Exchange(TinyMarket(), start=START, habits=Habits(partial_fill_frac=0.0)))
    found.trading._retry = 0
    return found


def buy(client: Any, client_order_id: str = "one") -> Any:
    request = MarketOrderRequest(
        symbol="GLD", qty=1, side=OrderSide.BUY, time_in_force=TimeInForce.DAY,
        client_order_id=client_order_id,
    )  # fmt: skip
    return client.submit_order(request)


BROKEN = (requests.RequestException, APIError, TypeError, ValueError)
SPOILT = [
    ("refuse", {}),
    ("drop", {}),
    ("status", {"status": 500, "body": {"message": "internal"}}),
    ("429", {}),
    ("504", {}),
    ("redirect", {}),
    ("html", {}),
    ("empty", {}),
    ("cut", {}),
]


@pytest.mark.parametrize(("action", "more"), SPOILT)
@pytest.mark.parametrize("stage", ["before_apply", "after_apply", "during_reply"])
def test_spoilt_answer_reaches_no_client_but_only_late_stages_made_the_order(
    served: Live, stage: str, action: str, more: dict[str, Any]
) -> None:
    if (stage, action) == ("before_apply", "cut"):
        action = "drop"  # there is nothing to cut in half when the exchange never saw the request
    served.control("faults", stage=stage, action=action, **POST, **more)
    with pytest.raises(BROKEN):
        buy(served.trading)
    made = [order.client_order_id for order in served.station.exchange.truth.orders]
    assert made == ([] if stage == "before_apply" else ["one"])


@pytest.mark.parametrize(("action", "more"), SPOILT)
def test_in_process_front_breaks_in_the_same_ways(
    inside: InProcess, action: str, more: dict[str, Any]
) -> None:
    inside.gate.faults.add({"stage": "after_apply", "action": action, **POST, **more})
    with pytest.raises(BROKEN):
        buy(inside.trading)
    assert len(inside.gate.exchange.truth.orders) == 1
    inside.later()
    assert inside.trading.get_order_by_client_id("one").filled_qty == "1"


def test_504_after_apply_is_retried_by_the_library_into_one_order_only_with_an_id(inside: InProcess) -> None:
    inside.trading._retry, inside.trading._retry_wait = 1, 0
    inside.gate.faults.add({"stage": "after_apply", "action": "504", **POST})
    with pytest.raises(APIError) as caught:
        buy(inside.trading)
    assert (caught.value.status_code, caught.value.code) == (422, 40010001)
    assert len(inside.gate.exchange.truth.orders) == 1


def test_hang_lets_process_time_pass_and_the_request_is_applied_late(inside: InProcess) -> None:
    inside.gate.faults.add({"stage": "before_apply", "action": "hang", "seconds": 25, **POST})
    before = inside.clock.monotonic()
    assert buy(inside.trading).client_order_id == "one"
    assert inside.clock.monotonic() - before == 25


def test_hang_over_sockets_outlasts_the_time_limit_and_the_order_still_arrives(served: Live) -> None:
    served.control("faults", stage="before_apply", action="hang", seconds=0.4, **POST)
    body = {"symbol": "GLD", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}
    keys = {"APCA-API-KEY-ID": "k", "APCA-API-SECRET-KEY": "s"}
    with pytest.raises(requests.ReadTimeout):
        requests.post(f"{served.url}/v2/orders", json=body, headers=keys, timeout=0.1)
    assert served.station.exchange.truth.orders == ()
    from tests.exchange.sockets import eventually

    eventually(lambda: len(served.station.exchange.truth.orders) == 1)


def test_drip_sends_the_whole_answer_slowly(served: Live) -> None:
    served.control("faults", stage="during_reply", action="drip", seconds=0.3, path="/v2/clock")
    assert served.trading.get_clock().is_open


def test_lagging_read_shows_positions_as_they_were(inside: InProcess) -> None:
    assert inside.trading.get_all_positions() == []
    buy(inside.trading)
    inside.later(5)
    inside.gate.faults.add({"stage": "during_reply", "action": "lag", "seconds": 3, "path": "/v2/positions"})
    assert inside.trading.get_all_positions() == []
    assert len(inside.trading.get_all_positions()) == 1


def test_requests_that_reached_the_exchange_are_in_the_truth_with_their_ids(inside: InProcess) -> None:
    inside.gate.faults.add({"stage": "before_apply", "action": "drop", **POST})
    with pytest.raises(requests.ConnectionError):
        buy(inside.trading, "lost")
    buy(inside.trading, "taken")
    seen = inside.gate.exchange.truth.requests
    assert [(s.method, s.client_order_id) for s in seen] == [("POST", "taken")]


def test_fault_strikes_as_often_as_it_says_and_with_its_probability() -> None:
    table = FaultTable(seed=1)
    table.add({"stage": "before_apply", "action": "504", "count": 2})
    assert [table.strike("before_apply", "GET", "/x") is not None for _ in range(4)] == [
        True,
        True,
        False,
        False,
    ]
    table.add({"stage": "before_apply", "action": "504", "count": None, "probability": 0.25})
    hits = sum(table.strike("before_apply", "GET", "/x") is not None for _ in range(2000))
    assert 420 < hits < 580


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"stage": "never", "action": "drop"}, "stage"),
        ({"stage": "stream", "action": "cut"}, "action"),
        ({"stage": "before_apply", "action": "explode"}, "action"),
        ({"stage": "before_apply", "action": "drop", "wher": 1}, "wher"),
        ({"stage": "before_apply", "action": "drop", "path": "("}, "regular expressions"),
        ({"stage": "after_apply", "action": "lag"}, "during_reply"),
        ({"stage": "before_apply", "action": "drop", "path": 5}, "path"),
        ({"stage": "before_apply", "action": "drop", "name": {}}, "name"),
        ({"stage": "before_apply", "action": "drop", "count": "x"}, "count"),
        ({"stage": "before_apply", "action": "drop", "count": 0}, "count"),
        ({"stage": "before_apply", "action": "drop", "probability": "x"}, "probability"),
        ({"stage": "before_apply", "action": "hang", "seconds": -5}, "seconds"),
        ({"stage": "before_apply", "action": "hang", "seconds": float("nan")}, "seconds"),
        ({"stage": "before_apply", "action": "status", "status": 99999}, "status"),
        ({"stage": "before_apply", "action": "status", "status": 101}, "status"),
    ],
)
def test_fault_that_cannot_be_is_refused_with_a_sentence(body: dict[str, Any], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        FaultTable(seed=1).add(body)


def test_every_rest_action_is_documented(repo: Any) -> None:
    text = (repo / "docs" / "exchange.md").read_text(encoding="utf-8")
    assert [action for action in REST_ACTIONS if f"`{action}`" not in text] == []
