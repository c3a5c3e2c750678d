"""The strategies of volatility, events, cross-section and tail against their rules by another route.

That is pandas, scipy, or a plain walk over the sessions, from the numbers of a made-up market; no function of
the features or strategies is used for an answer. Trades of `event_drift` are walked by hand.
"""

import math
from datetime import date
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from qgtm.core.series import MINUTE_FIELDS, MINUTE_ROOTS, MINUTES, SERIES
from qgtm.core.universe import SYMBOLS
from qgtm.features.bars import Bars, FloatArray
from qgtm.features.panel import Panel
from qgtm.features.seen import Seen
from qgtm.research.made_up_panel import made_up_seen
from qgtm.strategies import (
    STRATEGIES,
    cross_sectional_momentum,
    event_drift,
    gvz_vix_spread,
    london_fix_drift,
    overnight_gold,
    seasonality,
    tail_hedge,
    vol_risk_premium,
    vol_skew,
    vol_term_structure,
)

LENGTH = 700


@pytest.fixture(scope="module")
def market() -> Seen:
    return made_up_seen(LENGTH, 8)


def frame(seen: Seen, field: str) -> Any:
    return pd.DataFrame(getattr(seen.bars, field), columns=list(seen.bars.symbols))


def known(seen: Seen) -> Any:
    return pd.DataFrame(seen.panel.values, columns=list(seen.panel.names))


def z_score(series: Any, n: int) -> Any:
    return (series - series.rolling(n).mean()) / series.rolling(n).std()


def compared(module: Any, seen: Seen, wanted: FloatArray) -> None:
    """Compare from the first warm session on, and see to it that the answer is not the same all along."""
    found = module.signal(seen.select(module.symbols))[module.warm_up - 1 :]
    answer = wanted.reshape(len(seen), -1)[module.warm_up - 1 :]
    np.testing.assert_allclose(found, answer, rtol=1e-8, atol=1e-12)
    assert len(np.unique(answer)) > 1


def test_premium_is_held_by_its_quartile_in_pandas(market: Seen) -> None:
    returns = np.log(frame(market, "close")["GLD"]).diff()
    realised = np.sqrt(252 * (returns**2).rolling(21).mean())
    premium = known(market)["IV30_GLD"] - realised
    place = premium.rolling(252).rank(method="average").sub(1) / 251
    wanted = np.where(place >= 0.75, 0.5, np.where(place <= 0.25, 0.0, 1.0))
    compared(vol_risk_premium, market, wanted)


def test_premium_before_chains_were_collected_is_that_of_gvz(market: Seen) -> None:
    panel = market.panel
    values = panel.values.copy()
    values[:, panel.names.index("IV30_GLD")] = np.nan
    without = Seen(market.bars, Panel(panel.names, values, panel.described))
    values = panel.values.copy()
    values[:, panel.names.index("IV30_GLD")] = panel.column("GVZCLS") / 100
    instead = Seen(market.bars, Panel(panel.names, values, panel.described))
    found, wanted = (vol_risk_premium.signal(each.select(("GLD",))) for each in (without, instead))
    assert np.array_equal(found, wanted, equal_nan=True)
    assert np.isfinite(found).any()


def test_skew_is_bought_and_sold_as_a_walk_over_the_sessions_says(market: Seen) -> None:
    skew = -known(market)["RR25_GLD"]
    wanted, held = [], 0
    for z, eased in zip(z_score(skew, 126), skew.diff(5), strict=True):
        if held and (z <= 0 or held >= 21):
            held = 0
        elif held:
            held += 1
        elif z > 1.5 and eased < 0:
            held = 1
        wanted.append(float(held > 0))
    compared(vol_skew, market, np.array(wanted))


