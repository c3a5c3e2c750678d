# A print of notebooks/features/macro.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Macro.

Inflation that is priced in, policy and its balance sheet: levels, changes and how unusual they are.
"""

# cell 4 of notebooks/features/macro.ipynb
from collections.abc import Callable
from functools import partial

import numpy as np

from qgtm.features.bars import FloatArray
from qgtm.features.feature import Feature
from qgtm.features.rolling import STEPS, change, rolling_rank, rolling_z
from qgtm.features.seen import Seen

MACRO = ("T10YIE", "T5YIE", "DGS10", "DFF", "SOFR", "WALCL")
_of_macro = partial(Feature, family="macro", symbols=MACRO, reads=MACRO, missing=STEPS)
_SOURCE = "Board of Governors, as published through FRED"
_UNIT = "percent; WALCL millions of dollars"


def _made(
    name: str, formula: str, unit: str, warm_up: int, of: Callable[[FloatArray], FloatArray]
) -> Feature:
    return _of_macro(
        name=name,
        formula=formula,
        unit=unit,
        source=_SOURCE,
        warm_up=warm_up,
        compute=lambda seen: of(seen.known(*MACRO)).T,
    )


_CHANGE = {
    horizon: _made(
        f"macro_change_{horizon}",
        f"x(t) − x(t−{horizon})",
        _UNIT,
        horizon + 1,
        partial(change, horizon=horizon),
    )
    for horizon in (5, 21, 63)
}


def _assets_growth(seen: Seen) -> FloatArray:
    return change(np.log(seen.known("WALCL")[0]), 63)


# cell 5 of notebooks/features/macro.ipynb
FEATURES: tuple[Feature, ...] = (
    _made("macro_level", "x(t), the newest value known at the close", _UNIT, 1, lambda x: x),
    *_CHANGE.values(),
    *(
        _made(f"macro_z_{n}", f"z(x, {n})", "standard deviations", n, partial(rolling_z, lookback=n))
        for n in (63, 252)
    ),
    _made("macro_rank_252", "rank(x, 252)", "frac", 252, partial(rolling_rank, lookback=252)),
    _of_macro(
        name="macro_change_z_126",
        formula="z(x(t) − x(t−21), 126)",
        unit="standard deviations",
        source=_SOURCE,
        warm_up=126 + 21,
        window=126,
        compute=lambda seen: rolling_z(seen.rows(_CHANGE[21]), 126).T,
    ),
    _of_macro(
        name="assets_growth_63",
        formula="ln WALCL(t) − ln WALCL(t−63)",
        unit="log change",
        source="Federal Reserve H.4.1, change in logs",
        symbols=(),
        reads=("WALCL",),
        warm_up=64,
        compute=_assets_growth,
    ),
)


__all__ = [
    "FEATURES",
    "MACRO",
]
