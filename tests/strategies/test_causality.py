"""Every printed strategy: cutting the future changes no bit, and bar by bar equals all at once."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from qgtm.features.bars import FloatArray
from qgtm.features.seen import Seen
from qgtm.research import causality
from qgtm.research.examination import LENGTH, holed, late
from qgtm.research.history import history_from_folder
from qgtm.research.made_up import made_up
from qgtm.research.made_up_panel import made_up_panel, made_up_seen
from qgtm.strategies import BY_NAME, STRATEGIES, Strategy

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks" / "strategies").glob("*.ipynb"))
EVERY = pytest.mark.parametrize("strategy", BY_NAME.values(), ids=list(BY_NAME))


@pytest.fixture(scope="module", params=["made up", "made up with holes", "real"])
def seen(request: pytest.FixtureRequest) -> Seen:
    """Return bars with a panel beside them: beside real bars a made-up one, since no chains were kept."""
    if request.param == "real":
        bars = history_from_folder(request.getfixturevalue("shared_data") / "bars_2020_2023")
        return Seen(bars, made_up_panel(bars, 21))
    made = made_up_seen(LENGTH, 21)
    return Seen(holed(made.bars, 3), late(made.panel, 20)) if "holes" in request.param else made


def test_every_strategy_notebook_is_in_the_list() -> None:
    assert [module.NAME for module in STRATEGIES] == [path.stem for path in NOTEBOOKS]


@pytest.mark.mistake(17)
@pytest.mark.invariant("V17")
@EVERY
def test_strategy_when_the_future_is_cut_gives_the_same_targets(strategy: Strategy, seen: Seen) -> None:
    assert causality.strategy_future_seen(strategy, seen, range(1, len(seen), 13)) == []


@EVERY
def test_strategy_stepped_bar_by_bar_gives_the_targets_of_the_whole(strategy: Strategy, seen: Seen) -> None:
    assert causality.strategy_live_differs(strategy, seen) == []


@pytest.mark.mistake(11)
@EVERY
def test_strategy_has_views_to_compare_at_all(strategy: Strategy, seen: Seen) -> None:
    targets = strategy.module.signal(seen.select(strategy.symbols))
    assert np.isnan(targets[: strategy.warm_up - 1]).all()
    assert np.isfinite(targets[strategy.warm_up - 1 :]).mean() > 0.3


@EVERY
def test_strategy_whose_state_went_through_json_goes_on_as_before(strategy: Strategy, seen: Seen) -> None:
    whole = strategy.module.signal(seen.select(strategy.symbols))
    state = None
    for i, known in enumerate(causality.grown(seen)):
        state = strategy.decode(json.loads(json.dumps(strategy.encode(state), allow_nan=False)))
        state, targets = strategy.step(state, known)
        assert np.array_equal(targets, whole[i], equal_nan=True)


@EVERY
def test_strategy_asks_for_at_most_its_budget(strategy: Strategy, seen: Seen) -> None:
    targets = strategy.module.signal(seen.select(strategy.symbols))
    assert np.nansum(np.abs(targets), axis=1).max() <= 1 + 1e-12
    assert np.nanmax(np.abs(targets)) > 0


@EVERY
def test_strategy_has_no_view_of_a_symbol_without_a_bar(strategy: Strategy, seen: Seen) -> None:
    window = seen.select(strategy.symbols)
    assert np.isnan(strategy.module.signal(window)[np.isnan(window.bars.close)]).all()


def test_strategy_before_it_is_warm_has_no_view_and_learns_nothing() -> None:
    few = made_up_seen(30, 1)
    for strategy in BY_NAME.values():
        state, targets = strategy.step(None, few.head(min(30, strategy.warm_up - 1)))
        assert np.isnan(targets).all()
        assert state == strategy.start()


# The test of the test: a look-ahead planted in a strategy is found.


def planted_signal(seen: Seen) -> FloatArray:
    bars = seen.bars
    return np.roll(np.sign(np.diff(bars.close, axis=0, prepend=np.nan)), -1, axis=0)


def planted_strategy(signal: Any) -> Strategy:
    module = SimpleNamespace(NAME="planted", symbols=("GLD", "SLV"), warm_up=5, PARAMS=None, signal=signal)
    return Strategy(cast(Any, module))


def test_planted_look_ahead_is_found_by_cutting_the_future() -> None:
    ends = range(10, 200, 7)
    made = Seen(made_up(200, 1))
    assert causality.strategy_future_seen(planted_strategy(planted_signal), made, ends) == list(ends)


def test_planted_look_ahead_is_found_bar_by_bar() -> None:
    assert len(causality.strategy_live_differs(planted_strategy(planted_signal), Seen(made_up(200, 1)))) > 150


def test_strategy_with_too_short_a_warm_up_is_found_bar_by_bar() -> None:
    def mean_of_ten(seen: Seen) -> FloatArray:
        bars = seen.bars
        out = np.full(bars.close.shape, np.nan)
        for i in range(9, len(bars)):
            out[i] = bars.close[i - 9 : i + 1].mean(axis=0)
        return out

    made = Seen(made_up(60, 1))
    assert causality.strategy_future_seen(planted_strategy(mean_of_ten), made, range(5, 60)) == []
    assert causality.strategy_live_differs(planted_strategy(mean_of_ten), made) == list(range(9, 60))
