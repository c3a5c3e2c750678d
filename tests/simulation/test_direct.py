"""The short ways of a replay say what the daemon's own ways say."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from benchmarks.made_up_bars import write_bars
from qgtm.adapters.calendar import xnys
from qgtm.adapters.clock import ManualClock
from qgtm.core.universe import SYMBOLS
from qgtm.exchange.core import Exchange
from qgtm.exchange.market.port import Market, figures_of
from qgtm.exchange.market.recorded import RecordedMarket
from qgtm.exchange.market.synthetic import SyntheticMarket
from qgtm.exchange.order import Order, OrderRequest
from qgtm.live.perform import account_sample, closed
from qgtm.simulation.direct import DirectBroker, DirectFeed

FIRST = date(2021, 3, 1)
DAYS = [session.day for session in xnys().sessions(FIRST, date(2021, 3, 12))]
MOMENTS = [datetime(2021, 3, 4, hour, 31, 7, tzinfo=UTC) for hour in (9, 14, 17, 20, 23)]
HELD = {"GLD": ("buy", 10), "SLV": ("buy", 300), "GDX": ("sell", 20)}


@pytest.fixture(scope="module", params=["recorded", "synthetic"])
def market(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Market:
    """Return a market of either kind that knows the first two weeks of March 2021."""
    if request.param == "synthetic":
        return SyntheticMarket(7, FIRST)
    folder: Path = tmp_path_factory.mktemp("bars")
    write_bars(folder, SYMBOLS, DAYS)
    return RecordedMarket(folder, 7)


def test_last_price_is_the_one_of_the_quote_at_any_hour(market: Market) -> None:
    for symbol in (*SYMBOLS, "NONE"):
        for at in (*MOMENTS, datetime(2021, 3, 1, 14, 0, tzinfo=UTC)):
            quote = market.quote(symbol, at)
            assert market.last_price(symbol, at) == (None if quote is None else quote.last)


def test_figures_are_the_daily_bar_in_floats_to_the_bit(market: Market) -> None:
    for symbol in (*SYMBOLS, "NONE"):
        for day in (*DAYS, date(2021, 3, 6)):
            bar = market.daily(symbol, day)
            assert market.figures(symbol, day) == (None if bar is None else figures_of(bar))


def test_closed_bars_are_the_feeds_bars_as_a_fact(market: Market) -> None:
    clock = ManualClock(datetime(2021, 3, 10, 18, 0, tzinfo=UTC))
    feed = DirectFeed(market, clock)
    by_bars = [closed(bars, clock.now()) for bars in feed.daily(SYMBOLS, DAYS[0], DAYS[-1])]
    assert feed.closed(DAYS[0], DAYS[-1]) == by_bars
    assert [fact.session for fact in by_bars] == [day for day in DAYS if day < date(2021, 3, 10)]


def test_sample_of_the_account_says_what_account_and_positions_say(market: Market) -> None:
    session = xnys().sessions(date(2021, 3, 3), date(2021, 3, 3))[0]
    exchange = Exchange(market, start=session.open_at, cash=Decimal(100_000))
    clock = ManualClock(session.open_at)
    for number, (symbol, (side, shares)) in enumerate(HELD.items()):
        request = OrderRequest(
            symbol=symbol,
            side="buy" if side == "buy" else "sell",
            qty=Decimal(shares),
            client_order_id=str(number),
        )
        assert isinstance(exchange.submit(request, session.open_at), Order)
    broker = DirectBroker(exchange, market, clock)
    for at in (
        session.open_at + timedelta(minutes=5),
        session.close_at,
        session.close_at + timedelta(days=1),
    ):
        clock.set_now(at)
        exchange.advance(at)
        sample = broker.sample()
        assert sample == account_sample(broker, clock)
        assert sorted(sample.marks) == sorted(HELD)
