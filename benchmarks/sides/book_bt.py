"""`benchmarks.book` in bt: a step of its own trades at the open, since bt itself trades at the close."""

import sys
from pathlib import Path

import bt
import numpy as np
import pandas as pd

from benchmarks.sides.book_rule import CASH, COST_BPS, NAMES, WEIGHT, is_held, market
from benchmarks.sides.sweep_market import Floats
from benchmarks.sides.sweep_timed import timed


class AtTheOpen(bt.Algo):  # type: ignore[misc]
    """Trade what changed, at the next open."""

    def __init__(self, opened: Floats, held: Floats) -> None:
        super().__init__()
        self.opened, self.held, self.i = opened, held, -1

    def __call__(self, target: "bt.Strategy") -> bool:
        self.i += 1
        if self.i == 0:
            return True
        price, wanted = self.opened[self.i], self.held[self.i - 1]
        shares = np.array([target[name].position if name in target.children else 0.0 for name in NAMES])
        worth = target.capital + float((shares * price).sum())
        for i in np.flatnonzero(wanted != (shares > 0)):
            change = WEIGHT * worth / price[i] * wanted[i] - shares[i]
            target[NAMES[i]].transact(change, price=price[i], update=False)
        target.update(target.now)
        return True


def side() -> Floats:
    opened, close = market()
    data = pd.DataFrame(close, pd.date_range("2000-01-01", periods=len(close)), NAMES)
    plan = bt.Strategy(
        "crossover", [AtTheOpen(opened, is_held(close))], [bt.Security(name) for name in NAMES]
    )
    test = bt.Backtest(
        plan,
        data,
        initial_capital=CASH,
        commissions=lambda shares, price: abs(shares) * price * COST_BPS / 1e4,
        integer_positions=False,
        additional_data={"bidoffer": data * 0.0},
        progress_bar=False,
    )
    test.run()
    return np.asarray(test.strategy.values)[-len(close) :]


if __name__ == "__main__":
    timed(side, Path(sys.argv[1]))
