"""The strategies of positions and mood against their rules by another route.

Releases are found by their days and scored in pandas, sides are walked in plain words, and small markets are
worked out by hand; no function of the features or strategies is used for an answer.
"""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from qgtm.core.series import SERIES
from qgtm.features.bars import Bars, FloatArray
from qgtm.features.panel import Panel
from qgtm.features.seen import Seen
from qgtm.research.made_up_panel import made_up_seen
from qgtm.strategies import cot_extreme, cot_momentum, hedging_pressure, reddit_contrarian

LENGTH = 700
FUNDS = ("GLD", "SLV")
METALS = ("GOLD", "SILVER")
MINE: tuple[Any, ...] = (cot_extreme, cot_momentum, hedging_pressure, reddit_contrarian)


@pytest.fixture(scope="module")
def market() -> Seen:
    return made_up_seen(LENGTH, 8)


def net(seen: Seen, metal: str, holder: str) -> Any:
    """Return long less short over open interest, a row for each release, by the day that it describes."""
    panel = seen.panel
    longs, shorts, interest = (
        panel.column(f"COT_{metal}_{field}") for field in (f"{holder}_LONG", f"{holder}_SHORT", "OI")
    )
    days = panel.described[:, panel.names.index(f"COT_{metal}_OI")]
    share = pd.Series((longs - shorts) / interest, index=days)
    return share[share.index > 0].groupby(level=0).last()


def by_session(seen: Seen, metal: str, by_day: Any) -> FloatArray:
    """Return what was known in each session of a number that each release has."""
    days = seen.panel.described[:, seen.panel.names.index(f"COT_{metal}_OI")]
    return np.asarray(pd.Series(days).map(by_day), dtype=np.float64)


def score(by_day: Any) -> Any:
    return (by_day - by_day.rolling(52).mean()) / by_day.rolling(52).std()


def leant_against(zs: Iterable[float], beyond: float, within: float) -> FloatArray:
    """Return the side after each z-score: told as a person would, with a word for what is held."""
    held, sides = "nothing", []
    for z in zs:
        if held == "long" and not z < -within:
            held = "nothing"
        if held == "short" and not z > within:
            held = "nothing"
        if z > beyond:
            held = "short"
        elif z < -beyond:
            held = "long"
        sides.append({"long": 1.0, "short": -1.0, "nothing": 0.0}[held])
    return np.array(sides)


def compared(module: Any, seen: Seen, columns: list[FloatArray]) -> None:
    """Compare from the first warm session on; the answer has to say more than one thing of each metal."""
    found = module.signal(seen.select(module.symbols))
    assert np.isnan(found[: module.warm_up - 1]).all()
    answer = np.stack(columns, axis=1)
    np.testing.assert_allclose(found[module.warm_up - 1 :], answer, rtol=1e-8, atol=1e-12)
    assert all(len(np.unique(column)) > 1 for column in answer.T)


def test_crowd_is_leant_against_as_a_walk_over_the_releases_says(market: Seen) -> None:
    columns = []
    for metal, part in zip(METALS, (0.7, 0.3), strict=True):
        z = by_session(market, metal, score(net(market, metal, "MM")))[cot_extreme.warm_up - 1 :]
        columns.append(part * leant_against(z, 2.0, 1.0))
    compared(cot_extreme, market, columns)


def test_hedgers_are_followed_when_their_short_is_unusually_small_or_large(market: Seen) -> None:
    columns = []
    for metal, part in zip(METALS, (0.7, 0.3), strict=True):
        z = by_session(market, metal, score(net(market, metal, "PROD")))[hedging_pressure.warm_up - 1 :]
        columns.append(part * leant_against(-z, 1.5, 0.5))
    compared(hedging_pressure, market, columns)


def test_funds_are_followed_by_a_tenth_of_open_interest_until_they_are_a_crowd(market: Seen) -> None:
    columns, first = [], cot_momentum.warm_up - 1
    for metal, part in zip(METALS, (0.7, 0.3), strict=True):
        share = net(market, metal, "MM")
        z, moved = (by_session(market, metal, each)[first:] for each in (score(share), share.diff(4)))
        sizes = [math.copysign(min(abs(each) / 0.1, 1.0), each) for each in moved]
        columns.append(part * np.where(leant_against(z, 2.0, 1.0) == 0, sizes, 0.0))
    compared(cot_momentum, market, columns)


def scored(series: Any) -> Any:
    """Return the z-score over 63 sessions; what has not moved in them has none."""
    over = series.rolling(63)
    return ((series - over.mean()) / over.std()).where(over.max() > over.min())


def test_forum_is_sold_while_both_its_tone_and_its_noise_are_high(market: Seen) -> None:
    columns, first = [], reddit_contrarian.warm_up - 1
    for metal in METALS:
        tone = scored(pd.Series(market.panel.column(f"REDDIT_{metal}_SCORE")))
        noise = scored(pd.Series(np.log(1 + market.panel.column(f"REDDIT_{metal}_COUNT"))))
        is_held, sides = False, []
        for praise, crowd in zip(tone[first:], noise[first:], strict=True):
            if is_held and (praise <= 0.5 or crowd <= 0.5):
                is_held = False
            if praise > 1.25 and crowd > 1.25:
                is_held = True
            sides.append(math.nan if math.isnan(praise + crowd) else -0.5 * is_held)
        columns.append(np.array(sides))
    assert np.isnan(columns[1]).any()  # silver's forum stood still for a while
    compared(reddit_contrarian, market, columns)


