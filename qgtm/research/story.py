"""What a strategy did, told alike in all notebooks: its back-test, its pictures, a second book, its card."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from qgtm.features.bars import Bars, FloatArray
from qgtm.features.regime import FEATURES, LEVELS
from qgtm.features.seen import Seen
from qgtm.research.backtest import SESSIONS_A_YEAR, Backtest, backtest, vectorbt_equity, vectorbt_figures
from qgtm.research.card import card, write_card
from qgtm.research.history import evidence, history_from_folder
from qgtm.research.made_up_panel import made_up_seen
from qgtm.research.pictures import (
    Picture,
    drawdown_picture,
    equity_picture,
    overlay,
    position_picture,
    shown,
)

if TYPE_CHECKING:
    from qgtm.research.evidence import Evidence

HALF_A_YEAR = 126
NEEDED = ("NAME", "CATEGORY", "FEEDS", "symbols", "warm_up", "PARAMS", "signal")
RUN = ("source", "sessions", "seed", "cost_bps", "with_vectorbt", "product")
_VOLATILITY = {feature.name: feature for feature in FEATURES}["volatility_regime"]


@dataclass(frozen=True, eq=False)
class Story:
    """Hold what a strategy saw, wanted and did; each method is a cell of its notebook.

    `everything` has all that was known, `seen` and `bars` the strategy's own symbols, `wanted` its targets
    (n, k). `names` are the notebook's.
    """

    names: Any
    everything: Seen
    seen: Seen
    wanted: FloatArray
    done: Backtest

    @property
    def bars(self) -> Bars:
        """Return the bars of the strategy's symbols."""
        return self.seen.bars

    def figures(self) -> dict[str, float]:
        """Return the back-test's figures, which are also the card's."""
        return self.done.figures()

    def pictures(self, *own: Any) -> Picture:
        """Draw the strategy's own pictures, and below them position, equity, drawdown and Sharpe ratio."""
        level = self.everything.get(_VOLATILITY)
        sharpe = rolling_sharpe(self.done.equity)
        by_level = [
            (f"gold {name}", np.where(level == i, sharpe, np.nan))
            for i, name in enumerate(LEVELS)
            if np.isfinite(sharpe[level == i]).any()
        ]
        last = overlay(self.bars, by_level, "Sharpe ratio of half a year, by gold's volatility")
        return shown(
            *own,
            position_picture(self.bars, self.done.weights),
            equity_picture(self.bars, self.done.equity),
            drawdown_picture(self.bars, self.done.drawdown),
            *([last] if by_level else []),
            text=f"{self.names.NAME}: what it saw, what it held, its equity, its drawdown and Sharpe ratio",
        )

    def second_book(self) -> Any:
        """Return vectorbt's figures of the same shares, None when the knob `with_vectorbt` is off.

        Raises ValueError when its equity is not ours.
        """
        if not self.names.with_vectorbt:
            return None
        names = self.names
        equity = vectorbt_equity(self.bars, self.done.bought, names.cost_bps, names.borrow_bps)
        if not np.allclose(equity.to_numpy(), self.done.equity, rtol=1e-9):
            apart = float(np.abs(equity.to_numpy() - self.done.equity).max())
            raise ValueError(
                f"vectorbt's equity of {self.names.NAME} is up to {apart:.2g} dollars from ours: "
                "one of the two books is wrong, so believe neither figure before you know which"
            )
        return vectorbt_figures(equity)

    def inputs(self) -> dict[str, str]:
        """Return, for each feed that is read, whether it was synthetic, recorded or lacking."""
        return dict(self.weighed.inputs)

    @cached_property
    def weighed(self) -> "Evidence":
        """Return the evidence, worked out once (`evidence.found`)."""
        from qgtm.research.evidence import found  # it brings numba, and a picture needs none of it

        names = self.names
        worth = evidence(names.source)
        return found(names, self.everything, worth, names.cost_bps, borrow_bps=names.borrow_bps)

    def evidence(self) -> Any:
        """Show what the record is worth: the gates in words, the figures, pictures, and the second book.

        Raises ValueError when the second book's equity is not ours.
        """
        from qgtm.research.evidence_page import page

        return page(self.weighed, self.bars, self.second_book())

    def card(self, **words: Any) -> dict[str, Any]:
        """Return the card with the notebook's prose in `words`; written where the pipeline asked for it."""
        from qgtm.research.evidence import as_json

        written = card(
            vars(self.names),
            source=evidence(self.names.source),
            inputs=self.inputs(),
            figures=self.figures(),
            proof=as_json(self.weighed)["proof"],
            cost_bps=self.names.cost_bps,
            borrow_bps=self.names.borrow_bps,
            **words,
        )
        write_card(self.names.product, written)
        return written


def told(names: Mapping[str, Any]) -> Story:
    """Return the story of the strategy whose notebook defines `names` (its `globals()`).

    Decided at each close, filled at the next open, costs on every fill and, where the notebook has the knob
    `borrow_bps`, a fee on what is short. Raises KeyError when it lacks a name of `NEEDED` or `RUN`.
    """
    if lacking := [name for name in (*NEEDED, *RUN) if name not in names]:
        raise KeyError(
            f"the notebook lacks {', '.join(lacking)}: define it in an export or parameters cell above"
        )
    own = SimpleNamespace(**{name: names[name] for name in (*NEEDED, *RUN)})
    own.borrow_bps = names.get("borrow_bps", 0.0)
    everything = world(own.source, own.sessions, own.seed)
    seen = everything.select(own.symbols)
    wanted = own.signal(seen)
    done = backtest(seen.bars, wanted, own.cost_bps, borrow_bps=own.borrow_bps)
    return Story(own, everything, seen, wanted, done)


def world(source: str, sessions: int, seed: int) -> Seen:
    """Return all that can be seen of `source`: "synthetic", or a folder of daily bars and what lies beside.

    Raises MarketError when the folder cannot be read.
    """
    if source == "synthetic":
        return made_up_seen(sessions, seed)
    from qgtm.research.recorded import beside  # it brings the vendors' forms

    bars = history_from_folder(Path(source)).tail(sessions)
    return Seen(bars, beside(Path(source), bars.sessions))


def rolling_sharpe(equity: FloatArray, lookback: int = HALF_A_YEAR) -> FloatArray:
    """Return the yearly Sharpe ratio (n,) of the last `lookback` returns; NaN where equity stood still."""
    found = np.full(len(equity), np.nan)
    if len(equity) > lookback:
        daily = np.lib.stride_tricks.sliding_window_view(np.diff(equity) / equity[:-1], lookback)
        deviation = daily.std(axis=-1, ddof=1)
        moved = np.where(deviation > 0, deviation, np.nan)
        found[lookback:] = daily.mean(axis=-1) / moved * SESSIONS_A_YEAR**0.5
    return found
