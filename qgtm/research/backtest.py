"""A thin back-test: decided at a close, filled at the next open, costs on turnover."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from qgtm.features.bars import Bars, FloatArray
from qgtm.features.returns import carried

SESSIONS_A_YEAR = 252


@dataclass(frozen=True, eq=False)
class Backtest:
    """What a strategy would have done with one dollar.

    Over sessions: `equity` (n,) in dollars, `weights` (n, k) held at the close as fractions of it, `bought`
    (n, k) shares at the open, sold below zero. Turnover and costs are totals, as fractions of equity.
    """

    equity: FloatArray
    weights: FloatArray
    bought: FloatArray
    turnover_frac: float
    costs_frac: float

    @property
    def drawdown(self) -> FloatArray:
        """Return the fall from the highest equity so far, from 0 to 1."""
        return 1 - self.equity / np.maximum.accumulate(self.equity)

    def figures(self) -> dict[str, float]:
        """Return the figures of a card: return, volatility, Sharpe, maximum drawdown, turnover, costs."""
        daily = np.diff(self.equity) / self.equity[:-1]
        deviation = float(daily.std(ddof=1))
        return {
            "return_frac": float(self.equity[-1] / self.equity[0] - 1),
            "volatility_frac": deviation * SESSIONS_A_YEAR**0.5,
            "sharpe": float(daily.mean()) / deviation * SESSIONS_A_YEAR**0.5 if deviation > 0 else 0.0,
            "max_drawdown_frac": float(self.drawdown.max()),
            "turnover_a_year": self.turnover_frac * SESSIONS_A_YEAR / len(daily),
            "costs_frac": self.costs_frac,
        }


def next_open_orders(bars: Bars, targets: FloatArray, band: float = 0.005) -> FloatArray:
    """Return the weights to order at each session's open, NaN for no order; shape as `targets` (n, k).

    Row i uses targets up to row i - 1 only, because row i's own target is known at its close. NaN targets
    leave the last one standing; a change smaller than `band` is not traded; a session without a
    bar trades nothing, and what was wanted waits for the next open.
    """
    orders = np.full(targets.shape, np.nan)
    wanted, ordered = np.zeros(targets.shape[1]), np.zeros(targets.shape[1])
    for i in range(1, len(targets)):
        wanted = np.where(np.isnan(targets[i - 1]), wanted, targets[i - 1])
        moves = (np.abs(wanted - ordered) > band) | ((wanted == 0) & (ordered != 0))
        moves &= ~np.isnan(bars.open[i])
        orders[i, moves] = wanted[moves]
        ordered = np.where(moves, wanted, ordered)
    return orders


def backtest(
    bars: Bars, targets: FloatArray, cost_bps: float, band: float = 0.005, borrow_bps: float = 0.0
) -> Backtest:
    """Return the back-test of `targets` (n, k) in plain numpy, fractional shares, no interest.

    `cost_bps` is paid on the notional of every fill, `borrow_bps` a year on what is short at each close. The
    fills are next-open ones (`next_open_orders`).
    """
    return traded(bars, next_open_orders(bars, targets, band), cost_bps, borrow_bps)


def traded(bars: Bars, orders: FloatArray, cost_bps: float, borrow_bps: float = 0.0) -> Backtest:
    """Return what came of `orders`: weights (n, k) to hold from each session's open on, NaN for no order."""
    close, opened = _valued(bars)
    cash, shares = 1.0, np.zeros(orders.shape[1])
    equity, weights, turnover = np.empty(len(bars)), np.empty(orders.shape), 0.0
    bought, borrowed = np.zeros(orders.shape), 0.0
    for i in range(len(bars)):
        asked = ~np.isnan(orders[i])
        worth = cash + float((shares * opened[i]).sum())
        bought[i] = np.where(asked, orders[i] * worth / opened[i] - shares, 0.0)
        notional = float(np.abs(bought[i] * opened[i]).sum())
        cash -= float((bought[i] * opened[i]).sum()) + notional * cost_bps / 1e4
        shares = shares + bought[i]
        fee = borrow_fee(shares, close[i], borrow_bps)
        cash, borrowed = cash - fee, borrowed + fee / worth
        turnover += notional / worth
        equity[i] = cash + float((shares * close[i]).sum())
        weights[i] = shares * close[i] / equity[i]
    return Backtest(equity, weights, bought, turnover, turnover * cost_bps / 1e4 + borrowed)


def borrow_fee(shares: FloatArray, close: FloatArray, borrow_bps: float) -> float:
    """Return what a session's borrowing costs in dollars: a yearly fee on the value of what is short."""
    return float((np.maximum(-shares, 0.0) * close).sum()) * borrow_bps / 1e4 / SESSIONS_A_YEAR


def vectorbt_equity(bars: Bars, bought: FloatArray, cost_bps: float, borrow_bps: float = 0.0) -> Any:
    """Return the equity (n,) of the same shares in vectorbt's own book, as a pandas series over sessions.

    vectorbt fills at the signal bar's own close unless told otherwise, which flatters every strategy: hence
    `price` as the open. Its book lends no cash, so it gets idle dollars for the costs of a fully
    invested budget, which are taken off again. It knows no borrow fee: that comes off too, on the shares
    that its book is short. Imported here, since it takes seconds.
    """
    import pandas as pd
    import vectorbt as vbt

    idle = 10.0
    close, opened = _valued(bars)
    index = pd.DatetimeIndex([pd.Timestamp.fromordinal(int(each)) for each in bars.sessions])
    book = vbt.Portfolio.from_orders(
        pd.DataFrame(close, index, pd.Index(bars.symbols)),
        size=np.where(bought == 0, np.nan, bought),
        price=opened,
        size_type="amount",
        group_by=True,
        cash_sharing=True,
        fees=cost_bps / 1e4,
        init_cash=1.0 + idle,
        freq="1D",
    )
    fees = -(book.assets().clip(upper=0.0) * close).sum(axis=1) * borrow_bps / 1e4 / SESSIONS_A_YEAR
    return book.value() - idle - fees.cumsum()


def vectorbt_figures(equity: Any) -> Any:
    """Return what vectorbt says of an equity series: a pandas series of named figures."""
    return (
        equity.pct_change().fillna(0.0).vbt.returns(freq="1D", year_freq="252D").stats(silence_warnings=True)
    )


def _valued(bars: Bars) -> tuple[FloatArray, FloatArray]:
    # Where there is no bar nothing trades, so these prices only mark what is held; before the
    # first bar nothing is held.
    close = carried(np.ascontiguousarray(bars.close.T), len(bars)).T
    close = np.where(np.isnan(close), 1.0, close)
    return close, np.where(np.isnan(bars.open), np.concatenate([close[:1], close[:-1]]), bars.open)
