import json
import logging
import time
from datetime import UTC, date, datetime
from decimal import Decimal
from email.utils import formatdate
from typing import Any

import pytest

from qgtm.adapters.alpaca_broker import AlpacaBroker
from qgtm.adapters.alpaca_client import Keys
from qgtm.adapters.alpaca_wire import OrderWire
from qgtm.adapters.call_budget import CallBudget
from qgtm.core.errors import BrokerError, ConfigError
from qgtm.core.order import Order, Side
from qgtm.core.outcome import Accepted, Rejected, Unknown
from tests.adapters.alpaca_venue import (
    KEYS,
    Answer,
    Talk,
    Venue,
    drip,
    hang,
    hang_up,
    raw,
    reply,
    reset,
    serving,
)

ID = "61e69015-8549-4bfd-b9c3-01e75843f47d"


def order(**changes: Any) -> Order:
    wanted: dict[str, Any] = {
        "client_order_id": "qgtm-1-rebalance-20240105-GLD-1",
        "symbol": "GLD",
        "side": Side.BUY,
        "quantity": Decimal(7),
        "limit_price": Decimal("183.10"),
        "arrival_price": Decimal("183.00"),
        "formed_at": datetime(2024, 1, 5, 15, tzinfo=UTC),
    }
    return Order(**(wanted | changes))


def stated(**changes: Any) -> dict[str, Any]:
    """An order as the broker writes it."""
    body = {
        "id": ID,
        "client_order_id": "qgtm-1-rebalance-20240105-GLD-1",
        "submitted_at": "2024-01-05T15:00:00.1234567Z",
        "updated_at": "2024-01-05T15:00:01Z",
        "symbol": "GLD",
        "qty": "7",
        "filled_qty": "0",
        "filled_avg_price": None,
        "side": "buy",
        "status": "accepted",
    }
    return body | changes


def broker(venue: Venue, whole_s: float = 0.8, **options: Any) -> AlpacaBroker:
    budget = options.pop("budget", None) or CallBudget(time.monotonic)
    return AlpacaBroker(KEYS, venue.url, budget, whole_s=whole_s, **options)


def submitted(*answers: Answer, sent: Order | None = None) -> tuple[Any, Venue]:
    with serving(*answers) as venue:
        ours = broker(venue)
        outcome = ours.submit(sent or order())
        ours.close()
    return outcome, venue


# --- submit -------------------------------------------------------------------------------------


def test_an_order_goes_out_once_with_exact_text_numbers_and_our_id() -> None:
    outcome, venue = submitted(reply(200, stated()))
    assert outcome == Accepted(ID)
    (asked,) = venue.asked
    assert (asked.method, asked.path) == ("POST", "/v2/orders")
    assert asked.sent == {
        "symbol": "GLD",
        "qty": "7",
        "side": "buy",
        "type": "limit",
        "limit_price": "183.10",
        "time_in_force": "day",
        "extended_hours": False,
        "client_order_id": "qgtm-1-rebalance-20240105-GLD-1",
    }
    assert asked.headers["apca-api-key-id"] == "PKTEST"


@pytest.mark.parametrize(("side", "intent"), [(Side.SELL, "sell_to_close"), (Side.BUY, "buy_to_close")])
def test_a_reducing_market_order_says_that_it_closes_and_names_no_price(side: Side, intent: str) -> None:
    sent = order(side=side, is_reducing=True, limit_price=None, quantity=Decimal("1E+3"))
    _, venue = submitted(reply(200, stated(side=side.value, qty="1000")), sent=sent)
    body = venue.asked[0].sent
    assert (body["type"], body["qty"], body["position_intent"]) == ("market", "1000", intent)
    assert "limit_price" not in body


@pytest.mark.fault("A7", "A9", "A10")
@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (403, 40310000, "insufficient buying power"),
        (422, 40010001, "limit orders require only limit price"),
        (401, 40110000, "request is not authorized"),
        (404, 40410000, "asset not found"),
    ],
)
def test_a_clean_refusal_is_rejected_with_the_brokers_code(status: int, code: int, message: str) -> None:
    outcome, venue = submitted(reply(status, {"code": code, "message": message}))
    assert outcome == Rejected(code, message)
    assert len(venue.asked) == 1


