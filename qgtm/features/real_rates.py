# A print of notebooks/features/real_rates.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Real rates.

What gold costs to hold: real yields, their moves, and funding less expected inflation.
"""

# cell 4 of notebooks/features/real_rates.ipynb
from collections.abc import Callable
from functools import partial

import numpy as np

from qgtm.features.bars import FloatArray
from qgtm.features.feature import Feature
from qgtm.features.released import moved_together
from qgtm.features.rolling import STEPS, change, rolling_correlation, rolling_rank, rolling_slope, rolling_z
from qgtm.features.seen import Seen

YIELDS = ("DFII10", "DFII5")
METALS = ("GLD", "SLV", "PPLT", "PALL", "GDX")
ERB_HARVEY = "Erb and Harvey 2013, real interest rates"
CARRY = "Koijen, Moskowitz, Pedersen and Vrugt 2018"
_of_real = partial(Feature, family="real rates", missing=STEPS)


def _yields(
    name: str, formula: str, unit: str, warm_up: int, of: Callable[[FloatArray], FloatArray]
) -> Feature:
    return _of_real(
        name=name,
        formula=formula,
        unit=unit,
        source=ERB_HARVEY,
        symbols=YIELDS,
        reads=YIELDS,
        warm_up=warm_up,
        compute=lambda seen: of(seen.known(*YIELDS)).T,
    )


_CHANGE = {
    horizon: _yields(
        f"real_yield_change_{horizon}",
        f"y(t) − y(t−{horizon})",
        "percent",
        horizon + 1,
        partial(change, horizon=horizon),
    )
    for horizon in (5, 21, 63)
}


def _holding(seen: Seen) -> FloatArray:
    funding, inflation = seen.known("SOFR", "T5YIE")
    return np.asarray(funding - inflation)


_MOVES = moved_together("DFII10", METALS, is_log=False)


def _sensitivity(name: str, words: str, unit: str, of: Callable[..., FloatArray]) -> Feature:
    return _of_real(
        name=name,
        formula=f"{words}(r, ΔDFII10, 126), both between the days described",
        unit=unit,
        source=ERB_HARVEY,
        symbols=METALS,
        reads=("DFII10", "close"),
        missing="a session without a release is left out; not known with fewer than 63 of 126",
        warm_up=126 + _MOVES.warm_up - 1,
        window=126,
        compute=lambda seen: of(seen.rows(_MOVES)[1:], seen.rows(_MOVES)[:1], 126, 0.5).T,
    )


# cell 5 of notebooks/features/real_rates.ipynb
FEATURES: tuple[Feature, ...] = (
    _yields("real_yield", "y(t)", "percent", 1, lambda y: y),
    *_CHANGE.values(),
    _yields("real_yield_z_252", "z(y, 252)", "standard deviations", 252, partial(rolling_z, lookback=252)),
    _yields("real_yield_rank_252", "rank(y, 252)", "frac", 252, partial(rolling_rank, lookback=252)),
    _of_real(
        name="real_yield_change_z_126",
        formula="z(y(t) − y(t−21), 126)",
        unit="standard deviations",
        source=ERB_HARVEY,
        symbols=YIELDS,
        reads=YIELDS,
        warm_up=126 + 21,
        window=126,
        compute=lambda seen: rolling_z(seen.rows(_CHANGE[21]), 126).T,
    ),
    _of_real(
        name="real_slope",
        formula="DFII10 − DFII5",
        unit="percent",
        source="Gürkaynak, Sack and Wright 2010",
        reads=YIELDS,
        warm_up=1,
        compute=lambda seen: seen.known(*YIELDS)[0] - seen.known(*YIELDS)[1],
    ),
    _of_real(
        name="holding_cost",
        formula="SOFR − T5YIE",
        unit="percent",
        source=CARRY,
        reads=("SOFR", "T5YIE"),
        warm_up=1,
        compute=_holding,
    ),
    _of_real(
        name="holding_cost_z_252",
        formula="z(SOFR − T5YIE, 252)",
        unit="standard deviations",
        source=CARRY,
        reads=("SOFR", "T5YIE"),
        warm_up=252,
        compute=lambda seen: rolling_z(_holding(seen), 252),
    ),
    _sensitivity("real_yield_beta_126", "slope", "log return a percent", rolling_slope),
    _sensitivity("real_yield_correlation_126", "correlation", "correlation", rolling_correlation),
)


__all__ = [
    "CARRY",
    "ERB_HARVEY",
    "FEATURES",
    "METALS",
    "YIELDS",
]
