"""The crossover in nautilus-trader. Arguments: bars' folder, fast, slow, first session, shares, symbols.

Prints JSON. Its market orders on daily bars fill at the bar's own close, not at the next open.
"""

import json
import sys
import time
from decimal import Decimal
from pathlib import Path

import pandas as pd
from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.config import LoggingConfig, StrategyConfig
from nautilus_trader.indicators import SimpleMovingAverage
from nautilus_trader.model.currencies import USD
from nautilus_trader.model.data import Bar, BarType
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
from nautilus_trader.model.identifiers import InstrumentId, Symbol, Venue
from nautilus_trader.model.instruments import Equity
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.persistence.wranglers import BarDataWrangler
from nautilus_trader.trading.strategy import Strategy

VENUE = Venue("XNYS")


class CrossoverConfig(StrategyConfig, frozen=True):
    """Which bars, and the rule's four numbers."""

    bar_type: BarType
    fast: int
    slow: int
    first: int
    shares: int


class Crossover(Strategy):
    """Hold a fixed number of shares of one symbol while the fast mean is above the slow one."""

    def __init__(self, config: CrossoverConfig) -> None:
        super().__init__(config)
        self.fast = SimpleMovingAverage(config.fast)
        self.slow = SimpleMovingAverage(config.slow)
        self.size = Quantity.from_int(config.shares)
        self.seen = 0

    def on_start(self) -> None:
        self.register_indicator_for_bars(self.config.bar_type, self.fast)
        self.register_indicator_for_bars(self.config.bar_type, self.slow)
        self.subscribe_bars(self.config.bar_type)

    def on_bar(self, bar: Bar) -> None:
        self.seen += 1
        if self.seen < self.config.first:
            return
        instrument_id = bar.bar_type.instrument_id
        wants = self.fast.value > self.slow.value
        has = self.portfolio.is_net_long(instrument_id)
        if wants != has:
            side = OrderSide.BUY if wants else OrderSide.SELL
            self.submit_order(self.order_factory.market(instrument_id, side, self.size))


def share_of(symbol: str) -> Equity:
    """Return a plain share with cents as ticks."""
    return Equity(
        instrument_id=InstrumentId(Symbol(symbol), VENUE),
        raw_symbol=Symbol(symbol),
        currency=USD,
        price_precision=2,
        price_increment=Price.from_str("0.01"),
        lot_size=Quantity.from_int(1),
        ts_event=0,
        ts_init=0,
    )


def add_symbol(engine: BacktestEngine, path: Path, rule: dict[str, int] | None) -> list[Bar]:
    """Add one symbol, and its strategy when there is a rule for it; return its bars."""
    instrument = share_of(path.stem)
    bar_type = BarType.from_str(f"{instrument.id}-1-DAY-LAST-EXTERNAL")
    frame = pd.read_csv(path, index_col="date", parse_dates=True).tz_localize("UTC").astype(float)
    bars = BarDataWrangler(bar_type, instrument).process(frame)
    engine.add_instrument(instrument)
    if rule:
        config = CrossoverConfig(bar_type=bar_type, order_id_tag=path.stem, strategy_id=path.stem, **rule)
        engine.add_strategy(Crossover(config))
    return bars


def main(folder: Path, fast: int, slow: int, first: int, shares: int, traded: list[str]) -> dict[str, object]:
    """Run once over every file of the folder; the time is from reading them to the last fill."""
    began, began_cpu = time.perf_counter(), time.process_time()
    rule = {"fast": fast, "slow": slow, "first": first, "shares": shares}
    engine = BacktestEngine(
        BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True), run_analysis=False)
    )
    engine.add_venue(
        venue=VENUE,
        oms_type=OmsType.NETTING,
        account_type=AccountType.MARGIN,
        base_currency=USD,
        starting_balances=[Money(10_000_000, USD)],
        default_leverage=Decimal(1),
        bar_adaptive_high_low_ordering=False,
    )
    bars = [
        bar
        for path in sorted(folder.glob("*.csv"))
        for bar in add_symbol(engine, path, rule if path.stem in traded else None)
    ]
    engine.add_data(sorted(bars, key=lambda bar: bar.ts_init), sort=False)
    engine.run()
    ended, ended_cpu = time.perf_counter(), time.process_time()
    fills = sum(order.is_closed and order.filled_qty > 0 for order in engine.cache.orders())
    return {
        "bars": len(bars),
        "seconds": ended - began,
        "cpu_seconds": ended_cpu - began_cpu,
        "orders": fills,
        "held": sorted(str(each.instrument_id.symbol) for each in engine.cache.positions_open()),
    }


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), *map(int, sys.argv[2:6]), sys.argv[6].split(","))))
