"""What moves the invented prices: thirteen drivers, their common shocks, and the market's mood.

A year is made in one piece, from its own generator and from the state in which the year before
ended. Each day's numbers are drawn by its place in the year, so nothing depends on a later day.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from qgtm.adapters.calendar import Session
from qgtm.exchange.market.path import FULL_SESSION, Floats, generator, minutes_of

YEAR: Final = 252  # sessions
_DAYS: Final = 366


@dataclass(frozen=True, slots=True)
class Driver:
    """Annual volatility and log drift, and the share of the variance that comes overnight."""

    vol: float
    drift: float
    night: float
    stress: float = 0.0  # what a year under stress adds to the log drift; the mean stays `drift`


DRIVERS: Final[dict[str, Driver]] = {
    "gold": Driver(0.15, 0.045, 0.5, 0.05),
    "silver": Driver(0.28, 0.035, 0.5),
    "platinum": Driver(0.25, 0.02, 0.55),
    "palladium": Driver(0.34, 0.02, 0.6),
    "copper": Driver(0.21, 0.03, 0.6, -0.3),
    "dollar": Driver(0.072, 0.008, 0.55, 0.08),
    "rates": Driver(0.068, 0.026, 0.5, 0.05),  # return of seven-year Treasury notes
    "breakeven": Driver(0.035, 0.004, 0.4, -0.05),
    "equity": Driver(0.16, 0.085, 0.35, -0.5),
    "credit": Driver(0.065, 0.035, 0.4, -0.2),
    "volatility": Driver(0.68, -0.38, 0.35, 1.2),
    "miners": Driver(0.21, -0.065, 0.3),
    "argent": Driver(0.16, -0.04, 0.35),  # what silver miners share beyond all miners
}

CORRELATION: Final[dict[tuple[str, str], float]] = {
    ("gold", "silver"): 0.78,
    ("gold", "platinum"): 0.55,
    ("gold", "palladium"): 0.36,
    ("gold", "copper"): 0.22,
    ("gold", "dollar"): -0.45,
    ("gold", "rates"): 0.32,
    ("gold", "breakeven"): 0.15,
    ("gold", "equity"): 0.03,
    ("gold", "credit"): 0.06,
    ("silver", "platinum"): 0.62,
    ("silver", "palladium"): 0.45,
    ("silver", "copper"): 0.38,
    ("silver", "dollar"): -0.45,
    ("silver", "rates"): 0.18,
    ("silver", "equity"): 0.22,
    ("silver", "breakeven"): 0.22,
    ("silver", "credit"): 0.18,
    ("silver", "volatility"): -0.14,
    ("platinum", "palladium"): 0.6,
    ("platinum", "copper"): 0.4,
    ("platinum", "dollar"): -0.42,
    ("platinum", "equity"): 0.26,
    ("platinum", "credit"): 0.2,
    ("platinum", "volatility"): -0.18,
    ("palladium", "copper"): 0.36,
    ("palladium", "dollar"): -0.28,
    ("palladium", "equity"): 0.3,
    ("palladium", "credit"): 0.22,
    ("palladium", "volatility"): -0.22,
    ("copper", "dollar"): -0.35,
    ("copper", "equity"): 0.4,
    ("copper", "rates"): -0.15,
    ("copper", "breakeven"): 0.3,
    ("copper", "volatility"): -0.3,
    ("dollar", "rates"): -0.2,
    ("dollar", "equity"): -0.25,
    ("dollar", "volatility"): 0.18,
    ("rates", "equity"): -0.15,
    ("rates", "volatility"): 0.15,
    ("breakeven", "equity"): 0.3,
    ("breakeven", "credit"): 0.26,
    ("breakeven", "volatility"): -0.22,
    ("equity", "credit"): 0.72,
    ("equity", "volatility"): -0.78,
    ("credit", "volatility"): -0.62,
    ("credit", "copper"): 0.3,
}

# A quiet, an ordinary and a stressed mood; each lasts weeks to months (a Markov chain, by session).
CALM, ORDINARY, STRESS = 0, 1, 2
_MOOD_VOL: Final = (0.7, 1.0, 1.8)
_STAYS: Final = np.cumsum([[0.985, 0.015, 0.0], [0.015, 0.975, 0.010], [0.0, 0.03, 0.97]], axis=1)
_STRESS_ODDS: Final = 1 / 6  # a seventh of all sessions, by the chain above
_TAIL: Final = 6.0  # degrees of freedom of a day's shock, which all drivers share
_GAP_ODDS, _GAP_SIZE = 0.02, 2.5  # a night in fifty moves two and a half times as far
_PULL: Final = 0.23 / YEAR  # back to the trend with a half-life of three years: no level runs away

_VOL: Final = np.array([driver.vol for driver in DRIVERS.values()]) / YEAR**0.5
_NIGHT: Final = np.array([driver.night for driver in DRIVERS.values()])
_DRIFT: Final = np.array([driver.drift for driver in DRIVERS.values()]) / YEAR
_STRESS_DRIFT: Final = np.array([driver.stress for driver in DRIVERS.values()]) / YEAR


@dataclass(frozen=True, slots=True, eq=False)
class Mood:
    """What one year hands to the next: the mood, its heat, each driver's distance from its trend."""

    regime: int
    heat: float
    gap: Floats