def test_term_structure_is_traded_by_sign_and_z_in_pandas(market: Seen) -> None:
    table, columns = known(market), []
    for symbol, when_inverted in (("GLD", 0.0), ("GDX", -0.25)):
        slope = table[f"IV90_{symbol}"] - table[f"IV30_{symbol}"]
        columns.append(np.where(slope < 0, when_inverted, np.where(z_score(slope, 252) > 1, 0.5, 0.0)))
    assert (columns[1] < 0).any()
    assert (columns[0] > 0).any()
    compared(vol_term_structure, market, np.stack(columns, axis=1))


def test_spread_of_fears_keeps_its_last_word_between_its_two_states(market: Seen) -> None:
    spread = known(market)["GVZCLS"] - known(market)["VIXCLS"]
    z, moved = z_score(spread, 252), spread.diff(21)
    said = pd.Series(np.nan, index=spread.index)
    said[(z < -0.5) & (moved < 0)] = 1.0
    said[(z > 0.5) & (moved > 0)] = 0.0
    compared(gvz_vix_spread, market, np.array(said.ffill().fillna(0.0), dtype=np.float64))


# A market of 60 sessions: gold opens at 100 and stands still, its range is 2 dollars each day, and its first
# half hours are a thousandth up and down in turn. Over 4 of them their deviation is 0.001 √(4/3).
UNIT = 0.001 * math.sqrt(4 / 3)
QUICK = event_drift.Params(lookback=4, least=1.0, full=2.0, longest=3, take=1.5, stop=1.0)


def walked(closes: dict[int, float], shocks: dict[int, float], unseen: int | None = None) -> list[float]:
    """Return the targets from session 40 on; the half hours of `shocks` are in units of the deviation.

    In session `unseen` there was a release, and no minutes of it.
    """
    n = 60
    close, opened = np.full((n, len(SYMBOLS)), 100.0), np.full((n, len(SYMBOLS)), 100.0)
    high, low = close + 1.0, close - 1.0
    for at, price in closes.items():
        close[at] = price
        high[at], low[at] = max(101.0, price), min(99.0, price)
    sessions = np.arange(1, n + 1)
    names = ("FIRST30_GLD", "EVENT30_GLD", "SINCE_FOMC", "SINCE_CPI", "SINCE_EMPLOYMENT")
    values, described = np.full((n, 5), np.nan), np.repeat(sessions[:, None], 5, axis=1)
    values[:, 0] = 0.001 * (-1.0) ** sessions
    last, day = np.nan, 0
    for i in range(n):
        values[i, 3] = 5.0
        if i in shocks:
            values[i, 3] = 0.0
            if i != unseen:
                last, day = shocks[i] * UNIT, i + 1
        values[i, 1], described[i, 1] = last, day
    bars = Bars(sessions, SYMBOLS, opened, high, low, close, np.ones_like(close))
    seen = Seen(bars, Panel(names, values, described))
    return [round(float(each), 9) for each in event_drift.signal(seen.select(("GLD",)), QUICK)[40:, 0]]


@pytest.mark.parametrize(
    ("closes", "shocks", "wanted"),
    [
        ({}, {42: 1.0 - 1e-6}, [0, 0, 0, 0, 0, 0, 0]),  # too small to count
        ({}, {42: 1.5}, [0, 0, 0.75, 0.75, 0.75, 0, 0]),  # three sessions, then out
        ({43: 102.9}, {42: 1.5}, [0, 0, 0.75, 0.75, 0.75, 0, 0]),  # 1.45 ranges is not there yet
        ({43: 103.0}, {42: 1.5}, [0, 0, 0.75, 0, 0, 0, 0]),  # 1.5 ranges in favour
        ({44: 98.0}, {42: 3.0}, [0, 0, 1, 1, 0, 0, 0]),  # 1 range against
        ({43: 102.0}, {42: -2.0}, [0, 0, -1, 0, 0, 0, 0]),  # against a short
        ({44: 97.0}, {42: -1.0}, [0, 0, -0.5, -0.5, 0, 0, 0]),  # in favour of a short
        ({}, {42: 1.0, 43: -2.0}, [0, 0, 0.5, -1, -1, -1, 0]),  # a new release starts a new trade
        ({}, {42: 1.0, 43: 0.5}, [0, 0, 0.5, 0.5, 0.5, 0, 0]),  # a small one does not
    ],
)
def test_trade_after_a_release_walked_by_hand(
    closes: dict[int, float], shocks: dict[int, float], wanted: list[float]
) -> None:
    assert walked(closes, shocks)[:7] == wanted


