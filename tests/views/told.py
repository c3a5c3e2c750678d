"""Hand-made events for the views: small numbers that can be added up in the head."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from qgtm.adapters.journal import MemoryJournal
from qgtm.config import load_config
from qgtm.core.events import (
    AccountSampled,
    BarsClosed,
    Booted,
    CashMoved,
    Event,
    IntentFormed,
    OrderUpdated,
    SessionClosed,
    SessionOpened,
    SignalsComputed,
    TargetsSet,
    WentLive,
)
from qgtm.core.order import Order, OrderState, Side
from qgtm.views.chronicle import Chronicle
from qgtm.views.matter import Watchdog
from qgtm.views.summary import Outside

MONDAY = date(2026, 3, 2)
MORNING = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
LIMITS = load_config(Path(__file__).parents[2] / "qgtm_config.toml", {}).limits
D = Decimal
WATCHDOG = Watchdog(state="watching", age_s=1.0, alerts_s=(300.0, 600.0), flatten_s=900.0)


def told(*events: Event | Iterable[Event], start: datetime = MORNING) -> Chronicle:
    """Write the events into a journal, a minute apart, and fold them back."""
    journal = MemoryJournal()
    flat = [e for each in events for e in (each if not isinstance(each, Event) else [each])]
    for minute, event in enumerate(flat):
        journal.append([event], start + timedelta(minutes=minute))
    chronicle = Chronicle()
    for entry in journal.read():
        chronicle.take(entry.event, entry.at)
    return chronicle


def boot(epoch: int = 1, names: tuple[str, ...] = ("tsmom", "donchian_breakout"), total: int = 4) -> Booted:
    return Booted(
        epoch=epoch,
        version="0",
        venue="embedded",
        manifest_sha="",
        config_sha="",
        account_number="A",
        strategies=names,
        strategies_total=total,
    )


def live() -> list[Event]:
    """A first boot with 100,000 dollars."""
    return [
        boot(),
        CashMoved(activity_id="start", kind="start", amount_usd=D(100_000)),
        sample("100000", "100000", at_s=1000.0),
        WentLive(epoch=1),
    ]


def sample(equity: str, last: str, at_s: float = 2000.0, **marks: str) -> AccountSampled:
    return AccountSampled(
        equity_usd=D(equity),
        cash_usd=D(0),
        last_equity_usd=D(last),
        marks={symbol: D(price) for symbol, price in marks.items()},
        is_blocked=False,
        monotonic_s=at_s,
    )


def opened(session: date = MONDAY) -> SessionOpened:
    at = datetime.combine(session, MORNING.timetz())
    return SessionOpened(session=session, open_at=at, close_at=at + timedelta(hours=6, minutes=30))


def closed(session: date = MONDAY, **closes: float) -> list[Event]:
    bars = {symbol: (c, c, c, c, 1000.0) for symbol, c in closes.items()}
    at = datetime.combine(session, MORNING.timetz()) + timedelta(hours=7)
    return [SessionClosed(session=session), BarsClosed(session=session, known_at=at, bars=bars)]


def views(session: date = MONDAY, **signals: dict[str, float | None]) -> SignalsComputed:
    return SignalsComputed(session=session, signals=signals, carried={})


def targets(session: date = MONDAY, **weights: float) -> TargetsSet:
    return TargetsSet(session=session, weights=weights, by_strategy={"tsmom": weights})


def traded(symbol: str, quantity: int, price: str, number: int = 1, **shares: int) -> list[Event]:
    """An order that filled at once; quantity and shares are signed."""
    order = Order(
        client_order_id=f"o{number}",
        symbol=symbol,
        side=Side.BUY if quantity > 0 else Side.SELL,
        quantity=D(abs(quantity)),
        limit_price=D(price),
        arrival_price=D(price),
        formed_at=MORNING,
        shares={name: D(part) for name, part in shares.items()},
    )
    return [IntentFormed(order=order, session=MONDAY), news(order, OrderState.FILLED)]


def news(order: Order, state: OrderState) -> OrderUpdated:
    is_filled = state is OrderState.FILLED
    return OrderUpdated(
        client_order_id=order.client_order_id,
        broker_order_id="b",
        state=state,
        filled_quantity=order.quantity if is_filled else D(0),
        filled_price=order.limit_price or D(0) if is_filled else D(0),
        updated_at=MORNING,
    )


def outside(age_s: float | None = 2.0, **more: object) -> Outside:
    seen: dict[str, object] = {"watchdog": WATCHDOG, **more}
    return Outside(monotonic_s=5000.0, age_s=age_s, epoch=1, **seen)  # type: ignore[arg-type]
