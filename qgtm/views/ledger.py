"""The account by session and by strategy, folded from the journal.

Each strategy has a purse: its share of every position and the cash that its fills cost or brought. What a
purse is worth changes only by prices and its own fills, so the changes over any period add up to the
account's, and what no strategy owns is the residual's.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from qgtm.core.events import (
    AccountSampled,
    BarsClosed,
    BreakAccepted,
    CashMoved,
    Event,
    IntentFormed,
    OrderUpdated,
    QuotesSeen,
    SessionOpened,
    StrategiesCrossed,
)
from qgtm.core.money import exact, usd
from qgtm.core.order import Order, Side, learned
from qgtm.core.position import fill_price
from qgtm.risk.drawdown import is_flow

ZERO: Final = Decimal(0)
RESIDUAL: Final = "residual"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """Shares of one order that were filled together, as the broker's cumulative counts tell them."""

    at: datetime
    session: date | None
    client_order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    arrival_price: Decimal
    shares: Mapping[str, Decimal]  # signed, by owner

    @property
    def slippage_usd(self) -> Decimal:
        """Return what the fill cost against the price at decision: above zero is worse."""
        return (self.price - self.arrival_price) * self.quantity * self.side.sign

    @property
    def slippage_bps(self) -> Decimal:
        """Return the slippage in basis points of the arrival price; 0 when there is none."""
        if not self.arrival_price:
            return ZERO
        return (self.price / self.arrival_price - 1) * self.side.sign * 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Close:
    """The account at a session's closing prices, in dollars; `worth` is by owner."""

    session: date
    at: datetime
    equity_usd: Decimal
    books_gap_usd: Decimal | None  # our count less the broker's, at its last sample and that sample's marks
    cash_usd: Decimal
    flows_usd: Decimal  # the owners' money in and out so far; dividends and fees are profit
    worth_usd: Mapping[str, Decimal]
    gross_usd: Decimal
    net_usd: Decimal


@dataclass
class Purse:
    """One owner's shares by symbol and the cash of its fills."""

    cash_usd: Decimal = ZERO
    shares: dict[str, Decimal] = field(default_factory=dict)

    def take(self, symbol: str, quantity: Decimal, price: Decimal) -> None:
        """Book signed shares at a price."""
        self.shares[symbol] = self.shares.get(symbol, ZERO) + quantity
        self.cash_usd -= quantity * price

    def worth_usd(self, marks: Mapping[str, Decimal]) -> Decimal:
        """Return what the purse is worth at these prices; a symbol without one counts nothing."""
        held = (quantity * marks.get(symbol, ZERO) for symbol, quantity in self.shares.items())
        return self.cash_usd + sum(held, ZERO)


