"""The paper exchange's core behind the daemon's own ports, in process and on a clock set by hand.

Nothing is serialised on the way, so a replay spends its time on decisions and fills.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from qgtm.adapters.alpaca_parse import STATES
from qgtm.adapters.calendar import xnys
from qgtm.core.bar import Bar, BarSet, nonsense
from qgtm.core.events import AccountSampled, BarsClosed, CashMoved, MarketHoursSeen, QuoteSeen
from qgtm.core.order import Order, OrderState, Side
from qgtm.core.outcome import Accepted, Outcome, Rejected
from qgtm.core.universe import SYMBOLS
from qgtm.exchange.core import Exchange
from qgtm.exchange.market.port import Market, Session
from qgtm.exchange.market.venue import quoted_at
from qgtm.exchange.order import Order as VenueOrder
from qgtm.exchange.order import OrderRequest, PositionIntent, Refusal
from qgtm.ports import Account, BrokerOrder, BrokerPosition, Clock, MarketClock


@dataclass
class DirectBroker:
    """The exchange's one account as a Broker. Every order gets an answer here."""

    exchange: Exchange
    market: Market
    times: Clock
    _hours: MarketHoursSeen | None = field(init=False, default=None)

    def hours(self) -> MarketHoursSeen:
        """Return `clock` as the fact that it was seen: the same one until the market opens or closes."""
        now, known = self.times.now(), self._hours
        if known is None or now >= (known.next_close_at if known.is_open else known.next_open_at):
            seen = self.clock()
            known = self._hours = MarketHoursSeen(
                is_open=seen.is_open, next_open_at=seen.next_open_at, next_close_at=seen.next_close_at
            )
        return known

    def clock(self) -> MarketClock:
        """Return what the venue's clock says, by the calendar: the end of the bars shows in nothing."""
        now, calendar = self.times.now(), xnys()
        today = calendar.session_on(now.date())
        if today is None or today.close_at <= now:
            today = calendar.next_session(now.date())
        later = today if now < today.open_at else calendar.next_session(today.day)
        return MarketClock(
            now=now,
            is_open=today.open_at <= now,
            next_open_at=later.open_at,
            next_close_at=today.close_at,
        )

    def account(self) -> Account:
        """Return the account now."""
        view = self.exchange.account(self.times.now())
        return Account(
            number="PAPER",
            status="ACTIVE",
            equity_usd=view.equity,
            last_equity_usd=view.last_equity,
            cash_usd=view.cash,
            buying_power_usd=view.buying_power,
            is_blocked=False,
            is_shorting_enabled=True,
        )

    def sample(self) -> AccountSampled:
        """Return the account and its marks now: what `account` and `positions` say, asked once."""
        worth = self.exchange.worth(self.times.now())
        return AccountSampled(
            equity_usd=worth.equity,
            cash_usd=worth.cash,
            last_equity_usd=worth.last_equity,
            marks=worth.marks,
            is_blocked=False,
            monotonic_s=self.times.monotonic(),
        )

    def positions(self) -> tuple[BrokerPosition, ...]:
        """Return the open positions now."""
        return tuple(
            BrokerPosition(
                symbol=view.symbol,
                quantity=view.qty,
                available=view.qty_available,
                mark=view.current_price,
                mean_entry_price=view.avg_entry_price,
            )
            for view in self.exchange.positions(self.times.now())
        )

    def orders(self, *, after: datetime | None = None, is_open: bool = False) -> tuple[BrokerOrder, ...]:
        """Return the orders accepted after a moment, oldest first."""
        recent: list[BrokerOrder] = []
        for order in reversed(self.exchange.orders("open" if is_open else "all", self.times.now())):
            if after is not None and order.submitted_at <= after:
                break
            recent.append(broker_order(order))
        return tuple(reversed(recent))

    def order(self, client_order_id: str) -> BrokerOrder | None:
        """Return an order by our id."""
        found = self.exchange.order_by_client_id(client_order_id, self.times.now())
        return None if found is None else broker_order(found)

    def submit(self, order: Order) -> Outcome:
        """Send an order."""
        answer = self.exchange.submit(_request(order), self.times.now())
        if isinstance(answer, Refusal):
            return Rejected(answer.code, answer.message)
        return Accepted(answer.id)

    def cancel(self, broker_order_id: str) -> bool:
        """Ask for a cancel; return whether it could be asked for."""
        return not isinstance(self.exchange.cancel(broker_order_id, self.times.now()), Refusal)

    def cancel_all(self) -> None:
        """Ask for the cancel of every live order."""
        self.exchange.cancel_all(self.times.now())

    def close_all(self) -> None:
        """Close everything by the exchange's own orders."""
        self.exchange.close_all(self.times.now(), cancel_orders=True)

    def cash_flows(self, after: date) -> tuple[CashMoved, ...]:
        """Return dividends, deposits and withdrawals from a day on."""
        return tuple(
            CashMoved(activity_id=each.id, kind=each.kind, amount_usd=each.net_amount)
            for each in self.exchange.activities()
            if each.day >= after and each.net_amount
        )

    def equity_history(self, since: date) -> Mapping[date, Decimal]:
        """Return the equity at the close of each session from a day on, the present one's so far."""
        now, views = self.times.now(), self.exchange.views
        hours = self.exchange.desk.prices.calendar.between(since, now.date())
        return {each.day: views.equity_at(min(each.close_at, now)) for each in hours if each.open_at <= now}


