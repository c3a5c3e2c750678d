"""Find look-ahead: take away what was not known, and see whether what was said then is still the same.

A suspect is any computation over a `World`. Three questions can be put to one: what it knew at each close
(`Kind.KNOWN`), what it held over each session (`Kind.HELD`), and what price it paid for what it decided at
each close (`Kind.PAID`). The judge knows nothing of how a suspect works.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Final

import numpy as np

from qgtm.core.fact import Fact
from qgtm.features.bars import FIELDS, Bars, FloatArray

CUTS: Final = 12  # places in the second half of the sessions where the future is taken away
AT_HOLES: Final = 4  # and as many where a bar is missing, since that is where holes are filled from behind
LAST: Final = 12  # sessions at the end that are never cut off: a leak has to have something to see
SEED: Final = 20


@dataclass(frozen=True, kw_only=True)
class World:
    """All that there is to know, with the time from which each thing could be known.

    `closes` are the sessions' closes (aware UTC); `listed` and `delisted` the days on which a fund came and
    went; `paid` the dividends by (symbol, ex-day), in dollars a share, known on their ex-day.
    """

    bars: Bars
    closes: tuple[datetime, ...]
    facts: tuple[Fact, ...]
    listed: Mapping[str, date]
    delisted: Mapping[str, date]
    paid: Mapping[tuple[str, date], float]

    def __len__(self) -> int:
        return len(self.bars)

    def known(self, row: int) -> "World":
        """Return what was known at the close of session `row`, and nothing else."""
        day, now = date.fromordinal(int(self.bars.sessions[row])), self.closes[row]
        return World(
            bars=self.bars.head(row + 1),
            closes=self.closes[: row + 1],
            facts=tuple(fact for fact in self.facts if fact.known_at <= now),
            listed={symbol: at for symbol, at in self.listed.items() if at <= day},
            delisted={symbol: at for symbol, at in self.delisted.items() if at <= day},
            paid={key: usd for key, usd in self.paid.items() if key[1] <= day},
        )


class Kind(StrEnum):
    """What a suspect's rows are."""

    KNOWN = "known"
    HELD = "held"
    PAID = "paid"


@dataclass(frozen=True)
class Suspect:
    """A computation that gives (n,) or (n, k) over a world's sessions, and what is claimed of its rows."""

    name: str
    words: str
    ask: Callable[[World], FloatArray]
    kind: Kind = Kind.KNOWN


@dataclass(frozen=True, slots=True)
class Finding:
    """Where a suspect was seen to know what it could not: the session, and how it was noticed."""

    session: date
    how: str


def judged(suspect: Suspect, world: World, cuts: Iterable[int] | None = None) -> Finding | None:
    """Return the first proof of look-ahead, None when there is none. Raises what the suspect raises.

    What is known is asked three times at each cut: of the whole world, of the world as it was then, and of a
    world that went another way from there.
    """
    whole = suspect.ask(world)
    tests = {Kind.KNOWN: _known, Kind.HELD: _held, Kind.PAID: _paid}
    for row in cuts_of(world) if cuts is None else cuts:
        how = tests[suspect.kind](suspect, world, whole, row)
        if how:
            return Finding(date.fromordinal(int(world.bars.sessions[row])), how)
    return None


def cuts_of(world: World) -> tuple[int, ...]:
    """Return the rows at which the future is taken away: spread over the second half, and some at holes."""
    first, last = len(world) // 2, len(world) - LAST
    spread = np.linspace(first, last, CUTS).astype(int).tolist()
    holes = np.flatnonzero(np.isnan(world.bars.close).any(axis=1))
    chosen = holes[(holes >= first) & (holes <= last)][:: max(1, len(holes) // (2 * AT_HOLES))][:AT_HOLES]
    return tuple(sorted({*spread, *chosen.tolist()}))


def _known(suspect: Suspect, world: World, whole: FloatArray, row: int) -> str | None:
    if not _same(suspect.ask(world.known(row)), whole[: row + 1]):
        return "it says something else when the future is cut off"
    if not _same(suspect.ask(another(world, row + 1))[: row + 1], whole[: row + 1]):
        return "it says something else when the future goes another way"
    return None


def _held(suspect: Suspect, world: World, whole: FloatArray, row: int) -> str | None:
    if not _same(suspect.ask(another(world, row))[: row + 1], whole[: row + 1]):
        return "what it held over a session depends on that session"
    return None


def _paid(suspect: Suspect, world: World, whole: FloatArray, row: int) -> str | None:
    """Hold that a decision at a close pays a price of the next open, neither before nor after it."""
    if not _same(suspect.ask(_moved(world, row, FIELDS[:4]))[row], whole[row]):
        return "the price that it paid was already known when it decided"
    if not _same(suspect.ask(_moved(world, row + 1, FIELDS[1:4]))[row], whole[row]):
        return "the price that it paid at an open depends on the rest of that day"
    return None


def another(world: World, row: int) -> World:
    """Return a world that is the same before session `row` and goes another way from it on."""
    draw = np.random.default_rng([SEED, row])
    shape = (len(world) - row, len(world.bars.symbols))
    factor = np.exp(0.05 * np.cumsum(draw.standard_normal(shape), axis=0))
    moved = {name: _changed(getattr(world.bars, name), row, factor) for name in FIELDS[:4]}
    moved["volume"] = _changed(world.bars.volume, row, draw.uniform(0.2, 5.0, shape))
    since = world.closes[row - 1]
    facts = tuple(
        replace(fact, value=fact.value * draw.uniform(0.5, 2.0)) if fact.known_at > since else fact
        for fact in world.facts
    )
    return replace(world, bars=Bars(world.bars.sessions, world.bars.symbols, **moved), facts=facts)


def _moved(world: World, row: int, names: tuple[str, ...]) -> World:
    """Return the world with some prices of one session a little higher; the rest stays."""
    factor = np.full((1, len(world.bars.symbols)), 1.0 + 2.0**-10)
    fields = {name: getattr(world.bars, name) for name in FIELDS}
    for name in names:
        moved = fields[name].copy()
        moved[row] *= factor[0]
        fields[name] = moved
    return replace(world, bars=Bars(world.bars.sessions, world.bars.symbols, **fields))


def _changed(values: FloatArray, row: int, factor: FloatArray) -> FloatArray:
    changed = values.copy()
    changed[row:] *= factor
    return changed


def _same(one: FloatArray, other: FloatArray) -> bool:
    return one.shape == other.shape and bool(np.array_equal(one, other, equal_nan=True))
