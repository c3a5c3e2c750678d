"""A replay over a folder of bars, set up as `qgtm replay` does it, for whoever wants to time it."""

from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from qgtm.adapters.journal import MemoryJournal
from qgtm.config import load_config
from qgtm.core.universe import SYMBOLS, TRADED
from qgtm.engine.desk import Desk, Views
from qgtm.exchange.market.port import Session
from qgtm.exchange.market.recorded import RecordedMarket
from qgtm.features.bars import FloatArray
from qgtm.features.history import History
from qgtm.features.seen import Seen
from qgtm.simulation.replay import Replay

CONFIG = Path(__file__).parents[1] / "qgtm_config.toml"
SEED = 7
CASH_USD = Decimal(250_000)
# The daily change of a weight stays inside this band, so that a crossing and nothing else makes an order.
ONLY_CROSSINGS = Decimal("0.015")


@dataclass(frozen=True)
class Crossover:
    """Want a symbol while the mean of its last closes is above the mean over a longer stretch."""

    fast: int
    slow: int
    first: int  # sessions before the first view
    strength: float = 0.04  # of equity a symbol: twenty of them meet no cap, nor does the book a soft cap
    name: str = "crossover"
    symbols: tuple[str, ...] = TRADED
    feeds: tuple[str, ...] = ("ohlcv",)
    is_stateful: bool = False

    @property
    def warm_up(self) -> int:
        """Return the sessions before the first view."""
        return self.first

    def step(self, carried: object | None, seen: Seen) -> tuple[object | None, FloatArray]:
        """Return no state, and the strength or 0 for each symbol; NaN until warm."""
        if len(seen) < self.first:
            return None, np.full(len(self.symbols), np.nan)
        close = seen.tail(self.slow).select(self.symbols).bars.close
        is_above = close[-self.fast :].mean(axis=0) > close.mean(axis=0)
        return None, np.where(is_above, self.strength, 0.0)

    def encode(self, carried: object | None) -> Any:
        """Return nothing: there is no state."""

    def decode(self, written: Any) -> object | None:
        """Return nothing: there is no state."""


def begun_replay(
    folder: Path, strategies: tuple[Views, ...], band_frac: Decimal | None = None
) -> tuple[Replay, tuple[Session, ...]]:
    """Return a replay that has booted, with its journal in memory, and the sessions to walk.

    `band_frac` is the no-trade band in fractions of equity, the config's when None.
    """
    limits = load_config(CONFIG, {}).limits
    if band_frac is not None:
        limits = replace(limits, no_trade_band_frac=band_frac)
    market, history = RecordedMarket(folder, SEED), History(SYMBOLS)
    sessions = tuple(market.sessions(market.first, market.last))
    desk = Desk(limits=limits, strategies=strategies, history=history)
    replay = Replay(market, desk, history, MemoryJournal(), sessions[0].day, SEED, CASH_USD)
    replay.begin()
    return replay, sessions
