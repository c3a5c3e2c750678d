"""Days of random orders, at the exchange and by the second matching: both must come to the same."""

from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Final

from qgtm.adapters.calendar import Session, xnys
from qgtm.exchange.core import Exchange
from qgtm.exchange.order import OrderRequest, Refusal
from qgtm.exchange.setting import Habits
from qgtm.simulation.checker.second import Asked, Life, lived_through
from qgtm.simulation.tape import FIRST, MARKETS, market_of

SYMBOLS: Final = ("GLD", "SLV", "GDX", "PPLT", "SIL")
MOST_ORDERS: Final = 30
CASH_USD: Final = Decimal(1_000_000_000)  # so that buying power refuses nothing


def differences(seed: int) -> list[str]:
    """Return where the exchange and the second matching differ over one day of random orders."""
    chance = Random(f"{seed} matching")
    market = market_of(chance.randrange(MARKETS))
    sessions = xnys().sessions(FIRST, FIRST + timedelta(days=700))
    session = sessions[chance.randrange(30, len(sessions))]
    exchange = Exchange(
        market,
        start=session.open_at - timedelta(hours=1),
        seed=seed,
        cash=CASH_USD,
        habits=Habits(partial_fill_frac=0.0),
    )
    asked = _asked(chance, exchange, session)
    ids = _walked(exchange, asked, session)
    return _compared(exchange, ids, lived_through(asked, market, session))


def _asked(chance: Random, exchange: Exchange, session: Session) -> list[Asked]:
    length_s = (session.close_at - session.open_at).total_seconds()
    moments = sorted(chance.uniform(1, length_s - 1) for _ in range(chance.randint(5, MOST_ORDERS)))
    return [_order(chance, exchange, session.open_at + timedelta(seconds=at)) for at in moments]


def _order(chance: Random, exchange: Exchange, at: datetime) -> Asked:
    symbol = chance.choice(SYMBOLS)
    quote = exchange.desk.prices.quote(symbol, at)
    last = Decimal(0) if quote is None else quote.last
    near = last * (1 + Decimal(chance.randint(-60, 60)) / 10_000)
    is_at_once = chance.random() < 0.15
    return Asked(
        at=at,
        symbol=symbol,
        side=chance.choice(("buy", "sell")),
        shares=Decimal(chance.choice((1, 7, 100, 900, 4_000))),
        limit=None if chance.random() < 0.3 else near.quantize(Decimal("0.01")),
        is_at_once=is_at_once,
        cancel_at=at + timedelta(seconds=chance.uniform(1, 4_000)) if chance.random() < 0.4 else None,
    )


def _walked(exchange: Exchange, asked: list[Asked], session: Session) -> list[str | None]:
    """Let the exchange have orders and cancels in order of time; return its ids, None for a refusal."""
    ids: list[str | None] = [None] * len(asked)
    acts = [(one.at, 0, number) for number, one in enumerate(asked)]
    acts += [(one.cancel_at, 1, number) for number, one in enumerate(asked) if one.cancel_at is not None]
    for at, what, number in sorted(acts):
        if at >= session.close_at:
            break
        exchange.advance(at)
        order_id = ids[number]
        if what and order_id is not None:
            exchange.cancel(order_id, at)
        elif not what:
            answer = exchange.submit(_request(asked[number]), at)
            ids[number] = None if isinstance(answer, Refusal) else answer.id
    exchange.advance(session.close_at + timedelta(minutes=1))
    return ids


def _request(one: Asked) -> OrderRequest:
    return OrderRequest(
        symbol=one.symbol,
        side=one.side,
        kind="market" if one.limit is None else "limit",
        time_in_force="ioc" if one.is_at_once else "day",
        qty=one.shares,
        limit_price=one.limit,
    )


def _compared(exchange: Exchange, ids: list[str | None], lives: list[Life | None]) -> list[str]:
    found: list[str] = []
    cash, held = CASH_USD, dict[str, Decimal]()
    for number, (order_id, life) in enumerate(zip(ids, lives, strict=True)):
        if (order_id is None) != (life is None):
            found.append(f"order {number}: the exchange {'refuses' if order_id is None else 'takes'} it")
            continue
        if life is None:
            continue
        theirs = [(e.executed_at, e.qty, e.price) for e in exchange.executions() if e.order_id == order_id]
        if theirs != life.fills:
            found.append(
                f"order {number}, {life.asked}: {theirs} at the exchange, {life.fills} by the second"
            )
        for _, shares, price in life.fills:
            cash -= life.asked.sign * shares * price
            held[life.asked.symbol] = held.get(life.asked.symbol, Decimal(0)) + life.asked.sign * shares
    positions = {symbol: lot.qty for symbol, lot in exchange.desk.ledger.lots.items()}
    if positions != {symbol: shares for symbol, shares in held.items() if shares}:
        found.append(f"{positions} held at the exchange, {held} by the second")
    if exchange.desk.ledger.cash != cash:
        found.append(f"{exchange.desk.ledger.cash} in cash at the exchange, {cash} by the second")
    return found
