# A print of notebooks/features/drawdowns.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Drawdown.

How far a price has fallen from its high, how far it rose from its low, and for how long.
"""

# cell 4 of notebooks/features/drawdowns.ipynb
from collections.abc import Callable
from functools import partial

import numpy as np

from qgtm.core.universe import SYMBOLS
from qgtm.features.bars import FloatArray
from qgtm.features.feature import Feature, Fold
from qgtm.features.returns import CLOSE
from qgtm.features.rolling import HOLES, in_blocks, rolling_highest
from qgtm.features.seen import folded

_of_falls = partial(
    Feature,
    family="drawdown",
    symbols=SYMBOLS,
    reads=("close",),
    unit="frac",
    source="Magdon-Ismail and Atiya 2004",
    missing=HOLES,
)


def _windowed(
    name: str, formula: str, unit: str, lookback: int, of: Callable[[FloatArray], FloatArray]
) -> Feature:
    return _of_falls(
        name=name,
        formula=formula,
        unit=unit,
        warm_up=lookback + CLOSE.warm_up - 1,
        window=lookback,
        compute=lambda seen: of(seen.rows(CLOSE)).T,
    )


def _fallen(close: FloatArray, lookback: int) -> FloatArray:
    return 1.0 - close / rolling_highest(close, lookback)


def _risen(close: FloatArray, lookback: int) -> FloatArray:
    return close / -rolling_highest(-close, lookback) - 1.0


def _deepest(close: FloatArray, lookback: int) -> FloatArray:
    def of(window: FloatArray) -> FloatArray:
        falls = 1.0 - window / np.fmax.accumulate(window, axis=-1)
        return np.asarray(np.fmax.reduce(falls, axis=-1))

    return in_blocks(of, lookback, close) + 0.0 * rolling_highest(close, lookback)


def _since_high(close: FloatArray, lookback: int) -> FloatArray:
    def of(window: FloatArray) -> FloatArray:
        newest_first = np.where(np.isnan(window), -np.inf, window)[..., ::-1]
        return np.asarray(newest_first.argmax(axis=-1), dtype=np.float64)

    return in_blocks(of, lookback, close) + 0.0 * rolling_highest(close, lookback)


def _carried(peak: FloatArray, close: FloatArray) -> tuple[FloatArray, FloatArray]:
    after = np.fmax(peak, close)
    return after, np.asarray(1.0 - close / after)


_PEAK = Fold(
    view=lambda seen: seen.get(CLOSE),
    start=lambda: np.full(len(SYMBOLS), np.nan),
    update=_carried,
)
SINCE_FIRST: Feature = _of_falls(
    name="drawdown_since_first",
    formula="1 − c(t) / highest close so far",
    missing="the peak stands; not known without a close in the last 5 sessions",
    warm_up=CLOSE.warm_up,
    window=1,
    compute=lambda seen: folded(SINCE_FIRST, seen)[0],
    fold=_PEAK,
)


# cell 5 of notebooks/features/drawdowns.ipynb
FEATURES: tuple[Feature, ...] = (
    *(
        _windowed(f"drawdown_{n}", f"1 − c(t) / max(c, {n})", "frac", n, partial(_fallen, lookback=n))
        for n in (63, 252)
    ),
    _windowed(
        "deepest_drawdown_252",
        "max over the window of 1 − c / highest before",
        "frac",
        252,
        partial(_deepest, lookback=252),
    ),
    _windowed("rise_from_low_252", "c(t) / min(c, 252) − 1", "frac", 252, partial(_risen, lookback=252)),
    _windowed(
        "sessions_since_high_252",
        "sessions since the window's highest close",
        "sessions",
        252,
        partial(_since_high, lookback=252),
    ),
    SINCE_FIRST,
)


__all__ = [
    "FEATURES",
    "SINCE_FIRST",
]