@dataclass
class Ledger:
    """Take the journal's events in, in order; read the fields at any time."""

    closes: list[Close] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)
    purses: dict[str, Purse] = field(default_factory=dict)
    marks: dict[str, Decimal] = field(default_factory=dict)
    cash_usd: Decimal = ZERO
    flows_usd: Decimal = ZERO
    session: date | None = None
    books_gap_usd: Decimal | None = None
    _orders: dict[str, Order] = field(default_factory=dict)

    def take(self, event: Event, at: datetime) -> None:
        """Take one event in."""
        deed = _DEEDS.get(type(event))
        if deed is not None:
            deed(self, event, at)

    def take_all(self, events: Iterable[tuple[Event, datetime]]) -> "Ledger":
        """Take many events in and return the ledger."""
        for event, at in events:
            self.take(event, at)
        return self

    @property
    def positions(self) -> dict[str, Decimal]:
        """Return the signed shares held, over all purses, to a millionth of a share."""
        total: dict[str, Decimal] = {}
        for purse in self.purses.values():
            for symbol, quantity in purse.shares.items():
                total[symbol] = total.get(symbol, ZERO) + quantity
        return {
            s: q.quantize(Decimal("0.000001")).normalize() + 0
            for s, q in total.items()
            if abs(q) > Decimal("1e-6")
        }

    def purse(self, owner: str) -> Purse:
        """Return an owner's purse, a new one when there is none."""
        return self.purses.setdefault(owner, Purse())

    # -- one method an event -------------------------------------------------------------

    def _opened(self, event: SessionOpened, at: datetime) -> None:
        self.session = event.session
        self._orders = {key: order for key, order in self._orders.items() if order.is_live}

    def _formed(self, event: IntentFormed, at: datetime) -> None:
        self._orders[event.order.client_order_id] = event.order

    def _updated(self, event: OrderUpdated, at: datetime) -> None:
        before = self._orders.get(event.client_order_id)
        if before is None:
            return
        counted = min(event.filled_quantity, before.quantity)  # more than was ordered is a break
        after = learned(before, event.state, counted, event.filled_price)
        self._orders[event.client_order_id] = after
        quantity = after.filled_quantity - before.filled_quantity
        if quantity:
            price = fill_price(
                (before.filled_quantity, before.filled_price), (after.filled_quantity, after.filled_price)
            )
            self._filled(after, quantity, price, at)
        elif after.filled_price != before.filled_price:
            self._repriced(after, after.filled_quantity * (after.filled_price - before.filled_price))

    def _filled(self, order: Order, quantity: Decimal, price: Decimal, at: datetime) -> None:
        parts = {owner: part * quantity / order.quantity for owner, part in order.shares.items()}
        parts = parts or {RESIDUAL: quantity * order.side.sign}
        for owner, part in parts.items():
            self.purse(owner).take(order.symbol, part, price)
        self.cash_usd -= quantity * order.side.sign * price
        self.marks.setdefault(order.symbol, price)
        self.fills.append(
            Fill(
                at=at,
                session=self.session,
                client_order_id=order.client_order_id,
                symbol=order.symbol,
                side=order.side,
                quantity=quantity,
                price=price,
                arrival_price=order.arrival_price,
                shares=parts,
            )
        )

    def _repriced(self, order: Order, worth_usd: Decimal) -> None:
        """Book that the shares of an order cost more than was told; its last fill carries the difference."""
        signed = order.quantity * order.side.sign
        for owner, part in (order.shares or {RESIDUAL: signed}).items():
            self.purse(owner).cash_usd -= worth_usd * part / order.quantity
        self.cash_usd -= worth_usd * order.side.sign
        last = max(i for i, fill in enumerate(self.fills) if fill.client_order_id == order.client_order_id)
        fill = self.fills[last]
        self.fills[last] = replace(fill, price=fill.price + worth_usd / fill.quantity)

    def _crossed(self, event: StrategiesCrossed, at: datetime) -> None:
        for owner, quantity in event.shares.items():
            self.purse(owner).take(event.symbol, quantity, event.price)

    def _moved(self, event: CashMoved, at: datetime) -> None:
        """Count the owners' money as a flow; what a holding pays or costs is the residual's profit."""
        self.cash_usd += event.amount_usd
        if event.kind == "start" or is_flow(event.kind):
            self.flows_usd += event.amount_usd
        else:
            self.purse(RESIDUAL).cash_usd += event.amount_usd

    def _accepted(self, event: BreakAccepted, at: datetime) -> None:
        """Book what a person accepted to the residual, without touching any strategy."""
        if event.subject == "cash":
            self.purse(RESIDUAL).cash_usd += event.brokers - self.cash_usd
            self.cash_usd = event.brokers
            return
        difference = event.brokers - self.positions.get(event.subject, ZERO)
        held = self.purse(RESIDUAL).shares
        held[event.subject] = held.get(event.subject, ZERO) + difference

    def _quoted(self, event: QuotesSeen, at: datetime) -> None:
        self.marks |= {symbol: (quote.bid + quote.ask) / 2 for symbol, quote in event.quotes.items()}

    def _sampled(self, event: AccountSampled, at: datetime) -> None:
        self.marks |= event.marks
        self.books_gap_usd = self._equity_usd() - event.equity_usd

    def _values_usd(self) -> list[Decimal]:
        return [quantity * self.marks.get(symbol, ZERO) for symbol, quantity in self.positions.items()]

    def _equity_usd(self) -> Decimal:
        return self.cash_usd + sum(self._values_usd(), ZERO)

    def _closed(self, event: BarsClosed, at: datetime) -> None:
        self.marks |= {symbol: exact(bar[3]) for symbol, bar in event.bars.items()}
        self.closes.append(self.struck(event.session, at))

    def struck(self, session: date, at: datetime) -> Close:
        """Return the account as it stands at the present marks: between two closes too."""
        values = self._values_usd()
        return Close(
            session=session,
            at=at,
            equity_usd=self._equity_usd(),
            books_gap_usd=self.books_gap_usd,
            cash_usd=self.cash_usd,
            flows_usd=self.flows_usd,
            worth_usd={owner: purse.worth_usd(self.marks) for owner, purse in self.purses.items()},
            gross_usd=sum(map(abs, values), ZERO),
            net_usd=sum(values, ZERO),
        )


_DEEDS: Final[dict[type[Event], Callable[[Ledger, Any, datetime], None]]] = {
    SessionOpened: Ledger._opened,
    IntentFormed: Ledger._formed,
    OrderUpdated: Ledger._updated,
    StrategiesCrossed: Ledger._crossed,
    CashMoved: Ledger._moved,
    BreakAccepted: Ledger._accepted,
    QuotesSeen: Ledger._quoted,
    AccountSampled: Ledger._sampled,
    BarsClosed: Ledger._closed,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """Profit and loss of a period by owner, in dollars to the cent; the rows add up to `account_usd` exactly.

    `residual_usd` is what no strategy owns, the cents that rounding leaves included.
    """

    account_usd: Decimal
    by_strategy_usd: Mapping[str, Decimal]
    residual_usd: Decimal


def attribution(before: Close | None, after: Close) -> Attribution:
    """Return the profit and loss between two closes by strategy; from the beginning when `before` is None."""
    old = before.worth_usd if before else {}
    rows = {
        owner: usd(worth - old.get(owner, ZERO))
        for owner, worth in sorted(after.worth_usd.items())
        if owner != RESIDUAL
    }
    earned = after.equity_usd - after.flows_usd - (before.equity_usd - before.flows_usd if before else ZERO)
    account = usd(earned)
    return Attribution(
        account_usd=account, by_strategy_usd=rows, residual_usd=account - sum(rows.values(), ZERO)
    )
