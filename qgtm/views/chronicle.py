"""What readers of the journal need beside the state: the ledger, the signals, and when things happened.

It is the one fold behind the status box, the API, the phone page and the boards, so their numbers agree.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Final

from qgtm.core.events import (
    AccountSampled,
    AlertRaised,
    Booted,
    CashMoved,
    Deployed,
    Event,
    FlatConfirmed,
    Latched,
    ModeChanged,
    RequestEnded,
    SessionClosed,
    Stopped,
)
from qgtm.core.mode import Latch
from qgtm.engine.state import State, changed
from qgtm.risk.drawdown import is_flow
from qgtm.risk.kill_switch import HALTED
from qgtm.views.ledger import ZERO, Ledger
from qgtm.views.signals import SignalBook

ALERTS_KEPT: Final = 50


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert and when it was raised."""

    at: datetime
    level: str
    text: str


@dataclass(frozen=True, slots=True)
class Code:
    """The code that connects the fund, as it was deployed last: its hash, since when, by whom.

    `is_change` is False for the first that this record knows.
    """

    sha: str
    since: datetime
    by: str
    is_change: bool


@dataclass
class Chronicle:
    """Take the journal's events in, in order; read the fields at any time.

    `ended` says how the last request to both operators ended. `at` is the last row's venue time.
    `first_sample_s` is process time at the last daemon's first sample of the account, taken within the second
    in which it goes live. `halt` is what halted last, `held_then` what was open at that moment, and `flat_at`
    when the broker showed nothing more; `latched` says of each latch when and why it last came on,
    and `code` what is deployed beside the prints.
    """

    state: State = field(default_factory=State)
    ledger: Ledger = field(default_factory=Ledger)
    signals: SignalBook = field(default_factory=SignalBook)
    alerts: deque[Alert] = field(default_factory=lambda: deque(maxlen=ALERTS_KEPT))
    ended: str = ""
    at: datetime | None = None
    booted: Booted | None = None
    stopped: str | None = None
    first_sample_s: float | None = None
    halt: ModeChanged | None = None
    held_then: frozenset[str] = frozenset()
    flat_at: datetime | None = None
    code: Code | None = None
    latched: dict[Latch, tuple[datetime, str]] = field(default_factory=dict)
    _closed_at: datetime | None = None
    _base_at: datetime | None = None
    _flows: list[tuple[datetime, Decimal]] = field(default_factory=list)

    def take(self, event: Event, at: datetime) -> None:
        """Take one event in. Raises OrderError when the journal holds what cannot be."""
        self._note(event, at)
        self.state = changed(self.state, event)
        self.ledger.take(event, at)
        self.signals.take(event, at, self.ledger)
        self.at = at

    def _note(self, event: Event, at: datetime) -> None:
        match event:
            case Deployed() if event.code_sha != self.state.code_sha:
                self.code = Code(event.code_sha, at, event.by, bool(self.state.code_sha))
            case Booted():
                self.booted, self.stopped, self.first_sample_s = event, None, None
            case Stopped():
                self.stopped = event.reason
            case RequestEnded():
                self.ended = f"The last request was {event.outcome.value}: {event.reason}."
            case AlertRaised():
                self.alerts.append(Alert(at, event.level, event.text))
            case SessionClosed():
                self._closed_at = at
            case CashMoved() if is_flow(event.kind):
                self._flows.append((at, event.amount_usd))
            case AccountSampled():
                self._sampled(event)
            case ModeChanged() | FlatConfirmed() | Latched():
                self._stopped(event, at)

    def _stopped(self, event: ModeChanged | FlatConfirmed | Latched, at: datetime) -> None:
        match event:
            case ModeChanged() if event.after in HALTED and event.before is not event.after:
                self.halt, self.flat_at = event, None
                self.held_then = frozenset(self.open_shares)
            case FlatConfirmed():
                self.flat_at = at
            case Latched():
                self.latched[event.latch] = (at, event.reason)

    def _sampled(self, event: AccountSampled) -> None:
        if self.first_sample_s is None:
            self.first_sample_s = event.monotonic_s
        if event.last_equity_usd != self.state.last_equity_usd:
            self._base_at = self._closed_at
            self._flows = [flow for flow in self._flows if self._is_of_today(flow[0])]

    def _is_of_today(self, at: datetime) -> bool:
        return self._base_at is None or at > self._base_at

    @property
    def flows_day_usd(self) -> Decimal:
        """Return the owners' money that came in (+) or went out (-) since the previous close."""
        return sum((amount for at, amount in self._flows if self._is_of_today(at)), ZERO)

    @property
    def pnl_day_usd(self) -> Decimal | None:
        """Return the profit since the previous close, money in and out left aside; None before a sample."""
        state = self.state
        if state.equity_usd is None or state.last_equity_usd is None:
            return None
        return state.equity_usd - state.last_equity_usd - self.flows_day_usd

    @property
    def pnl_day_frac(self) -> Decimal | None:
        """Return the day's profit as a share of the previous close's equity."""
        pnl, base = self.pnl_day_usd, self.state.last_equity_usd
        return None if pnl is None or not base or base < 0 else pnl / base

    @property
    def open_shares(self) -> dict[str, Decimal]:
        """Return the signed shares of what is open by either book: where they differ, the larger count.

        While a halt closes everything, what the broker was last heard to hold is among it.
        """
        state = self.state
        found = {symbol: position.quantity for symbol, position in state.positions.items()}
        for there in (state.held, self._held_there()):
            found |= {s: q for s, q in there.items() if abs(q) > abs(found.get(s, ZERO))}
        return {symbol: quantity for symbol, quantity in found.items() if quantity}

    def _held_there(self) -> Mapping[str, Decimal]:
        state, since = self.state, self.state.switch.since
        if state.switch.mode not in HALTED or state.is_flat_confirmed:
            return {}
        is_heard = state.positions_at is not None and since is not None and state.positions_at >= since
        return state.held_there if is_heard else {}

    @property
    def notional_usd(self) -> Decimal | None:
        """Return what all that is open is worth, shorts counted as longs; None when a price is missing."""
        held = self.open_shares
        marks = self.ledger.marks  # the state's, and the fill's own where no quote has come yet
        if any(symbol not in marks for symbol in held):
            return None
        return sum((abs(quantity) * marks[s] for s, quantity in held.items()), ZERO)
