# A print of notebooks/features/correlation.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Correlation.

What each price moves with: gold, equity, bonds, and whether the metals move as one.
"""

# cell 4 of notebooks/features/correlation.ipynb
from collections.abc import Callable
from functools import partial
from itertools import combinations

import numpy as np

from qgtm.core.universe import SYMBOLS
from qgtm.features.bars import FloatArray
from qgtm.features.feature import Feature
from qgtm.features.returns import DAILY
from qgtm.features.rolling import HOLES, rolling_correlation, rolling_slope
from qgtm.features.seen import Seen

METALS = ("GLD", "SLV", "PPLT", "PALL")
HAVEN = "Baur and Lucey 2010"
_ONE, _OTHER = ([SYMBOLS.index(pair[leg]) for pair in combinations(METALS, 2)] for leg in (0, 1))
_of_joint = partial(
    Feature, family="correlation", symbols=SYMBOLS, reads=("close",), source=HAVEN, missing=HOLES
)


def _row(seen: Seen, symbol: str) -> FloatArray:
    place = SYMBOLS.index(symbol)
    return seen.rows(DAILY)[place : place + 1]


def _with(
    name: str, formula: str, unit: str, symbol: str, lookback: int, of: Callable[..., FloatArray]
) -> Feature:
    return _of_joint(
        name=name,
        formula=formula,
        unit=unit,
        warm_up=lookback + DAILY.warm_up - 1,
        window=lookback,
        compute=lambda seen: of(seen.rows(DAILY), _row(seen, symbol), lookback).T,
    )


def _haven(returns: FloatArray, equity: FloatArray, lookback: int) -> FloatArray:
    return rolling_slope(returns, np.where(equity < 0, equity, np.nan), lookback, 0.25)


_EQUITY = {
    lookback: _with(
        f"equity_correlation_{lookback}",
        f"correlation(r, r(SPY), {lookback})",
        "correlation",
        "SPY",
        lookback,
        rolling_correlation,
    )
    for lookback in (21, 63, 126)
}


def _togetherness(seen: Seen) -> FloatArray:
    returns = seen.rows(DAILY)
    every = rolling_correlation(returns[_ONE], returns[_OTHER], 63)
    return np.asarray(every.sum(axis=0) / len(_ONE))


# cell 5 of notebooks/features/correlation.ipynb
FEATURES: tuple[Feature, ...] = (
    _with("gold_correlation_63", "correlation(r, r(GLD), 63)", "correlation", "GLD", 63, rolling_correlation),
    _with("gold_beta_63", "slope(r, r(GLD), 63)", "slope", "GLD", 63, rolling_slope),
    *_EQUITY.values(),
    _with("equity_beta_63", "slope(r, r(SPY), 63)", "slope", "SPY", 63, rolling_slope),
    _with("bond_correlation_63", "correlation(r, r(TLT), 63)", "correlation", "TLT", 63, rolling_correlation),
    _of_joint(
        name="equity_correlation_shift",
        formula="correlation(r, r(SPY), 21) − correlation(r, r(SPY), 126)",
        unit="correlation",
        warm_up=_EQUITY[126].warm_up,
        window=1,
        compute=lambda seen: seen.get(_EQUITY[21]) - seen.get(_EQUITY[126]),
    ),
    _with("haven_slope_126", "slope(r, r(SPY), 126) where r(SPY) < 0", "slope", "SPY", 126, _haven),
    _of_joint(
        name="metals_togetherness_63",
        formula="mean of the correlations between GLD, SLV, PPLT and PALL, 63",
        unit="correlation",
        symbols=(),
        source="Pollet and Wilson 2010, average correlation",
        warm_up=63 + DAILY.warm_up - 1,
        window=63,
        compute=_togetherness,
    ),
)


__all__ = [
    "FEATURES",
    "HAVEN",
    "METALS",
]
