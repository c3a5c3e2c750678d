"""The exchange against Alpaca's own recorded answers: put into that state, it answers in the same shape.

For each of the 26 recorded `/v2` exchanges of 2019 to 2022: the same status, and every recorded
field with the same JSON type; for reads the same numbers too.
"""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest

from qgtm.exchange.account import Lot
from qgtm.exchange.asset import Asset
from qgtm.exchange.core import Exchange
from qgtm.exchange.event import Activity, Execution
from qgtm.exchange.order import Order
from qgtm.exchange.wire import Response, handle, request_from_url
from tests.exchange.tiny import TinyMarket

COUNT = 26
KEYS = {"APCA-API-KEY-ID": "k", "APCA-API-SECRET-KEY": "s"}

# Gone from the vendor's answers since 2026-07-06 (FINRA intraday margin); alpaca-py 0.44.0 says so in
# trading/models.py, TradeAccount: "removed from Alpaca responses on 2026-07-06".
DROPPED = frozenset({"pattern_day_trader", "daytrade_count", "daytrading_buying_power"})


def recorded(shared_data: Path) -> list[dict[str, Any]]:
    path = shared_data / "alpaca_recorded" / "rest_v2_2019_2022.json"
    rows = json.loads(path.read_text(encoding="utf-8"))
    return [row for row in rows if "/v2/" in row["uri"]]


def at(text: str | None) -> datetime | None:
    if text is None:
        return None
    whole, _, rest = text.removesuffix("Z").partition(".")
    return datetime.fromisoformat(f"{whole}.{rest[:6]:<06}").replace(tzinfo=UTC)


def certain(text: str | None) -> datetime:
    moment = at(text)
    assert moment is not None
    return moment


def number(text: str | None) -> D | None:
    return None if text is None else D(text)


def put_order(exchange: Exchange, body: dict[str, Any]) -> None:
    """Put a recorded order into the book as it was."""
    filled = D(body["filled_qty"])
    order = Order(
        seq=len(exchange.desk.book.all) + 1,
        id=body["id"],
        client_order_id=body["client_order_id"],
        symbol=body["symbol"],
        side=body["side"],
        kind=body["type"],
        time_in_force=body["time_in_force"],
        qty=number(body["qty"]),
        notional=None,
        limit_price=number(body["limit_price"]),
        stop_price=number(body["stop_price"]),
        trail_price=None,
        trail_percent=None,
        extended_hours=False,
        position_intent="buy_to_open" if body["side"] == "buy" else "sell_to_close",
        status=body["status"],
        submitted_at=certain(body["submitted_at"]),
        updated_at=certain(body["updated_at"]),
        filled_qty=filled,
        filled_value=filled * (number(body["filled_avg_price"]) or D(0)),
        filled_at=at(body["filled_at"]),
        expired_at=at(body["expired_at"]),
        canceled_at=at(body["canceled_at"]),
        failed_at=at(body["failed_at"]),
    )
    exchange.desk.book.add(order)


def put_activity(exchange: Exchange, body: dict[str, Any]) -> None:
    """Put a recorded fill or dividend into the log; the id's second half is its own."""
    unique = body["id"].partition("::")[2]
    if body["activity_type"] == "FILL":
        exchange.desk.executions.append(
            Execution(
                seq=len(exchange.desk.executions) + 1,
                id=unique,
                order_id=body["order_id"],
                client_order_id="",
                symbol=body["symbol"],
                side="buy" if body["side"] == "buy" else "sell",
                qty=D(body["qty"]),
                price=D(body["price"]),
                cum_qty=D(body["cum_qty"]),
                leaves_qty=D(body["leaves_qty"]),
                position_qty=D(0),
                executed_at=certain(body["transaction_time"]),
            )
        )
        return
    day = date.fromisoformat(body["date"])
    exchange.desk.activities.append(
        Activity(
            seq=1,
            id=unique,
            kind="DIV",
            at=datetime(day.year, day.month, day.day, 12, tzinfo=UTC),
            day=day,
            net_amount=D(body["net_amount"]),
            symbol=body["symbol"],
            qty=D(body["qty"]),
            per_share_amount=D(body["per_share_amount"]),
        )
    )


def put_position(exchange: Exchange, market: TinyMarket, body: dict[str, Any]) -> None:
    """Put a recorded position in, held since before the last close, with its prices then and now."""
    qty, cost = D(body["qty"]), D(body["cost_basis"])
    exchange.desk.ledger.lots[body["symbol"]] = Lot(qty, cost)
    market.set(body["symbol"], exchange.now - timedelta(days=30), body["lastday_price"])
    market.set(body["symbol"], exchange.now - timedelta(hours=1), body["current_price"])


def rows_of(body: Any) -> list[dict[str, Any]]:
    return [row for row in (body if isinstance(body, list) else [body]) if isinstance(row, dict)]