HTML = b"<html><body>502 Bad Gateway</body></html>"
DOUBTS: dict[str, Answer] = {
    "hang": hang,
    "drip": drip,
    "reset": reset,
    "hang up": hang_up,
    "504 after apply": reply(504, {"code": 50410000, "message": "timeout"}),
    "500": reply(500, {"code": 50010000, "message": "internal"}),
    "503 html": reply(503, HTML),
    "empty 200": reply(200),
    "html 200": reply(200, HTML),
    "cut json": reply(200, b'{"id": "61e69015'),
    "cut body": raw(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{}"),
    "no http": raw(b"220 smtp ready\r\n\r\n"),
    "307": reply(307, None, {"Location": "http://127.0.0.1:1/v2/orders"}),
    "307 with an order": reply(307, stated(), {"Location": "/v2/orders"}),
    "304 with an order": reply(304, stated()),
    "html 403": reply(403, HTML),
    "403 without a code": reply(403, {"message": "forbidden."}),
    "408": reply(408, {"code": 40810000, "message": "timeout"}),
    "a list": reply(200, [stated()]),
    "nan": reply(200, b'{"id": NaN}'),
    "deep": reply(200, b"[" * 100_000),
    "no status": reply(200, {key: value for key, value in stated().items() if key != "status"}),
    "another order": reply(200, stated(client_order_id="somebody-else")),
    "another size": reply(200, stated(qty="70")),
    "other side": reply(200, stated(side="sell")),
}


@pytest.mark.fault("A2", "A3", "A4", "A12")
@pytest.mark.invariant("V4")
@pytest.mark.parametrize("doubt", DOUBTS)
def test_whatever_is_no_clean_answer_leaves_the_order_unknown_and_sent_once(doubt: str) -> None:
    outcome, venue = submitted(DOUBTS[doubt])
    assert isinstance(outcome, Unknown)
    assert not outcome.is_held_back
    assert len(venue.asked) == 1


@pytest.mark.fault("A3")
def test_a_refused_connection_leaves_the_order_unknown() -> None:
    with serving(hang_up) as venue:
        url = venue.url
    ours = AlpacaBroker(KEYS, url, CallBudget(time.monotonic))
    assert isinstance(ours.submit(order()), Unknown)
    ours.close()


@pytest.mark.fault("D19")
@pytest.mark.invariant("V16")
def test_a_fenced_daemon_sends_no_order_and_may_still_read_and_cancel() -> None:
    with serving(reply(200, []), reply(204, None)) as venue:
        ours = broker(venue, may_send=lambda: False)
        assert isinstance(ours.submit(order()), Unknown)
        assert ours.orders() == ()
        assert ours.cancel("8a1d2c9e-6f1b-4f6d-9d2c-1a2b3c4d5e6f")
    assert [asked.method for asked in venue.asked] == ["GET", "DELETE"]


@pytest.mark.fault("A5")
@pytest.mark.invariant("V4")
def test_an_id_that_is_taken_by_our_own_order_is_accepted_without_a_second_sending() -> None:
    unique = reply(422, {"code": 40010001, "message": "client_order_id must be unique"})
    outcome, venue = submitted(
        unique, reply(200, stated(status="filled", filled_qty="7", filled_avg_price="183"))
    )
    assert outcome == Accepted(ID)
    assert [asked.method for asked in venue.asked] == ["POST", "GET"]
    assert venue.asked[1].path == "/v2/orders:by_client_order_id"
    assert venue.asked[1].query == {"client_order_id": order().client_order_id}


@pytest.mark.fault("A5")
@pytest.mark.parametrize(
    "second", [reply(404, {"code": 40410000, "message": "no"}), reply(500), reply(200, stated(symbol="SLV"))]
)
def test_an_id_that_is_taken_by_who_knows_what_stays_unknown(second: Answer) -> None:
    unique = reply(422, {"code": 40010001, "message": "client_order_id must be unique"})
    outcome, _ = submitted(unique, second)
    assert isinstance(outcome, Unknown)


@pytest.mark.fault("C12", "L2", "L5")
@pytest.mark.parametrize(
    "changes",
    [
        {"quantity": Decimal("NaN")},
        {"quantity": Decimal(-1)},
        {"quantity": Decimal(0)},
        {"quantity": Decimal("Infinity")},
        {"quantity": Decimal("1.5")},
        {"limit_price": Decimal("-3")},
        {"limit_price": Decimal("NaN")},
        {"client_order_id": ""},
        {"client_order_id": "x" * 129},
    ],
)
def test_nonsense_that_got_past_every_check_is_still_not_sent(changes: dict[str, Any]) -> None:
    outcome, venue = submitted(reply(200, stated()), sent=order(**changes))
    assert isinstance(outcome, Rejected)
    assert "not sent" in outcome.reason
    assert venue.asked == []


# --- call limits --------------------------------------------------------------------------------


@pytest.mark.fault("A6")
@pytest.mark.invariant("V22")
def test_a_429_holds_the_order_back_stops_ordinary_calls_and_lets_a_cancel_pass() -> None:
    epoch = 1_700_000_000
    limits = {
        "X-Ratelimit-Limit": "200",
        "X-Ratelimit-Remaining": "0",
        "X-Ratelimit-Reset": str(epoch + 30),
        "Date": formatdate(epoch, usegmt=True),
    }
    limited = reply(429, {"code": 42910000, "message": "rate limit exceeded"}, limits)
    with serving(limited, reply(204)) as venue:
        ours = broker(venue)
        first, second = ours.submit(order()), ours.submit(order())
        assert isinstance(first, Unknown)
        assert first.is_held_back
        assert isinstance(second, Unknown)
        assert second.is_held_back
        assert 29.0 < ours.wait_s() <= 30.0
        with pytest.raises(BrokerError, match="call limit"):
            ours.account()
        assert len(venue.asked) == 1  # one request, no retries, and nothing more until the reset
        assert ours.wait_s(is_urgent=True) == 0.0
        assert ours.cancel(ID)
        ours.close()


@pytest.mark.fault("A6", "D8")
def test_a_reducing_order_finds_room_when_ordinary_calls_are_used_up() -> None:
    budget = CallBudget(time.monotonic)
    while budget.take() == 0.0:
        pass
    with serving(reply(200, stated(side="sell"))) as venue:
        ours = broker(venue, budget=budget)
        assert isinstance(ours.submit(order()), Unknown)
        assert ours.submit(order(side=Side.SELL, is_reducing=True)) == Accepted(ID)
        ours.close()


@pytest.mark.fault("D8")
@pytest.mark.invariant("V22")
def test_the_way_out_of_a_kill_reads_positions_from_the_urgent_share() -> None:
    budget = CallBudget(time.monotonic)
    while budget.take() == 0.0:
        pass
    with serving(reply(200, [])) as venue:
        ours = broker(venue, budget=budget, is_urgent=True)
        assert ours.positions() == ()
        ours.close()


# --- reads --------------------------------------------------------------------------------------


@pytest.mark.fault("A2", "A11", "A12")
@pytest.mark.mistake(9)
@pytest.mark.parametrize("doubt", DOUBTS)
def test_a_read_that_cannot_be_believed_raises_at_once_and_is_not_retried(doubt: str) -> None:
    with serving(DOUBTS[doubt]) as venue:
        ours = broker(venue)
        with pytest.raises(BrokerError):
            ours.account()
        assert len(venue.asked) == 1
        ours.close()


def test_an_order_that_the_broker_does_not_have_is_none() -> None:
    with serving(reply(404, {"code": 40410000, "message": "order not found"})) as venue:
        ours = broker(venue)
        assert ours.order("qgtm-1-rebalance-20240105-GLD-1") is None
        ours.close()


def test_a_404_from_something_in_between_is_no_proof_that_there_is_no_order() -> None:
    with serving(reply(404, HTML)) as venue:
        ours = broker(venue)
        with pytest.raises(BrokerError, match="404"):
            ours.order("qgtm-1-rebalance-20240105-GLD-1")
        ours.close()


@pytest.mark.fault("A13", "A17")
def test_a_missing_account_field_is_named() -> None:
    body = {"id": "1", "account_number": "PA1", "status": "ACTIVE", "last_equity": "1", "equity": None}
    with serving(reply(200, body)) as venue:
        ours = broker(venue)
        with pytest.raises(BrokerError, match="no equity"):
            ours.account()
        ours.close()


def paged(rows: list[dict[str, Any]]) -> Answer:
    """Serve orders as Alpaca does: later than `after`, oldest first, `limit` at a time."""

    def answer(talk: Talk) -> None:
        after = talk.asked.query.get("after")
        found = [
            row
            for row in rows
            if after is None or datetime.fromisoformat(row["submitted_at"]) > datetime.fromisoformat(after)
        ]
        assert talk.asked.query["direction"] == "asc"
        reply(200, found[: int(talk.asked.query["limit"])])(talk)

    return answer


def test_all_orders_come_page_by_page_even_when_many_share_a_moment() -> None:
    rows = [
        stated(
            id=f"{number:08d}-0000-0000-0000-000000000000",
            client_order_id=f"c{number}",
            submitted_at=datetime.fromtimestamp(1_700_000_000 + number // 7, UTC).isoformat(),
        )
        for number in range(1203)
    ]
    with serving(paged(rows)) as venue:
        ours = broker(venue, whole_s=4.0)
        found = ours.orders()
        assert [one.client_order_id for one in found] == [f"c{number}" for number in range(1203)]
        assert [asked.query["status"] for asked in venue.asked] == ["all"] * 3
        assert {asked.query["limit"] for asked in venue.asked} == {"500"}
        later = ours.orders(after=datetime.fromtimestamp(1_700_000_000 + 170, UTC), is_open=True)
        assert [one.client_order_id for one in later] == [f"c{number}" for number in range(1197, 1203)]
        assert venue.asked[-1].query["status"] == "open"
        ours.close()


@pytest.mark.fault("E10")
def test_a_broker_that_sends_one_full_page_again_and_again_is_not_asked_for_ever() -> None:
    rows = [stated(id=f"{number:08d}-0000-0000-0000-000000000000") for number in range(500)]
    with serving(reply(200, rows)) as venue:
        ours = broker(venue)
        with pytest.raises(BrokerError, match="no new one"):
            ours.orders()
        assert len(venue.asked) == 2
        ours.close()


@pytest.mark.fault("A9")
@pytest.mark.parametrize(
    ("answer", "taken"),
    [(reply(204), True), (reply(422, {"code": 42210000, "message": "order is not cancelable"}), False)],
)
def test_a_cancel_says_whether_the_wish_was_taken(answer: Answer, taken: bool) -> None:
    with serving(answer) as venue:
        ours = broker(venue)
        assert ours.cancel(ID) is taken
        assert (venue.asked[0].method, venue.asked[0].path) == ("DELETE", f"/v2/orders/{ID}")
        ours.close()


@pytest.mark.parametrize("answer", [reply(404, {"code": 40410000, "message": "no"}), reply(500), hang, reset])
def test_a_cancel_without_a_clear_answer_raises(answer: Answer) -> None:
    with serving(answer) as venue:
        ours = broker(venue)
        with pytest.raises(BrokerError):
            ours.cancel(ID)
        ours.close()


def test_an_id_that_is_none_is_not_asked_to_be_cancelled() -> None:
    with serving(reply(204)) as venue:
        ours = broker(venue)
        with pytest.raises(BrokerError, match="check the id"):
            ours.cancel("not-an-id")
        assert venue.asked == []


@pytest.mark.fault("D12")
def test_equity_history_is_by_new_york_day_and_leaves_out_what_is_no_number() -> None:
    opens = [datetime(2024, 1, day, 14, 30, tzinfo=UTC).timestamp() for day in (2, 3, 4)]
    body = {"timestamp": [int(at) for at in opens], "equity": [250000.5, None, 251000], "timeframe": "1D"}
    with serving(reply(200, body)) as venue:
        ours = broker(venue)
        found = ours.equity_history(date(2024, 1, 2))
        late = ours.equity_history(date(2024, 1, 3))
        ours.close()
        assert venue.asked[0].query == {"timeframe": "1D", "start": "2024-01-02T00:00:00Z"}
    assert found == {date(2024, 1, 2): Decimal("250000.5"), date(2024, 1, 4): Decimal(251_000)}
    assert late == {date(2024, 1, 4): Decimal(251_000)}


@pytest.mark.fault("D12", "A12")
@pytest.mark.parametrize("body", [{}, {"timestamp": [1], "equity": []}, {"timestamp": "x", "equity": "y"}])
def test_equity_history_that_cannot_be_believed_is_no_answer(body: dict[str, Any]) -> None:
    with serving(reply(200, body)) as venue:
        ours = broker(venue)
        with pytest.raises(BrokerError, match="ask again"):
            ours.equity_history(date(2024, 1, 2))
        ours.close()


@pytest.mark.fault("C17")
def test_cash_flows_leave_out_fills_splits_and_earlier_days_and_read_every_page() -> None:
    rows: list[dict[str, Any]] = []
    for number in range(120):
        day = f"2024-01-0{2 + number // 60}"
        rows.append({"id": f"{day}::{number}", "activity_type": "FEE", "date": day, "net_amount": "-0.02"})
    rows[0] |= {"activity_type": "FILL", "net_amount": "-500"}
    rows[1] |= {"activity_type": "SPLIT", "net_amount": None}
    rows[2] |= {"activity_type": "CSD", "net_amount": "2500.10"}

    def answer(talk: Talk) -> None:
        token = talk.asked.query.get("page_token")
        start = 0 if token is None else 1 + next(n for n, row in enumerate(rows) if row["id"] == token)
        reply(200, rows[start : start + 100])(talk)

    with serving(answer) as venue:
        ours = broker(venue)
        found = ours.cash_flows(date(2024, 1, 2))
        late = ours.cash_flows(date(2024, 1, 3))
        ours.close()
    assert (found[0].kind, found[0].amount_usd) == ("CSD", Decimal("2500.10"))
    assert len(found) == 118
    assert len(late) == 60
    assert venue.asked[0].query["after"] == "2024-01-01"


# --- addresses and keys -------------------------------------------------------------------------


def test_a_trailing_slash_or_a_version_in_the_address_does_no_harm() -> None:
    body = {"timestamp": "2024-01-05T10:00:00-05:00", "is_open": True,
            "next_open": "2024-01-08T09:30:00-05:00", "next_close": "2024-01-05T16:00:00-05:00"}  # fmt: skip
    with serving(reply(200, body)) as venue:
        for tail in ("/", "//", "/v2", "/v2/"):
            ours = AlpacaBroker(KEYS, venue.url + tail, CallBudget(time.monotonic))
            assert ours.clock().next_close_at == datetime(2024, 1, 5, 21, tzinfo=UTC)
            ours.close()
    assert {asked.path for asked in venue.asked} == {"/v2/clock"}


@pytest.mark.parametrize(
    "url", ["http://paper-api.alpaca.markets", "ftp://x", "paper-api", "", "ws://127.0.0.1"]
)
def test_an_address_that_would_show_the_keys_or_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigError):
        AlpacaBroker(KEYS, url, CallBudget(time.monotonic))


@pytest.mark.parametrize(
    "url", ["ws://paper-api.alpaca.markets/stream", "https://127.0.0.1/stream", "stream"]
)
def test_a_stream_address_that_would_show_the_keys_or_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigError):
        OrderWire(KEYS, url)


@pytest.mark.fault("J13")
@pytest.mark.invariant("V27")
def test_keys_are_never_shown() -> None:
    with pytest.raises(ConfigError):
        Keys("PK", "")
    with serving(reply(200, {})) as venue:
        ours = broker(venue)
        shown = repr(KEYS) + str(KEYS) + repr(ours) + repr(vars(ours)) + f"{KEYS!s}"
        ours.close()
    assert KEYS.secret not in shown
    assert KEYS.key_id not in shown


def test_a_proxy_variable_does_not_reroute_an_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    outcome, _ = submitted(reply(200, stated()))
    assert outcome == Accepted(ID)


@pytest.mark.fault("J13")
@pytest.mark.invariant("V27")
def test_no_log_of_a_whole_round_holds_the_secret(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        submitted(reply(200, stated()))
        submitted(reset)
    assert caplog.records
    assert KEYS.secret not in caplog.text
    assert json.dumps(KEYS.key_id) not in caplog.text
