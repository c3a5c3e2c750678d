"""Raw bars on the scale of a later day: what splits and dividends since have done to it."""

from collections.abc import Sequence

import numpy as np

from qgtm.features.bars import FIELDS, FloatArray, IntArray

_CLOSE = FIELDS.index("close")
_VOLUME = FIELDS.index("volume")
Dated = tuple[int, float]  # the ex-day's midnight, as the bars' days are written; the amount


def adjusted(
    days: IntArray, values: FloatArray, splits: Sequence[Dated], dividends: Sequence[Dated]
) -> FloatArray:
    """Return bars (n, 5), oldest first, as if each action had taken place before the first of them.

    A split of r new shares for one divides the prices before its day by r and multiplies the volume. A
    dividend of d takes d / close of the session before, as a fraction, off the prices before its day (CRSP,
    "Data Definitions", cumulative factors to adjust price). One that is no smaller than that close, or has
    no session before it, is left out.
    """
    scale = np.ones(len(days))
    shares = np.ones(len(days))
    for ex_day, ratio in splits:
        before = int(np.searchsorted(days, ex_day))
        scale[:before] /= ratio
        shares[:before] *= ratio
    for ex_day, amount in dividends:
        before = int(np.searchsorted(days, ex_day))
        held = np.prod([ratio for day, ratio in splits if day == ex_day])  # it is paid on the new shares
        left = 1.0 - amount * held / values[before - 1, _CLOSE] if before else 1.0
        if left > 0.0:
            scale[:before] *= left
    done = values * scale[:, None]
    done[:, _VOLUME] = values[:, _VOLUME] * shares
    return done
