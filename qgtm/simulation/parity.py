"""Does the daemon decide, bar by bar, what the notebooks say all at once? To the bit, and named where not.

The daemon's half is `live_path`, with a checkpoint every few sessions; in the middle everything is let go of
and opened anew from what lies on the disk.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from qgtm.core.bar import BarSet
from qgtm.core.universe import SYMBOLS
from qgtm.features.bars import FIELDS, FloatArray
from qgtm.features.feature import Feature
from qgtm.features.history import History
from qgtm.features.seen import Seen
from qgtm.risk.limits import Limits
from qgtm.simulation.live_path import LivePath, View, bar_sets, whole
from qgtm.strategies import Strategy

CHECKPOINT_EVERY: Final = 100  # sessions
RULE: Final = "none: the rule"

Track = Callable[[Sequence[BarSet]], Iterable[BarSet]]


@dataclass(frozen=True, slots=True)
class Difference:
    """The first decision of a strategy that is not the notebook's, and the first input that differs there."""

    strategy: str
    session: date
    symbol: str
    input: str
    live: float | None
    notebook: float | None


@dataclass(frozen=True, slots=True)
class Agreement:
    """How many decisions were compared, how many differ, and where each strategy first does.

    A decision is what one strategy wants after one session; one where neither side has a view is not counted.
    """

    strategies: tuple[str, ...]
    sessions: int
    decisions: int
    differing: int
    differences: tuple[Difference, ...]
    checkpoints: int
    restarted_on: date | None


def agreement(
    seen: Seen,
    strategies: Sequence[Strategy],
    notebooks: Mapping[str, Strategy],
    limits: Limits,
    folder: Path,
    track: Track = iter,
) -> Agreement:
    """Walk the market of `seen` as the daemon would, in `folder`, and compare with `notebooks` all at once.

    `notebooks` are the strategies by name as their notebooks have them now, `track` may show how far it is. A
    strategy that fails has no decision from then on. Raises what a notebook's rule raises.
    """
    there = whole(seen)
    said = {strategy.name: _Said(notebooks[strategy.name], there) for strategy in strategies}
    compared = _Compared(said)
    path = LivePath(folder, tuple(strategies), limits, there)
    sets = bar_sets(there.bars)
    middle = len(sets) // 2
    for row, bars in enumerate(track(sets)):
        compared.take(row, bars.session, path.live(bars), path.history)
        if row + 1 == middle:
            path.restart()
        elif (row + 1) % CHECKPOINT_EVERY == 0:
            path.checkpoint(bars.known_at)
    path.close()
    return Agreement(
        strategies=tuple(said),
        sessions=len(sets),
        decisions=compared.decisions,
        differing=compared.differing,
        differences=tuple(compared.first.values()),
        checkpoints=path.checkpoints,
        restarted_on=sets[middle - 1].session if middle else None,
    )


# -- the notebooks' half, and the difference ---------------------------------------------------------

Asked = Feature | str  # a feature, or a series of the panel


@dataclass(frozen=True, slots=True)
class _Input:
    name: str
    of: Callable[[Seen], Any]


class _Said:
    """What a notebook's rule says over the whole market at once, and what it asked for to say it."""

    def __init__(self, strategy: Strategy, there: Seen) -> None:
        self.symbols = strategy.symbols
        asked: dict[str, Asked] = {}

        class Spied(Seen):
            def get(self, feature: Feature) -> FloatArray:
                found = super().get(feature)
                asked.setdefault(feature.name, feature)  # after what it reads itself
                return found

            def known(self, *names: str) -> FloatArray:
                asked.update({name: name for name in names if name not in asked})
                return super().known(*names)

            def days(self, *names: str) -> FloatArray:
                asked.update({name: name for name in names if name not in asked})
                return super().days(*names)

        seen = Spied(there.bars, there.panel)
        self.targets: FloatArray = strategy.module.signal(seen.select(self.symbols))
        self._seen = seen
        self._asked = asked

    def input(self, row: int, history: History) -> str:
        """Return the first input whose value differs at a session, else in an earlier one, else none."""
        live, there = history.seen(), self._seen
        earlier = ""
        for each in self._inputs():
            rows = _apart(each.of(live)[: row + 1], each.of(there)[: row + 1])
            if rows.size and rows[-1] == row:
                return each.name
            if rows.size and not earlier:
                earlier = f"{each.name} on {date.fromordinal(int(there.bars.sessions[rows[0]]))}"
        return earlier or RULE

    def _inputs(self) -> Iterator[_Input]:
        for name in FIELDS:
            for symbol in self.symbols:
                yield _Input(f"{name} of {symbol}", partial(_price, name, SYMBOLS.index(symbol)))
        for name, asked in self._asked.items():
            if isinstance(asked, str):
                yield _Input(name, partial(_value, asked))
                yield _Input(f"the day of {name}", partial(_day, asked))
        for name, asked in self._asked.items():
            if not isinstance(asked, str):
                yield _Input(name, partial(_feature, asked))


def _price(name: str, column: int, seen: Seen) -> FloatArray:
    found: FloatArray = getattr(seen.bars, name)[:, column]
    return found


def _value(name: str, seen: Seen) -> FloatArray:
    return np.asarray(seen.known(name)[0])


def _day(name: str, seen: Seen) -> FloatArray:
    return np.asarray(seen.days(name)[0])


def _feature(feature: Feature, seen: Seen) -> FloatArray:
    return seen.get(feature)


def _apart(live: FloatArray, there: FloatArray) -> npt.NDArray[np.int64]:
    """Return the sessions at which two columns, or any of two arrays' columns, are not the same."""
    apart = (live != there) & ~(np.isnan(live) & np.isnan(there))
    return np.flatnonzero(apart.reshape(len(apart), -1).any(axis=1))


@dataclass
class _Compared:
    said: Mapping[str, _Said]
    decisions: int = 0
    differing: int = 0
    first: dict[str, Difference] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def take(
        self,
        row: int,
        session: date,
        decided: tuple[Mapping[str, View], Mapping[str, str]],
        history: History,
    ) -> None:
        views, failed = decided
        self.failed |= failed
        for name, said in self.said.items():
            wanted = [None if value != value else value for value in said.targets[row].tolist()]
            found = [views.get(name, {}).get(symbol) for symbol in said.symbols]
            self.decisions += any(value is not None for value in (*wanted, *found))
            if wanted == found:
                continue
            self.differing += 1
            if name not in self.first:
                at = next(i for i, pair in enumerate(zip(found, wanted, strict=True)) if pair[0] != pair[1])
                reason = self.failed.get(name)
                why = f"none: it failed ({reason})" if reason else said.input(row, history)
                self.first[name] = Difference(name, session, said.symbols[at], why, found[at], wanted[at])
