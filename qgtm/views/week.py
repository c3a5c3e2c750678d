"""One week of the fund as its review tells it, folded from the journal.

A week runs from Monday 00:00 to the next in New York, and is called by its ISO name, as 2026-W15.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Final

from qgtm.core.events import (
    AccountSampled,
    AlertRaised,
    BarsClosed,
    BreakFound,
    Event,
    FeedFailed,
    Latched,
    ModeChanged,
    OrderDenied,
    OrderRejected,
    OrderUnknown,
    StrategiesCrossed,
    StrategyDisabled,
    Unlatched,
)
from qgtm.core.instant import NEW_YORK
from qgtm.core.money import usd
from qgtm.engine.state import State, changed
from qgtm.views.ledger import RESIDUAL, ZERO, Attribution, Close, Fill, Ledger, attribution
from qgtm.views.signals import held_frac

DAYS_A_WEEK: Final = 7
_NAME: Final = re.compile(r"(\d{4})-W(\d{2})")
_TOLD: Final = (
    AlertRaised,
    BreakFound,
    FeedFailed,
    Latched,
    ModeChanged,
    OrderRejected,
    OrderUnknown,
    StrategyDisabled,
    Unlatched,
)

Key = tuple[str, str]


def monday_of(day: date) -> date:
    """Return the Monday of the ISO week that `day` lies in."""
    return day - timedelta(days=day.weekday())


def week_name(monday: date) -> str:
    """Return a week's ISO name, as 2026-W15."""
    year, week, _ = monday.isocalendar()
    return f"{year}-W{week:02d}"


def monday_from(text: str) -> date:
    """Return the Monday of a week given by its name or by any of its days; raise ValueError otherwise."""
    named = _NAME.fullmatch(text)
    if named:
        return date.fromisocalendar(int(named[1]), int(named[2]), 1)
    return monday_of(date.fromisoformat(text))


