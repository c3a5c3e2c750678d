"""What came of a replay, in figures that a person can check against the journal."""

import math
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Final

import numpy as np

from qgtm.core.events import IntentFormed, OrderDenied, SignalsComputed
from qgtm.core.money import usd
from qgtm.ports import Journal
from qgtm.views.ledger import Ledger

SESSIONS_A_YEAR: Final = 252


@dataclass(frozen=True, kw_only=True)
class ReplaySummary:
    """Counts and results of a replay; fractions are of the equity at its beginning or, a year, of its path.

    `signals` counts views by strategy, symbol and session; `denied` is by check; `costs_usd` is slippage
    against the price at decision, since the paper exchange charges no commission. `volatility_frac` and
    `sharpe` are of daily returns, annualised by 252, and None for fewer than two returns or none that moved.
    """

    sessions: int
    signals: int
    intents: int
    denied: dict[str, int]
    orders: int
    fills: int
    costs_usd: Decimal
    final_equity_usd: Decimal
    return_frac: float
    volatility_frac: float | None
    sharpe: float | None
    max_drawdown_frac: float
    head: str


def summary(journal: Journal, start_usd: Decimal) -> ReplaySummary:
    """Return the summary of a whole journal that began with `start_usd`."""
    ledger, denied, signals, orders = Ledger(), Counter[str](), 0, 0
    for entry in journal.read():
        event = entry.event
        ledger.take(event, entry.at)
        if isinstance(event, OrderDenied):
            denied[event.check] += 1
        elif isinstance(event, IntentFormed):
            orders += 1
        elif isinstance(event, SignalsComputed):
            signals += sum(value is not None for view in event.signals.values() for value in view.values())
    equity = [float(start_usd), *(float(close.equity_usd) for close in ledger.closes)]
    returns = np.array([after / before - 1.0 for before, after in pairwise(equity)])
    volatility = float(returns.std(ddof=1)) * math.sqrt(SESSIONS_A_YEAR) if len(returns) > 1 else None
    return ReplaySummary(
        sessions=len(ledger.closes),
        signals=signals,
        intents=orders + sum(denied.values()),
        denied=dict(sorted(denied.items())),
        orders=orders,
        fills=len(ledger.fills),
        costs_usd=usd(sum((fill.slippage_usd for fill in ledger.fills), Decimal(0))),
        final_equity_usd=usd(ledger.closes[-1].equity_usd if ledger.closes else start_usd),
        return_frac=equity[-1] / equity[0] - 1.0,
        volatility_frac=volatility,
        sharpe=float(returns.mean()) * SESSIONS_A_YEAR / volatility if volatility else None,
        max_drawdown_frac=_max_drawdown(np.array(equity)),
        head=journal.head().hash,
    )


def _max_drawdown(equity: "np.typing.NDArray[np.float64]") -> float:
    return float(np.max(1.0 - equity / np.maximum.accumulate(equity)))
