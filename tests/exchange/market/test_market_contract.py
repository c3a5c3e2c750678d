"""What every market must hold to, run on the invented one and on a recorded one."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from qgtm.exchange.market.port import Market, Session
from qgtm.exchange.market.recorded import RecordedMarket
from qgtm.exchange.market.synthetic import SyntheticMarket

FIRST, LAST = date(2022, 11, 18), date(2022, 12, 2)
HALF_DAY = date(2022, 11, 25)
CENT = Decimal("0.01")
RECORDED = """date,open,high,low,close,volume
2022-11-18,163.31,163.4,162.61,162.84,54210
2022-11-21,161.83,162.365,161.6,161.75,71234
2022-11-22,162.35,162.51,161.74,161.9,51234
2022-11-23,161.45,163.11,161.42,162.9,61234
2022-11-25,162.9,163.43,162.82,163.14,21234
2022-11-28,163.8,164.07,161.96,162.03,61234
2022-11-29,162.98,163.43,162.81,162.81,51234
2022-11-30,163.22,164.81,163.02,164.81,91234
2022-12-01,167,167.885,166.53,167.84,99234
2022-12-02,166.29,167.7,166.06,167.26,71234
"""

Make = Callable[[int], Market]


@pytest.fixture(params=["synthetic", "recorded"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    (tmp_path / "GLD.csv").write_text(RECORDED)
    (tmp_path / "SLV.csv").write_text(RECORDED)
    if request.param == "synthetic":
        yield lambda seed: SyntheticMarket(seed, FIRST)
    else:
        yield lambda seed: RecordedMarket(tmp_path, seed)


@pytest.fixture
def market(make: Make) -> Market:
    return make(5)


def span(market: Market) -> list[Session]:
    return list(market.sessions(FIRST, LAST))


def test_sessions_are_the_exchanges_own(market: Market) -> None:
    days = [session.day.day for session in span(market)]
    assert days == [18, 21, 22, 23, 25, 28, 29, 30, 1, 2]
    assert market.session_on(date(2022, 11, 24)) is None
    assert market.session_on(HALF_DAY) == span(market)[4]


def test_sessions_beyond_the_calendar_are_none(market: Market) -> None:
    assert list(market.sessions(date(1990, 1, 1), date(2004, 12, 31))) == []
    assert list(market.sessions(date(2215, 1, 1), date(2300, 12, 31))) == []


def test_session_has_a_bar_for_each_minute_and_a_half_day_210(market: Market) -> None:
    for session in span(market):
        bars = market.minutes("GLD", session.day)
        assert len(bars) == (210 if session.day == HALF_DAY else 390)
        assert [bar.at for bar in bars[:2]] == [session.open_at, session.open_at + timedelta(minutes=1)]
        assert bars[-1].at == session.close_at - timedelta(minutes=1)


def test_every_minute_bar_could_have_been(market: Market) -> None:
    for bar in market.minutes("GLD", HALF_DAY):
        assert bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high
        assert bar.low <= bar.vwap <= bar.high
        assert bar.volume >= 1
        assert bar.trades >= 1
        assert bar.close == bar.close.quantize(CENT)


def test_minutes_make_up_the_daily_bar(market: Market) -> None:
    for session in span(market):
        minutes, daily = market.minutes("SLV", session.day), market.daily("SLV", session.day)
        assert daily is not None
        assert abs(minutes[0].open - daily.open) < CENT
        assert abs(minutes[-1].close - daily.close) < CENT
        assert abs(max(bar.high for bar in minutes) - daily.high) < CENT
        assert abs(min(bar.low for bar in minutes) - daily.low) < CENT
        assert sum(bar.volume for bar in minutes) == daily.volume
        assert daily.low <= daily.vwap <= daily.high


def test_daily_bar_begins_at_midnight_in_new_york(market: Market) -> None:
    bar = market.daily("GLD", HALF_DAY)
    assert bar is not None
    assert bar.at == datetime(2022, 11, 25, 5, tzinfo=UTC)


def test_last_price_within_a_minute_makes_that_minutes_bar(market: Market) -> None:
    for bar in market.minutes("GLD", HALF_DAY)[:60]:
        lasts = []
        for second in range(0, 60, 5):
            quote = market.quote("GLD", bar.at + timedelta(seconds=second))
            assert quote is not None
            lasts.append(quote.last)
        assert (lasts[0], max(lasts), min(lasts), lasts[-1]) == (bar.open, bar.high, bar.low, bar.close)


def test_quote_is_never_crossed_and_holds_the_last_price(market: Market) -> None:
    for session in span(market):
        for minute in range(0, 390, 7):
            quote = market.quote("GLD", session.open_at + timedelta(minutes=minute))
            assert quote is not None
            assert quote.bid < quote.ask
            assert quote.bid <= quote.last <= quote.ask
            assert quote.bid_size >= 100
            assert quote.ask_size >= 100
            assert quote.bid == quote.bid.quantize(CENT)


def test_quote_at_the_open_and_after_the_close_is_the_daily_bars(market: Market) -> None:
    for session in span(market):
        daily = market.daily("GLD", session.day)
        opened, closed = market.quote("GLD", session.open_at), market.quote("GLD", session.close_at)
        assert daily is not None
        assert opened is not None
        assert closed is not None
        assert abs(opened.last - daily.open) < CENT
        assert abs(closed.last - daily.close) < CENT


def test_quote_out_of_hours_is_the_last_one(market: Market) -> None:
    friday, monday = market.session_on(HALF_DAY), market.session_on(date(2022, 11, 28))
    assert friday is not None
    assert monday is not None
    closed = market.quote("GLD", friday.close_at - timedelta(seconds=1))
    assert closed is not None
    for at in (
        friday.close_at,
        datetime(2022, 11, 26, 12, tzinfo=UTC),
        monday.open_at - timedelta(seconds=1),
    ):
        assert market.quote("GLD", at) == closed


def test_symbol_has_no_price_before_its_first_open(market: Market) -> None:
    first = span(market)[0]
    assert market.quote("GLD", first.open_at - timedelta(seconds=1)) is None
    assert market.quote("GLD", first.open_at) is not None
    assert market.daily("GLD", date(2022, 11, 17)) is None
    assert list(market.minutes("GLD", date(2022, 11, 17))) == []


def test_holiday_has_no_bars(market: Market) -> None:
    assert market.daily("GLD", date(2022, 11, 24)) is None
    assert list(market.minutes("GLD", date(2022, 11, 24))) == []


def test_unknown_symbol_has_no_price(market: Market) -> None:
    at = span(market)[1].open_at
    assert market.quote("ABCD", at) is None
    assert market.daily("ABCD", at.date()) is None
    assert list(market.minutes("ABCD", at.date())) == []


def test_moment_in_another_zone_has_the_same_quote(market: Market) -> None:
    at = span(market)[2].open_at + timedelta(hours=2, seconds=20)
    assert market.quote("SLV", at.astimezone(ZoneInfo("America/New_York"))) == market.quote("SLV", at)
    assert market.quote("SLV", at.astimezone(ZoneInfo("Asia/Tokyo"))) == market.quote("SLV", at)


def test_naive_moment_is_refused(market: Market) -> None:
    with pytest.raises(ValueError, match="pass an aware datetime"):
        market.quote("GLD", datetime(2022, 11, 25, 15))  # noqa: DTZ001 - the naive one is the point


def everything(market: Market, days: list[date]) -> dict[date, object]:
    return {
        day: [(market.daily(symbol, day), tuple(market.minutes(symbol, day))) for symbol in ("GLD", "SLV")]
        for day in days
    }


def test_same_seed_gives_the_same_market_in_whatever_order_it_is_asked(make: Make) -> None:
    days = [session.day for session in span(make(5))]
    assert everything(make(5), days) == everything(make(5), days[::-1])


def test_another_seed_gives_another_path(make: Make) -> None:
    one, other = (make(seed).minutes("GLD", HALF_DAY) for seed in (5, 6))
    assert one != other
