"""What must hold at any instant, whatever was killed: no order twice, both books alike, the chain whole."""

import random
from collections import Counter
from decimal import Decimal
from typing import Any

from qgtm.adapters.audit import verify
from qgtm.core.events import BreakFound, IntentFormed
from qgtm.engine.state import State
from tests.live.processes import Site, eventually

# Small orders and a narrow band make many rounds, so that a kill seldom meets an idle daemon.
BUSY = (
    ("order_frac = 0.10", "order_frac = 0.01"),
    ("no_trade_band_frac = 0.005", "no_trade_band_frac = 0.0005"),
    ("orders_per_day = 300", "orders_per_day = 600"),
    ("same_order_per_minute = 2", "same_order_per_minute = 4"),
)
# Fills that come in parts, cancels and answers that take a while: orders are on their way for seconds.
SLOW = {"partial_fill_frac": 0.8, "refill_s": 240, "activation_s": 60, "cancel_s": 60}
LOST_ANSWERS = [
    {"stage": "after_apply", "action": "drop", "method": "POST", "path": "/v2/orders", "count": None},
    {"stage": "before_apply", "action": "hang", "method": "POST", "path": "/v2/orders", "count": None},
]


def state_of(place: Site) -> State:
    return place.folded()


def held(state: State) -> dict[str, Decimal]:
    return {symbol: p.quantity for symbol, p in sorted(state.positions.items()) if p.quantity}


def truth(place: Site) -> dict[str, Decimal]:
    return {symbol: Decimal(q) for symbol, q in place.get("state")["truth"]["positions"].items()}


def accepted(place: Site) -> list[dict[str, Any]]:
    orders: list[dict[str, Any]] = place.get("state")["state"]["orders"]
    return orders


def check_no_order_is_doubled(place: Site, *, is_watched: bool = False) -> None:
    """Every order that the exchange took has one intent, written down, of the same shares.

    Where a watchdog closes as well, its orders have no intent in the daemon's journal.
    """
    intents = {e.order.client_order_id: e.order for e in place.events(IntentFormed)}
    orders = accepted(place)
    doubled = [each for each, count in Counter(o["client_order_id"] for o in orders).items() if count > 1]
    assert not doubled
    assert len(intents) == len(place.events(IntentFormed)), "an id was formed twice"
    for order in orders:
        if is_watched and "-flatten-" in order["client_order_id"] and order["client_order_id"] not in intents:
            continue
        ours = intents[order["client_order_id"]]
        assert (ours.symbol, str(ours.side), ours.quantity) == (
            order["symbol"],
            order["side"],
            Decimal(order["qty"]),
        )


def check_books_agree(place: Site, within_s: float = 20.0) -> None:
    """With venue time held, both sides come to the same shares and cash, with no break on the way."""
    place.post("hold", name="test", ttl_s=within_s + 40)
    try:
        eventually(
            lambda: held(state_of(place)) == truth(place), "our positions equal the exchange's", within_s
        )
        cash = Decimal(place.get("state")["truth"]["cash"])
        assert abs(state_of(place).cash_usd - cash) <= Decimal("0.01")
        assert not place.events(BreakFound)
    finally:
        place.post("hold", name="test", release=True)


def check_journal_holds(place: Site) -> None:
    audit = verify(place.state / "journal.db")
    assert audit.is_ok, audit.bad


def stir(place: Site, chance: random.Random) -> None:
    """Give the daemon something to trade: a new session, other prices, or both."""
    for symbol in chance.sample(["GLD", "SLV", "GDX", "IAU", "SIL"], 2):
        place.post(
            "prices", symbol=symbol, action="shift", factor=chance.choice(["0.96", "0.98", "1.02", "1.04"])
        )
    if chance.random() < 0.6:
        place.post("advance", to="open")