def in_recorded_state(row: dict[str, Any]) -> Exchange:
    """Return an exchange in which the recorded request finds what it found then."""
    rows = rows_of(row["response_body"])
    if "/assets" not in row["uri"] and "/orders" not in row["uri"] and "/positions" not in row["uri"]:
        rows = [r for r in rows if "activity_type" in r]
    sent = json.loads(row["request_body"]) if row["request_body"] else {}
    named = [r["symbol"] for r in [*rows, sent] if "symbol" in r]
    tail = row["uri"].rpartition("/")[2].partition("?")[0]
    names = tuple(dict.fromkeys([*named, *([tail] if tail.isupper() and tail != "FILL" else []), "SPY"]))
    market = TinyMarket(names=names, price=D(200))
    now = parsedate_to_datetime(row["recorded_at"]).astimezone(UTC)
    special = [
        Asset(symbol=r["symbol"], exchange=r["exchange"], is_shortable=r.get("shortable", True))
        for r in rows
        if "exchange" in r
    ]
    exchange = Exchange(market, start=now, assets=special)
    for body in reversed(rows):  # the newest stands first in a list
        if "activity_type" in body:
            put_activity(exchange, body)
        elif "avg_entry_price" in body:
            put_position(exchange, market, body)
        elif "client_order_id" in body and row["method"] == "GET":
            put_order(exchange, body)
    if row["method"] == "DELETE" and row["status"] == 200:
        exchange.desk.ledger.lots[tail] = Lot(D(71), D(7100))
    if row["method"] == "DELETE" and row["status"] == 204:
        put_order(exchange, {**_OPEN, "id": tail, "submitted_at": now.isoformat().replace("+00:00", "Z")})
    return exchange


_OPEN: dict[str, Any] = {
    "client_order_id": "open", "symbol": "SPY", "side": "buy", "type": "limit", "time_in_force": "gtc",
    "qty": "1", "limit_price": "150", "stop_price": None, "status": "new", "filled_qty": "0",
    "filled_avg_price": None, "filled_at": None, "expired_at": None, "canceled_at": None,
    "failed_at": None, "updated_at": "2019-07-11T02:00:00Z",
}  # fmt: skip


def kind(value: Any) -> str:
    if value is None or isinstance(value, bool | str | list | dict):
        return type(value).__name__
    return "number"


def differences(old: Any, new: Any, where: str = "") -> list[str]:
    """Return each recorded field that lacks, or has another JSON type."""
    if kind(old) != kind(new):
        return [f"{where}: {kind(old)} {old!r} was, {kind(new)} {new!r} is"]
    if isinstance(old, list):
        if len(old) != len(new):
            return [f"{where}: {len(old)} entries were, {len(new)} are"]
        pairs = [(f"{where}[{n}]", before, new[n]) for n, before in enumerate(old)]
    elif isinstance(old, dict):
        pairs = [(f"{where}.{f}", old[f], new.get(f, ...)) for f in old if f not in DROPPED]
    else:
        pairs = []
    return [found for place, before, after in pairs for found in differences(before, after, place)]


def asked(row: dict[str, Any]) -> Response:
    exchange = in_recorded_state(row)
    request = request_from_url(row["method"], row["uri"], row["request_body"].encode(), KEYS)
    return handle(exchange, request, exchange.now)


@pytest.mark.parametrize("index", range(COUNT))
def test_answer_has_the_recorded_status_fields_and_types(shared_data: Path, index: int) -> None:
    row = recorded(shared_data)[index]
    answer = asked(row)
    assert answer.status == row["status"], answer.body
    if row["response_body"] == "":
        assert answer.body is None
        return
    new = json.loads(answer.content())
    assert differences(row["response_body"], new) == []


@pytest.mark.parametrize("index", range(COUNT))
def test_error_has_the_recorded_code_and_message(shared_data: Path, index: int) -> None:
    row = recorded(shared_data)[index]
    answer = asked(row)
    if row["status"] < 400:
        assert answer.status < 400
        return
    assert answer.body["code"] == row["response_body"]["code"]
    assert answer.body["message"] == row["response_body"]["message"]


SAME = (
    "qty filled_qty filled_avg_price limit_price symbol side status avg_entry_price market_value cost_basis "
    "unrealized_pl current_price lastday_price price leaves_qty cum_qty net_amount per_share_amount exchange "
    "tradable shortable date open close is_open next_open next_close order_id client_order_id type"
).split()


@pytest.mark.parametrize("index", range(COUNT))
def test_read_gives_the_recorded_values_back(shared_data: Path, index: int) -> None:
    row = recorded(shared_data)[index]
    if row["method"] != "GET" or row["status"] != 200:
        pytest.skip("this exchange is no successful read")
    old, new = row["response_body"], json.loads(asked(row).content())
    for before, after in zip(rows_of(old), rows_of(new), strict=True):
        fields = [name for name in SAME if name in before and "multiplier" not in before]
        assert {name: after[name] for name in fields} == {name: before[name] for name in fields}


def test_file_holds_the_26_exchanges_that_are_still_of_this_api(shared_data: Path) -> None:
    rows = recorded(shared_data)
    assert len(rows) == COUNT
    assert {row["method"] for row in rows} == {"GET", "POST", "DELETE"}


def test_dropped_fields_are_absent_from_today_s_account() -> None:
    exchange = Exchange(TinyMarket(), start=datetime(2024, 3, 12, 14, tzinfo=UTC))
    body = handle(exchange, request_from_url("GET", "/v2/account", b"", KEYS), exchange.now).body
    assert DROPPED & set(body) == set()
