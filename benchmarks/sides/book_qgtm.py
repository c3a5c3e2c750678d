"""`benchmarks.book` in qgtm: the account at each close. The argument says where to."""

import sys
from pathlib import Path

import numpy as np

from benchmarks.sides.book_rule import CASH, COST_BPS, NAMES, WEIGHT, is_held, market
from benchmarks.sides.sweep_market import Floats
from benchmarks.sides.sweep_timed import timed
from qgtm.features.bars import Bars
from qgtm.research.backtest import backtest


def side() -> Floats:
    opened, close = market()
    high, low = np.maximum(opened, close), np.minimum(opened, close)
    sessions = np.arange(len(close)) + 730_000
    bars = Bars(sessions, NAMES, opened, high, low, close, np.full(close.shape, 1e6))
    return CASH * backtest(bars, WEIGHT * is_held(close), COST_BPS).equity


if __name__ == "__main__":
    timed(side, Path(sys.argv[1]))
