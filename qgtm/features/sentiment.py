# A print of notebooks/features/sentiment.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Sentiment.

What is written about gold and silver: how much, in what tone, and when both are unusual.
"""

# cell 4 of notebooks/features/sentiment.ipynb
from collections.abc import Callable
from functools import partial

import numpy as np

from qgtm.core.series import SENTIMENT_TOPICS
from qgtm.core.universe import SYMBOLS
from qgtm.features.bars import FloatArray
from qgtm.features.feature import Feature
from qgtm.features.returns import LOG_RETURN
from qgtm.features.rolling import STEPS, change, rolling_mean, rolling_z
from qgtm.features.seen import Seen

TETLOCK = "Tetlock 2007"
ATTENTION = "Da, Engelberg and Gao 2011"
TONES = tuple(f"REDDIT_{topic}_SCORE" for topic in SENTIMENT_TOPICS)
COUNTS = tuple(f"REDDIT_{topic}_COUNT" for topic in SENTIMENT_TOPICS)
METALS = {"GOLD": "GLD", "SILVER": "SLV"}
_PLACES = [SYMBOLS.index(METALS[topic]) for topic in SENTIMENT_TOPICS]
_of_mood = partial(Feature, family="sentiment", symbols=SENTIMENT_TOPICS, missing=STEPS)


def _tone(
    name: str, formula: str, unit: str, warm_up: int, of: Callable[[FloatArray], FloatArray]
) -> Feature:
    return _of_mood(
        name=name,
        formula=formula,
        unit=unit,
        source=TETLOCK,
        reads=TONES,
        warm_up=warm_up,
        compute=lambda seen: of(seen.known(*TONES)).T,
    )


def _attention(
    name: str, formula: str, unit: str, warm_up: int, of: Callable[[FloatArray], FloatArray]
) -> Feature:
    return _of_mood(
        name=name,
        formula=formula,
        unit=unit,
        source=ATTENTION,
        reads=COUNTS,
        warm_up=warm_up,
        compute=lambda seen: of(np.log1p(seen.known(*COUNTS))).T,
    )


def _heat(seen: Seen) -> FloatArray:
    tone, attention = seen.known(*TONES), np.log1p(seen.known(*COUNTS))
    return np.minimum(rolling_z(tone, 63), rolling_z(attention, 63)).T


def _apart(seen: Seen) -> FloatArray:
    return (rolling_z(seen.known(*TONES), 63) - rolling_z(seen.rows(LOG_RETURN[21])[_PLACES], 63)).T


# cell 5 of notebooks/features/sentiment.ipynb
FEATURES: tuple[Feature, ...] = (
    _tone("tone", "mean score of 24 hours", "score, −1 to 1", 1, lambda x: x),
    _tone("tone_mean_5", "mean(tone, 5)", "score, −1 to 1", 5, lambda x: rolling_mean(x, 5)),
    _tone("tone_change_5", "tone(t) − tone(t−5)", "score", 6, lambda x: change(x, 5)),
    _tone("tone_z_63", "z(tone, 63)", "standard deviations", 63, lambda x: rolling_z(x, 63)),
    _attention("attention", "ln(1 + count of 24 hours)", "log count", 1, lambda x: x),
    _attention(
        "attention_z_63", "z(ln(1 + count), 63)", "standard deviations", 63, lambda x: rolling_z(x, 63)
    ),
    _of_mood(
        name="crowd_heat_63",
        formula="min(z(tone, 63), z(ln(1 + count), 63))",
        unit="standard deviations",
        source=f"{TETLOCK}; {ATTENTION}",
        reads=(*TONES, *COUNTS),
        warm_up=63,
        compute=_heat,
    ),
    _of_mood(
        name="tone_apart_from_price",
        formula="z(tone, 63) − z(ln c(t) − ln c(t−21), 63)",
        unit="standard deviations",
        source=TETLOCK,
        reads=(*TONES, "close"),
        warm_up=63 + LOG_RETURN[21].warm_up - 1,
        window=63,
        compute=_apart,
    ),
)


__all__ = [
    "ATTENTION",
    "COUNTS",
    "FEATURES",
    "METALS",
    "TETLOCK",
    "TONES",
]