# A count comes out every fifth session: managed money's net share is 1% and -1% of open interest in turn, but
# for the weeks that are named.
def counted(net_shares: dict[int, float], weeks: int = 66) -> Seen:
    """Return a market of gold and silver alike, whose count in week `i` is `net_shares[i]`."""
    n = 5 * weeks
    close = np.full((n, 2), 100.0)
    sessions = np.arange(1, n + 1)
    week = (sessions - 1) // 5
    share = np.array([net_shares.get(int(i), 0.01 * (-1.0) ** i) for i in week])
    columns: dict[str, FloatArray] = {}
    for metal in METALS:
        columns[f"COT_{metal}_OI"] = np.full(n, 100_000.0)
        columns[f"COT_{metal}_MM_LONG"] = 50_000 + 100_000 * share
        columns[f"COT_{metal}_MM_SHORT"] = np.full(n, 50_000.0)
    described = np.repeat((5 * week + 1)[:, None], len(columns), axis=1)
    bars = Bars(sessions, FUNDS, close, close, close, close, np.ones_like(close))
    return Seen(bars, Panel(tuple(columns), np.stack(list(columns.values()), axis=1), described))


def weekly(module: Any, seen: Seen) -> list[float]:
    """Return the target of gold in the last session of each week from week 61 on."""
    return [round(float(each), 6) for each in module.signal(seen)[5 * 61 + 4 :: 5, 0]]


def test_crowd_of_one_week_is_held_until_it_is_usual_again_by_hand() -> None:
    # In percent, weeks 10 to 61 are 26 of 1, 25 of -1 and one of 10: their sum is 11, of their squares 151,
    # so mean 0.21, deviation √((151 - 11²/52) / 51) = 1.71, z = 5.7. A week on, 3 comes for a 1: sums 13
    # and 159, mean 0.25, deviation 1.75, z = 1.57, kept. Then 0 comes for a -1: sum 14, z = -0.15, let go.
    seen = counted({61: 0.10, 62: 0.03, 63: 0.0})
    assert weekly(cot_extreme, seen) == [-0.7, -0.7, 0.0, 0.0, 0.0]
    assert weekly(cot_extreme, counted({61: -0.10, 62: -0.03, 63: 0.0})) == [0.7, 0.7, 0.0, 0.0, 0.0]


def test_funds_are_followed_in_gold_and_left_alone_while_crowded_by_hand() -> None:
    # Weeks 61 and 62 are a crowd, as above. Against four weeks before: 63 is 0% after -1%, a tenth of a
    # tenth; 64 is 1% after 1%; 65 is -1% after 10%, more than a tenth.
    seen = counted({61: 0.10, 62: 0.03, 63: 0.0})
    assert weekly(cot_momentum, seen) == [0.0, 0.0, 0.07, 0.0, -0.7]


def test_follower_stands_aside_exactly_while_the_fade_holds_the_metal(market: Seen) -> None:
    window = market.select(FUNDS)
    fade, follow = cot_extreme.signal(window), cot_momentum.signal(window)
    is_known = np.isfinite(fade) & np.isfinite(follow)
    assert not (fade * follow)[is_known].any()
    assert ((follow != 0) == (fade == 0))[is_known].all()
    names = {"crowded_z": "enter", "usual_z": "leave", "gold_frac": "gold_frac"}
    for own, its in names.items():
        assert getattr(cot_momentum.PARAMS, own) == getattr(cot_extreme.PARAMS, its)


@pytest.mark.parametrize("module", MINE, ids=[module.NAME for module in MINE])
def test_session_without_a_bar_gives_no_view_and_moves_nothing(module: Any, market: Seen) -> None:
    bars, days = market.bars, market.panel.described[:, market.panel.names.index("COT_GOLD_OI")]
    at = (
        int(np.flatnonzero(days[601:] > days[600:-1])[0]) + 602
    )  # the session after a release: none is missed
    close = bars.close.copy()
    close[at, bars.symbols.index("GLD")] = np.nan
    without = Bars(bars.sessions, bars.symbols, bars.open, bars.high, bars.low, close, bars.volume)
    wanted = module.signal(market.select(FUNDS))
    wanted[at, 0] = np.nan
    np.testing.assert_array_equal(module.signal(Seen(without, market.panel).select(FUNDS)), wanted)


@pytest.mark.parametrize("module", MINE, ids=[module.NAME for module in MINE])
def test_strategy_names_exactly_the_feeds_that_it_reads(module: Any, market: Seen) -> None:
    asked: set[str] = set()

    class Watched(Seen):
        def known(self, *names: str) -> FloatArray:
            asked.update(names)
            return super().known(*names)

    module.signal(Watched(market.bars, market.panel).select(module.symbols))
    assert {"ohlcv"} | {str(SERIES[name].feed) for name in asked} == set(module.FEEDS)
