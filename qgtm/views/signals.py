"""Signals as people follow them: each opens when a strategy takes a side and closes when it leaves it.

What a signal earned is the change of what its strategy's shares of the symbol are worth, cash of their fills
included, from the close at which it arose to now or to the close at which it ended.
"""

from collections import deque
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from qgtm.core.events import Event, SignalsComputed, StrategiesCrossed
from qgtm.engine.state import State
from qgtm.views.ledger import ZERO, Ledger

KEPT: Final = 5000
FLAT: Final = "flat"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A strategy changed its mind about a symbol: `direction` is long, short or flat."""

    at: datetime
    session: date
    strategy: str
    symbol: str
    direction: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """A strategy's side in a symbol, from the close at which it arose to the one at which it ended.

    `strength` is in (0, 1]; `worth_usd` is what the strategy's shares had earned before it arose.
    """

    strategy: str
    symbol: str
    direction: str
    strength: float
    session: date
    opened_at: datetime
    entry_price: Decimal | None
    worth_usd: Decimal
    closed_at: datetime | None = None
    exit_price: Decimal | None = None
    pnl_usd: Decimal | None = None

    def move_frac(self, price: Decimal | None) -> Decimal | None:
        """Return how far the price has moved the signal's way since it arose; None without both prices."""
        if price is None or not self.entry_price:
            return None
        return (price / self.entry_price - 1) * (1 if self.direction == "long" else -1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A symbol whose wanted weight is not reached yet; weights are signed shares of equity.

    `held_frac` is None when it cannot be told (no price, or no equity).
    """

    symbol: str
    side: str
    wanted_frac: float
    held_frac: float | None
    strategies: tuple[str, ...]
    session: date | None


@dataclass
class SignalBook:
    """Take the journal's events in after the ledger has; read the fields at any time."""

    open: dict[tuple[str, str], Signal] = field(default_factory=dict)
    closed: deque[Signal] = field(default_factory=lambda: deque(maxlen=KEPT))
    last: Change | None = None
    last_at: dict[str, datetime] = field(default_factory=dict)
    _shares: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    _cash_usd: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    _fills: int = 0

    def take(self, event: Event, at: datetime, ledger: Ledger) -> None:
        """Take one event in."""
        for fill in ledger.fills[self._fills :]:
            for owner, quantity in fill.shares.items():
                self._book(owner, fill.symbol, quantity, fill.price)
        self._fills = len(ledger.fills)
        if isinstance(event, StrategiesCrossed):
            for owner, quantity in event.shares.items():
                self._book(owner, event.symbol, quantity, event.price)
        elif isinstance(event, SignalsComputed):
            self._compare(event, at, ledger)

    def earned_usd(self, strategy: str, symbol: str, ledger: Ledger) -> Decimal | None:
        """Return what a strategy's shares of a symbol have earned so far; None when there is no price."""
        key = (strategy, symbol)
        shares = self._shares.get(key, ZERO)
        mark = ledger.marks.get(symbol)
        if shares and mark is None:
            return None
        return self._cash_usd.get(key, ZERO) + shares * (mark or ZERO)

    def live_usd(self, signal: Signal, ledger: Ledger) -> Decimal | None:
        """Return what an open signal has earned since it arose."""
        earned = self.earned_usd(signal.strategy, signal.symbol, ledger)
        return None if earned is None else earned - signal.worth_usd

    def _book(self, owner: str, symbol: str, quantity: Decimal, price: Decimal) -> None:
        key = (owner, symbol)
        self._shares[key] = self._shares.get(key, ZERO) + quantity
        self._cash_usd[key] = self._cash_usd.get(key, ZERO) - quantity * price

    def _compare(self, event: SignalsComputed, at: datetime, ledger: Ledger) -> None:
        changes: list[tuple[float, Change]] = []
        for strategy, views in event.signals.items():
            for symbol, value in views.items():
                if value is None:  # no view today: the last one stands
                    continue
                before = self.open.get((strategy, symbol))
                side = direction_of(value)
                if side != (before.direction if before else FLAT):
                    self._turn(strategy, symbol, value, event.session, at, ledger)
                    change = Change(
                        at=at, session=event.session, strategy=strategy, symbol=symbol, direction=side
                    )
                    changes.append((abs(value), change))
                elif before:
                    self.open[strategy, symbol] = replace(before, strength=abs(value))
        for _, change in changes:
            self.last_at[change.strategy] = at
        if changes:
            self.last = max(changes, key=lambda each: each[0])[1]

    def _turn(
        self, strategy: str, symbol: str, value: float, session: date, at: datetime, ledger: Ledger
    ) -> None:
        ended = self.open.pop((strategy, symbol), None)
        price = ledger.marks.get(symbol)
        if ended:
            earned = self.live_usd(ended, ledger)
            self.closed.append(replace(ended, closed_at=at, exit_price=price, pnl_usd=earned))
        if value:
            self.open[strategy, symbol] = Signal(
                strategy=strategy,
                symbol=symbol,
                direction=direction_of(value),
                strength=abs(value),
                session=session,
                opened_at=at,
                entry_price=price,
                worth_usd=self.earned_usd(strategy, symbol, ledger) or ZERO,
            )


def direction_of(value: float) -> str:
    """Return the side that a view takes: long, short or flat."""
    return "long" if value > 0 else "short" if value < 0 else FLAT


def held_frac(state: State, symbol: str) -> float | None:
    """Return what is held of `symbol` as a signed share of equity; None when price or equity is not known."""
    quantity = state.quantity(symbol)
    if not quantity:
        return 0.0
    mark = state.marks.get(symbol)
    if mark is None or not state.equity_usd or state.equity_usd <= 0:
        return None
    return float(quantity * mark / state.equity_usd)


def pending(state: State, band_frac: Decimal) -> tuple[Pending, ...]:
    """Return the symbols whose wanted weight differs from the held one by more than `band_frac`.

    Empty once the targets are reached; the largest difference comes first.
    """
    if not state.is_pending:
        return ()
    held = {symbol for symbol, position in state.positions.items() if position.quantity}
    rows = [_pending_row(state, symbol) for symbol in sorted({*state.weights, *held})]
    open_rows = [row for row in rows if _distance(row) > float(band_frac)]
    return tuple(sorted(open_rows, key=_distance, reverse=True))


def _pending_row(state: State, symbol: str) -> Pending:
    wanted = state.weights.get(symbol, 0.0)
    held = held_frac(state, symbol)
    owners = [name for name, mine in state.by_strategy.items() if mine.get(symbol)]
    return Pending(
        symbol=symbol,
        side="buy" if wanted > (held or 0.0) else "sell",
        wanted_frac=wanted,
        held_frac=held,
        strategies=tuple(sorted(owners)),
        session=state.targets_session,
    )


def _distance(row: Pending) -> float:
    return float("inf") if row.held_frac is None else abs(row.wanted_frac - row.held_frac)