def begin_of(monday: date) -> datetime:
    """Return the moment at which a week begins, in UTC."""
    return datetime.combine(monday, time(), NEW_YORK).astimezone(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What one owner's shares of one symbol earned in the week, in dollars."""

    owner: str
    symbol: str
    pnl_usd: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Denial:
    """How often a check refused an order, of which symbols, and what it said last."""

    check: str
    count: int
    symbols: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A symbol's weight as it is and as it is wanted, in signed shares of equity; None when not known."""

    symbol: str
    held_frac: float | None
    target_frac: float
    by_strategy: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Told:
    """Something a reader should see, in the words of the journal, and when."""

    at: datetime
    event: Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    """The week's facts. `closes` are its sessions', `before` the last close earlier, `record` all closes.

    `lines` hold the residual's too and add up to the account's profit before rounding. `last_at` is
    the moment of the last event taken in, None when there was none.
    """

    monday: date
    closes: tuple[Close, ...]
    before: Close | None
    record: tuple[Close, ...]
    fills: tuple[Fill, ...]
    lines: tuple[Line, ...]
    denials: tuple[Denial, ...]
    told: tuple[Told, ...]
    refused: Mapping[tuple[date, str], str]  # bars that were nonsense
    held: tuple[Held, ...]
    state: State
    samples: int
    last_at: datetime | None

    @property
    def name(self) -> str:
        """Return the week's ISO name."""
        return week_name(self.monday)

    @property
    def account(self) -> Attribution | None:
        """Return the week's profit by strategy, None without a finished session."""
        return attribution(self.before, self.closes[-1]) if self.closes else None

    @property
    def by_session(self) -> tuple[tuple[date, Attribution], ...]:
        """Return each session's profit by strategy."""
        before = (self.before, *self.closes)
        return tuple(
            (close.session, attribution(old, close)) for old, close in zip(before, self.closes, strict=False)
        )

    @property
    def opening_usd(self) -> Decimal | None:
        """Return the equity that the week's profit is measured on: the last close, else what was paid in."""
        if self.before is not None:
            return self.before.equity_usd
        return self.closes[-1].flows_usd if self.closes else None

    @property
    def flows_usd(self) -> Decimal:
        """Return the money that came in (+) or went out (-) between the two closes."""
        if not self.closes or self.before is None:
            return ZERO
        return self.closes[-1].flows_usd - self.before.flows_usd

    @property
    def turnover_usd(self) -> Decimal:
        """Return the worth of all that was bought and sold."""
        return sum((fill.quantity * fill.price for fill in self.fills), ZERO)

    @property
    def slippage_usd(self) -> Decimal:
        """Return what the fills cost against the prices at decision; above zero is worse."""
        return usd(sum((fill.slippage_usd for fill in self.fills), ZERO))

    @property
    def slippage_bps(self) -> Decimal | None:
        """Return the slippage in basis points of what was traded at arrival prices; None without a fill."""
        arrived = sum((fill.quantity * fill.arrival_price for fill in self.fills), ZERO)
        cost = sum((fill.slippage_usd for fill in self.fills if fill.arrival_price), ZERO)
        return cost / arrived * 10_000 if arrived else None


@dataclass
class Diary:
    """Take the journal's events in, in order, up to the end of the week that begins on `monday`.

    Later events are passed over, so that a week reads the same whenever it is read.
    """

    monday: date
    ledger: Ledger = field(default_factory=Ledger)
    state: State = field(default_factory=State)
    _told: list[Told] = field(default_factory=list)
    _denied: list[OrderDenied] = field(default_factory=list)
    _refused: dict[tuple[date, str], str] = field(default_factory=dict)
    _cash_usd: dict[Key, Decimal] = field(default_factory=dict)
    _shares: dict[Key, Decimal] = field(default_factory=dict)
    _worth_before: dict[Key, Decimal] = field(default_factory=dict)
    _worth: dict[Key, Decimal] = field(default_factory=dict)
    _fills: int = 0
    _samples: int = 0
    _last_at: datetime | None = None

    def take(self, event: Event, at: datetime) -> None:
        """Take one event in. Raises OrderError when the journal holds what cannot be."""
        if at >= begin_of(self.monday + timedelta(days=DAYS_A_WEEK)):
            return
        self._last_at = at
        self.state = changed(self.state, event)
        self.ledger.take(event, at)
        self._book(event)
        if isinstance(event, BarsClosed):
            self._mark(event)
        if at >= begin_of(self.monday):
            self._note(event, at)

    def _book(self, event: Event) -> None:
        for fill in self.ledger.fills[self._fills :]:
            for owner, quantity in fill.shares.items():
                self._move(owner, fill.symbol, quantity, fill.price)
        self._fills = len(self.ledger.fills)
        if isinstance(event, StrategiesCrossed):
            for owner, quantity in event.shares.items():
                self._move(owner, event.symbol, quantity, event.price)

    def _move(self, owner: str, symbol: str, quantity: Decimal, price: Decimal) -> None:
        key = (owner, symbol)
        self._shares[key] = self._shares.get(key, ZERO) + quantity
        self._cash_usd[key] = self._cash_usd.get(key, ZERO) - quantity * price

    def _mark(self, event: BarsClosed) -> None:
        worth = {
            (owner, symbol): cash + self._shares[owner, symbol] * self.ledger.marks.get(symbol, ZERO)
            for (owner, symbol), cash in self._cash_usd.items()
        }
        if event.session < self.monday:
            self._worth_before = worth
        self._worth = worth

    def _note(self, event: Event, at: datetime) -> None:
        if isinstance(event, _TOLD):
            self._told.append(Told(at, event))
        elif isinstance(event, OrderDenied):
            self._denied.append(event)
        elif isinstance(event, AccountSampled):
            self._samples += 1
        elif isinstance(event, BarsClosed):
            self._refused |= {(event.session, symbol): why for symbol, why in event.refused.items()}

    def week(self) -> Week:
        """Return the week as it stands."""
        closes = [close for close in self.ledger.closes if close.session >= self.monday]
        earlier = [close for close in self.ledger.closes if close.session < self.monday]
        begin_at = begin_of(self.monday)
        return Week(
            monday=self.monday,
            closes=tuple(closes),
            before=earlier[-1] if earlier else None,
            record=tuple(self.ledger.closes),
            fills=tuple(fill for fill in self.ledger.fills if fill.at >= begin_at),
            lines=self._lines() if closes else (),
            denials=_denials(self._denied),
            told=tuple(self._told),
            refused=dict(self._refused),
            held=_held(self.state),
            state=self.state,
            samples=self._samples,
            last_at=self._last_at,
        )

    def _lines(self) -> tuple[Line, ...]:
        found = [
            Line(owner=owner, symbol=symbol, pnl_usd=worth - self._worth_before.get((owner, symbol), ZERO))
            for (owner, symbol), worth in self._worth.items()
        ]
        return tuple(sorted(found, key=lambda line: (-line.pnl_usd, line.owner, line.symbol)))


def _denials(denied: Sequence[OrderDenied]) -> tuple[Denial, ...]:
    counts = Counter(event.check for event in denied)
    last = {event.check: event.reason for event in denied}
    return tuple(
        Denial(
            check=check,
            count=count,
            symbols=tuple(sorted({event.symbol for event in denied if event.check == check})),
            reason=last[check],
        )
        for check, count in sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    )


def _held(state: State) -> tuple[Held, ...]:
    symbols = {symbol for symbol, position in state.positions.items() if position.quantity}
    symbols |= {symbol for symbol, weight in state.weights.items() if weight}
    rows = [
        Held(
            symbol=symbol,
            held_frac=held_frac(state, symbol),
            target_frac=state.weights.get(symbol, 0.0),
            by_strategy={
                name: mine[symbol] for name, mine in sorted(state.by_strategy.items()) if mine.get(symbol)
            },
        )
        for symbol in symbols
    ]
    return tuple(sorted(rows, key=lambda row: (-abs(row.held_frac or row.target_frac), row.symbol)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """One strategy's week: profit, what it traded, and what its fills cost; all in dollars."""

    owner: str
    pnl_usd: Decimal
    turnover_usd: Decimal
    slippage_usd: Decimal
    fills: int


def shares_of(week: Week) -> tuple[Share, ...]:
    """Return one row a strategy, the best first, and the residual last; profits and slippage add up."""
    account = week.account
    if account is None:
        return ()
    earned = {**account.by_strategy_usd, RESIDUAL: account.residual_usd}
    rows = [_share(owner, pnl_usd, week.fills) for owner, pnl_usd in earned.items() if owner != RESIDUAL]
    rows.sort(key=lambda row: (-row.pnl_usd, row.owner))
    rest = _share(RESIDUAL, account.residual_usd, week.fills)
    rounded = week.slippage_usd - sum((row.slippage_usd for row in rows), ZERO)
    return (*rows, replace(rest, slippage_usd=rounded))


def _share(owner: str, pnl_usd: Decimal, fills: Sequence[Fill]) -> Share:
    mine = [(fill, fill.shares[owner]) for fill in fills if fill.shares.get(owner)]
    slippage = (part * (fill.price - fill.arrival_price) for fill, part in mine)
    return Share(
        owner=owner,
        pnl_usd=pnl_usd,
        turnover_usd=sum((abs(part) * fill.price for fill, part in mine), ZERO),
        slippage_usd=usd(sum(slippage, ZERO)),
        fills=len(mine),
    )
