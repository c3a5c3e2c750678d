"""A replay over a folder of bars, set up as `qgtm replay` does it, for whoever wants to time it."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from qgtm.adapters.journal import MemoryJournal
from qgtm.config import load_config
from qgtm.core.universe import SYMBOLS, TRADED
from qgtm.engine.live_loop import Desk
from qgtm.exchange.market.port import Session
from qgtm.exchange.market.recorded import RecordedMarket
from qgtm.features.bars import Bars, FloatArray
from qgtm.features.history import History
from qgtm.simulation.replay import Replay

CONFIG = Path(__file__).parents[1] / "qgtm_config.toml"
SEED = 7
CASH_USD = Decimal(10_000_000)


@dataclass(frozen=True)
class Crossover:
    """Want a symbol while the mean of its last closes is above the mean over a longer stretch."""

    fast: int
    slow: int
    name: str = "crossover"
    symbols: tuple[str, ...] = TRADED
    is_stateful: bool = False

    @property
    def warm_up(self) -> int:
        """Return the sessions that the last row needs."""
        return self.slow

    def step(self, carried: object | None, bars: Bars) -> tuple[object | None, FloatArray]:
        """Return no state, and 1 or 0 for each symbol; NaN until warm."""
        close = bars.tail(self.slow).select(self.symbols).close
        if len(close) < self.slow:
            return None, np.full(len(self.symbols), np.nan)
        return None, (close[-self.fast :].mean(axis=0) > close.mean(axis=0)).astype(float)

    def encode(self, carried: object | None) -> Any:
        """Return nothing: there is no state."""

    def decode(self, written: Any) -> object | None:
        """Return nothing: there is no state."""


def begun_replay(folder: Path, strategies: tuple[Any, ...]) -> tuple[Replay, tuple[Session, ...]]:
    """Return a replay that has booted, with its journal in memory, and the sessions to walk."""
    config = load_config(CONFIG, {})
    market, history = RecordedMarket(folder, SEED), History(SYMBOLS)
    sessions = tuple(market.sessions(market.first, market.last))
    desk = Desk(limits=config.limits, strategies=strategies, history=history)
    replay = Replay(market, desk, history, MemoryJournal(), first_day(sessions), SEED, CASH_USD)
    replay.begin()
    return replay, sessions


def first_day(sessions: tuple[Session, ...]) -> date:
    """Return the label of the first session."""
    return sessions[0].day
