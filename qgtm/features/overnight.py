# A print of notebooks/features/overnight.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Fix and overnight.

When in the day gold moves: at night, in the session, before and after the London fix, after a release.
"""

# cell 4 of notebooks/features/overnight.ipynb
from collections.abc import Callable
from functools import partial

import numpy as np

from qgtm.core.universe import SYMBOLS
from qgtm.features.bars import FloatArray
from qgtm.features.feature import Feature
from qgtm.features.returns import CLOSE, padded
from qgtm.features.rolling import STEPS, rolling_correlation, rolling_deviation, rolling_mean, rolling_z
from qgtm.features.seen import Seen

OWNERS = "Lou, Polk and Skouras 2019"
FIX = "Caminschi and Heaney 2014"
_of_day = partial(
    Feature,
    symbols=SYMBOLS,
    unit="log return",
    source=OWNERS,
    family="fix and overnight",
    reads=("open", "close"),
    missing="a session without a bar is left out; not known where less than 75% of a window is",
)


def _nights(seen: Seen) -> FloatArray:
    opened, close = seen.field("open", SYMBOLS), seen.rows(CLOSE)
    return padded(np.log(opened[..., 1:] / close[..., :-1]), opened.shape[-1])


def _days(seen: Seen) -> FloatArray:
    return np.log(seen.field("close", SYMBOLS) / seen.field("open", SYMBOLS))


NIGHT = _of_day(
    name="overnight_return",
    formula="ln o(t) − ln c(t−1)",
    warm_up=CLOSE.warm_up + 1,
    window=2,
    compute=lambda seen: _nights(seen).T,
)
DAY = _of_day(
    name="intraday_return",
    formula="ln c(t) − ln o(t)",
    warm_up=1,
    compute=lambda seen: _days(seen).T,
)


def _over_a_quarter(name: str, formula: str, unit: str, of: Callable[[Seen], FloatArray]) -> Feature:
    return _of_day(
        name=name,
        formula=formula,
        unit=unit,
        warm_up=63 + NIGHT.warm_up - 1,
        window=63,
        compute=lambda seen: of(seen).T,
    )


def _edge(seen: Seen) -> FloatArray:
    return rolling_mean(seen.rows(NIGHT), 63) - rolling_mean(seen.rows(DAY), 63)


def _share(seen: Seen) -> FloatArray:
    nights, days = rolling_deviation(seen.rows(NIGHT), 63), rolling_deviation(seen.rows(DAY), 63)
    return np.asarray(nights * nights / (nights * nights + days * days))


def _of_minutes(
    name: str,
    formula: str,
    unit: str,
    series: tuple[str, ...],
    warm_up: int,
    of: Callable[..., FloatArray],
    source: str = FIX,
) -> Feature:
    return Feature(
        name=name,
        family="fix and overnight",
        formula=formula,
        unit=unit,
        source=source,
        reads=series,
        warm_up=warm_up,
        missing=STEPS,
        compute=lambda seen: of(*seen.known(*series)),
    )


# cell 5 of notebooks/features/overnight.ipynb
_PRE, _POST, _FIRST, _EVENT = "PRE_FIX_GLD", "POST_FIX_GLD", "FIRST30_GLD", "EVENT30_GLD"
_INTRADAY = "Gao, Han, Li and Zhou 2018"
FEATURES: tuple[Feature, ...] = (
    NIGHT,
    DAY,
    _over_a_quarter(
        "overnight_mean_63", "mean(night, 63)", "log return", lambda seen: rolling_mean(seen.rows(NIGHT), 63)
    ),
    _over_a_quarter(
        "intraday_mean_63", "mean(day, 63)", "log return", lambda seen: rolling_mean(seen.rows(DAY), 63)
    ),
    _over_a_quarter("overnight_edge_63", "mean(night, 63) − mean(day, 63)", "log return", _edge),
    _over_a_quarter("overnight_variance_share_63", "s²(night) / (s²(night) + s²(day)), 63", "frac", _share),
    _over_a_quarter(
        "overnight_z_63",
        "z(night, 63)",
        "standard deviations",
        lambda seen: rolling_z(seen.rows(NIGHT), 63),
    ),
    _of_minutes("pre_fix", "ln p(10:00) − ln p(9:45)", "log return", (_PRE,), 1, lambda x: x),
    _of_minutes(
        "pre_fix_mean_63", "mean of it, 63", "log return", (_PRE,), 63, lambda x: rolling_mean(x, 63)
    ),
    _of_minutes(
        "post_fix_mean_63",
        "mean(ln p(11:00) − ln p(10:00), 63)",
        "log return",
        (_POST,),
        63,
        lambda x: rolling_mean(x, 63),
    ),
    _of_minutes(
        "fix_reversal_63",
        "−correlation(before the fix, after it, 63)",
        "correlation",
        (_PRE, _POST),
        63,
        lambda before, after: -rolling_correlation(after, before, 63),
    ),
    _of_minutes("first_half_hour", "ln p(10:00) − ln o", "log return", (_FIRST,), 1, lambda x: x, _INTRADAY),
    _of_minutes(
        "first_half_hour_z_63",
        "z of it, 63",
        "standard deviations",
        (_FIRST,),
        63,
        lambda x: rolling_z(x, 63),
        _INTRADAY,
    ),
    _of_minutes(
        "event_half_hour",
        "log return of the half hour after the day's release",
        "log return",
        (_EVENT,),
        1,
        lambda x: x,
        "Lucca and Moench 2015",
    ),
)


__all__ = [
    "DAY",
    "FEATURES",
    "FIX",
    "NIGHT",
    "OWNERS",
]
