"""One halt that closed everything, as its report tells it: folded from the journal alone.

What each strategy contributed is counted from the account's peak to the sample that confirmed the fall.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final

from qgtm.core.events import (
    AccountSampled,
    AlertRaised,
    BreakFound,
    BrokerFound,
    BrokerLost,
    Event,
    FeedFailed,
    FlatConfirmed,
    FlattenDelayed,
    IntentFormed,
    Latched,
    ModeChanged,
    OrderRejected,
    OrderUnknown,
    StrategyDisabled,
    Unlatched,
)
from qgtm.core.mode import Mode, Trigger
from qgtm.core.reducing import is_flattening
from qgtm.engine.state import State, changed
from qgtm.views.ledger import Attribution, Close, Fill, Ledger, attribution
from qgtm.views.week import Told

HALTED: Final = (Mode.HALTED_HARD, Mode.HALTED_DEAD_MAN)
BEFORE: Final = timedelta(hours=1)
SAMPLES_KEPT: Final = 5000
TOLD: Final = (
    AlertRaised,
    BreakFound,
    BrokerFound,
    BrokerLost,
    FeedFailed,
    FlatConfirmed,
    FlattenDelayed,
    Latched,
    ModeChanged,
    OrderRejected,
    OrderUnknown,
    StrategyDisabled,
    Unlatched,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """A position at the halt: signed shares, the mark in dollars, and what it was worth."""

    symbol: str
    quantity: Decimal
    mark: Decimal

    @property
    def worth_usd(self) -> Decimal:
        """Return shares times mark."""
        return self.quantity * self.mark


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """A halt. `number` counts halts, `at` is venue time; `peak` and `struck` are the account at both ends.

    `left` is what is not closed yet, `flat_at` when the broker showed nothing more, None before. `falls`
    are the samples' falls from the peak as seen, from the peak on, with the venue time of each.
    """

    number: int
    trigger: Trigger
    reason: str
    by: str
    at: datetime
    drawdown_frac: Decimal | None
    peak: Close
    struck: Close
    holdings: tuple[Holding, ...]
    orders: int
    fills: tuple[Fill, ...]
    flat_at: datetime | None
    flat_took_s: float | None
    left: Mapping[str, Decimal]
    told: tuple[Told, ...]
    falls: tuple[tuple[datetime, Decimal], ...]
    last_at: datetime

    @property
    def contributions(self) -> Attribution:
        """Return what each strategy brought from the peak to the halt; the rows add up to the account."""
        return attribution(self.peak, self.struck)


@dataclass
class Chronicler:
    """Take the journal's events in, in order, and keep what the wanted halt (0: the newest) needs."""

    wanted: int = 0
    state: State = field(default_factory=State)
    ledger: Ledger = field(default_factory=Ledger)
    at: datetime | None = None
    _peak: Close | None = None
    _halt: ModeChanged | None = None
    _first: int = 0  # the count at its beginning; `_number` is the count by now, after one cause more
    _number: int = 0
    _struck: Close | None = None
    _held: tuple[Holding, ...] = ()
    _fills_before: int = 0
    _orders: int = 0
    _flat: tuple[datetime, float] | None = None
    _left: Mapping[str, Decimal] = field(default_factory=dict)
    _left_from: int = 0  # the fills that came before are in `_left` already
    _recent: deque[Told] = field(default_factory=deque)
    _told: list[Told] = field(default_factory=list)
    _falls: deque[tuple[datetime, Decimal]] = field(default_factory=lambda: deque(maxlen=SAMPLES_KEPT))
    _frozen: tuple[Close, tuple[tuple[datetime, Decimal], ...]] | None = None

    def take(self, event: Event, at: datetime) -> None:
        """Take one event in."""
        before, was_ours = self.state, self._is_ours
        self.state = changed(before, event)
        self.ledger.take(event, at)
        self.at = at
        self._peaked(before, at)
        if isinstance(event, AccountSampled) and self.state.drawdown is not None:
            self._falls.append((at, self.state.drawdown.seen_frac))
        if isinstance(event, TOLD):
            self._tell(event, at)
        if isinstance(event, ModeChanged) and event.after in HALTED:
            if event.before not in HALTED:
                self._halted(event, at)
            elif was_ours:  # one cause more, and the same halt
                self._number = self.state.switch.kill_epoch
        elif self._is_ours:
            self._closing(event, at)

    @property
    def _is_ours(self) -> bool:
        return self._halt is not None and self.state.switch.kill_epoch == self._number

    def _peaked(self, before: State, at: datetime) -> None:
        """Begin to count anew where the peak moved: at a new high, and where a re-entry restarts it."""
        old, new = before.drawdown, self.state.drawdown
        if new is not None and (old is None or new.high_water_mark_usd != old.high_water_mark_usd):
            self._peak = self._now(at)
            self._falls.clear()

    def _tell(self, event: Event, at: datetime) -> None:
        told = Told(at, event)
        if self._halt is not None and (self._is_ours or not self.wanted):
            self._told.append(told)
        self._recent.append(told)
        while self._recent and at - self._recent[0].at > BEFORE:
            self._recent.popleft()

    def _halted(self, event: ModeChanged, at: datetime) -> None:
        number = self.state.switch.kill_epoch
        if self.wanted and number > self.wanted:
            return
        self._halt, self._first, self._number, self._struck = event, number, number, self._now(at)
        marks = self.ledger.marks
        self._held = tuple(
            Holding(symbol=symbol, quantity=quantity, mark=marks.get(symbol, Decimal(0)))
            for symbol, quantity in sorted(self.ledger.positions.items())
        )
        self._fills_before = self._left_from = len(self.ledger.fills)
        self._orders = 0
        self._flat, self._left = None, {holding.symbol: holding.quantity for holding in self._held}
        self._told = list(self._recent)
        self._frozen = (self._peak or self._struck, tuple(self._falls))

    def _closing(self, event: Event, at: datetime) -> None:
        if isinstance(event, IntentFormed) and is_flattening(event.order):
            self._orders += 1
        elif isinstance(event, FlattenDelayed):
            self._left, self._left_from = event.left, len(self.ledger.fills)
        elif isinstance(event, FlatConfirmed):
            self._flat, self._left = (at, event.took_s), {}

    def _now(self, at: datetime) -> Close:
        return self.ledger.struck(self.ledger.session or date.min, at)

    def incident(self) -> Incident | None:
        """Return the halt as far as it has come; None when there was none."""
        if self._halt is None or self._struck is None or self._frozen is None or self.at is None:
            return None
        if self.wanted and not self._first <= self.wanted <= self._number:
            return None
        peak, falls = self._frozen
        closing = self.ledger.fills[self._fills_before :]
        return Incident(
            number=self._number,
            trigger=self._halt.trigger,
            reason=self._halt.reason,
            by=self._halt.by,
            at=self._struck.at,
            drawdown_frac=self._halt.drawdown_frac,
            peak=peak,
            struck=self._struck,
            holdings=self._held,
            orders=self._orders,
            fills=tuple(closing),
            flat_at=self._flat[0] if self._flat else None,
            flat_took_s=self._flat[1] if self._flat else None,
            left={} if self._flat else _still_open(self._left, self.ledger.fills[self._left_from :]),
            told=tuple(self._told),
            falls=falls,
            last_at=self.at,
        )


def _still_open(left: Mapping[str, Decimal], closing: Sequence[Fill]) -> dict[str, Decimal]:
    """Return what was left less what has been filled, as far as our own book knows."""
    rest = dict(left)
    for fill in closing:
        if fill.symbol in rest:
            rest[fill.symbol] += fill.quantity * fill.side.sign
    return {symbol: quantity for symbol, quantity in rest.items() if quantity}


def incident_from(entries: Iterable[tuple[Event, datetime]], number: int = 0) -> Incident | None:
    """Return halt `number` (0: the newest) of a journal's events; None when there is none."""
    chronicler = Chronicler(number)
    for event, at in entries:
        chronicler.take(event, at)
    return chronicler.incident()
