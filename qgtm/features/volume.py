# A print of notebooks/features/volume.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Volume.

How much was traded, against what is usual, and with which sign of the price.
"""

# cell 4 of notebooks/features/volume.ipynb
from functools import partial

import numpy as np

from qgtm.core.universe import SYMBOLS
from qgtm.features.bars import FloatArray
from qgtm.features.feature import Feature
from qgtm.features.returns import CLOSE, DAILY, padded
from qgtm.features.rolling import rolling_correlation, rolling_mean, rolling_z
from qgtm.features.seen import Seen

MILLION = 1e6
_of_volume = partial(
    Feature,
    family="volume",
    symbols=SYMBOLS,
    reads=("close", "volume"),
    missing="a session without a trade is left out; not known where less than 75% of a window is",
)


def _traded(seen: Seen) -> FloatArray:
    volume = seen.field("volume", SYMBOLS)
    return np.where(volume > 0, volume, np.nan)


def _before(values: FloatArray) -> FloatArray:
    return padded(values[..., :-1], values.shape[-1])


def _abnormal(lookback: int) -> Feature:
    return _of_volume(
        name=f"abnormal_volume_{lookback}",
        formula=f"ln(v(t) / mean(v, {lookback} sessions before))",
        unit="log ratio",
        source="Gervais, Kaniel and Mingelgrin 2001, as a ratio",
        reads=("volume",),
        warm_up=lookback + 1,
        compute=lambda seen: np.log(_traded(seen) / _before(rolling_mean(_traded(seen), lookback))).T,
    )


def _usual(lookback: int) -> Feature:
    return _of_volume(
        name=f"usual_volume_{lookback}",
        formula=f"mean(v, {lookback})",
        unit="shares",
        source="plain mean",
        reads=("volume",),
        warm_up=lookback,
        compute=lambda seen: rolling_mean(_traded(seen), lookback).T,
    )


_USUAL = {lookback: _usual(lookback) for lookback in (21, 126)}


def _dollars(seen: Seen) -> FloatArray:
    return np.asarray(_traded(seen) * seen.rows(CLOSE) / MILLION)


def _illiquid(seen: Seen) -> FloatArray:
    return np.abs(seen.rows(DAILY)) / _dollars(seen)


def _signed(seen: Seen) -> FloatArray:
    volume = _traded(seen)
    signed, every = np.sign(seen.rows(DAILY)) * volume, volume + 0.0 * seen.rows(DAILY)
    return rolling_mean(signed, 21) / rolling_mean(every, 21)


# cell 5 of notebooks/features/volume.ipynb
FEATURES: tuple[Feature, ...] = (
    *(_abnormal(lookback) for lookback in (21, 63)),
    _of_volume(
        name="volume_z_63",
        formula="z(ln v, 63)",
        unit="standard deviations",
        source="Gervais, Kaniel and Mingelgrin 2001, standardised",
        reads=("volume",),
        warm_up=63,
        compute=lambda seen: rolling_z(np.log(_traded(seen)), 63).T,
    ),
    _of_volume(
        name="dollar_volume_21",
        formula="mean(c v, 21)",
        unit="millions of dollars",
        source="Amihud 2002, the denominator",
        warm_up=21 + CLOSE.warm_up - 1,
        window=21,
        compute=lambda seen: rolling_mean(_dollars(seen), 21).T,
    ),
    *_USUAL.values(),
    _of_volume(
        name="volume_trend",
        formula="ln(mean(v, 21) / mean(v, 126))",
        unit="log ratio",
        source="ratio of two plain means",
        reads=("volume",),
        warm_up=126,
        window=1,
        compute=lambda seen: np.log(seen.get(_USUAL[21]) / seen.get(_USUAL[126])),
    ),
    _of_volume(
        name="illiquidity_21",
        formula="mean(|r| / (c v), 21)",
        unit="log return a million dollars",
        source="Amihud 2002, equation 1",
        warm_up=21 + CLOSE.warm_up,
        window=21,
        compute=lambda seen: rolling_mean(_illiquid(seen), 21).T,
    ),
    _of_volume(
        name="volume_return_correlation_63",
        formula="correlation(|r|, ln v, 63)",
        unit="correlation",
        source="Karpoff 1987",
        warm_up=63 + CLOSE.warm_up,
        window=63,
        compute=lambda seen: rolling_correlation(np.abs(seen.rows(DAILY)), np.log(_traded(seen)), 63).T,
    ),
    _of_volume(
        name="signed_volume_21",
        formula="Σ sign(r) v / Σ v, 21",
        unit="frac, −1 to 1",
        source="Granville 1963, as a share of a window",
        warm_up=21 + CLOSE.warm_up,
        window=21,
        compute=lambda seen: _signed(seen).T,
    ),
)


__all__ = [
    "FEATURES",
    "MILLION",
]
