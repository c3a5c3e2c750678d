"""`benchmarks.book` in backtrader: orders are formed at the open that fills them, on the closes before it."""

import sys
from pathlib import Path

import backtrader
import numpy as np
import pandas as pd

from benchmarks.sides.book_rule import CASH, COST_BPS, FAST, NAMES, SLOW, WEIGHT, market
from benchmarks.sides.sweep_market import Floats
from benchmarks.sides.sweep_timed import timed


class Crossover(backtrader.Strategy):  # type: ignore[misc]
    """Hold while the fast mean is above the slow one."""

    def __init__(self) -> None:
        self.fast = [backtrader.indicators.SMA(data.close, period=FAST) for data in self.datas]
        self.slow = [backtrader.indicators.SMA(data.close, period=SLOW) for data in self.datas]
        self.worth: list[float] = []

    def next_open(self) -> None:
        worth = self.broker.get_cash() + sum(
            self.getposition(data).size * data.open[0] for data in self.datas
        )
        changes = []
        for data, fast, slow in zip(self.datas, self.fast, self.slow, strict=True):
            held = self.getposition(data).size
            wanted = fast[0] > slow[0]  # of the close before: the means move on after this open
            if wanted != (held > 0):
                changes.append((WEIGHT * worth / data.open[0] * wanted - held, data))
        for shares, data in sorted(changes, key=lambda each: each[0]):  # what is sold pays for what is bought
            (self.buy if shares > 0 else self.sell)(data=data, size=abs(shares))

    def next(self) -> None:
        self.worth.append(self.broker.get_value())


def side() -> Floats:
    opened, close = market()
    index = pd.date_range("2000-01-01", periods=len(close))
    cerebro = backtrader.Cerebro(cheat_on_open=True, stdstats=False)
    cerebro.broker.setcash(CASH)
    cerebro.broker.set_coo(True)
    cerebro.broker.setcommission(commission=COST_BPS / 1e4)
    for i, name in enumerate(NAMES):
        high, low = np.maximum(opened[:, i], close[:, i]), np.minimum(opened[:, i], close[:, i])
        columns = {"open": opened[:, i], "high": high, "low": low, "close": close[:, i], "volume": 1e6}
        cerebro.adddata(backtrader.feeds.PandasData(dataname=pd.DataFrame(columns, index)), name=name)
    cerebro.addstrategy(Crossover)
    (done,) = cerebro.run()
    return np.concatenate([np.full(len(close) - len(done.worth), CASH), done.worth])


if __name__ == "__main__":
    timed(side, Path(sys.argv[1]))
