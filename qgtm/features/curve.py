# A print of notebooks/features/curve.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Curve.

The slope of Treasury yields, which end of it moved, and the path of policy that it prices.
"""

# cell 4 of notebooks/features/curve.ipynb
from collections.abc import Callable
from functools import partial

import numpy as np

from qgtm.features.bars import FloatArray
from qgtm.features.feature import Feature
from qgtm.features.rolling import STEPS, change, rolling_rank, rolling_z
from qgtm.features.seen import Seen

_of_curve = partial(
    Feature, family="curve", missing=STEPS, source="Litterman and Scheinkman 1991", unit="percent"
)


def _slope(
    name: str, formula: str, warm_up: int, of: Callable[[FloatArray], FloatArray], unit: str = "percent"
) -> Feature:
    return _of_curve(
        name=name,
        formula=formula,
        unit=unit,
        reads=("T10Y2Y",),
        warm_up=warm_up,
        compute=lambda seen: of(seen.known("T10Y2Y")[0]),
    )


def _two_year(horizon: int) -> Feature:
    return _of_curve(
        name=f"two_year_change_{horizon}",
        formula=f"DGS2(t) − DGS2(t−{horizon})",
        reads=("DGS2",),
        warm_up=horizon + 1,
        compute=lambda seen: change(seen.known("DGS2")[0], horizon),
    )


def _gap(seen: Seen) -> FloatArray:
    two_year, policy = seen.known("DGS2", "DFF")
    return np.asarray(two_year - policy)


def _steepening(seen: Seen) -> FloatArray:
    slope, two_year = change(seen.known("T10Y2Y", "DGS2"), 63)
    is_bull = (slope > 0) & (two_year < 0)
    return np.where(np.isnan(slope + two_year), np.nan, is_bull.astype(np.float64))


# cell 5 of notebooks/features/curve.ipynb
FEATURES: tuple[Feature, ...] = (
    _slope("curve_slope", "T10Y2Y", 1, lambda slope: slope),
    *(
        _slope(f"curve_slope_change_{n}", f"T10Y2Y(t) − T10Y2Y(t−{n})", n + 1, partial(change, horizon=n))
        for n in (21, 63)
    ),
    _slope(
        "curve_slope_z_252", "z(T10Y2Y, 252)", 252, partial(rolling_z, lookback=252), "standard deviations"
    ),
    _slope("curve_slope_rank_252", "rank(T10Y2Y, 252)", 252, partial(rolling_rank, lookback=252), "frac"),
    *(_two_year(horizon) for horizon in (21, 63)),
    _of_curve(
        name="bull_steepening_63",
        formula="1 where T10Y2Y rose and DGS2 fell over 63, else 0",
        unit="0 or 1",
        reads=("T10Y2Y", "DGS2"),
        warm_up=64,
        compute=_steepening,
    ),
    _of_curve(
        name="policy_gap",
        formula="DGS2 − DFF",
        source="Gürkaynak, Sack and Swanson 2005, on the path that is priced",
        reads=("DGS2", "DFF"),
        warm_up=1,
        compute=_gap,
    ),
    _of_curve(
        name="policy_gap_change_21",
        formula="(DGS2 − DFF)(t) − (DGS2 − DFF)(t−21)",
        source="Gürkaynak, Sack and Swanson 2005, on the path that is priced",
        reads=("DGS2", "DFF"),
        warm_up=22,
        compute=lambda seen: change(_gap(seen), 21),
    ),
)


__all__ = [
    "FEATURES",
]
