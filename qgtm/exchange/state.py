"""The exchange's whole state as text, and back: what a restart, a test or the control port puts in."""

import hashlib
import json
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from qgtm.exchange.account import Close, Ledger, Lot
from qgtm.exchange.codec import from_json, to_json
from qgtm.exchange.core import Exchange
from qgtm.exchange.desk import Halt
from qgtm.exchange.event import Activity, Execution
from qgtm.exchange.order import Order
from qgtm.exchange.order_book import OrderBook
from qgtm.exchange.price import ExDay, Shock
from qgtm.exchange.setting import Habits, Switches


def dump(exchange: Exchange) -> dict[str, Any]:
    """Return everything but the market, JSON-able and exact: amounts as text."""
    desk = exchange.desk
    return {
        **head(exchange),
        "orders": [to_json(order) for order in desk.book.all],
        "executions": [to_json(execution) for execution in desk.executions],
        "activities": [to_json(activity) for activity in desk.activities],
        "closes": [to_json(close) for close in desk.ledger.closes],
    }


def head(exchange: Exchange) -> dict[str, Any]:
    """Return the small part of the state: all that is no list of records."""
    desk = exchange.desk
    return {
        "seed": desk.seed,
        "now": desk.now.isoformat(),
        "cash": str(desk.ledger.cash),
        "opening_cash": str(desk.ledger.opening_cash),
        "opened_at": desk.ledger.opened_at.isoformat(),
        "lots": to_json(desk.ledger.lots),
        "switches": to_json(desk.switches),
        "habits": to_json(desk.habits),
        "halts": to_json(desk.halts),
        "past_halts": to_json(desk.past_halts),
        "shocks": to_json(desk.prices.shocks),
        "ex_days": to_json(desk.prices.ex_days),
        "update_count": desk.update_count,
        "dawned": None if desk.dawned is None else desk.dawned.isoformat(),
    }


def load(exchange: Exchange, state: Mapping[str, Any]) -> None:
    """Put a dumped state into an exchange over the same market. Raises `KeyError` for a part that lacks."""
    desk = exchange.desk
    desk.seed = int(state["seed"])
    desk.now = datetime.fromisoformat(state["now"])
    desk.ledger = _ledger(state)
    desk.switches = from_json(Switches, state["switches"])
    desk.habits = from_json(Habits, state["habits"])
    desk.halts = {s: from_json(Halt, body) for s, body in state["halts"].items()}
    desk.past_halts = [from_json(Halt, body) for body in state["past_halts"]]
    desk.prices.shocks = {s: [from_json(Shock, b) for b in rows] for s, rows in state["shocks"].items()}
    desk.prices.ex_days = {s: from_json(ExDay, body) for s, body in state["ex_days"].items()}
    desk.prices.forget_marks()
    desk.update_count = int(state["update_count"])
    desk.dawned = None if state["dawned"] is None else date.fromisoformat(state["dawned"])
    desk.executions = [from_json(Execution, body) for body in state["executions"]]
    desk.activities = [from_json(Activity, body) for body in state["activities"]]
    desk.book = _book(state)
    desk.updates = []
    desk.name_space()
    exchange.rewind_agenda()


def state_hash(exchange: Exchange) -> str:
    """Return the sha256 of the whole state: the same seed, requests and times give the same."""
    text = json.dumps(dump(exchange), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _ledger(state: Mapping[str, Any]) -> Ledger:
    return Ledger(
        opening_cash=Decimal(state["opening_cash"]),
        opened_at=datetime.fromisoformat(state["opened_at"]),
        cash=Decimal(state["cash"]),
        lots={s: from_json(Lot, body) for s, body in state["lots"].items()},
        closes=[from_json(Close, body) for body in state["closes"]],
    )


def _book(state: Mapping[str, Any]) -> OrderBook:
    book = OrderBook()
    for body in state["orders"]:
        book.add(from_json(Order, body))
    book.dirty.clear()
    return book
