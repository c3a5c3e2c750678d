"""How the account has done since the start, from its closes; money in and out is left aside."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Final

from qgtm.core.money import usd
from qgtm.views.ledger import RESIDUAL, Close

SESSIONS_A_YEAR: Final = 252


@dataclass(frozen=True, slots=True)
class Point:
    """One close: equity in dollars, the worth of a unit (1 at the start), the fall from its peak."""

    session: date
    equity_usd: Decimal
    unit: float
    drawdown_frac: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """The account's record; what too few sessions cannot tell is None. `residual` is in `by_strategy_usd`."""

    sessions: int
    points: tuple[Point, ...]
    return_frac: float | None
    volatility_frac: float | None
    sharpe: float | None
    max_drawdown_frac: float | None
    by_strategy_usd: dict[str, Decimal]


def performance(closes: Sequence[Close]) -> Performance:
    """Return the record of these closes, oldest first.

    A session's return is its profit over the equity before it and the money that came in during it;
    volatility and Sharpe ratio (no risk-free rate) are a year's, from sessions' returns.
    """
    returns = [_return(before, after) for before, after in pairwise(closes)]
    points = _points(closes, [0.0, *returns][: len(closes)])
    deviation = statistics.stdev(returns) if len(returns) > 1 else None
    worth = closes[-1].worth_usd if closes else {}
    return Performance(
        sessions=len(closes),
        points=points,
        return_frac=points[-1].unit - 1 if returns else None,
        volatility_frac=None if deviation is None else deviation * math.sqrt(SESSIONS_A_YEAR),
        sharpe=statistics.mean(returns) / deviation * math.sqrt(SESSIONS_A_YEAR) if deviation else None,
        max_drawdown_frac=max(point.drawdown_frac for point in points) if points else None,
        by_strategy_usd={owner: usd(worth[owner]) for owner in sorted(worth, key=_residual_last)},
    )


def _residual_last(owner: str) -> tuple[bool, str]:
    return owner == RESIDUAL, owner


def _return(before: Close, after: Close) -> float:
    flow = after.flows_usd - before.flows_usd
    base = before.equity_usd + max(flow, Decimal(0))
    return float((after.equity_usd - flow - before.equity_usd) / base) if base > 0 else 0.0


def _points(closes: Sequence[Close], returns: Sequence[float]) -> tuple[Point, ...]:
    unit = peak = 1.0
    points = []
    for close, grown in zip(closes, returns, strict=True):
        unit *= 1 + grown
        peak = max(peak, unit)
        points.append(Point(close.session, close.equity_usd, unit, 1 - unit / peak))
    return tuple(points)
