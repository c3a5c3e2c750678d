"""The account and its positions as a client sees them, and its equity through time."""

from bisect import bisect_right
from datetime import datetime
from decimal import Decimal

from qgtm.exchange.account import Close, Lot, account_view
from qgtm.exchange.desk import Desk
from qgtm.exchange.event import AccountView, PositionView, Worth
from qgtm.exchange.hours import Hours
from qgtm.exchange.order import ZERO


class Views:
    """Reads of the desk; marks are asked for held symbols only, and closing equities kept."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._closing: dict[datetime, Decimal] = {}

    def account(self) -> AccountView:
        """Return the account now, in dollars."""
        desk = self._desk
        return account_view(
            desk.ledger,
            desk.mark,
            at=desk.now,
            last_equity=self.last_equity(),
            held_usd=desk.book.held_usd() if desk.book.live else ZERO,
            multiplier=min(desk.switches.max_margin_multiplier, Decimal(2)),
        )

    def worth(self) -> Worth:
        """Return cash, equity and marks now, in dollars."""
        ledger = self._desk.ledger
        marks = {symbol: self._desk.mark(symbol) for symbol in sorted(ledger.lots)}
        return Worth(
            cash=ledger.cash,
            equity=ledger.equity(marks.__getitem__),
            last_equity=self.last_equity(),
            marks=marks,
        )

    def last_equity(self) -> Decimal:
        """Return the equity at the last session's close, the opening cash before the first."""
        closes = self._desk.ledger.closes
        return self.closing_equity(closes[-1]) if closes else self._desk.ledger.opening_cash

    def closing_equity(self, close: Close) -> Decimal:
        """Return the equity at a kept close, in dollars."""
        known = self._closing.get(close.at)
        if known is None:
            known = close.cash + sum((q * self._close_price(s, close) for s, q in close.lots.items()), ZERO)
            self._closing[close.at] = known
        return known

    def _close_price(self, symbol: str, close: Close) -> Decimal:
        return self._desk.prices.closing_mark(symbol, close.at)

    def positions(self) -> list[PositionView]:
        """Return all open positions, by symbol."""
        before = self._session_before()
        return [self._position(s, lot, before) for s, lot in sorted(self._desk.ledger.lots.items())]

    def position(self, symbol: str) -> PositionView | None:
        """Return one open position, None when there is none."""
        lot = self._desk.ledger.lots.get(symbol)
        return None if lot is None else self._position(symbol, lot, self._session_before())

    def _session_before(self) -> Hours | None:
        calendar = self._desk.prices.calendar
        return calendar.before(calendar.current(self._desk.now).day)

    def _position(self, symbol: str, lot: Lot, before: Hours | None) -> PositionView:
        desk = self._desk
        price = desk.mark(symbol)
        lastday = price if before is None else desk.prices.closing_mark(symbol, before.close_at) or price
        held = desk.book.held_qty(symbol, "sell" if lot.qty > 0 else "buy")
        sign = 1 if lot.qty > 0 else -1
        value = lot.qty * price
        return PositionView(
            symbol=symbol,
            qty=lot.qty,
            qty_available=sign * max(abs(lot.qty) - held, ZERO),
            avg_entry_price=lot.avg_entry_price,
            cost_basis=lot.cost,
            current_price=price,
            lastday_price=lastday,
            market_value=value,
            unrealized_pl=value - lot.cost,
            unrealized_intraday_pl=self._intraday(symbol, lot, price, lastday),
        )

    def _intraday(self, symbol: str, lot: Lot, price: Decimal, lastday: Decimal) -> Decimal:
        """Return today's gain: of shares kept over night since the close, of others since their entry."""
        gain = lot.qty * price - lot.cost
        close = self._desk.ledger.closes[-1] if self._desk.ledger.closes else None
        before = ZERO if close is None else close.lots.get(symbol, ZERO)
        if close is None or before == 0 or (before > 0) != (lot.qty > 0):
            return gain
        entry = close.costs[symbol] / before
        return gain + min(before, lot.qty, key=abs) * (entry - lastday)

    def equity_at(self, at: datetime) -> Decimal:
        """Return the equity at an earlier moment, from the executions and activities up to then."""
        cash, lots = self._holdings_at(at)
        return cash + sum((q * self._desk.prices.mark(s, at) for s, q in lots.items() if q), ZERO)

    def _holdings_at(self, at: datetime) -> tuple[Decimal, dict[str, Decimal]]:
        closes = self._desk.ledger.closes
        index = bisect_right(closes, at, key=_close_at) - 1
        start = closes[index].at if index >= 0 else self._desk.ledger.opened_at
        cash = closes[index].cash if index >= 0 else self._desk.ledger.opening_cash
        lots = dict(closes[index].lots) if index >= 0 else {}
        for execution in self._desk.executions:
            if start < execution.executed_at <= at:
                signed = execution.qty if execution.side == "buy" else -execution.qty
                cash -= signed * execution.price
                lots[execution.symbol] = lots.get(execution.symbol, ZERO) + signed
        for activity in self._desk.activities:
            if start < activity.at <= at:
                cash += activity.net_amount
                if activity.kind == "SPLIT" and activity.symbol is not None:
                    lots[activity.symbol] = lots.get(activity.symbol, ZERO) + (activity.qty or ZERO)
        return cash, lots


def _close_at(close: Close) -> datetime:
    return close.at
