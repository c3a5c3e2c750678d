"""Pairs are neutral in what they claim: by their own ratio at every session, and by what then happened."""

import numpy as np
import pytest

from qgtm.features.bars import Bars, FloatArray
from qgtm.features.seen import Seen
from qgtm.research.examination import realised_beta
from qgtm.research.history import history_from_folder
from qgtm.strategies import Strategy, gold_silver_ratio, miners_vs_metal


def pair_market(legs: tuple[str, ...], betas: tuple[float, ...], seed: int) -> Bars:
    """Return a market in which the first leg is `betas` of the others plus a gap that comes back."""
    rng = np.random.default_rng(seed)
    others = np.cumsum(rng.normal(0, 0.012, (900, len(betas))), axis=0)
    gap = np.zeros(900)
    for i in range(1, 900):
        gap[i] = 0.97 * gap[i - 1] + rng.normal(0, 0.006)
    close = np.exp(np.column_stack([4 + others @ np.array(betas) + gap, 4 + others]))
    return Bars(np.arange(900), legs, close, close, close, close, np.ones_like(close))


def stepped(module: object, bars: Bars) -> tuple[list[object], FloatArray]:
    """Return every state and target of the live step."""
    strategy = Strategy(module)  # type: ignore[arg-type]
    state, states, targets = None, [], []
    for i in range(len(bars)):
        state, row = strategy.step(state, Seen(bars.head(i + 1)))
        states.append(state)
        targets.append(row)
    return states, np.array(targets)


@pytest.mark.mistake(15)
@pytest.mark.parametrize("beta", [0.3, 0.5, 1.2])
def test_gold_silver_legs_are_sized_by_the_hedge_ratio_at_every_session(beta: float) -> None:
    bars = pair_market(("GLD", "SLV"), (beta,), 5)
    states, targets = stepped(gold_silver_ratio, bars)
    ratios = np.array([state.hedge.slope for state in states])  # type: ignore[attr-defined]
    is_in = np.nan_to_num(targets[:, 0]) != 0
    assert is_in.sum() > 50
    np.testing.assert_allclose(targets[is_in, 1], -ratios[is_in] * targets[is_in, 0], rtol=1e-12)
    np.testing.assert_allclose(np.abs(targets[is_in]).sum(axis=1), 1.0, rtol=1e-12)


@pytest.mark.parametrize("beta", [0.3, 0.5, 1.2])
def test_gold_silver_pair_does_not_move_with_silver(beta: float) -> None:
    bars = pair_market(("GLD", "SLV"), (beta,), 6)
    _, targets = stepped(gold_silver_ratio, bars)
    alone = np.abs(targets) * [1.0, 0.0]
    assert abs(realised_beta(bars, targets, on=1)) < 0.1
    assert realised_beta(bars, alone, on=1) > 0.15  # the gold leg alone does


@pytest.mark.mistake(15)
@pytest.mark.parametrize("betas", [(1.8, 0.4), (1.0, 0.0)])
def test_miners_legs_cancel_the_gold_beta_at_every_session(betas: tuple[float, float]) -> None:
    bars = pair_market(("GDX", "GLD", "SPY"), betas, 7)
    seen, targets = (
        miners_vs_metal.view(Seen(bars)),
        miners_vs_metal.signal(Seen(bars))[miners_vs_metal.warm_up - 1 :],
    )
    is_in = targets[:, 0] != 0
    assert is_in.sum() > 50
    left = targets[:, 0] * seen[:, 2] + targets[:, 1]
    np.testing.assert_allclose(left, 0.0, atol=1e-12)
    np.testing.assert_allclose(np.abs(targets[is_in]).sum(axis=1), 1.0, rtol=1e-12)
    assert (targets[:, 2] == 0).all()


def test_miners_pair_does_not_move_with_gold() -> None:
    bars = pair_market(("GDX", "GLD", "SPY"), (1.8, 0.4), 8)
    targets = miners_vs_metal.signal(Seen(bars))
    assert abs(realised_beta(bars, targets, on=1)) < 0.1
    assert realised_beta(bars, np.abs(targets) * [1.0, 0.0, 0.0], on=1) > 0.4  # the miners' leg alone does


def test_miners_pair_keeps_the_equity_beta_that_its_notebook_admits() -> None:
    bars = pair_market(("GDX", "GLD", "SPY"), (1.8, 0.4), 8)
    found = realised_beta(bars, miners_vs_metal.signal(Seen(bars)), on=2)
    assert found == pytest.approx(0.4 / 2.8, abs=0.05)


def test_pairs_on_real_prices_move_less_with_what_they_hedge_than_one_leg_alone(shared_data: object) -> None:
    bars = history_from_folder(shared_data / "bars_2020_2023")  # type: ignore[operator]
    for module, on in ((gold_silver_ratio, 1), (miners_vs_metal, 1)):
        window = bars.select(module.symbols)
        targets = module.signal(Seen(window))
        one_leg = np.abs(targets) * np.eye(len(module.symbols))[0]
        assert abs(realised_beta(window, targets, on)) < 0.25 * realised_beta(window, one_leg, on)
