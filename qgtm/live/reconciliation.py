"""Compare both books: first learn what became of our own orders, then report what is left over."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from qgtm.core.events import BreakFound, CashMoved, Event, OrderAdopted, Reconciled
from qgtm.core.ids import epoch_of
from qgtm.core.order import Order
from qgtm.core.reducing import is_flattening
from qgtm.core.universe import SYMBOLS
from qgtm.engine.intent import owned
from qgtm.engine.reconcile import EQUITY, find_breaks, find_cash_break, find_foreign_orders
from qgtm.engine.state import NO_MONEY, State
from qgtm.live.perform import update_of
from qgtm.ports import Account, Broker, BrokerOrder, BrokerPosition
from qgtm.risk.kill_switch import must_flatten

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


def adopted(state: State, books: Books) -> list[Event]:
    """Return the watchdog's orders of the present halt, which this journal does not hold: they are our own.

    What they did is a fact, learned late. Every other order that we never wrote down is somebody else's.
    """
    if not must_flatten(state.switch):
        return []
    strange = (each for each in books.orders if each.client_order_id not in state.orders)
    ours = (each for each in strange if epoch_of(each.client_order_id) == state.switch.kill_epoch)
    orders = (_as_ours(state, each) for each in ours)
    return [OrderAdopted(order=order) for order in orders if order is not None and is_flattening(order)]


def _as_ours(state: State, seen: BrokerOrder) -> Order | None:
    if seen.side is None or seen.quantity <= 0:
        return None
    signed, symbol = seen.quantity * seen.side.sign, seen.symbol
    is_held = state.quantity(symbol) != 0
    parts = {name: -mine[symbol] for name, mine in state.shares.items() if mine.get(symbol)}
    return Order(
        client_order_id=seen.client_order_id,
        symbol=symbol,
        side=seen.side,
        quantity=seen.quantity,
        limit_price=None,
        arrival_price=state.marks.get(symbol, NO_MONEY),
        formed_at=seen.updated_at,
        is_reducing=True,
        shares=owned(parts if is_held else {}, signed),
    )


def differences(state: State, books: Books) -> list[Event]:
    """Return the breaks that are new and the record that both books were compared. Mends nothing.

    To be called with a state that has heard `late_news`.
    """
    known = {*state.orders, *state.accepted}
    ours = {symbol: position.quantity for symbol, position in state.positions.items() if position.quantity}
    brokers = {position.symbol: position.quantity for position in books.positions}
    open_there = {order.client_order_id: order.quantity for order in books.orders if _is_open(order)}
    found = (
        *find_breaks(ours, brokers, _foreign_fills(known, books)),
        *find_cash_break(state.cash_usd, books.account.cash_usd),
        *find_foreign_orders(known, open_there),
    )
    found = (*found, *_unseen_trades(state, books, {each.subject for each in found}))
    fresh = [each for each in (*found, *_vanished(state, found)) if not _is_known(state, each)]
    record = Reconciled(
        breaks=tuple(sorted({each.subject for each in found} | set(state.breaks))),
        positions=brokers,
        cash_usd=books.account.cash_usd,
        foreign=tuple(sorted(order.client_order_id for order in _foreign(known, books))),
    )
    return [*fresh, record]


def _foreign(known: Collection[str], books: Books) -> list[BrokerOrder]:
    """Return the filled orders that nobody of ours can have made."""
    strange = [o for o in books.orders if o.filled_quantity and o.client_order_id not in known]
    return [o for o in strange if epoch_of(o.client_order_id) is None]


def _unseen_trades(state: State, books: Books, found: Collection[str]) -> list[BreakFound]:
    """Return a break for each foreign trade since the last look that no difference of shares tells of.

    Somebody bought and sold between two looks: both books agree, and yet somebody else trades here.
    What the first comparison of a record finds was before it.
    """
    if state.foreign is None:
        return []
    told = {*found, *(subject for subject in state.breaks if subject in SYMBOLS)}
    seen = set(state.foreign) - state.breaks.keys()  # a ticket stays as it is until it is accepted
    return [
        BreakFound(
            subject=order.client_order_id,
            ours=NO_MONEY,
            brokers=order.filled_quantity,
            detail=f"Somebody else's order in {order.symbol} filled, at {order.filled_price:f}, and both "
            "books agree again: see the broker's activity list for who trades there.",
        )
        for order in _foreign({*state.orders, *state.accepted}, books)
        if order.client_order_id not in seen | told and order.symbol not in told
    ]


def _foreign_fills(known: Collection[str], books: Books) -> dict[str, str]:
    """Return, by symbol, a sentence about the fills of orders that are not ours."""
    strange = _foreign(known, books)
    return {
        symbol: "Orders there that this journal does not hold: "
        + "; ".join(
            f"{o.client_order_id} {o.side or 'traded'} {o.filled_quantity:f} at {o.filled_price:f}"
            for o in strange
            if o.symbol == symbol
        )
        + "."
        for symbol in sorted({o.symbol for o in strange})
    }


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
        if subject not in still and not subject.startswith(EQUITY)  # these are looked for once a session
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
