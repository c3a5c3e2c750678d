"""The grid of `benchmarks.sweep` by what `qgtm sweep` runs, with two threads in one process."""

import sys
from pathlib import Path

import numpy as np

from benchmarks.sides.sma_rule import symbols
from benchmarks.sides.sweep_market import COST_BPS, FAST, SESSIONS, SLOW, Floats, market
from benchmarks.sides.sweep_timed import timed
from qgtm.features.bars import Bars
from qgtm.research.grid import Grid, Window
from qgtm.research.sweep import Here, Job, forget, swept


def job(fast: tuple[int, ...] = FAST, slow: tuple[int, ...] = SLOW) -> Job:
    opened, close = market()
    days = np.arange(SESSIONS, dtype=np.int64) + 735_000
    high, low = np.maximum(opened, close), np.minimum(opened, close)
    return Job(
        module="benchmarks.sides.sma_rule",
        bars=Bars(days, symbols, opened, high, low, close, np.ones_like(close)),
        grid=Grid((("fast", fast), ("slow", slow))),
        windows=(Window("all", 0, SESSIONS),),
        symbols=symbols,
        cost_bps=COST_BPS,
    )


def side() -> Floats:
    forget()  # or the means would be there from the run before
    return swept(job(), None, Here(2)).figures[:, 0]


if __name__ == "__main__":
    timed(side, Path(sys.argv[1]))
