# A print of notebooks/strategies/levered_decay.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Levered decay.

Short the leveraged funds against what they multiply, in proportion, while the metal is restless.
"""

# cell 5 of notebooks/strategies/levered_decay.ipynb
from dataclasses import dataclass
from datetime import date

import numpy as np

from qgtm.core.universe import LEVERAGE, SYMBOLS
from qgtm.features.bars import FloatArray, IntArray
from qgtm.features.feature import named, once_warm
from qgtm.features.relative_value import BASES
from qgtm.features.seen import Seen
from qgtm.features.volatility import FEATURES

NAME = "levered_decay"
CATEGORY = "C"
FEEDS = ("ohlcv",)
symbols = ("UGL", "AGQ", "NUGT", "GLD", "SLV", "GDX")

FUNDS = symbols[:3]
RANK = named(FEATURES, "volatility_rank")
CUT_AT = date(2020, 3, 31).toordinal()  # what is decided at this close is held from the next open on
NOW = np.array([float(LEVERAGE[fund]) for fund in FUNDS])
BEFORE = np.array([2.0, 2.0, 3.0])
_BASE = [SYMBOLS.index(BASES[fund]) for fund in FUNDS]

warm_up = RANK.warm_up


@dataclass(frozen=True)
class Params:
    """How restless a base must be."""

    least_rank: float


PARAMS = Params(
    least_rank=0.6667,  # frac of the last year's volatilities that must lie below today's [0.4, 0.95]
)


def leverage(sessions: IntArray) -> FloatArray:
    """Return (n, 3) what each fund multiplies its base's return by, in the session after each."""
    return np.where((sessions >= CUT_AT)[:, None], NOW, BEFORE)


def legs(factor: FloatArray) -> FloatArray:
    """Return the targets (n, 6) of the funds and of their bases with every pair held, given (n, 3)."""
    fund = -1.0 / (1.0 + factor) / len(FUNDS)
    return np.concatenate([fund, -factor * fund], axis=1)


def signal(seen: Seen, params: Params = PARAMS) -> FloatArray:
    """Return the targets (sessions, 6), short and long, one budget in all; NaN where there is no view.

    Source: Avellaneda and Zhang 2010 for the pair, the list of strategies for when. Raises nothing.
    """
    rank, close = seen.get(RANK)[:, _BASE], seen.bars.close
    is_unknown = np.isnan(rank + close[:, : len(FUNDS)] + close[:, len(FUNDS) :])
    is_held = np.where(is_unknown, np.nan, rank > params.least_rank)
    wanted = np.tile(is_held, 2) * legs(leverage(seen.bars.sessions))
    return once_warm(wanted + 0.0, warm_up)  # and no zero below zero


__all__ = [
    "BEFORE",
    "CATEGORY",
    "CUT_AT",
    "FEEDS",
    "FUNDS",
    "NAME",
    "NOW",
    "PARAMS",
    "RANK",
    "Params",
    "legs",
    "leverage",
    "signal",
    "symbols",
    "warm_up",
]
