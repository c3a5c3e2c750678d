import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qgtm.adapters import alpaca_parse as parse
from qgtm.adapters.alpaca_client import body_of
from qgtm.adapters.alpaca_line import Reply
from qgtm.core.errors import BrokerError
from qgtm.core.order import OrderState, Side

# The states that alpaca-py 0.44.0 knows (trading/enums.py), with what the vendor's page says of each.
ENDED = {
    "filled": OrderState.FILLED,
    "canceled": OrderState.CANCELED,
    "replaced": OrderState.CANCELED,
    "expired": OrderState.EXPIRED,
    "rejected": OrderState.REJECTED,
}


def an_order(**changes: Any) -> dict[str, Any]:
    body = {
        "id": "b-1",
        "client_order_id": "c-1",
        "symbol": "GLD",
        "qty": "10",
        "filled_qty": "4",
        "filled_avg_price": "183.125",
        "side": "sell",
        "status": "partially_filled",
        "submitted_at": "2024-01-05T15:00:00Z",
        "updated_at": "2024-01-05T15:00:01.123456789Z",
    }
    return body | changes


def test_an_order_keeps_the_brokers_word_and_cumulative_counts() -> None:
    found = parse.order(an_order(brand_new_field={"deep": [1]}, exchange="MOON"))
    assert found.status == "partially_filled"
    assert found.state is OrderState.WORKING
    assert (found.quantity, found.filled_quantity, found.filled_price) == (
        Decimal(10),
        Decimal(4),
        Decimal("183.125"),
    )
    assert found.side is Side.SELL
    assert found.updated_at == datetime(2024, 1, 5, 15, 0, 1, 123456, UTC)


@pytest.mark.fault("A13")
def test_every_status_that_the_client_library_knows_is_mapped() -> None:
    from alpaca.trading.enums import OrderStatus

    for status in OrderStatus:
        found = parse.order(an_order(status=status.value))
        assert found.state is ENDED.get(status.value, OrderState.WORKING)
    assert {status.value for status in OrderStatus} == {*parse.STATES, *parse.WORKING}


@pytest.mark.fault("A13")
def test_a_status_that_is_new_counts_as_working_and_keeps_its_word() -> None:
    found = parse.order(an_order(status="held_by_the_moon", side="sell_short_exempt"))
    assert (found.state, found.status, found.side) == (OrderState.WORKING, "held_by_the_moon", None)


@pytest.mark.fault("A13")
@pytest.mark.parametrize("name", ["id", "client_order_id", "qty", "status"])
@pytest.mark.parametrize("how", ["missing", "null"])
def test_an_order_without_what_we_need_is_refused_by_that_name(name: str, how: str) -> None:
    body = an_order(**{name: None})
    if how == "missing":
        del body[name]
    with pytest.raises(BrokerError, match=f"no {name}"):
        parse.order(body)


@pytest.mark.fault("A17", "L1", "L2")
@pytest.mark.parametrize("value", ["NaN", "Infinity", "-inf", "1e308", "ten", "", [], {}, True, "1_0e13"])
def test_a_quantity_that_cannot_be_believed_is_refused(value: object) -> None:
    with pytest.raises(BrokerError, match="qty"):
        parse.order(an_order(qty=value))


@pytest.mark.fault("L2")
@pytest.mark.parametrize("name", ["filled_qty", "filled_avg_price"])
def test_a_negative_fill_is_refused(name: str) -> None:
    with pytest.raises(BrokerError, match=f"{name} -1"):
        parse.order(an_order(**{name: "-1"}))


def test_an_order_for_dollars_counts_what_has_filled() -> None:
    found = parse.order(an_order(qty=None, notional="500", filled_qty="2.5"))
    assert found.quantity == Decimal("2.5")


def test_a_reply_with_json_nan_cannot_be_read() -> None:
    for word in (b"NaN", b"Infinity", b"-Infinity"):
        with pytest.raises(ValueError, match="no number"):
            body_of(Reply(200, {}, b'{"equity": ' + word + b"}"))


def test_a_json_fraction_keeps_every_digit() -> None:
    assert body_of(Reply(200, {}, b'{"p": 0.1000000000000000055511151231257827}'))["p"] == Decimal(
        "0.1000000000000000055511151231257827"
    )


@given(st.text(max_size=40))
def test_no_text_makes_the_moment_parser_raise(text: str) -> None:
    found = parse.instant_or_none(text)
    assert found is None or found.tzinfo is UTC


@pytest.mark.fault("F4")
@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2019-07-07T12:55:08.427247519-04:00", datetime(2019, 7, 7, 16, 55, 8, 427247, UTC)),
        ("2024-01-05T15:00:00Z", datetime(2024, 1, 5, 15, tzinfo=UTC)),
        ("2024-01-05T15:00:00.1Z", datetime(2024, 1, 5, 15, 0, 0, 100000, UTC)),
        ("2024-01-05T15:00:00", None),
        ("2024-13-05T15:00:00Z", None),
        ("2016-12-31T23:59:60Z", None),  # a leap second is no moment of ours: ask again
        ("0001-01-01T00:00:00+23:59", None),
        (1704466800, None),
        (None, None),
    ],
)
def test_moments_are_read_to_the_microsecond_and_never_without_a_zone(
    text: object, at: datetime | None
) -> None:
    assert parse.instant_or_none(text) == at


