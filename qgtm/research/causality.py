"""Does a printed function see the future, and is it the same live? To the bit, for whatever is printed."""

import inspect
from collections.abc import Callable, Iterable, Iterator
from types import ModuleType
from typing import Any

import numpy as np

from qgtm.features.bars import Bars, FloatArray
from qgtm.features.returns import carried, log_returns, windows
from qgtm.features.seen import Seen, Shelf
from qgtm.strategies import Strategy

SHORT = 5  # a lookback for functions that ask for one and have no usual value
WINDOW = 30
NUMBERS = {"lookback": SHORT, "horizon": SHORT, "least_frac": 0.75, "limit": 2}


class Series:
    """One argument of a feature: an array and the axis along which time runs."""

    def __init__(self, array: FloatArray, axis: int = -1) -> None:
        self.array, self.axis = array, axis % array.ndim

    def cut(self, start: int, stop: int) -> FloatArray:
        """Return the steps of time from `start` up to `stop`, left out, with nothing else behind them."""
        return self.array.take(np.arange(start, stop), axis=self.axis)

    def __len__(self) -> int:
        return int(self.array.shape[self.axis])


def feature_inputs(bars: Bars) -> dict[str, Series]:
    """Return a series for every name that a feature's argument may have, made of the first three symbols.

    A printed feature whose argument has another name cannot be checked, and `calls` refuses it.
    """
    close = np.ascontiguousarray(bars.close.T)
    returns = log_returns(close, 1)
    windowed = windows(np.log(carried(close[:3])), WINDOW)
    return {
        "close": Series(close[0]),
        "high": Series(np.ascontiguousarray(bars.high[:, 0])),
        "low": Series(np.ascontiguousarray(bars.low[:, 0])),
        "values": Series(close[0]),
        "returns": Series(returns[0]),
        "y": Series(returns[0]),
        "x": Series(returns[1]),
        "a": Series(returns[1]),
        "b": Series(returns[2]),
        "series": Series(close),
        "windowed": Series(windowed[0], axis=0),
        "yab": Series(windowed, axis=1),
        "days": Series((bars.sessions - bars.sessions % 7).astype(np.float64)),  # as of a weekly report
    }


def array_functions(module: ModuleType) -> Iterator[Callable[..., Any]]:
    """Yield the public functions of a printed feature that take arrays; plain numbers have no time."""
    for name, function in inspect.getmembers(module, inspect.isfunction):
        hints = inspect.get_annotations(function, eval_str=True)
        is_public = function.__module__ == module.__name__ and not name.startswith("_")
        first = next(iter(hints.values()), None)
        if is_public and first == FloatArray:  # one of a model's or of all that is seen has its own tests
            yield function


def call(function: Callable[..., Any], inputs: dict[str, Series], start: int, stop: int) -> list[FloatArray]:
    """Return what `function` makes of its inputs from `start` to `stop`; several results as several arrays.

    Raises KeyError for an argument whose name says nothing about what belongs there.
    """
    given: dict[str, Any] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if name in inputs:
            given[name] = inputs[name].cut(start, stop)
        elif name == "length":
            given[name] = stop - start
        elif parameter.default is inspect.Parameter.empty:
            given[name] = NUMBERS[name]
    out = function(**given)
    return list(out) if isinstance(out, tuple) else [out]


def steps(function: Callable[..., Any], inputs: dict[str, Series]) -> int:
    """Return how many steps of time the arguments of `function` have."""
    return min(len(inputs[name]) for name in inspect.signature(function).parameters if name in inputs)


def future_seen(function: Callable[..., Any], inputs: dict[str, Series], ends: Iterable[int]) -> list[int]:
    """Return the ends at which cutting the future changed something; none for a causal function."""
    whole = call(function, inputs, 0, steps(function, inputs))
    seen = []
    for end in ends:
        cut = call(function, inputs, 0, end)
        if not all(_begins(each_whole, each) for each_whole, each in zip(whole, cut, strict=True)):
            seen.append(end)
    return seen


def live_differs(
    function: Callable[..., Any], inputs: dict[str, Series], warm_up: int, ends: Iterable[int]
) -> list[int]:
    """Return the ends at which the newest value of the last `warm_up` steps is not that of the whole."""
    whole = call(function, inputs, 0, steps(function, inputs))
    differs = []
    for end in ends:
        cut = call(function, inputs, max(0, end - warm_up), end)
        upto = call(function, inputs, 0, end)
        axes = [_time_axis(each_whole, each) for each_whole, each in zip(whole, upto, strict=True)]
        same = [
            _same(_at(each, -1, axis), _at(each_whole, each_upto.shape[axis] - 1, axis))
            for each, each_upto, each_whole, axis in zip(cut, upto, whole, axes, strict=True)
        ]
        if not all(same):
            differs.append(end)
    return differs


def strategy_future_seen(strategy: Strategy, seen: Seen, ends: Iterable[int]) -> list[int]:
    """Return the ends at which cutting the future changed a target that had been given before."""
    window = seen.select(strategy.symbols)
    whole = strategy.module.signal(window)
    return [end for end in ends if not _same(strategy.module.signal(window.head(end)), whole[:end])]


def strategy_live_differs(strategy: Strategy, seen: Seen) -> list[int]:
    """Return the sessions at which the live step's targets are not those of the whole history at once."""
    whole = strategy.module.signal(seen.select(strategy.symbols))
    carried_state, differs = None, []
    for i, known in enumerate(grown(seen)):
        carried_state, targets = strategy.step(carried_state, known)
        if not _same(targets, whole[i]):
            differs.append(i)
    return differs


def grown(seen: Seen) -> Iterator[Seen]:
    """Yield what was seen after each session, with features that grow by a row, as the live loop has them."""
    shelf = Shelf()
    for n in range(1, len(seen) + 1):
        yield Seen(seen.bars.head(n), seen.panel.rows(slice(0, n)), shelf)


def _same(one: FloatArray, other: FloatArray) -> bool:
    return one.shape == other.shape and np.array_equal(one, other, equal_nan=True)


def _time_axis(whole: FloatArray, cut: FloatArray) -> int:
    longer = [axis for axis, (n, m) in enumerate(zip(whole.shape, cut.shape, strict=True)) if n != m]
    return longer[0] if longer else whole.ndim - 1


def _begins(whole: FloatArray, cut: FloatArray) -> bool:
    axis = _time_axis(whole, cut)
    return _same(whole.take(np.arange(cut.shape[axis]), axis), cut)


def _at(values: FloatArray, i: int, axis: int) -> FloatArray:
    return np.asarray(values.take(i, axis))
