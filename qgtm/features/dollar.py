# A print of notebooks/features/dollar.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Broad dollar.

The trade-weighted dollar, how gold answers to it, and what it leaves unexplained.
"""

# cell 4 of notebooks/features/dollar.ipynb
from collections.abc import Callable
from functools import partial

import numpy as np

from qgtm.features.bars import FloatArray
from qgtm.features.feature import Feature
from qgtm.features.released import moved_together
from qgtm.features.rolling import (
    STEPS,
    accumulated_z,
    change,
    rolling_correlation,
    rolling_mean,
    rolling_residual,
    rolling_slope,
    rolling_z,
)
from qgtm.features.seen import Seen

DOLLAR = "DTWEXBGS"
METALS = ("GLD", "SLV", "PPLT", "PALL", "GDX")
LEAST = 0.15  # a weekly release fills a fifth of the sessions
_of_dollar = partial(Feature, family="broad dollar", reads=(DOLLAR,), missing=STEPS)
_MOVES = moved_together(DOLLAR, METALS, is_log=True)


def _logs(seen: Seen) -> FloatArray:
    return np.asarray(np.log(seen.known(DOLLAR)[0]))


def _move(horizon: int) -> Feature:
    return _of_dollar(
        name=f"broad_dollar_return_{horizon}",
        formula=f"ln D(t) − ln D(t−{horizon})",
        unit="log return",
        source="Federal Reserve H.10, change in logs",
        warm_up=horizon + 1,
        compute=lambda seen: change(_logs(seen), horizon),
    )


_MOVE = {horizon: _move(horizon) for horizon in (21, 63)}


def _against(name: str, formula: str, unit: str, of: Callable[..., FloatArray]) -> Feature:
    return _of_dollar(
        name=name,
        formula=formula,
        unit=unit,
        source="Baur and McDermott 2010, on gold against a benchmark",
        symbols=METALS,
        reads=(DOLLAR, "close"),
        missing="a session without a release is left out; not known with fewer than 19 of 126",
        warm_up=126 + _MOVES.warm_up - 1,
        window=126,
        compute=lambda seen: of(seen.rows(_MOVES)[1:], seen.rows(_MOVES)[:1], 126, LEAST).T,
    )


_RESIDUAL = _against(
    "dollar_residual_126", "r − mean − β (ΔD − mean), newest release", "log return", rolling_residual
)


# cell 5 of notebooks/features/dollar.ipynb
FEATURES: tuple[Feature, ...] = (
    *_MOVE.values(),
    _of_dollar(
        name="broad_dollar_momentum_z_252",
        formula="z(ln D(t) − ln D(t−63), 252)",
        unit="standard deviations",
        source="Moskowitz, Ooi and Pedersen 2012, standardised",
        warm_up=252 + 63,
        window=252,
        compute=lambda seen: rolling_z(seen.rows(_MOVE[63]), 252),
    ),
    _of_dollar(
        name="broad_dollar_gap_200",
        formula="ln D(t) − mean(ln D, 200)",
        unit="log ratio",
        source="Brock, Lakonishok and LeBaron 1992, section I",
        warm_up=200,
        compute=lambda seen: _logs(seen) - rolling_mean(_logs(seen), 200),
    ),
    _against("dollar_beta_126", "slope(r, ΔD, 126), between the days described", "slope", rolling_slope),
    _against(
        "dollar_correlation_126",
        "correlation(r, ΔD, 126), between the days described",
        "correlation",
        rolling_correlation,
    ),
    _RESIDUAL,
    _of_dollar(
        name="dollar_residual_z_126",
        formula="z of the residuals' running sum, 126",
        unit="standard deviations",
        source="Avellaneda and Lee 2010, section 2",
        symbols=METALS,
        reads=(DOLLAR, "close"),
        missing=_RESIDUAL.missing,
        warm_up=126 + _RESIDUAL.warm_up - 1,
        window=126,
        compute=lambda seen: accumulated_z(seen.rows(_RESIDUAL), 126, LEAST).T,
    ),
)


__all__ = [
    "DOLLAR",
    "FEATURES",
    "LEAST",
    "METALS",
]
