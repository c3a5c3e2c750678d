"""Compare both books: first learn what became of our own orders, then report what is left over."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from qgtm.core.events import BreakFound, CashMoved, Event, Reconciled
from qgtm.core.order import Order
from qgtm.engine.reconcile import find_breaks, find_cash_break, find_foreign_orders
from qgtm.engine.state import State
from qgtm.live.perform import update_of
from qgtm.ports import Account, Broker, BrokerOrder, BrokerPosition

FLOWS_BACK: Final = timedelta(days=7)


@dataclass(frozen=True)
class Books:
    """The broker's side, read at one time."""

    account: Account
    positions: tuple[BrokerPosition, ...]
    orders: tuple[BrokerOrder, ...]
    flows: tuple[CashMoved, ...]


def read_books(broker: Broker, live: Sequence[Order], now: datetime) -> Books:
    """Read the broker's side: reading only. Raises BrokerError when an answer cannot be had."""
    oldest = min((order.formed_at for order in live), default=now)
    recent = broker.orders(after=min(oldest, now) - timedelta(days=2))
    still_open = broker.orders(is_open=True)
    seen = {order.broker_order_id: order for order in (*still_open, *recent)}
    flows = broker.cash_flows((now - FLOWS_BACK).date())
    return Books(broker.account(), broker.positions(), tuple(seen.values()), flows)


@dataclass(frozen=True, slots=True)
class ReadBooks:
    """An effect of the daemon's own: read the broker's side. Reading only (testing.md V13)."""

    live: tuple[Order, ...]


def late_news(books: Books) -> list[Event]:
    """Return what the broker says of orders and cash flows: facts of our own are applied, no breaks."""
    return [*map(update_of, books.orders), *books.flows]


def differences(state: State, books: Books) -> list[Event]:
    """Return the breaks that are new and the record that both books were compared. Mends nothing.

    To be called with a state that has heard `late_news`.
    """
    ours = {symbol: position.quantity for symbol, position in state.positions.items() if position.quantity}
    brokers = {position.symbol: position.quantity for position in books.positions}
    open_there = {order.client_order_id: order.quantity for order in books.orders if _is_open(order)}
    found = (
        *find_breaks(ours, brokers),
        *find_cash_break(state.cash_usd, books.account.cash_usd),
        *find_foreign_orders(state.orders, open_there),
    )
    fresh = [each for each in (*found, *_vanished(state, found)) if not _is_known(state, each)]
    record = Reconciled(
        breaks=tuple(sorted({each.subject for each in found} | set(state.breaks))),
        positions=brokers,
        cash_usd=books.account.cash_usd,
    )
    return [*fresh, record]


def _vanished(state: State, found: Sequence[BreakFound]) -> list[BreakFound]:
    """Return breaks whose two numbers have come together, so that nobody accepts what is no longer so."""
    still = {each.subject for each in found}
    return [
        BreakFound(
            subject=subject,
            ours=_ours(state, subject),
            brokers=_ours(state, subject),
            detail="Both books agree again; find out why, and accept it to go on.",
        )
        for subject in sorted(state.breaks)
        if subject not in still
    ]


def _ours(state: State, subject: str) -> Decimal:
    return state.cash_usd if subject == "cash" else state.quantity(subject)


def _is_open(order: BrokerOrder) -> bool:
    return order.state.value in ("working", "formed", "unknown")


def _is_known(state: State, found: BreakFound) -> bool:
    known = state.breaks.get(found.subject)
    if known is None:
        return False
    is_settled = known.ours == known.brokers and found.ours == found.brokers
    return is_settled or (known.ours == found.ours and known.brokers == found.brokers)
