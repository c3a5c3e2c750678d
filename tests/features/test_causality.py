"""Every printed feature: cutting the future changes no bit, and bar by bar equals all at once."""

import importlib
import inspect
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from qgtm.features.bars import Bars, FloatArray
from qgtm.research import causality
from qgtm.research.history import history_from_folder
from qgtm.research.made_up import made_up

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks" / "features").glob("*.ipynb"))
MODULES = [importlib.import_module(f"qgtm.features.{path.stem}") for path in NOTEBOOKS]
FUNCTIONS = [
    pytest.param(module, function, id=f"{module.__name__.split('.')[-1]}.{function.__name__}")
    for module in MODULES
    for function in causality.array_functions(module)
]
# A function that takes `params` is the fold of its module's `update`; every other needs a finite window.
FOLDS = [each for each in FUNCTIONS if "params" in inspect.signature(each.values[1]).parameters]
FINITE = [each for each in FUNCTIONS if each not in FOLDS]
LENGTH = 420


def holed(bars: Bars, seed: int) -> Bars:
    """Return the bars with one session in ten missing, and one long hole, in every symbol."""
    rng = np.random.default_rng(seed)
    holes = rng.random(bars.close.shape) < 0.1
    holes[120:129, 0] = True
    fields = [
        np.where(holes, np.nan, getattr(bars, name)) for name in ("open", "high", "low", "close", "volume")
    ]
    return Bars(bars.sessions, bars.symbols, *fields)


@pytest.fixture(scope="module", params=["made up", "made up with holes", "real, thin"])
def bars(request: pytest.FixtureRequest) -> Bars:
    if request.param == "real, thin":
        folder = request.getfixturevalue("shared_data") / "bars_2020_2023"
        return history_from_folder(folder, ("PALL", "GLL", "SPY")).tail(LENGTH)
    made = made_up(LENGTH, 11).select(("GLD", "SLV", "SPY"))
    return holed(made, 5) if "holes" in request.param else made


def ends(module: Any, length: int) -> range:
    """Return where to cut: every seventh step from the first that is warm."""
    return range(module.warm_up, length, 7)


def test_features_are_found_by_looking() -> None:
    assert len(MODULES) >= 4
    assert {name.id for name in FUNCTIONS} >= {"returns.log_returns", "trend.channel_high"}
    assert {name.id for name in FOLDS} == {"volatility.exponential_volatility", "relative_value.hedge_ratio"}


@pytest.mark.mistake(17)
@pytest.mark.parametrize(("module", "function"), FUNCTIONS)
def test_feature_when_the_future_is_cut_stays_the_same_to_the_bit(
    module: ModuleType, function: Any, bars: Bars
) -> None:
    inputs = causality.feature_inputs(bars)
    length = causality.steps(function, inputs)
    assert causality.future_seen(function, inputs, ends(module, length)) == []


@pytest.mark.parametrize(("module", "function"), FINITE)
def test_feature_of_its_last_window_equals_that_of_the_whole_history(
    module: ModuleType, function: Any, bars: Bars
) -> None:
    inputs = causality.feature_inputs(bars)
    length = causality.steps(function, inputs)
    assert causality.live_differs(function, inputs, module.warm_up, ends(module, length)) == []


@pytest.mark.parametrize(("module", "function"), FOLDS)
def test_carried_feature_stepped_bar_by_bar_equals_its_fold(
    module: ModuleType, function: Any, bars: Bars
) -> None:
    inputs = causality.feature_inputs(bars)
    names = [name for name in function.__annotations__ if name in inputs]
    whole = function(*(inputs[name].array for name in names))
    state, stepped = module.start(), []
    for row in zip(*(inputs[name].array.tolist() for name in names), strict=True):
        state, out = module.update(state, *row)
        stepped.append(out)
    assert np.array_equal(whole, stepped, equal_nan=True)
    assert np.isfinite(whole[-1])


# The test of the test: what must not pass, does not.


def sees_tomorrow(close: FloatArray) -> FloatArray:
    return np.concatenate([np.log(close[1:] / close[:-1]), [np.nan]])


def scales_by_the_whole(close: FloatArray) -> FloatArray:
    return (close - np.nanmean(close)) / np.nanstd(close)


def sums_from_the_start(close: FloatArray) -> FloatArray:
    return np.nancumsum(close)


@pytest.mark.parametrize("planted", [sees_tomorrow, scales_by_the_whole])
def test_planted_look_ahead_is_found_by_cutting_the_future(planted: Any) -> None:
    inputs = causality.feature_inputs(made_up(LENGTH, 11).select(("GLD", "SLV", "SPY")))
    assert len(causality.future_seen(planted, inputs, range(10, LENGTH, 7))) == len(range(10, LENGTH, 7))


def test_feature_without_a_finite_window_is_found_bar_by_bar() -> None:
    inputs = causality.feature_inputs(made_up(LENGTH, 11).select(("GLD", "SLV", "SPY")))
    assert causality.future_seen(sums_from_the_start, inputs, range(10, LENGTH, 7)) == []
    assert causality.live_differs(sums_from_the_start, inputs, 20, range(30, LENGTH, 7)) != []


def test_planted_function_in_a_module_is_found_by_looking() -> None:
    def closes(close: FloatArray) -> FloatArray:
        return close

    closes.__module__ = "planted"
    found = list(causality.array_functions(SimpleNamespace(__name__="planted", closes=closes)))  # type: ignore[arg-type]
    assert found == [closes]


def test_feature_whose_argument_says_nothing_is_refused() -> None:
    def odd(stuff: FloatArray) -> FloatArray:
        return stuff

    with pytest.raises(KeyError, match="stuff"):
        causality.call(odd, {}, 0, 10)