@dataclass(frozen=True, slots=True, eq=False)
class DriverYear:
    """A year of the drivers: log returns by night and by day (n, drivers), the scale of volatility (n,).

    `sd` (n, drivers) is the deviation of the way within the day; `regime` (n,) is 0, 1 or 2.
    """

    night: Floats
    day: Floats
    sd: Floats
    scale: Floats
    regime: tuple[int, ...]
    after: Mood


def first_mood() -> Mood:
    """Return the state in which every market begins: ordinary, on its trend."""
    return Mood(ORDINARY, 0.0, np.zeros(len(DRIVERS)))


def correlations() -> Floats:
    """Return the drivers' correlation matrix (drivers, drivers)."""
    names = list(DRIVERS)
    matrix = np.eye(len(names))
    for (one, other), value in CORRELATION.items():
        matrix[names.index(one), names.index(other)] = value
        matrix[names.index(other), names.index(one)] = value
    return matrix


_ROOT: Final = np.linalg.cholesky(correlations())


def driver_year(seed: int, sessions: Sequence[Session], before: Mood) -> DriverYear:
    """Return the drivers of a year whose sessions are given, following on `before`."""
    draw = generator(seed, _PURPOSE, sessions[0].day.year)
    rows = np.array([session.day.timetuple().tm_yday - 1 for session in sessions])
    nights, days = (_shocks(draw)[rows] for _ in range(2))
    gaps = np.where(draw.random(_DAYS)[rows] < _GAP_ODDS, _GAP_SIZE, 1.0)
    gaps /= (1.0 + _GAP_ODDS * (_GAP_SIZE**2 - 1.0)) ** 0.5
    regime, scale, heat = _moods(draw, rows, before)
    short = np.array([minutes_of(session) / FULL_SESSION for session in sessions]) ** 0.5
    wide = scale[:, None] * _VOL
    night = nights * wide * (_NIGHT**0.5) * gaps[:, None]
    sd = wide * (1.0 - _NIGHT) ** 0.5 * short[:, None]
    drift = np.where(np.array(regime)[:, None] == STRESS, _STRESS_DRIFT, -_STRESS_DRIFT * _STRESS_ODDS)
    day, gap = _pulled(night, days * sd + drift, before.gap)
    return DriverYear(night, day, sd, scale, tuple(regime), Mood(regime[-1], heat, gap))


_PURPOSE: Final = 11


def _shocks(draw: np.random.Generator) -> Floats:
    normals = draw.standard_normal((_DAYS, len(DRIVERS)))
    # sums in a fixed order, so that no library for matrices has a say in the last bit
    joint = sum(normals[:, k, None] * _ROOT[None, :, k] for k in range(len(DRIVERS)))
    return np.asarray(joint * tails(draw, _DAYS)[:, None], dtype=np.float64)


def tails(draw: np.random.Generator, count: int) -> Floats:
    """Return factors (count,) that make normals a Student's t of variance 1."""
    return np.asarray(np.sqrt((_TAIL - 2.0) / draw.chisquare(_TAIL, count)), dtype=np.float64)


def _moods(draw: np.random.Generator, rows: Floats, before: Mood) -> tuple[list[int], Floats, float]:
    turns, warmth = draw.random(_DAYS)[rows].tolist(), draw.standard_normal(_DAYS)[rows].tolist()
    regime, heat = before.regime, before.heat
    regimes: list[int] = []
    heats: list[float] = []
    for turn, warm in zip(turns, warmth, strict=True):
        regime = int(np.searchsorted(_STAYS[regime], turn, side="right"))
        heat = 0.97 * heat + 0.05 * warm
        regimes.append(min(regime, STRESS))
        heats.append(heat)
    scale = np.array([_MOOD_VOL[mood] for mood in regimes]) * np.exp(np.array(heats) - 0.08)
    return regimes, scale, heat


def _pulled(night: Floats, day: Floats, gap: Floats) -> tuple[Floats, Floats]:
    pulled = np.empty_like(day)
    for row in range(len(day)):
        pulled[row] = day[row] - _PULL * gap
        gap = gap + night[row] + pulled[row]
    return pulled + _DRIFT, gap
