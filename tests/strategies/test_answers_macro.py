"""The rules that read the macro feed and the chains, against pandas and least squares, and tables by hand.

`seen` is a made-up market; each rule is worked out anew from its panel and closes, with `rolling` of pandas,
`lstsq` of numpy and plain loops, none of which the prints use.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from qgtm.features.seen import Seen
from qgtm.research.made_up_panel import made_up_seen
from qgtm.strategies import (
    breakeven_liquidity,
    curve_steepening,
    dollar_dislocation,
    implied_carry,
    policy_path,
    real_carry,
    real_rate_gold,
    vix_haven,
)

LENGTH = 700


@pytest.fixture(scope="module")
def seen() -> Seen:
    """Return the market on which all rules are worked out twice."""
    return made_up_seen(LENGTH, 11)


def series(seen: Seen, name: str) -> pd.Series:
    return pd.Series(np.array(seen.panel.column(name)))


def close(seen: Seen, symbol: str) -> pd.Series:
    return pd.Series(seen.bars.close[:, seen.bars.symbols.index(symbol)])


def z(values: pd.Series, n: int) -> pd.Series:
    window = values.rolling(n, min_periods=math.ceil(0.75 * n))
    return (values - window.mean()) / window.std()


def agree(module: Any, seen: Seen, expected: Any) -> npt.NDArray[np.float64]:
    """Hold the targets against `expected` (n, k) from the first warm session; return the expected ones."""
    wanted = np.array(expected, dtype=np.float64).reshape(LENGTH, -1)
    wanted[: module.warm_up - 1] = np.nan
    found = module.signal(seen.select(module.symbols))
    np.testing.assert_allclose(found, wanted, rtol=1e-8, atol=1e-12, equal_nan=True)
    return wanted[module.warm_up - 1 :]


def test_real_rate_gold_agrees_with_the_rule_in_pandas(seen: Seen) -> None:
    real, dollar = series(seen, "DFII10"), np.log(series(seen, "DTWEXBGS"))
    below = real.rolling(252, min_periods=189).apply(
        lambda x: (x[:-1] < x[-1]).sum() / (len(x) - 1), raw=True
    )
    falling = z(real.diff(21), 126) < 0
    sized = (0.5 - 0.25 * z(dollar.diff(63), 252)).clip(0, 1)
    wanted = agree(real_rate_gold, seen, sized.where((below < 0.3333) & falling, 0.0))
    assert len(np.unique(wanted)) > 20


def dollar_view(seen: Seen) -> npt.NDArray[np.float64]:
    """Return z of the summed residuals, slope and correlation, by least squares over 126 sessions."""
    dollar = np.log(seen.panel.column("DTWEXBGS"))
    days = seen.panel.days("DTWEXBGS")
    gold = dict(zip(seen.bars.sessions.tolist(), np.log(close(seen, "GLD")), strict=True))
    moves = np.full((LENGTH, 2), np.nan)
    for i in range(2, LENGTH):
        if days[i] > days[i - 1] > 0:
            moves[i] = dollar[i] - dollar[i - 1], gold[int(days[i])] - gold[int(days[i - 1])]
    residual, out = np.full(LENGTH, np.nan), np.full((LENGTH, 3), np.nan)
    for i in range(127, LENGTH):
        pairs = moves[i - 125 : i + 1]
        pairs = pairs[~np.isnan(pairs[:, 0])]
        (slope, level), *_ = np.linalg.lstsq(np.column_stack([pairs[:, 0], np.ones(len(pairs))]), pairs[:, 1])
        residual[i] = moves[i, 1] - slope * moves[i, 0] - level
        out[i, 1:] = slope, np.corrcoef(pairs.T)[0, 1]
    for i in range(127 + 125, LENGTH):
        sums = np.nancumsum(residual[i - 125 : i + 1])
        out[i, 0] = (sums[-1] - sums.mean()) / sums.std(ddof=1)
    return out


def test_dollar_dislocation_agrees_with_least_squares_and_a_loop(seen: Seen) -> None:
    held, targets = 0.0, np.full(LENGTH, np.nan)
    for i, (gap, slope, correlation) in enumerate(dollar_view(seen)):
        if i < dollar_dislocation.warm_up - 1:
            continue
        if gap >= 2 or gap <= -2:
            held = -float(np.sign(gap))
        elif (held == 1 and gap > -0.5) or (held == -1 and gap < 0.5):
            held = 0.0
        if slope >= 0 or correlation >= -0.2:
            held = 0.0
        targets[i] = held
    wanted = agree(dollar_dislocation, seen, targets)
    assert set(np.unique(wanted)) == {-1.0, 0.0, 1.0}


@pytest.mark.parametrize(
    ("held", "gap", "slope", "correlation", "then"),
    [
        (0, 2.0, -0.5, -0.3, -1),  # gold is dear for the dollar there is
        (0, -2.0, -0.5, -0.3, 1),
        (0, 1.99, -0.5, -0.3, 0),
        (-1, 0.5, -0.5, -0.3, -1),  # not yet within a half
        (-1, 0.49, -0.5, -0.3, 0),
        (1, -0.5, -0.5, -0.3, 1),
        (1, 0.1, -0.5, -0.3, 0),  # past its mean
        (-1, -2.1, -0.5, -0.3, 1),
        (-1, 3.0, 0.1, -0.3, 0),  # gold rises with the dollar
        (1, -3.0, -0.5, -0.2, 0),  # barely against it
    ],
)
def test_dollar_dislocation_by_hand(
    held: int, gap: float, slope: float, correlation: float, then: int
) -> None:
    state, targets = dollar_dislocation.update(
        dollar_dislocation.State(held), np.array([gap, slope, correlation])
    )
    assert (state.side, targets.tolist()) == (then, [then])


def test_breakeven_liquidity_agrees_with_the_rule_in_pandas(seen: Seen) -> None:
    is_high = (z(series(seen, "T10YIE"), 252) > 0) & (z(series(seen, "WALCL"), 252) > 0)
    released = pd.Series(seen.panel.days("WALCL")).diff() > 0
    decided = is_high.astype(float).where(released)
    decided[: breakeven_liquidity.warm_up - 1] = np.nan
    wanted = agree(breakeven_liquidity, seen, decided.ffill().fillna(0.0))
    assert 0.05 < wanted.mean() < 0.95
    moved = released.to_numpy()[breakeven_liquidity.warm_up :][np.diff(wanted[:, 0]) != 0]
    assert len(moved) > 3
    assert moved.all()


def test_breakeven_liquidity_by_hand() -> None:
    # inflation, assets, whether released; what is wanted after
    week = [
        (0.4, 0.2, 0, 0.0),  # high, and nothing released yet
        (0.4, 0.2, 1, 1.0),
        (-0.4, 0.2, 0, 1.0),  # the breakeven alone decides nothing
        (-0.4, 0.2, 1, 0.0),
        (0.0, 0.2, 1, 0.0),  # not above
        (0.1, 0.1, 1, 1.0),
        (0.1, -0.1, 1, 0.0),
    ]
    state = breakeven_liquidity.start()
    for inflation, assets, is_new, wanted in week:
        state, targets = breakeven_liquidity.update(state, np.array([inflation, assets, is_new]))
        assert targets.tolist() == [wanted]


def test_vix_haven_agrees_with_the_rule_in_pandas(seen: Seen) -> None:
    fear, spy = z(series(seen, "VIXCLS"), 63), close(seen, "SPY")
    fallen = spy / spy.rolling(252, min_periods=189).max() < 0.97
    gold = pd.Series(0.0, fear.index).mask(fear < -1.5, -0.5).mask((fear > 1.5) & fallen, 1.0)
    wanted = agree(vix_haven, seen, np.column_stack([gold, np.zeros(LENGTH)]))
    assert set(np.unique(wanted[:, 0])) == {-0.5, 0.0, 1.0}


@pytest.mark.parametrize(
    ("fear", "fallen", "wanted"),
    [
        (1.6, 0.031, 1.0),
        (1.6, 0.03, 0.0),  # over 3%, not at it
        (1.5, 0.10, 0.0),
        (-1.6, 0.0, -0.5),
        (-1.6, 0.2, -0.5),  # calm after a fall is calm
        (0.0, 0.2, 0.0),
    ],
)
def test_vix_haven_by_hand(fear: float, fallen: float, wanted: float) -> None:
    assert vix_haven.size(np.array([fear]), np.array([fallen])).tolist() == [wanted]


def test_policy_path_agrees_with_the_rule_in_pandas(seen: Seen) -> None:
    two_year, policy = series(seen, "DGS2"), series(seen, "DFF")
    wanted = agree(policy_path, seen, (two_year < policy) & (two_year < two_year.shift(21)))
    assert 0.05 < wanted.mean() < 0.95


def test_real_carry_agrees_with_the_rule_in_pandas(seen: Seen) -> None:
    cost = z(series(seen, "SOFR") - series(seen, "T5YIE"), 252)
    said = pd.Series(np.nan, cost.index).mask(cost < -0.5, 1.0).mask(cost > 0.5, 0.0)
    said[: real_carry.warm_up - 1] = np.nan
    wanted = agree(real_carry, seen, said.ffill().fillna(0.0))
    assert 0.05 < wanted.mean() < 0.95


def test_real_carry_by_hand() -> None:
    path = [(-0.4, 0), (-0.5, 0), (-0.51, 1), (0.2, 1), (0.5, 1), (0.51, 0), (-0.2, 0), (-2.0, 1)]
    state = real_carry.start()
    for cost, wanted in path:
        state, targets = real_carry.update(state, np.array([cost]))
        assert targets.tolist() == [wanted]


def test_curve_steepening_agrees_with_the_rule_in_pandas(seen: Seen) -> None:
    slope, two_year = series(seen, "T10Y2Y"), series(seen, "DGS2")
    wanted = agree(curve_steepening, seen, (slope.diff(63) > 0) & (two_year.diff(63) < 0))
    assert 0.05 < wanted.mean() < 0.95


def test_curve_steepening_by_hand() -> None:
    slope = np.array([0.30, 0.30, -0.10, -0.10, 0.0])  # bull, bear, and the two flattenings; unmoved
    short = np.array([-0.25, 0.25, -0.25, 0.25, -0.25])
    assert curve_steepening.is_bull_steepening(slope, short).tolist() == [1.0, 0.0, 0.0, 0.0, 0.0]


def implied_carry_targets(seen: Seen) -> npt.NDArray[np.float64]:
    rate = series(seen, "SOFR") / 100
    lease = {metal: z(rate - series(seen, f"CARRY_{metal}"), 252) for metal in ("GLD", "SLV")}
    gold, silver = (np.log(close(seen, metal)).diff() for metal in ("GLD", "SLV"))
    slope = gold.rolling(126).cov(silver) / silver.rolling(126).var()
    held, targets = 0, np.full((LENGTH, 2), np.nan)
    for i in range(implied_carry.warm_up - 1, LENGTH):
        apart = lease["GLD"][i] - lease["SLV"][i]
        if apart > 1:
            held = 1
        elif apart < -1:
            held = -1
        elif (held == 1 and apart < 0.25) or (held == -1 and apart > -0.25):
            held = 0
        targets[i] = held * np.array([1.0, -slope[i]]) / (1 + slope[i])
    return targets


def test_implied_carry_agrees_with_the_rule_in_pandas(seen: Seen) -> None:
    wanted = agree(implied_carry, seen, implied_carry_targets(seen))
    assert set(np.sign(wanted[:, 0])) == {-1.0, 0.0, 1.0}


@pytest.mark.mistake(15)
def test_implied_carry_pair_does_not_move_with_silver(seen: Seen) -> None:
    window = seen.select(implied_carry.symbols)
    returns = np.diff(np.log(window.bars.close), axis=0)
    held = np.nan_to_num(implied_carry.signal(window)[:-1])
    is_in = held[:, 0] != 0
    assert is_in.sum() > 100

    def beta(legs: npt.NDArray[np.float64]) -> float:
        pair = (legs * returns).sum(axis=1)[is_in] * np.sign(held[is_in, 0])
        silver = returns[is_in, 1]
        return float(np.cov(pair, silver)[0, 1] / silver.var(ddof=1))

    assert abs(beta(held)) < 0.1
    assert beta(held * [1.0, 0.0]) > 0.2  # the gold leg alone does


def test_implied_carry_by_hand() -> None:
    # gold's lease z less silver's, gold's slope on silver; gold and silver wanted
    path = [
        (0.9, 0.6, (0.0, 0.0)),
        (1.1, 0.6, (0.625, -0.375)),
        (0.3, 0.25, (0.8, -0.2)),  # still in, hedged by today's slope
        (0.2, 0.25, (0.0, 0.0)),
        (-1.5, 0.25, (-0.8, 0.2)),
        (-1.5, -0.1, (0.0, 0.0)),  # no slope to hedge by
        (-0.3, 0.25, (0.0, 0.0)),  # and what was let go is not taken up again inside the bound
    ]
    state = implied_carry.start()
    for apart, slope, wanted in path:
        state, targets = implied_carry.update(state, np.array([apart, slope]))
        assert targets.tolist() == pytest.approx(wanted, abs=1e-12)
