"""The exchange against a second, far simpler matching model: market and limit orders, minute by minute."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D
from random import Random

import pytest

from qgtm.exchange.core import Exchange
from qgtm.exchange.market.port import Market
from qgtm.exchange.market.synthetic import SyntheticMarket
from qgtm.exchange.order import Order, OrderRequest
from qgtm.exchange.setting import Habits

DAY = date(2019, 6, 12)
MINUTE = timedelta(minutes=1)
NO_LUCK = Habits(partial_fill_frac=0.0, participation_frac=D(10**6))


@dataclass
class Wish:
    """A buy of `qty` at `at`, at the market when `limit` is None."""

    symbol: str
    at: datetime
    qty: int
    limit: D | None


def naive_fill(market: Market, wish: Wish) -> tuple[datetime, D] | None:
    """Walk the day's minutes and say when and at what price the wish is first filled, as a person would.

    On arrival it takes the offer if that is good enough; at the next full minute it looks again;
    from then on a minute that trades below the limit fills it at the limit.
    """
    session = market.session_on(wish.at.date())
    assert session is not None
    arrival = wish.at + timedelta(seconds=0.01)
    full = arrival.replace(second=0, microsecond=0) + MINUTE
    for look in (arrival, full):
        quote = market.quote(wish.symbol, look)
        assert quote is not None
        if wish.limit is None or quote.ask <= wish.limit:
            return look, quote.ask
    for bar in market.minutes(wish.symbol, wish.at.date()):
        end = bar.at + MINUTE
        if bar.at >= full and end <= session.close_at and wish.limit is not None and bar.low < wish.limit:
            return end, wish.limit
    return None


def wishes(market: Market, seed: int) -> list[Wish]:
    """Return seeded wishes over the day: some at the market, the others a little below it."""
    draw = Random(seed)
    session = market.session_on(DAY)
    assert session is not None
    made = []
    for _ in range(25):
        symbol = draw.choice(["GLD", "SLV", "GDX", "SPY"])
        at = session.open_at + timedelta(seconds=draw.randrange(1, 380 * 60))
        quote = market.quote(symbol, at)
        assert quote is not None
        below = D(draw.randrange(-2, 40)) / 100
        limit = None if draw.random() < 0.3 else round(quote.ask - below, 2)
        made.append(Wish(symbol, at, draw.randrange(1, 40), limit))
    return sorted(made, key=lambda wish: wish.at)


@pytest.mark.parametrize("seed", range(6))
def test_fills_equal_those_of_a_naive_walk_through_the_minutes(seed: int) -> None:
    market = SyntheticMarket(11)
    session = market.session_on(DAY)
    assert session is not None
    exchange = Exchange(market, start=session.open_at, seed=seed, cash=D(10**7), habits=NO_LUCK)
    made = []
    for wish in wishes(market, seed):
        kind = "market" if wish.limit is None else "limit"
        ask = OrderRequest(
            symbol=wish.symbol,
            side="buy",
            qty=D(wish.qty),
            kind=kind,
            limit_price=wish.limit,  # type: ignore[arg-type]
        )
        order = exchange.submit(ask, wish.at)
        assert isinstance(order, Order), order
        made.append((wish, order))
    exchange.advance(session.close_at + MINUTE)
    found = {order.id: [e for e in exchange.executions() if e.order_id == order.id] for _, order in made}
    filled = 0
    for wish, order in made:
        expected = naive_fill(market, wish)
        rows = found[order.id]
        if expected is None:
            assert (rows, order.status) == ([], "expired")
            continue
        filled += 1
        assert (rows[0].executed_at, rows[0].price) == expected
        assert sum(row.qty for row in rows) == wish.qty
    assert filled >= 8
    assert datetime(2019, 6, 12, tzinfo=UTC) < exchange.now