def test_release_whose_half_hour_nobody_saw_is_not_followed() -> None:
    assert walked({}, {42: 2.0, 50: 2.0})[10] == 1.0
    assert not any(walked({}, {42: 2.0, 50: 2.0}, unseen=50)[5:])


def test_fix_is_leant_against_as_a_walk_over_the_sessions_says(market: Seen) -> None:
    into, after = known(market)["PRE_FIX_GLD"], known(market)["POST_FIX_GLD"]
    wanted = np.zeros(LENGTH)
    for i in range(62, LENGTH):
        a, b = into[i - 62 : i + 1].to_numpy(), after[i - 62 : i + 1].to_numpy()
        usual, left = float(np.std(a, ddof=1)), a[-1] + b[-1]
        if abs(a[-1]) >= usual and left * a[-1] > 0 and np.corrcoef(a, b)[0, 1] <= -0.1:
            wanted[i] = -math.copysign(min(1.0, abs(left) / (2 * usual)), a[-1])
    assert (wanted > 0).any() or (wanted < 0).any()
    compared(london_fix_drift, market, wanted)


def test_fix_of_an_earlier_day_is_leant_against_by_nobody(market: Seen) -> None:
    panel = market.panel
    described = panel.described.copy()
    described[:, panel.names.index("PRE_FIX_GLD")] -= 1
    stale = Seen(market.bars, Panel(panel.names, panel.values, described))
    assert not np.nan_to_num(london_fix_drift.signal(stale.select(("GLD",)))).any()


def test_nights_are_held_when_they_beat_the_days_in_pandas(market: Seen) -> None:
    opened, close = frame(market, "open")["GLD"], frame(market, "close")["GLD"]
    night = np.log(opened / close.shift()).rolling(63).mean()
    day = np.log(close / opened).rolling(63).mean()
    compared(overnight_gold, market, ((night - day > 0.0006) & (night + day > 0)).to_numpy(float))


def seasons(market: Seen) -> tuple[list[date], list[bool]]:
    """Return the sessions' days, and which are a month's last or one of the three after it."""
    days = [date.fromordinal(int(each)) for each in market.bars.sessions]
    ends = [i for i, (day, then) in enumerate(pairwise(days)) if day.month != then.month]
    return days, [any(0 <= i - end <= 3 for end in ends) for i in range(len(days))]


def with_turns(market: Seen, is_turn: list[bool]) -> Seen:
    """Return the market with a turn of the month that rises by another percent each session."""
    bars = market.bars
    risen = np.exp(np.cumsum(np.where(is_turn, 0.01, 0.0)))[:, None]
    opened, high, low, close = (each * risen for each in (bars.open, bars.high, bars.low, bars.close))
    return Seen(Bars(bars.sessions, bars.symbols, opened, high, low, close, bars.volume), market.panel)


@pytest.mark.parametrize("has_turn", [False, True])
def test_seasons_that_count_are_those_of_welch_in_scipy(market: Seen, has_turn: bool) -> None:
    days, is_turn = seasons(market)
    if has_turn:
        market = with_turns(market, is_turn)
    months = np.array([day.month for day in days])
    turns = np.array(is_turn)
    returns = np.log(frame(market, "close")[["GLD", "SLV"]]).diff().to_numpy()
    found = seasonality.signal(market.select(("GLD", "SLV")))
    first = seasonality.warm_up - 1
    counted = 0
    for i in range(300, LENGTH - 30, 3):  # the last month is not over, so its end is not in the days above
        so_far = slice(first, i + 1)
        for k in range(2):
            its, wanted = returns[so_far, k], 0.0
            groups = [months[so_far] == months[i + 1], *([turns[so_far]] if turns[i + 1] else [])]
            for is_in in groups:
                t = stats.ttest_ind(its[is_in], its[~is_in], equal_var=False).statistic
                wanted += math.copysign(0.25, t) if abs(t) > 2 and is_in.sum() >= 40 else 0.0
            assert found[i, k] == pytest.approx(wanted, abs=1e-12), days[i]
            counted += wanted != 0
    assert counted > 3


