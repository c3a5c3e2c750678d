"""The grid of `benchmarks.sweep` in vectorbt: every account a column. Arguments: where to, and the engine."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import vectorbt as vbt

from benchmarks.sides.sweep_market import COST_BPS, PAIRS, SYMBOLS, WEIGHT, Floats, market
from benchmarks.sides.sweep_timed import timed


def side() -> Floats:
    opened, close = market()
    prices = pd.DataFrame(close)
    fast = vbt.MA.run(prices, [fast for fast, _ in PAIRS], short_name="fast").ma.to_numpy()
    slow = vbt.MA.run(prices, [slow for _, slow in PAIRS], short_name="slow").ma.to_numpy()
    wanted = (fast > slow).astype(np.int8)
    changed = np.diff(wanted, axis=0, prepend=0)[:-1] != 0
    size = np.full(wanted.shape, np.nan)
    size[1:][changed] = WEIGHT * wanted[:-1][changed]
    book = vbt.Portfolio.from_orders(
        pd.DataFrame(np.tile(close, len(PAIRS))),
        size=size,
        price=np.tile(opened, len(PAIRS)),
        size_type="targetpercent",
        fees=COST_BPS / 1e4,
        init_cash=1.0,
        freq="1D",
    )
    return np.asarray(book.final_value()).reshape(len(PAIRS), SYMBOLS)


if __name__ == "__main__":
    vbt.settings["engine"] = sys.argv[2]
    timed(side, Path(sys.argv[1]))