def _request(order: Order) -> OrderRequest:
    closes: PositionIntent = "buy_to_close" if order.side is Side.BUY else "sell_to_close"
    return OrderRequest(
        symbol=order.symbol,
        side="buy" if order.side is Side.BUY else "sell",
        kind="market" if order.limit_price is None else "limit",
        qty=order.quantity,
        limit_price=order.limit_price,
        client_order_id=order.client_order_id,
        position_intent=closes if order.is_reducing else None,
    )


def broker_order(order: VenueOrder) -> BrokerOrder:
    """Return an order of the exchange as the broker port states it."""
    return BrokerOrder(
        broker_order_id=order.id,
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        quantity=order.qty or Decimal(0),
        status=order.status,
        state=STATES.get(order.status, OrderState.WORKING),
        filled_quantity=order.filled_qty,
        filled_price=order.filled_avg_price or Decimal(0),
        updated_at=order.updated_at,
        side=Side(order.side),
    )


_IN_ORDER: Final = tuple(sorted(SYMBOLS))


@dataclass
class DirectFeed:
    """The exchange's market as a Feed."""

    market: Market
    times: Clock

    def daily(self, symbols: Sequence[str], start: date, end: date) -> tuple[BarSet, ...]:
        """Return the finished sessions' bars, oldest first; a bar that is nonsense is refused by name."""
        finished = [s for s in self.market.sessions(start, end) if s.close_at <= self.times.now()]
        return tuple(self._set(symbols, session.day, session.close_at) for session in finished)

    def _set(self, symbols: Sequence[str], day: date, known_at: datetime) -> BarSet:
        found = {symbol: self.market.figures(symbol, day) for symbol in symbols}
        rows = {symbol: row for symbol, row in found.items() if row is not None}
        refused = {symbol: why for symbol, row in rows.items() if (why := nonsense(*row))}
        bars = {
            symbol: Bar(
                symbol=symbol,
                session=day,
                known_at=known_at,
                open=row[0],
                high=row[1],
                low=row[2],
                close=row[3],
                volume=row[4],
            )
            for symbol, row in rows.items()
            if symbol not in refused
        }
        return BarSet(session=day, known_at=known_at, bars=bars, refused=refused)

    def closed(self, start: date, end: date) -> list[BarsClosed]:
        """Return what `daily` says of all symbols as facts, without a `Bar` on the way."""
        finished = [s for s in self.market.sessions(start, end) if s.close_at <= self.times.now()]
        return [self._closed(session) for session in finished]

    def _closed(self, session: Session) -> BarsClosed:
        figures, day = self.market.figures, session.day
        rows = {symbol: row for symbol in _IN_ORDER if (row := figures(symbol, day)) is not None}
        refused = {symbol: why for symbol, row in rows.items() if (why := nonsense(*row))}
        bars = {symbol: row for symbol, row in rows.items() if symbol not in refused} if refused else rows
        return BarsClosed(session=session.day, known_at=session.close_at, bars=bars, refused=refused)

    def quotes(self, symbols: Sequence[str]) -> Mapping[str, QuoteSeen]:
        """Return the quotes now; a symbol without one is left out."""
        now = self.times.now()
        found = {symbol: self.market.quote(symbol, now) for symbol in symbols}
        return {
            symbol: QuoteSeen(
                bid=quote.bid, ask=quote.ask, last=quote.last, at=quoted_at(self.market, symbol, now)
            )
            for symbol, quote in found.items()
            if quote is not None
        }
