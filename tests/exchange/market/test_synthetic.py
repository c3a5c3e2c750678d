"""The invented market against what the real one looks like, in wide bands, and against itself."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise, product

import numpy as np
import pytest
from numpy.typing import NDArray

from qgtm.adapters.calendar import Session
from qgtm.core.errors import MarketError
from qgtm.core.universe import SYMBOLS
from qgtm.exchange.market.driver import STRESS, correlations, driver_year, first_mood
from qgtm.exchange.market.fund import FUNDS
from qgtm.exchange.market.synthetic import SyntheticMarket

# Annual volatility of daily closes, 2015 to 2023, from public charts: half to one and a half times that.
USUAL_VOL = {
    "GLD": 0.145,
    "IAU": 0.145,
    "SLV": 0.28,
    "PPLT": 0.25,
    "PALL": 0.34,
    "GDX": 0.36,
    "GDXJ": 0.42,
    "SIL": 0.37,
    "SILJ": 0.43,
    "UGL": 0.29,
    "AGQ": 0.57,
    "NUGT": 0.72,
    "DUST": 0.72,
    "SPY": 0.18,
    "TLT": 0.15,
    "IEF": 0.067,
    "SHY": 0.016,
    "UUP": 0.07,
    "HYG": 0.085,
    "LQD": 0.085,
    "TIP": 0.06,
    "VIXY": 0.7,
    "CPER": 0.21,
}

Returns = dict[str, NDArray[np.float64]]


def closes(market: SyntheticMarket, start: date, end: date) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {symbol: [] for symbol in market.symbols}
    for session in market.sessions(start, end):
        for symbol in market.symbols:
            quote = market.quote(symbol, session.close_at)
            assert quote is not None
            found[symbol].append(float(quote.last))
    return found


@pytest.fixture(scope="module", params=[1, 20])
def returns(request: pytest.FixtureRequest) -> Returns:
    market = SyntheticMarket(request.param)
    prices = closes(market, date(2015, 1, 2), date(2020, 12, 31))
    return {symbol: np.diff(np.log(np.array(values))) for symbol, values in prices.items()}


def correlation(returns: Returns, one: str, other: str) -> float:
    return float(np.corrcoef(returns[one], returns[other])[0, 1])


def test_all_thirty_symbols_are_there() -> None:
    assert SyntheticMarket(1).symbols == SYMBOLS
    assert len(FUNDS) == 30


@pytest.mark.parametrize(("symbol", "vol"), USUAL_VOL.items())
def test_volatility_is_near_what_the_fund_has_had(returns: Returns, symbol: str, vol: float) -> None:
    assert vol / 1.5 < returns[symbol].std() * 252**0.5 < vol * 1.5


@pytest.mark.parametrize(
    ("one", "other", "low", "high"),
    [
        ("GLD", "IAU", 0.99, 1.0),
        ("GLD", "SLV", 0.65, 0.9),
        ("GLD", "GDX", 0.5, 0.9),
        ("GDX", "RING", 0.95, 1.0),
        ("SLV", "SIL", 0.55, 0.9),
        ("GLD", "PPLT", 0.35, 0.75),
        ("GLD", "UUP", -0.65, -0.25),
        ("GLD", "TIP", 0.15, 0.6),
        ("GLD", "SPY", -0.2, 0.25),
        ("SPY", "HYG", 0.55, 0.9),
        ("SPY", "VIXY", -0.9, -0.6),
        ("TLT", "IEF", 0.9, 1.0),
        ("GLL", "GLD", -1.0, -0.97),
    ],
)
def test_symbols_move_together_as_they_do(
    returns: Returns, one: str, other: str, low: float, high: float
) -> None:
    assert low < correlation(returns, one, other) < high


@pytest.mark.parametrize(
    ("fund", "base", "multiple"),
    [("NUGT", "GDX", 2), ("DUST", "GDX", -2), ("UGL", "GLD", 2), ("GLL", "GLD", -2), ("AGQ", "SLV", 2)],
)
def test_leveraged_fund_returns_a_multiple_of_its_base_each_day(
    returns: Returns, fund: str, base: str, multiple: int
) -> None:
    gap = np.expm1(returns[fund]) - multiple * np.expm1(returns[base])
    assert np.abs(np.median(gap)) < 2e-4  # the fees of a day
    assert np.quantile(np.abs(gap), 0.98) < 2.5e-3  # and cents


def test_leveraged_pair_decays_as_daily_rebalancing_must() -> None:
    prices = closes(SyntheticMarket(4), date(2016, 1, 4), date(2018, 12, 31))
    bull, bear, base = (np.array(prices[symbol]) for symbol in ("NUGT", "DUST", "GDX"))
    variance = np.diff(np.log(base)).var() * (len(base) - 1)
    lost = np.log(bull[-1] / bull[0]) + np.log(bear[-1] / bear[0])
    # Avellaneda and Zhang 2010: log(fund) = m log(base) - (m^2 - m) / 2 variance; 1 + 3 for m = 2 and -2
    assert lost == pytest.approx(-4 * variance - 2 * 0.0095 * 3, rel=0.2)


def test_tails_are_fatter_than_normal(returns: Returns) -> None:
    for symbol in ("GLD", "SPY", "SLV"):
        moves = returns[symbol] - returns[symbol].mean()
        assert (moves**4).mean() / (moves**2).mean() ** 2 > 4.0


def test_volatility_comes_in_clusters(returns: Returns) -> None:
    sizes = np.abs(returns["SPY"])
    months = sizes[: len(sizes) // 21 * 21].reshape(-1, 21).mean(axis=1)
    assert np.corrcoef(months[1:], months[:-1])[0, 1] > 0.2


def test_returns_do_not_tell_the_next_ones(returns: Returns) -> None:
    for symbol in ("GLD", "SLV", "GDX", "SPY"):
        moves = returns[symbol]
        assert abs(np.corrcoef(moves[1:], moves[:-1])[0, 1]) < 0.1


def test_every_mood_is_visited() -> None:
    market = SyntheticMarket(1)
    mood = first_mood()
    seen: set[int] = set()
    for year in range(2015, 2035):
        sessions = market.sessions(date(year, 1, 1), date(year, 12, 31))
        made = driver_year(1, sessions, mood)
        mood = made.after
        seen |= set(made.regime)
    assert seen == {0, 1, STRESS}


def test_correlations_of_the_drivers_are_possible() -> None:
    matrix = correlations()
    assert (matrix == matrix.T).all()
    assert np.linalg.eigvalsh(matrix).min() > 0.01


def test_wrappers_of_gold_stay_together_within_the_session() -> None:
    market = SyntheticMarket(2, date(2022, 1, 3))
    bars = {symbol: market.minutes(symbol, date(2022, 3, 8)) for symbol in ("GLD", "IAU")}
    ratio = [float(a.close / b.close) for a, b in zip(bars["GLD"], bars["IAU"], strict=True)]
    assert max(ratio) / min(ratio) < 1.001  # the cents of a $20 fund


def test_wrapper_with_the_lower_fee_gains_on_the_dearer_one() -> None:
    prices = closes(SyntheticMarket(2), date(2015, 1, 2), date(2018, 1, 2))
    gained = (prices["GLDM"][-1] / prices["GLDM"][0]) / (prices["GLD"][-1] / prices["GLD"][0])
    assert gained == pytest.approx(1 + 3 * (0.0040 - 0.0010), abs=1.5e-3)


def spreads_bps(market: SyntheticMarket, days: list[Session]) -> list[float]:
    found = []
    for session in days:
        for symbol, at in product(market.symbols, (session.open_at, session.close_at)):
            quote = market.quote(symbol, at)
            assert quote is not None
            found.append(float((quote.ask - quote.bid) / quote.bid) * 10_000)
    return found


def test_spread_is_at_most_twenty_basis_points_outside_stress() -> None:
    market = SyntheticMarket(1, date(2021, 1, 4))
    days = list(market.sessions(date(2021, 1, 4), date(2021, 12, 31)))
    moods = driver_year(1, days, first_mood()).regime
    calm = [day for day, mood in zip(days, moods, strict=True) if mood != STRESS]
    assert len(calm) > 100
    assert max(spreads_bps(market, calm)) <= 20.0


def test_spread_widens_under_stress_but_stays_a_spread() -> None:
    market = SyntheticMarket(2, date(2021, 1, 4))
    days = list(market.sessions(date(2021, 1, 4), date(2021, 12, 31)))
    moods = driver_year(2, days, first_mood()).regime
    stressed = [day for day, mood in zip(days, moods, strict=True) if mood == STRESS]
    assert stressed
    assert 20.0 < max(spreads_bps(market, stressed)) < 40.0


def test_gold_is_quoted_a_cent_or_two_wide() -> None:
    market = SyntheticMarket(1, date(2021, 1, 4))
    at = market.sessions(date(2021, 1, 4), date(2021, 1, 8))[3].open_at + timedelta(hours=3)
    quote = market.quote("GLD", at)
    assert quote is not None
    assert Decimal("0.01") <= quote.ask - quote.bid <= Decimal("0.02")


def test_prices_jump_overnight() -> None:
    market = SyntheticMarket(3, date(2021, 1, 4))
    sessions = market.sessions(date(2021, 1, 4), date(2021, 12, 31))
    gaps = []
    for before, session in pairwise(sessions):
        last, opened = market.quote("SLV", before.close_at), market.quote("SLV", session.open_at)
        assert last is not None
        assert opened is not None
        gaps.append(float(opened.last / last.last) - 1)
    assert 0.08 < np.std(gaps) * 252**0.5 < 0.35
    assert np.mean(np.array(gaps) == 0) < 0.1


def test_volume_is_a_u_over_the_day() -> None:
    market = SyntheticMarket(3, date(2021, 1, 4))
    days = market.sessions(date(2021, 1, 4), date(2021, 2, 5))
    volume = np.mean([[bar.volume for bar in market.minutes("GLD", day.day)] for day in days], axis=0)
    assert volume[:30].mean() > 1.5 * volume[150:240].mean()
    assert volume[-30:].mean() > 1.5 * volume[150:240].mean()
    assert 2_000_000 < volume.sum() < 25_000_000


def snapshot(market: SyntheticMarket, day: date) -> object:
    return [
        (market.daily(symbol, day), tuple(market.minutes(symbol, day))) for symbol in ("GLD", "DUST", "SILJ")
    ]


@pytest.mark.parametrize("day", [date(2015, 1, 2), date(2016, 11, 25), date(2017, 12, 29), date(2018, 1, 2)])
def test_market_asked_first_about_a_later_day_says_the_same_of_an_earlier_one(day: date) -> None:
    early, late = SyntheticMarket(9), SyntheticMarket(9)
    assert late.daily("GLD", date(2019, 6, 28)) is not None
    assert snapshot(early, day) == snapshot(late, day)


def test_rest_of_the_year_changes_nothing_in_what_was() -> None:
    sessions = SyntheticMarket(9).sessions(date(2017, 1, 1), date(2017, 12, 31))
    whole, part = (driver_year(9, days, first_mood()) for days in (sessions, sessions[:100]))
    for name in ("night", "day", "sd", "scale"):
        assert (getattr(whole, name)[:100] == getattr(part, name)).all()


def test_market_of_another_seed_is_another_market() -> None:
    days = (date(2015, 1, 2), date(2015, 3, 31))
    assert closes(SyntheticMarket(1), *days) != closes(SyntheticMarket(2), *days)


def test_negative_seed_is_refused() -> None:
    with pytest.raises(MarketError, match="from 0 on"):
        SyntheticMarket(-1)


def test_first_day_that_is_no_session_becomes_the_next_one() -> None:
    market = SyntheticMarket(1, date(2022, 12, 31))
    assert market.first == date(2023, 1, 3)
    assert market.quote("GLD", datetime(2023, 1, 3, 14, 29, tzinfo=UTC)) is None
    assert market.daily("GLD", date(2023, 1, 3)) is not None


def test_dividends_are_paid_each_quarter_by_the_funds_that_pay() -> None:
    market = SyntheticMarket(1, date(2020, 1, 2))
    paid = market.actions(date(2020, 1, 1), date(2021, 12, 31))
    assert {action.symbol for action in paid} == {"SPY", "TLT", "IEF", "SHY", "HYG", "LQD"}
    of_spy = [action for action in paid if action.symbol == "SPY"]
    assert [action.ex_day.month for action in of_spy] == [3, 6, 9, 12] * 2
    assert all(action.ratio is None for action in paid)


def test_price_opens_lower_by_the_dividend_on_average() -> None:
    market = SyntheticMarket(1)
    falls, cash = [], []
    for action in market.actions(date(2015, 1, 1), date(2024, 12, 31)):
        if action.symbol != "SHY":
            continue
        session = market.session_on(action.ex_day)
        assert session is not None
        assert action.cash_usd is not None
        before = market.quote("SHY", session.open_at - timedelta(hours=1))
        opened = market.quote("SHY", session.open_at)
        assert before is not None
        assert opened is not None
        falls.append(float(before.last - opened.last))
        cash.append(float(action.cash_usd))
    assert len(cash) == 40
    assert np.mean(falls) == pytest.approx(np.mean(cash), abs=0.06)


def test_actions_are_cut_to_the_days_asked_for() -> None:
    market = SyntheticMarket(1, date(2020, 1, 2))
    march = market.actions(date(2020, 3, 1), date(2020, 3, 2))
    assert {action.ex_day for action in march} == {date(2020, 3, 2)}
    assert list(market.actions(date(2020, 3, 3), date(2020, 5, 29))) == []
    assert list(market.actions(date(1990, 1, 1), date(2019, 12, 31))) == []


def test_no_fund_splits_unless_asked() -> None:
    market = SyntheticMarket(1)
    assert [a for a in market.actions(date(2015, 1, 2), date(2026, 12, 31)) if a.ratio is not None] == []


def test_reverse_split_multiplies_the_price_by_five_when_it_was_below_ten() -> None:
    plain, splitting = SyntheticMarket(3), SyntheticMarket(3, reverse_splits=True)
    splits = [a for a in splitting.actions(date(2015, 1, 2), date(2030, 12, 31)) if a.ratio is not None]
    assert splits
    for split in splits:
        session = splitting.session_on(split.ex_day)
        assert session is not None
        before = splitting.quote(split.symbol, session.open_at - timedelta(hours=1))
        opened = splitting.quote(split.symbol, session.open_at)
        assert before is not None
        assert opened is not None
        assert split.ratio == Decimal("0.2")
        assert before.last < 10
        assert 3.5 < opened.last / before.last < 6.5
    first = splits[0]
    before_it = splitting.sessions(first.ex_day - timedelta(days=7), first.ex_day - timedelta(days=1))[-1]
    assert plain.daily(first.symbol, before_it.day) == splitting.daily(first.symbol, before_it.day)


def test_market_reaches_decades_ahead() -> None:
    market = SyntheticMarket(1, date(2030, 1, 2))
    quote = market.quote("GLD", datetime(2062, 6, 1, 15, tzinfo=UTC))
    assert quote is not None
    assert 5 < quote.last < 50_000


Call = Callable[[SyntheticMarket], object]


@pytest.mark.parametrize(
    "call",
    [
        lambda market: market.quote("GLD", datetime(2015, 1, 2, 14, tzinfo=UTC)),
        lambda market: market.daily("GLD", date(2015, 1, 1)),
        lambda market: market.quote("TSLA", datetime(2016, 1, 4, 16, tzinfo=UTC)),
    ],
)
def test_what_the_market_cannot_know_is_none(call: Call) -> None:
    assert call(SyntheticMarket(1)) is None