def test_a_short_position_is_negative_whichever_way_it_is_written() -> None:
    body = {"symbol": "GDX", "qty": "100", "side": "short", "avg_entry_price": "28", "current_price": "29"}
    for qty in ("100", "-100"):
        found = parse.position(body | {"qty": qty, "qty_available": qty})
        assert (found.quantity, found.available) == (Decimal(-100), Decimal(-100))


def test_a_position_without_a_price_is_marked_at_the_last_one_there_is() -> None:
    body = {"symbol": "GDX", "qty": "3", "side": "long", "avg_entry_price": "28", "current_price": None}
    assert parse.position(body | {"lastday_price": "27"}).mark == Decimal(27)
    assert parse.position(body).mark == Decimal(28)


@pytest.mark.fault("A16")
def test_a_blocked_account_is_blocked_whoever_blocked_it() -> None:
    body: dict[str, Any] = {
        "account_number": "PA1", "status": "ACTIVE", "equity": "1", "last_equity": "1", "cash": "-5.5",
        "buying_power": "1", "shorting_enabled": True,
        "trading_blocked": False, "account_blocked": False, "trade_suspended_by_user": False,
    }  # fmt: skip
    assert not parse.account(body).is_blocked
    assert parse.account(body).cash_usd == Decimal("-5.5")
    for name in ("trading_blocked", "account_blocked", "trade_suspended_by_user"):
        assert parse.account(body | {name: True}).is_blocked
        with pytest.raises(BrokerError, match=name):
            parse.account(body | {name: "maybe"})


# --- what the vendor really sent ----------------------------------------------------------------


def recorded(folder: Path, ending: str) -> list[Any]:
    calls = json.loads((folder / "alpaca_recorded/rest_v2_2019_2022.json").read_text())
    bodies = [
        call["response_body"]
        for call in calls
        if int(call["status"]) == 200 and call["uri"].split("?")[0].split("/v2/")[-1].startswith(ending)
    ]
    assert bodies
    return [body_of(Reply(200, {}, json.dumps(body).encode())) for body in bodies]


def listed(bodies: list[Any]) -> list[Any]:
    return [row for body in bodies for row in (body if isinstance(body, list) else [body])]


def test_every_recorded_order_is_read(shared_data: Path) -> None:
    found = [parse.order(row) for row in listed(recorded(shared_data, "orders"))]
    sold = next(one for one in found if one.broker_order_id == "f08bfc92-c922-41f9-8166-3657e5bedef0")
    assert (sold.symbol, sold.side, sold.state) == ("GDX", Side.SELL, OrderState.FILLED)
    assert (sold.quantity, sold.filled_quantity, sold.filled_price) == (
        Decimal(500),
        Decimal(500),
        Decimal("25.07"),
    )
    assert len(found) >= 8


def test_every_recorded_account_clock_position_and_activity_is_read(shared_data: Path) -> None:
    equities = [
        parse.account(body).equity_usd for body in recorded(shared_data, "account") if "equity" in body
    ]
    assert sorted(set(equities)) == [Decimal(103160), Decimal(103365)]
    (clock,) = recorded(shared_data, "clock")
    assert parse.market_clock(clock).next_open_at == datetime(2019, 7, 8, 13, 30, tzinfo=UTC)
    shorts = [row for row in listed(recorded(shared_data, "positions")) if "avg_entry_price" in row]
    assert {parse.position(row).quantity for row in shorts} == {Decimal(-100)}
    rows = listed(recorded(shared_data, "account/activities"))
    assert {row["activity_type"] for row in rows} == {"DIV", "FILL"}
    (dividend,) = parse.cash_flows(rows, date(2019, 1, 1))
    assert (dividend.kind, dividend.amount_usd) == ("DIV", Decimal("1.02"))


def test_every_payload_of_the_client_librarys_own_tests_is_read(shared_data: Path) -> None:
    payloads = json.loads((shared_data / "alpaca_recorded/sdk_mock_payloads.json").read_text())
    readers = {"/v2/account": parse.account, "/v2/orders": parse.order, "/v2/positions": parse.position,
               "/v2/clock": parse.market_clock}  # fmt: skip
    read = 0
    for payload in payloads:
        if not str(payload["status"]).startswith("2") or payload["method"] == "DELETE":
            continue
        path = payload["url"].split("?")[0].removeprefix("${BaseURL.TRADING_PAPER.value}")
        reader = readers.get(path) or (parse.order if path.startswith("/v2/orders") else None)
        if reader is not None:
            text = json.dumps(payload["body"]).replace("${", "hole-{")
            for row in listed([body_of(Reply(200, {}, text.encode()))]):
                assert reader(row)
                read += 1
    assert read >= 10
