# A print of notebooks/features/options_vol.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Option volatility.

What options price: the level, the premium over what happens, the skew and the term structure.
"""

# cell 4 of notebooks/features/options_vol.ipynb
from collections.abc import Callable
from functools import partial

import numpy as np

from qgtm.core.series import OPTION_ROOTS
from qgtm.core.universe import SYMBOLS
from qgtm.features.bars import FloatArray
from qgtm.features.feature import Feature
from qgtm.features.rolling import STEPS, change, rolling_rank, rolling_z
from qgtm.features.seen import Seen
from qgtm.features.volatility import REALISED

GVZ = "GVZCLS"
PERCENT = 100.0
CARR_WU = "Carr and Wu 2009, in volatilities"
_REALISED = REALISED[21]
_PLACES = [SYMBOLS.index(root) for root in OPTION_ROOTS]
_of_options = partial(
    Feature, family="option volatility", symbols=OPTION_ROOTS, unit="frac a year", missing=STEPS
)


def _series(field: str) -> tuple[str, ...]:
    return tuple(f"{field}_{root}" for root in OPTION_ROOTS)


def _implied(seen: Seen) -> FloatArray:
    implied = seen.known(*_series("IV30")).copy()
    own, stands_in = implied[0], seen.known(GVZ)[0] / PERCENT
    implied[0] = np.where(np.isnan(own), stands_in, own)
    return implied


_IMPLIED = (*_series("IV30"), GVZ)


def _of_implied(
    name: str, formula: str, unit: str, warm_up: int, of: Callable[[FloatArray], FloatArray]
) -> Feature:
    return _of_options(
        name=name,
        formula=formula,
        unit=unit,
        source="Carr and Wu 2009",
        reads=_IMPLIED,
        missing=f"GVZ stands in for GLD; {STEPS}",
        warm_up=warm_up,
        compute=lambda seen: of(_implied(seen)).T,
    )


def _premium(seen: Seen) -> FloatArray:
    return _implied(seen) - seen.rows(_REALISED)[_PLACES]


def _of_premium(
    name: str, formula: str, unit: str, lookback: int, of: Callable[[Seen], FloatArray]
) -> Feature:
    return _of_options(
        name=name,
        formula=formula,
        unit=unit,
        source=CARR_WU,
        reads=(*_IMPLIED, "close"),
        missing=f"GVZ stands in for GLD; {STEPS}",
        warm_up=lookback + _REALISED.warm_up - 1,
        window=lookback,
        compute=lambda seen: of(seen).T,
    )


def _skew(seen: Seen) -> FloatArray:
    return -seen.known(*_series("RR25"))


def _of_skew(
    name: str, formula: str, warm_up: int, of: Callable[[FloatArray], FloatArray], unit: str = "frac a year"
) -> Feature:
    return _of_options(
        name=name,
        formula=formula,
        unit=unit,
        source="Xing, Zhang and Zhao 2010, with deltas",
        reads=_series("RR25"),
        warm_up=warm_up,
        compute=lambda seen: of(_skew(seen)).T,
    )


def _term(seen: Seen) -> FloatArray:
    return np.asarray(seen.known(*_series("IV90")) - seen.known(*_series("IV30")))


def _of_term(
    name: str, formula: str, unit: str, warm_up: int, of: Callable[[FloatArray], FloatArray]
) -> Feature:
    return _of_options(
        name=name,
        formula=formula,
        unit=unit,
        source="Johnson 2017, on the term structure of volatility",
        reads=(*_series("IV90"), *_series("IV30")),
        warm_up=warm_up,
        compute=lambda seen: of(_term(seen)).T,
    )


def _lease(seen: Seen) -> FloatArray:
    return np.asarray(seen.known("SOFR") / PERCENT - seen.known(*_series("CARRY")))


def _of_lease(
    name: str, formula: str, unit: str, warm_up: int, of: Callable[[FloatArray], FloatArray]
) -> Feature:
    return _of_options(
        name=name,
        formula=formula,
        unit=unit,
        source="Koijen, Moskowitz, Pedersen and Vrugt 2018, carry of a forward",
        reads=(*_series("CARRY"), "SOFR"),
        warm_up=warm_up,
        compute=lambda seen: of(_lease(seen)).T,
    )


# cell 5 of notebooks/features/options_vol.ipynb
_DEVIATIONS = "standard deviations"
FEATURES: tuple[Feature, ...] = (
    _of_implied("implied_volatility_30", "σ(30 days)", "frac a year", 1, lambda x: x),
    _of_implied("implied_change_5", "σ(30)(t) − σ(30)(t−5)", "frac a year", 6, lambda x: change(x, 5)),
    _of_implied("implied_rank_252", "rank(σ(30), 252)", "frac", 252, lambda x: rolling_rank(x, 252)),
    _of_options(
        name="implied_volatility_90",
        formula="σ(90 days)",
        source="Carr and Wu 2009",
        reads=_series("IV90"),
        warm_up=1,
        compute=lambda seen: seen.known(*_series("IV90")).T,
    ),
    _of_premium("volatility_premium", "σ(30) − σ(r, 21)", "frac a year", 1, _premium),
    _of_premium(
        "volatility_premium_ratio",
        "ln(σ(30) / σ(r, 21))",
        "log ratio",
        1,
        lambda seen: np.log(_implied(seen) / seen.rows(_REALISED)[_PLACES]),
    ),
    _of_premium(
        "volatility_premium_rank_252",
        "rank(σ(30) − σ(r, 21), 252)",
        "frac",
        252,
        lambda seen: rolling_rank(_premium(seen), 252),
    ),
    _of_skew("put_skew", "σ(25-delta put) − σ(25-delta call)", 1, lambda x: x),
    _of_skew("put_skew_change_5", "skew(t) − skew(t−5)", 6, lambda x: change(x, 5)),
    _of_skew("put_skew_z_126", "z(skew, 126)", 126, lambda x: rolling_z(x, 126), _DEVIATIONS),
    _of_term("term_slope", "σ(90) − σ(30)", "frac a year", 1, lambda x: x),
    _of_term("term_slope_z_252", "z(σ(90) − σ(30), 252)", _DEVIATIONS, 252, lambda x: rolling_z(x, 252)),
    _of_lease("lease_rate", "SOFR − carry of the forward", "frac a year", 1, lambda x: x),
    _of_lease("lease_rate_change_21", "lease(t) − lease(t−21)", "frac a year", 22, lambda x: change(x, 21)),
    _of_lease("lease_rate_z_252", "z(SOFR − carry, 252)", _DEVIATIONS, 252, lambda x: rolling_z(x, 252)),
)


__all__ = [
    "CARR_WU",
    "FEATURES",
    "GVZ",
    "PERCENT",
]
