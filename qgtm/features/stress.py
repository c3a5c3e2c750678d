# A print of notebooks/features/stress.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Stress.

Fear and credit: equity's and gold's implied volatility, their spread, and what junk bonds pay.
"""

# cell 4 of notebooks/features/stress.ipynb
from collections.abc import Callable
from functools import partial

import numpy as np

from qgtm.core.universe import SYMBOLS
from qgtm.features.bars import FloatArray
from qgtm.features.feature import Feature
from qgtm.features.returns import LOG_RETURN
from qgtm.features.rolling import HOLES, STEPS, change, rolling_rank, rolling_z
from qgtm.features.seen import Seen
from qgtm.features.volatility import REALISED

FEARS = ("VIXCLS", "GVZCLS")
CREDIT = "BAMLH0A0HYM2"
PERCENT = 100.0
WHALEY = "Whaley 2000"
LENDERS = "Gilchrist and Zakrajšek 2012"
_HYG, _IEF, _SPY = (SYMBOLS.index(symbol) for symbol in ("HYG", "IEF", "SPY"))
_of_stress = partial(Feature, family="credit and fear", missing=STEPS)


def _fear(
    name: str, formula: str, unit: str, warm_up: int, of: Callable[[FloatArray], FloatArray]
) -> Feature:
    return _of_stress(
        name=name,
        formula=formula,
        unit=unit,
        source=WHALEY,
        symbols=FEARS,
        reads=FEARS,
        warm_up=warm_up,
        compute=lambda seen: of(seen.known(*FEARS)).T,
    )


def _spread(seen: Seen) -> FloatArray:
    equity, gold = seen.known(*FEARS)
    return np.asarray(gold - equity)


def _of_spread(
    name: str, formula: str, unit: str, warm_up: int, of: Callable[[FloatArray], FloatArray]
) -> Feature:
    return _of_stress(
        name=name,
        formula=formula,
        unit=unit,
        source="difference of the two indices of Cboe",
        reads=FEARS,
        warm_up=warm_up,
        compute=lambda seen: of(_spread(seen)),
    )


def _credit(
    name: str, formula: str, unit: str, warm_up: int, of: Callable[[FloatArray], FloatArray]
) -> Feature:
    return _of_stress(
        name=name,
        formula=formula,
        unit=unit,
        source=LENDERS,
        reads=(CREDIT,),
        warm_up=warm_up,
        compute=lambda seen: of(seen.known(CREDIT)[0]),
    )


def _gauge(seen: Seen) -> FloatArray:
    scores = rolling_z(seen.known(*FEARS, CREDIT), 252)
    return np.asarray(scores.sum(axis=0) / 3)


def _premium(seen: Seen) -> FloatArray:
    return np.asarray(seen.known("VIXCLS")[0] / PERCENT - seen.rows(REALISED[21])[_SPY])


# cell 5 of notebooks/features/stress.ipynb
_DEVIATIONS = "standard deviations"
FEATURES: tuple[Feature, ...] = (
    _fear("fear_level", "x(t)", "percent a year", 1, lambda x: x),
    _fear("fear_change_5", "x(t) − x(t−5)", "percent a year", 6, lambda x: change(x, 5)),
    _fear("fear_z_63", "z(x, 63)", _DEVIATIONS, 63, lambda x: rolling_z(x, 63)),
    _fear("fear_rank_252", "rank(x, 252)", "frac", 252, lambda x: rolling_rank(x, 252)),
    _of_spread("gvz_vix_spread", "GVZ − VIX", "percent a year", 1, lambda x: x),
    _of_spread("gvz_vix_change_21", "(GVZ − VIX)(t) − (t−21)", "percent a year", 22, lambda x: change(x, 21)),
    _of_spread("gvz_vix_z_252", "z(GVZ − VIX, 252)", _DEVIATIONS, 252, lambda x: rolling_z(x, 252)),
    _credit("credit_spread", "x(t)", "percent", 1, lambda x: x),
    _credit("credit_change_21", "x(t) − x(t−21)", "percent", 22, lambda x: change(x, 21)),
    _credit("credit_z_252", "z(x, 252)", _DEVIATIONS, 252, lambda x: rolling_z(x, 252)),
    _of_stress(
        name="credit_return_21",
        formula="r(HYG, 21) − r(IEF, 21)",
        unit="log return",
        source=LENDERS,
        reads=("close",),
        missing=HOLES,
        warm_up=LOG_RETURN[21].warm_up,
        window=1,
        compute=lambda seen: np.asarray(seen.rows(LOG_RETURN[21])[_HYG] - seen.rows(LOG_RETURN[21])[_IEF]),
    ),
    _of_stress(
        name="fear_premium",
        formula="VIX − σ(r(SPY), 21)",
        unit="frac a year",
        source="Carr and Wu 2009, in volatilities",
        reads=("VIXCLS", "close"),
        warm_up=REALISED[21].warm_up,
        window=1,
        compute=_premium,
    ),
    _of_stress(
        name="stress_252",
        formula="mean of z(VIX), z(GVZ) and z(high-yield spread), 252",
        unit=_DEVIATIONS,
        source=f"{WHALEY}; {LENDERS}",
        reads=(*FEARS, CREDIT),
        warm_up=252,
        compute=_gauge,
    ),
)


__all__ = [
    "CREDIT",
    "FEARS",
    "FEATURES",
    "LENDERS",
    "PERCENT",
    "WHALEY",
]
