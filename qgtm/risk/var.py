# A print of notebooks/risk/var.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Value at risk.

What the book may lose in one session in a hundred: by history, and by history in today's volatility; the
worse counts.
"""

# cell 5 of notebooks/risk/var.ipynb
from dataclasses import dataclass
from itertools import accumulate
from math import ceil, sqrt

import numpy as np

from qgtm.features.bars import FloatArray
from qgtm.risk.exposure import Book, highest_price, reach


# cell 6 of notebooks/risk/var.ipynb
@dataclass(frozen=True)
class Params:
    """Name the knobs of this notebook; `PARAMS` holds their values."""

    window: int
    least: int
    burn_in: int
    decay: float
    percentile: float


PARAMS = Params(
    window=504,  # sessions of history, at most [250, 1260]
    least=120,  # sessions of history, at least [100, 250]
    burn_in=20,  # sessions for the first variance, not judged themselves [10, 60]
    decay=0.94,  # weight of yesterday's variance, RiskMetrics 1996 [0.90, 0.99]
    percentile=0.99,  # of the losses [0.95, 0.999]
)


# cell 8 of notebooks/risk/var.ipynb
def filled_weights(book: Book, symbols: tuple[str, ...]) -> FloatArray:
    """Return the signed share of equity by symbol (k,) with all live orders filled.

    All NaN when the equity is not above zero, when a price is not known, or when the book holds a symbol that
    is not among `symbols`.
    """
    after = {symbol: sum(reach(symbol, book)) - book.positions.get(symbol, 0) for symbol in book.symbols}
    held = {symbol: quantity for symbol, quantity in after.items() if quantity != 0}
    is_sound = book.equity_usd.is_finite() and book.equity_usd > 0 and held.keys() <= set(symbols)
    if not is_sound:
        return np.full(len(symbols), np.nan)
    usd = {symbol: quantity * highest_price(symbol, book) for symbol, quantity in held.items()}
    weights = np.array([float(usd.get(symbol, 0) / book.equity_usd) for symbol in symbols])
    return weights if np.isfinite(weights).all() else np.full(len(symbols), np.nan)


def profits(weights: FloatArray, returns: FloatArray) -> FloatArray:
    """Return the book's profit by session as fractions of equity (m,), oldest first.

    `weights` (k,) are shares of equity, `returns` (n, k) simple returns by session. Sessions in which a held
    symbol has no return are left out, and so is what lies before the window.
    """
    is_held = weights != 0
    rows: FloatArray = returns[-PARAMS.window :, is_held] @ weights[is_held]
    return rows[np.isfinite(rows)]


# cell 10 of notebooks/risk/var.ipynb
def historical_frac(profits: FloatArray, percentile: float = PARAMS.percentile) -> float:
    """Return the percentile of the losses (>= 0) in `profits` (m,), the worse of two neighbours.

    Raises IndexError or ValueError when there are none.
    """
    place = ceil(percentile * (profits.size - 1))
    return max(0.0, float(np.partition(-profits, place)[place]))


def filtered_frac(profits: FloatArray) -> float:
    """Return the percentile of the losses (>= 0) in `profits` (m,), scaled to the next session's volatility.

    Source: Hull and White 1998, section 2, with the variance of RiskMetrics 1996. NaN after a session that
    moved when none had moved before.
    """
    variances = forecast_variances(profits)
    judged, deviations = profits[PARAMS.burn_in :], np.sqrt(variances[:-1])
    if np.any((deviations == 0) & (judged != 0)):
        return float("nan")
    scaled = np.divide(judged, deviations, out=np.zeros_like(judged), where=deviations > 0)
    return sqrt(variances[-1]) * historical_frac(scaled)


def forecast_variances(profits: FloatArray) -> FloatArray:
    """Return the variance forecast for each session after the burn-in and for the next one.

    `profits` is (m,), more than the burn-in; the result (m - burn_in + 1,).
    """
    squares = np.square(profits)
    variance = float(squares[: PARAMS.burn_in].mean())
    news, decay = (1.0 - PARAMS.decay) * squares[PARAMS.burn_in :], PARAMS.decay
    return np.array(list(accumulate(news.tolist(), lambda old, new: decay * old + new, initial=variance)))


def value_at_risk_frac(weights: FloatArray, returns: FloatArray) -> float:
    """Return the one-session value at risk as a fraction of equity (>= 0): the worse of both readings.

    `weights` (k,) are signed shares of equity, `returns` (n, k) simple returns by session, NaN where a symbol
    has none. An empty book risks nothing. NaN when a weight is not finite or the history is too short.
    """
    if not np.isfinite(weights).all():
        return float("nan")
    if not np.any(weights):
        return 0.0
    history = profits(weights, returns)
    if history.size < PARAMS.least:
        return float("nan")
    return float(np.maximum(historical_frac(history), filtered_frac(history)))


__all__ = [
    "PARAMS",
    "Params",
    "filled_weights",
    "filtered_frac",
    "forecast_variances",
    "historical_frac",
    "profits",
    "value_at_risk_frac",
]
