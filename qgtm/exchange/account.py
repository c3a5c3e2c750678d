"""The account's arithmetic: positions by executions, equity, Regulation T margin and buying power."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from qgtm.exchange.event import AccountView
from qgtm.exchange.order import ZERO, Side

Mark = Callable[[str], Decimal]
INITIAL_FRAC = Decimal("0.5")
MAINTENANCE_FRAC = Decimal("0.3")
GUARD_FRAC = Decimal(6)


@dataclass(slots=True)
class Lot:
    """A position: `qty` shares, negative when short; `cost` what they cost, of the same sign."""

    qty: Decimal
    cost: Decimal

    @property
    def avg_entry_price(self) -> Decimal:
        """Return the dollars paid, or taken in when short, a share."""
        return self.cost / self.qty


@dataclass(frozen=True, slots=True)
class Close:
    """What the account held at a session's close: shares by symbol, and what they had cost."""

    day: date
    at: datetime
    cash: Decimal
    lots: Mapping[str, Decimal]
    costs: Mapping[str, Decimal]


@dataclass(slots=True)
class Ledger:
    """Cash and positions, and what they were at each close."""

    opening_cash: Decimal
    opened_at: datetime
    cash: Decimal
    lots: dict[str, Lot] = field(default_factory=dict)
    closes: list[Close] = field(default_factory=list)

    def qty(self, symbol: str) -> Decimal:
        """Return the shares held of a symbol, negative when short."""
        lot = self.lots.get(symbol)
        return ZERO if lot is None else lot.qty

    def trade(self, symbol: str, side: Side, qty: Decimal, price: Decimal) -> Decimal:
        """Book an execution and return the position after it; a reduction keeps the average entry price."""
        signed = qty if side == "buy" else -qty
        self.cash -= signed * price
        lot = self.lots.get(symbol)
        if lot is None:
            self.lots[symbol] = Lot(signed, signed * price)
            return signed
        after = lot.qty + signed
        if after == 0:
            del self.lots[symbol]
            return after
        if (lot.qty > 0) == (signed > 0):
            lot.cost += signed * price
        elif (lot.qty > 0) == (after > 0):
            lot.cost = lot.avg_entry_price * after
        else:  # through zero: only after a split under an open order
            lot.cost = after * price
        lot.qty = after
        return after

    def split(self, symbol: str, ratio: Decimal) -> Decimal:
        """Multiply a position's shares and keep its cost; return the change in shares."""
        lot = self.lots[symbol]
        before = lot.qty
        lot.qty = (before * ratio).quantize(Decimal("0.000000001"))
        return lot.qty - before

    def equity(self, mark: Mark) -> Decimal:
        """Return cash and the value of all positions, in dollars."""
        return self.cash + sum((lot.qty * mark(symbol) for symbol, lot in self.lots.items()), ZERO)

    def close(self, day: date, at: datetime) -> None:
        """Keep what is held at a session's close."""
        held = {s: lot.qty for s, lot in self.lots.items()}
        self.closes.append(Close(day, at, self.cash, held, {s: lot.cost for s, lot in self.lots.items()}))


def account_view(
    ledger: Ledger, mark: Mark, *, at: datetime, last_equity: Decimal, held_usd: Decimal, multiplier: Decimal
) -> AccountView:
    """Return the account at `at`; margin by Regulation T: half of each position's value, long or short."""
    long_value = short_value = ZERO
    for symbol, lot in ledger.lots.items():
        value = lot.qty * mark(symbol)
        if value >= 0:
            long_value += value
        else:
            short_value += value
    gross = long_value - short_value
    equity = ledger.cash + long_value + short_value
    excess = max(equity - gross * INITIAL_FRAC, ZERO)
    regt = max(excess * 2 - held_usd, ZERO)
    plain = max(min(equity, ledger.cash) - held_usd, ZERO)
    return AccountView(
        at=at,
        cash=ledger.cash,
        equity=equity,
        last_equity=last_equity,
        long_market_value=long_value,
        short_market_value=short_value,
        initial_margin=gross * INITIAL_FRAC,
        maintenance_margin=gross * MAINTENANCE_FRAC,
        buying_power=plain if multiplier <= 1 else regt,
        regt_buying_power=regt,
        multiplier=multiplier,
        held_usd=held_usd,
    )


def over_guard(ledger: Ledger, mark: Mark) -> str | None:
    """Return the first symbol whose position is worth more than 600% of equity, None when there is none."""
    if not ledger.lots:
        return None
    values = {symbol: abs(lot.qty * mark(symbol)) for symbol, lot in ledger.lots.items()}
    bound = ledger.equity(mark) * GUARD_FRAC
    return next((symbol for symbol, value in values.items() if value > bound), None)
