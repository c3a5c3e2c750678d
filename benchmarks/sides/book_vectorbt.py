"""`benchmarks.book` in vectorbt: twenty columns that share one account. The argument says where to."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import vectorbt as vbt

from benchmarks.sides.book_rule import CASH, COST_BPS, WEIGHT, is_held, market
from benchmarks.sides.sweep_market import Floats
from benchmarks.sides.sweep_timed import timed


def side() -> Floats:
    opened, close = market()
    held = is_held(close)
    changed = np.diff(held, axis=0, prepend=0)[:-1] != 0
    size = np.full(held.shape, np.nan)
    size[1:][changed] = WEIGHT * held[:-1][changed]
    book = vbt.Portfolio.from_orders(
        pd.DataFrame(close),
        size=size,
        price=opened,
        val_price=opened,
        size_type="targetpercent",
        group_by=True,
        cash_sharing=True,
        call_seq="auto",
        fees=COST_BPS / 1e4,
        init_cash=CASH,
        freq="1D",
    )
    return np.asarray(book.value())


if __name__ == "__main__":
    timed(side, Path(sys.argv[1]))