def test_cross_section_is_ranked_as_pandas_does(market: Seen) -> None:
    logs = np.log(frame(market, "close")[list(cross_sectional_momentum.symbols)])
    place = (logs.shift(5) - logs.shift(131)).rank(axis=1, ascending=False)
    compared(cross_sectional_momentum, market, np.where(place <= 3, 1 / 6, np.where(place >= 8, -1 / 6, 0.0)))


def test_cross_section_is_not_ranked_when_too_few_are_known(market: Seen) -> None:
    names = cross_sectional_momentum.symbols[:5]
    few = Seen(market.bars.select(names), market.panel)
    blank = np.full((LENGTH, 5), np.nan)
    bars = Bars(
        market.bars.sessions,
        cross_sectional_momentum.symbols,
        *(
            np.hstack([getattr(few.bars, field), blank])
            for field in ("open", "high", "low", "close", "volume")
        ),
    )
    assert np.isnan(cross_sectional_momentum.signal(Seen(bars))).all()


def test_hedge_grows_and_is_used_up_as_a_walk_over_the_sessions_says(market: Seen) -> None:
    close = frame(market, "close")
    moved = np.log(close).diff(21)
    fall = 1 - close["GDX"] / close["GDX"].rolling(63).max()
    gauges = (moved["VIXY"], -moved["HYG"], known(market)["GVZCLS"], fall)
    stress = sum(z_score(each, 252) for each in gauges) / 4
    simple = close["DUST"].pct_change()
    wanted, held, used = np.zeros((LENGTH, 4)), 0.0, 0.0
    for i in range(tail_hedge.warm_up - 1, LENGTH):
        used = max(0.0, used * 251 / 252 - 0.05 * held * simple[i])
        size = 0.1 + 0.9 * min(1.0, max(0.0, (stress[i] - 0.5) / 1.5))
        held = size * max(0.0, 1 - used / 0.0025)
        wanted[i, 0] = held
    assert wanted[:, 0].max() > 0.12
    compared(tail_hedge, market, wanted)


# -- which feeds are read ----------------------------------------------------------------------------

MINE: tuple[Any, ...] = (
    cross_sectional_momentum,
    event_drift,
    gvz_vix_spread,
    london_fix_drift,
    overnight_gold,
    seasonality,
    tail_hedge,
    vol_risk_premium,
    vol_skew,
    vol_term_structure,
)


def watched(seen: Seen, asked: set[str]) -> Seen:
    """Return what is seen, writing into `asked` each series that somebody asks for."""

    class Watched(Seen):
        def known(self, *names: str) -> FloatArray:
            asked.update(names)
            return super().known(*names)

        def days(self, *names: str) -> FloatArray:
            asked.update(names)
            return super().days(*names)

    return Watched(seen.bars, seen.panel)


OF_MINUTES = {f"{field}_{root}" for field in MINUTE_FIELDS for root in MINUTE_ROOTS}


@pytest.mark.parametrize("module", MINE, ids=[module.NAME for module in MINE])
def test_strategy_names_exactly_the_feeds_that_it_reads(module: Any, market: Seen) -> None:
    assert module in STRATEGIES
    asked: set[str] = set()
    module.signal(watched(market, asked).select(module.symbols))
    feeds = {str(SERIES[name].feed) for name in asked if name in SERIES}
    assert {"ohlcv"} | feeds | ({MINUTES} if asked & OF_MINUTES else set()) == set(module.FEEDS)
