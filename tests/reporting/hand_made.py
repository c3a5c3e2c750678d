"""A journal of two weeks, small enough to be reckoned on paper.

Friday 2026-01-02: 100,000 dollars come in. GLD closes at 400.
Monday   05: 10 GLD are bought at 402 (decided at 401): 6 for alpha, 4 for beta. 20 SLV are sold short for
             beta at 70.90 (decided at 71). GLD closes at 405, SLV at 70.
Tuesday  06: one order is denied by `sector`, two by `spread`.
Wednesday07: alpha and beta cross 5 SLV at 71; alpha has them. GLD 404, SLV 71.
Thursday 08: 1,000 dollars come in. Cash of 3.50 too little is accepted: the residual's. An orange alert.
Friday   09: GLD closes at 410, SLV at 72. beta is switched off.

On paper, Monday to Friday:
  alpha    6 (410 - 402)                  =  48.00  and  5 (72 - 71) = 5.00   ->  53.00
  beta     4 (410 - 402) - 20 (72 - 70.9) =  10.00  and -5 (72 - 71) = -5.00  ->   5.00
  residual                                                                        -3.50
  account                                                                         54.50
  equity   100,000 - 4,020 + 1,418 - 3.50 + 1,000 + 4,100 - 1,440  = 101,054.50
  traded   4,020 + 1,418 = 5,438;  slippage 10 (402 - 401) + 20 (71 - 70.9) = 12.00
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

from qgtm.adapters.journal import SqliteJournal
from qgtm.core.events import (
    AlertRaised,
    BarsClosed,
    Booted,
    BreakAccepted,
    CashMoved,
    Event,
    IntentFormed,
    OrderDenied,
    OrderUpdated,
    SessionClosed,
    SessionOpened,
    StrategiesCrossed,
    StrategyDisabled,
    TargetsSet,
    WentLive,
)
from qgtm.core.order import Order, OrderState, Side

D = Decimal
WEEK = "2026-W02"
Timed = tuple[datetime, Event]


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 1, day, hour, minute, tzinfo=UTC)


def opened(day: int) -> Timed:
    begin, end = at(day, 14, 30), at(day, 21)
    return begin, SessionOpened(session=date(2026, 1, day), open_at=begin, close_at=end)


def closed(day: int, gld: float, slv: float) -> list[Timed]:
    bars = {name: (price, price, price, price, 1e6) for name, price in (("GLD", gld), ("SLV", slv))}
    session, known_at = date(2026, 1, day), at(day, 21, 5)
    return [
        (at(day, 21), SessionClosed(session=session)),
        (known_at, BarsClosed(session=session, known_at=known_at, bars=bars)),
    ]


def order(name: str, symbol: str, side: Side, arrival: str, shares: dict[str, int]) -> Order:
    return Order(
        client_order_id=name,
        symbol=symbol,
        side=side,
        quantity=D(abs(sum(shares.values()))),
        limit_price=D(arrival),
        arrival_price=D(arrival),
        formed_at=at(5, 14, 31),
        shares={owner: D(part) for owner, part in shares.items()},
    )


def filled(each: Order, price: str) -> list[Timed]:
    done = OrderUpdated(
        client_order_id=each.client_order_id,
        broker_order_id=f"b-{each.client_order_id}",
        state=OrderState.FILLED,
        filled_quantity=each.quantity,
        filled_price=D(price),
        updated_at=at(5, 14, 32),
    )
    return [(at(5, 14, 31), IntentFormed(order=each, session=date(2026, 1, 5))), (at(5, 14, 32), done)]


def denied(check: str, symbol: str) -> Timed:
    event = OrderDenied(
        session=date(2026, 1, 6),
        symbol=symbol,
        side=Side.BUY,
        quantity=D(3),
        check=check,
        reason=f"{symbol} is too much",
    )
    return at(6, 15), event


def begun() -> list[Timed]:
    booted = Booted(
        epoch=1,
        version="0",
        venue="replay",
        manifest_sha="",
        config_sha="",
        account_number="PAPER",
        strategies=("alpha", "beta"),
        strategies_total=2,
    )
    money = CashMoved(activity_id="start", kind="start", amount_usd=D(100_000))
    return [(at(2, 14), booted), (at(2, 14), money), (at(2, 14), WentLive(epoch=1))]


def week() -> Iterator[Timed]:
    yield opened(5)
    yield from filled(order("one", "GLD", Side.BUY, "401", {"alpha": 6, "beta": 4}), "402")
    yield from filled(order("two", "SLV", Side.SELL, "71", {"beta": -20}), "70.9")
    yield from closed(5, 405.0, 70.0)
    yield opened(6)
    yield from (denied("sector", "GDX"), denied("spread", "SIL"), denied("spread", "GDXJ"))
    yield from closed(6, 405.0, 70.0)
    yield opened(7)
    shares = {"alpha": D(5), "beta": D(-5)}
    yield at(7, 15), StrategiesCrossed(symbol="SLV", price=D(71), shares=shares)
    yield from closed(7, 404.0, 71.0)
    yield opened(8)
    yield at(8, 15), CashMoved(activity_id="in", kind="CSD", amount_usd=D(1_000))
    yield at(8, 15), BreakAccepted(subject="cash", brokers=D("98394.5"), reason="a fee", by="opa")
    yield at(8, 16), AlertRaised(level="orange", cause="feed", text="the <feed> & its vendor are slow")
    yield from closed(8, 404.0, 71.0)
    yield opened(9)
    yield at(9, 15), StrategyDisabled(strategy="beta", reason="it returned 7")
    yield from closed(9, 410.0, 72.0)
    targets = {"alpha": {"GLD": 0.03}, "beta": {"SLV": -0.02}}
    weights = {"GLD": 0.03, "SLV": -0.02}
    yield at(9, 21, 6), TargetsSet(session=date(2026, 1, 9), weights=weights, by_strategy=targets)


def events() -> list[Timed]:
    """Return all of it, oldest first."""
    return [*begun(), opened(2), *closed(2, 400.0, 70.0), *week()]


def written(path: Path, rows: list[Timed]) -> Path:
    """Write a journal and return its path."""
    journal = SqliteJournal(path)
    for moment, event in rows:
        journal.append([event], moment)
    journal.close()
    return path
