"""Ten windows in which metals, or all markets, were under stress, by name."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np

from qgtm.features.bars import FloatArray, IntArray

NOT_THERE: Final = "not in the data"


@dataclass(frozen=True, slots=True)
class Stress:
    """A window by name, both days in."""

    name: str
    first: date
    last: date


WINDOWS: Final = (
    Stress("Lehman", date(2008, 9, 12), date(2008, 11, 20)),
    Stress("silver breaks", date(2011, 4, 28), date(2011, 5, 12)),
    Stress("gold falls in two days", date(2013, 4, 10), date(2013, 6, 28)),
    Stress("Brexit", date(2016, 6, 23), date(2016, 7, 8)),
    Stress("election of 2016", date(2016, 11, 8), date(2016, 12, 20)),
    Stress("short volatility breaks", date(2018, 2, 1), date(2018, 2, 9)),
    Stress("Covid", date(2020, 2, 20), date(2020, 3, 23)),
    Stress("silver squeeze", date(2021, 1, 27), date(2021, 2, 4)),
    Stress("rates of 2022", date(2022, 4, 18), date(2022, 9, 26)),
    Stress("Silicon Valley Bank", date(2023, 3, 8), date(2023, 3, 24)),
)


def in_stress(
    sessions: IntArray, returns: FloatArray, windows: Sequence[Stress] = WINDOWS
) -> dict[str, float | None]:
    """Return what was made in each window; None where the record does not hold all of it.

    `sessions` are the ordinals of the rows of `returns`, both (n,).
    """
    return {each.name: _made(sessions, returns, each) for each in windows}


def _made(sessions: IntArray, returns: FloatArray, window: Stress) -> float | None:
    first, last = window.first.toordinal(), window.last.toordinal()
    if not len(sessions) or sessions[0] > first or sessions[-1] < last:
        return None
    rows = (sessions >= first) & (sessions <= last)
    return float(np.prod(1.0 + returns[rows]) - 1.0)
