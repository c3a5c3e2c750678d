"""The crossover in backtrader. Arguments: bars' folder, fast, slow, first session, shares, symbols.

Prints JSON.
"""

import json
import sys
import time
from pathlib import Path

import backtrader as bt


class Crossover(bt.Strategy):
    """Hold a fixed number of shares while the fast mean is above the slow one."""

    params = (("fast", 10), ("slow", 50), ("first", 121), ("shares", 100), ("traded", ()))

    def __init__(self) -> None:
        self.spread = {
            data: bt.indicators.SMA(data.close, period=self.p.fast)
            - bt.indicators.SMA(data.close, period=self.p.slow)
            for data in self.datas
            if data._name in self.p.traded
        }
        self.fills = 0

    def notify_order(self, order: bt.Order) -> None:
        self.fills += order.status == order.Completed

    def next(self) -> None:
        if len(self) < self.p.first:
            return
        for data, spread in self.spread.items():
            wants = spread[0] > 0
            has = self.getposition(data).size > 0
            if wants and not has:
                self.buy(data, size=self.p.shares)
            elif has and not wants:
                self.sell(data, size=self.p.shares)


def main(folder: Path, fast: int, slow: int, first: int, shares: int, traded: list[str]) -> dict[str, object]:
    """Run once over every file of the folder; the time is from reading them to the last fill."""
    began, began_cpu = time.perf_counter(), time.process_time()
    cerebro = bt.Cerebro(stdstats=False)
    cerebro.broker.setcash(10_000_000)
    cerebro.addstrategy(Crossover, fast=fast, slow=slow, first=first, shares=shares, traded=traded)
    bars = 0
    for path in sorted(folder.glob("*.csv")):
        data = bt.feeds.GenericCSVData(dataname=str(path), dtformat="%Y-%m-%d", openinterest=-1)
        cerebro.adddata(data, name=path.stem)
        bars += len(path.read_text().splitlines()) - 1
    (strategy,) = cerebro.run()  # which reads the files, too
    ended, ended_cpu = time.perf_counter(), time.process_time()
    return {
        "bars": bars,
        "seconds": ended - began,
        "cpu_seconds": ended_cpu - began_cpu,
        "orders": strategy.fills,
        "held": sorted(data._name for data in strategy.spread if strategy.getposition(data).size),
    }


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), *map(int, sys.argv[2:6]), sys.argv[6].split(","))))
