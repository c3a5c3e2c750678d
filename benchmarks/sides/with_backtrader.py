"""The crossover in backtrader. Arguments: the folder of bars, fast, slow, shares. Prints JSON."""

import json
import sys
import time
from pathlib import Path

import backtrader as bt


class Crossover(bt.Strategy):
    """Hold a fixed number of shares while the fast mean is above the slow one."""

    params = (("fast", 10), ("slow", 50), ("shares", 100))

    def __init__(self) -> None:
        self.spread = {
            data: bt.indicators.SMA(data.close, period=self.p.fast)
            - bt.indicators.SMA(data.close, period=self.p.slow)
            for data in self.datas
        }
        self.fills = 0

    def notify_order(self, order: bt.Order) -> None:
        self.fills += order.status == order.Completed

    def next(self) -> None:
        for data, spread in self.spread.items():
            wants = spread[0] > 0
            has = self.getposition(data).size > 0
            if wants and not has:
                self.buy(data, size=self.p.shares)
            elif has and not wants:
                self.sell(data, size=self.p.shares)


def main(folder: Path, fast: int, slow: int, shares: int) -> dict[str, float]:
    """Run once over every file of the folder; the time is from reading them to the last fill."""
    began = time.perf_counter()
    cerebro = bt.Cerebro(stdstats=False)
    cerebro.broker.setcash(10_000_000)
    cerebro.addstrategy(Crossover, fast=fast, slow=slow, shares=shares)
    bars = 0
    for path in sorted(folder.glob("*.csv")):
        data = bt.feeds.GenericCSVData(
            dataname=str(path), dtformat="%Y-%m-%d", openinterest=-1, name=path.stem
        )
        cerebro.adddata(data)
        bars += len(path.read_text().splitlines()) - 1
    ready = time.perf_counter()
    (strategy,) = cerebro.run()  # which reads the files, too
    ended = time.perf_counter()
    return {
        "bars": bars,
        "seconds": ended - began,
        "loop_seconds": ended - ready,
        "fills": strategy.fills,
        "equity_usd": cerebro.broker.getvalue(),
    }


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), *map(int, sys.argv[2:5]))))
