"""The grid of a sweep: which values of which knobs, over which sessions, of which symbols."""

import inspect
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from types import ModuleType
from typing import Any, Final

import numpy as np

from qgtm.core.errors import MarketError
from qgtm.features.bars import Bars

POINTS: Final = 12  # of a knob's range where no step is given
KNOB: Final = re.compile(r"^    (?P<name>\w+)=.*?#.*?\[(?P<low>[^\[\],]+), ?(?P<high>[^\[\],]+)\]\s*$", re.M)
BOOK: Final = "book"  # all symbols in one account
Value = int | float


@dataclass(frozen=True)
class Window:
    """Sessions from `begins` to before `ends`, as row numbers, and how a reader calls them."""

    name: str
    begins: int
    ends: int


@dataclass(frozen=True)
class Grid:
    """Hold the values of each knob that is varied; a set of parameters is one of their product."""

    knobs: tuple[tuple[str, tuple[Value, ...]], ...]

    def __len__(self) -> int:
        return int(np.prod([len(values) for _, values in self.knobs]))

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the knobs that are varied."""
        return tuple(name for name, _ in self.knobs)

    def points(self) -> Iterator[dict[str, Value]]:
        """Return each set of values, the last knob's fastest."""
        for values in itertools.product(*(values for _, values in self.knobs)):
            yield dict(zip(self.names, values, strict=True))


def ranges(module: ModuleType) -> dict[str, tuple[float, float]]:
    """Return the range of each number of `PARAMS` that the print tells in the comment beside it."""
    found = KNOB.finditer(inspect.getsource(module))
    numbers = {name for name, value in asdict(module.PARAMS).items() if _is_number(value)}
    return {
        each["name"]: (float(each["low"]), float(each["high"])) for each in found if each["name"] in numbers
    }


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def grid(module: ModuleType, given: Sequence[str]) -> Grid:
    """Return the grid of `name=low:high:step`, `name=a,b,c` or `name` for the range in the knob's comment.

    Without any, the first two knobs that have a range are varied. Raises MarketError with the next step.
    """
    there = ranges(module)
    if not given:
        given = tuple(there)[:2]
        if not given:
            raise MarketError(
                f"{module.__name__} has no knob with a range; name its values: --grid name=1,2,3"
            )
    return Grid(tuple(_knob(each, asdict(module.PARAMS), there) for each in given))


def _knob(
    text: str, params: Mapping[str, Any], there: Mapping[str, tuple[float, float]]
) -> tuple[str, tuple[Value, ...]]:
    name, _, said = text.partition("=")
    if name not in params or not _is_number(params[name]):
        numbers = ", ".join(each for each, value in params.items() if _is_number(value))
        raise MarketError(f"{name!r} is no number of its parameters; there are {numbers}.")
    if not said and name not in there:
        raise MarketError(f"{name} has no range in its comment; write --grid {name}=low:high:step.")
    values = _values(said, text) if said else np.linspace(*there[name], POINTS)
    if isinstance(params[name], int):
        return name, tuple(dict.fromkeys(round(float(value)) for value in values))
    return name, tuple(round(float(value), 12) for value in values)


def _values(said: str, text: str) -> Sequence[float]:
    try:
        if ":" not in said:
            return [float(each) for each in said.split(",")]
        low, high, step = (float(each) for each in said.split(":"))
        if step > 0 and high >= low:
            return list(low + step * np.arange(int((high - low) / step + 1e-9) + 1))
    except ValueError:
        pass
    raise MarketError(f"--grid {text!r} cannot be read; write name=low:high:step or name=a,b,c.")


def windows(bars: Bars, parts: int, given: Sequence[str]) -> tuple[Window, ...]:
    """Return `parts` equal windows of all sessions, or those of `2020-01-02:2021-12-31`, both days in.

    Raises MarketError with the next step.
    """
    if given:
        return tuple(_window(bars, each) for each in given)
    edges = np.linspace(0, len(bars), parts + 1).astype(int).tolist()
    if len(bars) < 3 * parts:
        raise MarketError(f"{len(bars)} sessions cannot be cut into {parts} windows; ask for fewer.")
    return tuple(_named(bars, begins, ends) for begins, ends in itertools.pairwise(edges))


def _named(bars: Bars, begins: int, ends: int) -> Window:
    first, last = (date.fromordinal(int(bars.sessions[i])) for i in (begins, ends - 1))
    return Window(f"{first} to {last}", begins, ends)


def _window(bars: Bars, text: str) -> Window:
    try:
        first, last = (date.fromisoformat(each).toordinal() for each in text.split(":"))
    except ValueError as problem:
        raise MarketError(f"--window {text!r} cannot be read; write 2020-01-02:2021-12-31.") from problem
    begins, ends = (int(np.searchsorted(bars.sessions, each)) for each in (first, last + 1))
    if ends - begins < 3:
        raise MarketError(f"--window {text} holds {max(0, ends - begins)} sessions; three are the least.")
    return _named(bars, begins, ends)
