"""A fund in the middle of a session, made of facts, for the tests of the engine."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from qgtm.config import load_config
from qgtm.core.events import (
    AccountSampled,
    Booted,
    CashMoved,
    ClocksCompared,
    Event,
    IntentFormed,
    OrderUpdated,
    QuoteSeen,
    QuotesSeen,
    SessionOpened,
    TargetsSet,
    TimePassed,
    WentLive,
)
from qgtm.core.order import Order, OrderState, Side
from qgtm.core.universe import SYMBOLS
from qgtm.engine.desk import Desk
from qgtm.engine.live_loop import Step, step
from qgtm.engine.state import State, folded
from qgtm.features.bars import Bars, FloatArray
from qgtm.features.history import History
from qgtm.features.seen import Seen

LIMITS = load_config(Path(__file__).resolve().parents[2] / "qgtm_config.toml", {}).limits
SESSION = date(2026, 1, 6)
OPENS = datetime(2026, 1, 6, 14, 30, tzinfo=UTC)
CLOSES = datetime(2026, 1, 6, 21, 0, tzinfo=UTC)
NOON = datetime(2026, 1, 6, 17, 0, tzinfo=UTC)
CASH = Decimal(1_000_000)


def dec(value: object) -> Decimal:
    return Decimal(str(value))


def booted(epoch: int = 1) -> Booted:
    return Booted(
        epoch=epoch,
        version="0",
        venue="embedded",
        manifest_sha="m",
        config_sha="c",
        account_number="PA1",
        strategies=("a", "b"),
        strategies_total=2,
    )


def opened(session: date = SESSION) -> SessionOpened:
    shift = timedelta(days=(session - SESSION).days)
    return SessionOpened(session=session, open_at=OPENS + shift, close_at=CLOSES + shift)


def sampled(equity: object = CASH, monotonic_s: float = 0.0, **marks: object) -> AccountSampled:
    return AccountSampled(
        equity_usd=dec(equity),
        cash_usd=dec(equity),
        last_equity_usd=CASH,
        marks={symbol: dec(mark) for symbol, mark in marks.items()},
        is_blocked=False,
        monotonic_s=monotonic_s,
    )


BEGIN: tuple[Event, ...] = (
    booted(),
    CashMoved(activity_id="start", kind="start", amount_usd=CASH),
    WentLive(epoch=1),
    opened(),
    sampled(),
)


def begun(*more: Event) -> State:
    """Return the state at noon of a quiet session, and of what happened since."""
    return folded([*BEGIN, *more])


def order(
    quantity: object,
    symbol: str = "GLD",
    price: object = 100,
    *,
    number: int = 0,
    epoch: int = 1,
    purpose: str = "trade",
    formed_at: datetime = NOON,
    shares: Mapping[str, object] | None = None,
    is_reducing: bool = False,
) -> Order:
    """Return an order; the sign of `quantity` is its side."""
    signed = dec(quantity)
    return Order(
        client_order_id=f"qgtm-{epoch}-{purpose}-{SESSION:%Y%m%d}-{symbol}-{number}",
        symbol=symbol,
        side=Side.BUY if signed > 0 else Side.SELL,
        quantity=abs(signed),
        limit_price=None if purpose == "flatten" else dec(price),
        arrival_price=dec(price),
        formed_at=formed_at,
        is_reducing=is_reducing,
        shares={"residual": signed} if shares is None else {n: dec(q) for n, q in shares.items()},
    )


def formed(what: Order) -> IntentFormed:
    return IntentFormed(order=what, session=SESSION)


def updated(
    what: Order, filled: object, price: object, state: OrderState = OrderState.WORKING, broker: str = "b"
) -> OrderUpdated:
    return OrderUpdated(
        client_order_id=what.client_order_id,
        broker_order_id=f"{broker}-{what.symbol}",
        state=state,
        filled_quantity=dec(filled),
        filled_price=dec(price),
        updated_at=NOON,
    )


def bought(quantity: object, symbol: str = "GLD", price: object = 100, **more: Any) -> tuple[Event, Event]:
    """Return the facts of an order that is filled whole."""
    what = order(quantity, symbol, price, **more)
    return formed(what), updated(what, abs(dec(quantity)), price, OrderState.FILLED)


def quote(mid: object, at: datetime = NOON, half_spread: str = "0.01") -> QuoteSeen:
    return QuoteSeen(
        bid=dec(mid) - Decimal(half_spread), ask=dec(mid) + Decimal(half_spread), last=dec(mid), at=at
    )


def quotes(at: datetime = NOON, **mids: object) -> QuotesSeen:
    return QuotesSeen(quotes={symbol: quote(mid, at) for symbol, mid in mids.items()}, at=at)


def targets(**weights: float) -> TargetsSet:
    """Return targets that strategy `a` alone wants."""
    return TargetsSet(session=SESSION, weights=weights, by_strategy={"a": weights})


def turned(
    at: datetime = NOON, *, is_open: bool = True, session: date | None = SESSION, monotonic_s: float = 1.0
):
    return TimePassed(
        session=session, open_at=OPENS, close_at=CLOSES, is_open=is_open, monotonic_s=monotonic_s
    )


def compared(turn: str, ahead_s: float = 0.0, session: date = SESSION) -> ClocksCompared:
    """Return our clock held against the broker's, for the open or close of a session."""
    return ClocksCompared(turn=f"{turn} {session}", ahead_s=ahead_s)


@dataclass(frozen=True)
class Made:
    """A strategy whose view is a function of the bars; `memory` makes it carry a count of its steps."""

    name: str
    symbols: tuple[str, ...]
    view: Callable[[Bars], Any]
    memory: bool = False
    warm_up: int = 2
    feeds: tuple[str, ...] = ("ohlcv",)

    @property
    def is_stateful(self) -> bool:
        return self.memory

    def step(self, carried: Any, seen: Seen) -> tuple[Any, FloatArray]:
        return (carried or 0) + 1 if self.memory else None, self.view(seen.bars)

    def encode(self, carried: Any) -> Any:
        return carried

    def decode(self, written: Any) -> Any:
        return written


def always(name: str, **views: float) -> Made:
    return Made(name, tuple(views), lambda bars: np.array(list(views.values())))


def past(sessions: int = 200, seed: int = 3, volatility: float = 0.01) -> History:
    """Return bars of every symbol that end the day before SESSION, each at about 100 dollars."""
    history = History(SYMBOLS)
    chance = np.random.default_rng(seed)
    walk = 100 * np.exp(chance.normal(0, volatility, (sessions, len(SYMBOLS))).cumsum(axis=0) * 0.5)
    for i, closes in enumerate(walk):
        day = SESSION - timedelta(days=sessions - i)
        rows = {s: (c, c, c, c, 1e7) for s, c in zip(SYMBOLS, closes.tolist(), strict=True)}
        history.append(day, rows)
    return history


def desk(*strategies: Made, **changes: Any) -> Desk:
    return Desk(**{"limits": LIMITS, "strategies": strategies, "history": past(), **changes})


DESK = desk()


def taken(state: State, *events: Event, now: datetime = NOON, at: Desk = DESK) -> Step:
    """Return the last step after taking events one by one."""
    for event in events[:-1]:
        state = step(state, event, now, at).state
    return step(state, events[-1], now, at)


def kinds(facts: Any) -> list[str]:
    return [type(fact).__name__ for fact in facts]
