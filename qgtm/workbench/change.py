"""What an edit changes: the targets of the deployed print beside those of the working copy, over history."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qgtm.adapters.files import write_atomic
from qgtm.core.errors import MarketError
from qgtm.features.bars import Bars, FloatArray
from qgtm.features.seen import Seen
from qgtm.strategies import Strategy


@dataclass(frozen=True, kw_only=True, eq=False)
class Change:
    """Hold what both want (n, k) after each session; where there is no view, the last target stands."""

    name: str
    bars: Bars
    deployed: FloatArray
    working: FloatArray
    knobs: Mapping[str, tuple[Any, Any]]

    @property
    def differs(self) -> NDArray[np.bool_]:
        """Return where they differ, as booleans (n, k)."""
        return np.asarray(self.deployed != self.working)

    @property
    def days(self) -> tuple[date, ...]:
        """Return the sessions on which a target differs."""
        rows = np.flatnonzero(self.differs.any(axis=1))
        return tuple(date.fromordinal(int(self.bars.sessions[row])) for row in rows)

    @property
    def by_symbol(self) -> dict[str, int]:
        """Return on how many sessions the target of each symbol that differs does so."""
        counts = self.differs.sum(axis=0).tolist()
        return {symbol: n for symbol, n in zip(self.bars.symbols, counts, strict=True) if n}

    @property
    def largest_frac(self) -> float:
        """Return the largest difference as a share of the budget."""
        return float(np.abs(self.working - self.deployed).max(initial=0.0))


def change(deployed: Strategy, working: Strategy, seen: Seen) -> Change:
    """Return how the targets of `working` differ from those of `deployed` on what is `seen`.

    Raises MarketError when neither has a view there, so that nothing could differ.
    """
    symbols = tuple(dict.fromkeys((*deployed.symbols, *working.symbols)))
    before, after = (_spread(strategy, seen, symbols) for strategy in (deployed, working))
    if np.isnan(before).all() and np.isnan(after).all():
        feeds = ", ".join(sorted({*deployed.feeds, *working.feeds}))
        raise MarketError(
            f"{working.name} has no view on any of the {len(seen)} sessions: it reads {feeds} and needs "
            f"{working.warm_up} sessions. A folder of bars holds prices alone: leave --bars out or take more."
        )
    return Change(
        name=working.name,
        bars=seen.select(symbols).bars,
        deployed=standing(before),
        working=standing(after),
        knobs=dict(_turned(deployed.module.PARAMS, working.module.PARAMS)),
    )


def _spread(strategy: Strategy, seen: Seen, symbols: tuple[str, ...]) -> FloatArray:
    targets = np.full((len(seen), len(symbols)), np.nan)
    columns = [symbols.index(symbol) for symbol in strategy.symbols]
    targets[:, columns] = strategy.module.signal(seen.select(strategy.symbols))
    return targets


def standing(targets: FloatArray) -> FloatArray:
    """Return the targets (n, k) that stand after each session: the last that was given, 0 before any."""
    rows = np.arange(len(targets))[:, None]
    given = np.maximum.accumulate(np.where(np.isnan(targets), -1, rows), axis=0)
    return np.where(given < 0, 0.0, np.take_along_axis(targets, np.maximum(given, 0), axis=0))


def _turned(before: Any, after: Any) -> Iterator[tuple[str, tuple[Any, Any]]]:
    names = dict.fromkeys(field.name for params in (before, after) for field in fields(params))
    for name in names:
        both = getattr(before, name, None), getattr(after, name, None)
        if both[0] != both[1]:
            yield name, both


def write_picture(found: Change, folder: Path) -> Path:
    """Draw each symbol that differs, before and after, and how much in all; return the SVG's path."""
    from qgtm.research.pictures import curve, overlay, shown

    lines = [
        overlay(
            found.bars,
            [("deployed", found.deployed[:, k]), ("working copy", found.working[:, k])],
            f"{symbol}, wanted of budget",
        )
        for k, symbol in enumerate(found.bars.symbols)
        if symbol in found.by_symbol
    ]
    apart = np.abs(found.working - found.deployed).sum(axis=1)
    total = curve(found.bars, apart, "difference in all, of budget")
    drawn = shown(*lines, total, text=f"{found.name}: deployed and working copy")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{found.name}.svg"
    write_atomic(path, drawn.svg.encode())
    return path
