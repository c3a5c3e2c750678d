# A print of notebooks/risk/factors.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Factors.

What the book's risk hangs on: how much of it the real rate, the dollar, the metals' volatility, the curve and
equities explain.
"""

# cell 5 of notebooks/risk/factors.ipynb
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from qgtm.features.bars import FloatArray


# cell 6 of notebooks/risk/factors.ipynb
@dataclass(frozen=True)
class Params:
    """Name the knobs of this notebook; `PARAMS` holds their values."""

    window: int
    least: int
    burn_in: int
    decay: float


PARAMS = Params(
    window=252,  # sessions of history, at most [120, 504]
    least=100,  # sessions of history, at least [60, 252]
    burn_in=20,  # sessions before the window, for the first volatility [10, 60]
    decay=0.94,  # weight of yesterday's variance, RiskMetrics 1996 [0.90, 0.99]
)

FACTORS: Final = ("real_rate", "dollar", "gold_volatility", "silver_volatility", "curve", "equity")
NEEDED: Final[dict[str, tuple[str, ...]]] = {
    "real_rate": ("TIP",),
    "dollar": ("UUP",),
    "gold_volatility": ("GLD",),
    "silver_volatility": ("SLV",),
    "curve": ("TLT",),
    "equity": ("SPY",),
}
READ: Final = ("TIP", "UUP", "GLD", "SLV", "TLT", "SHY", "SPY")  # the columns of closes
SESSIONS: Final = PARAMS.window + PARAMS.burn_in + 1  # closes that are read
SESSIONS_A_YEAR: Final = 252


# cell 8 of notebooks/risk/factors.ipynb
def factor_moves(closes: FloatArray) -> FloatArray:
    """Return the six factors' moves by session (n - 1, 6), oldest first, from closes (n, 7) of `READ`.

    NaN where a move is not known; what comes later never changes what came before.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        returns = closes[1:] / closes[:-1] - 1.0
    column = {symbol: returns[:, at] for at, symbol in enumerate(READ)}
    moves = (
        column["TIP"],
        column["UUP"],
        _volatility_moves(column["GLD"]),
        _volatility_moves(column["SLV"]),
        column["TLT"] - np.nan_to_num(column["SHY"]),
        column["SPY"],
    )
    return np.stack(moves, axis=1)


def _volatility_moves(returns: FloatArray) -> FloatArray:
    """Return the changes of the logarithm of the volatility (n,); NaN up to the burn-in's end."""
    squares = np.square(returns)
    moves = np.full(squares.size, np.nan)
    first = squares[: PARAMS.burn_in]
    known = first[np.isfinite(first)]
    variance = float(known.mean()) if known.size else 0.0
    for at in range(PARAMS.burn_in, squares.size):
        square, before = float(squares[at]), variance
        if square != square:
            continue  # a session without a price moves no volatility
        variance = PARAMS.decay * variance + (1.0 - PARAMS.decay) * square
        if before > 0.0 and variance > 0.0:
            moves[at] = 0.5 * float(np.log(variance / before))
    return moves


# cell 10 of notebooks/risk/factors.ipynb
def factor_shares(
    weights: FloatArray, returns: FloatArray, moves: FloatArray, target_frac: float
) -> dict[str, float]:
    """Return each factor's share in the risk that is allowed, by name; NaN when it cannot be judged.

    `weights` (k,) are signed shares of equity, `returns` (n, k) simple returns by session, `moves` (m, 6) the
    factors' over the same last sessions, `target_frac` the volatility target a year. An empty book has none,
    and a factor without a single move is not in this market and explains nothing: `absent` names it.
    Source: Meucci 2007, equation 11, over the larger of the book's variance and the target's.
    """
    if not np.isfinite(weights).all():
        return dict.fromkeys(FACTORS, float("nan"))
    if not np.any(weights):
        return dict.fromkeys(FACTORS, 0.0)
    sessions = min(len(returns), len(moves), PARAMS.window)
    is_held = weights != 0
    book = returns[len(returns) - sessions :, is_held] @ weights[is_held]
    of_factors = moves[len(moves) - sessions :]
    there = np.flatnonzero(np.isfinite(of_factors).any(axis=0))
    known = np.isfinite(book) & np.isfinite(of_factors[:, there]).all(axis=1)
    if int(known.sum()) < PARAMS.least:
        return dict.fromkeys(FACTORS, float("nan"))
    found = _contributions(book[known], of_factors[known][:, there], target_frac)
    names = [FACTORS[at] for at in there]
    return {**dict.fromkeys(FACTORS, 0.0), **dict(zip(names, found, strict=True))}


def absent(symbols: Iterable[str]) -> tuple[str, ...]:
    """Return the factors of which a market with bars of these symbols alone has none."""
    there = set(symbols)
    return tuple(name for name, needed in NEEDED.items() if not there.issuperset(needed))


def _contributions(book: FloatArray, moves: FloatArray, target_frac: float) -> list[float]:
    own, centred = book - book.mean(), moves - moves.mean(axis=0)
    scale = np.sqrt(np.square(centred).mean(axis=0))
    if not (scale > 0.0).all():
        return [float("nan")] * moves.shape[1]
    centred = centred / scale
    together = centred.T @ own / own.size
    loadings = np.linalg.lstsq(centred.T @ centred / own.size, together, rcond=None)[0]
    variance = max(float(np.square(own).mean()), target_frac**2 / SESSIONS_A_YEAR)
    shares: list[float] = (loadings * together / variance).tolist()
    return shares


def most_past(
    after: Mapping[str, float], before: Mapping[str, float], limits: Mapping[str, float]
) -> tuple[str, float] | None:
    """Return the factor that is furthest past its limit and grows, with its share; None when there is none.

    A share that is not known is past every limit. A limit on a factor that is not measured is as well.
    """
    found = {name: after.get(name, float("nan")) for name in limits}
    past = [
        (name, share)
        for name, share in found.items()
        if share != share or (share > limits[name] and not share <= before.get(name, 0.0))
    ]
    return max(past, key=lambda each: (each[1] != each[1], each[1] - limits[each[0]]), default=None)


__all__ = [
    "FACTORS",
    "NEEDED",
    "PARAMS",
    "READ",
    "SESSIONS",
    "SESSIONS_A_YEAR",
    "Params",
    "absent",
    "factor_moves",
    "factor_shares",
    "most_past",
]
