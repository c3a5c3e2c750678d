"""A made-up market, the same for the same seed: enough to see a notebook run without any data."""

from datetime import date

import numpy as np

from qgtm.adapters.calendar import xnys
from qgtm.core.universe import SYMBOLS
from qgtm.features.bars import Bars, FloatArray

Loadings = dict[str, tuple[float, float, float, float, float]]
FIRST = date(2015, 1, 2)

# symbol: first price, then what it takes of gold, silver and equity, and its own daily volatility
LOADINGS = {
    "GLD": (180.0, 1.0, 0.0, 0.0, 0.0005),
    "SLV": (22.0, 0.0, 1.0, 0.0, 0.001),
    "PPLT": (90.0, 0.6, 0.0, 0.2, 0.010),
    "PALL": (150.0, 0.4, 0.0, 0.3, 0.016),
    "GDX": (32.0, 1.7, 0.0, 0.4, 0.010),
    "GDXJ": (42.0, 1.9, 0.1, 0.5, 0.012),
    "SIL": (30.0, 0.7, 0.7, 0.5, 0.011),
    "SPY": (400.0, 0.0, 0.0, 1.0, 0.0005),
}
# The rest of the universe, for what reads all of it.
OTHERS = {
    **dict.fromkeys(("IAU", "SGOL", "GLDM"), (30.0, 1.0, 0.0, 0.0, 0.0006)),
    "SIVR": (20.0, 0.0, 1.0, 0.0, 0.001),
    "RING": (25.0, 1.7, 0.0, 0.4, 0.011),
    "SILJ": (11.0, 0.8, 0.8, 0.5, 0.013),
    "SLVP": (12.0, 0.7, 0.7, 0.5, 0.012),
    "UGL": (60.0, 2.0, 0.0, 0.0, 0.001),
    "GLL": (25.0, -2.0, 0.0, 0.0, 0.001),
    "AGQ": (30.0, 0.0, 2.0, 0.0, 0.002),
    "ZSL": (20.0, 0.0, -2.0, 0.0, 0.002),
    "NUGT": (40.0, 3.4, 0.0, 0.8, 0.020),
    "DUST": (15.0, -3.4, 0.0, -0.8, 0.020),
    "TLT": (120.0, 0.3, 0.0, -0.3, 0.006),
    "IEF": (100.0, 0.15, 0.0, -0.1, 0.003),
    "SHY": (82.0, 0.02, 0.0, 0.0, 0.0008),
    "UUP": (27.0, -0.2, 0.0, -0.05, 0.003),
    "HYG": (78.0, 0.05, 0.0, 0.35, 0.002),
    "LQD": (110.0, 0.1, 0.0, 0.1, 0.003),
    "TIP": (108.0, 0.2, 0.0, 0.0, 0.002),
    "VIXY": (40.0, 0.0, 0.0, -3.0, 0.020),
    "CPER": (25.0, 0.1, 0.1, 0.4, 0.008),
}
DAILY_VOLATILITY = np.array([0.009, 0.016, 0.011])
GOLD_IN_SILVER = 1.3
PULL = 0.02  # of silver's stray from gold that is undone in a session


def made_up(sessions: int, seed: int) -> Bars:
    """Return `sessions` bars of a few symbols: silver follows gold and strays for weeks, miners follow both.

    A longer market begins as a shorter one with the same seed does.
    """
    return _bars(sessions, seed, LOADINGS)


def made_up_universe(sessions: int, seed: int, pull: float = PULL) -> Bars:
    """Return `sessions` bars of every symbol of the universe, otherwise as `made_up` does.

    `pull` is what of silver's stray from gold is undone in a session; without any, no price tells of another.
    """
    every = LOADINGS | OTHERS
    return _bars(sessions, seed, {symbol: every[symbol] for symbol in SYMBOLS}, pull)


def _bars(sessions: int, seed: int, loadings: Loadings, pull: float = PULL) -> Bars:
    draws = np.random.default_rng(seed).standard_normal((sessions, 3 + 4 * len(loadings)))
    drivers = _drivers(draws[:, :3], pull)
    columns = [
        _symbol(drivers, row, draws[:, 3 + 4 * i : 7 + 4 * i]) for i, row in enumerate(loadings.values())
    ]
    opened, high, low, close, volume = (np.stack(each, axis=1) for each in zip(*columns, strict=True))
    return Bars(_ordinals(sessions), tuple(loadings), opened, high, low, close, volume)


def _drivers(draws: FloatArray, pull: float) -> FloatArray:
    shocks: FloatArray = draws * DAILY_VOLATILITY
    strays = 0.0
    for i in range(len(shocks)):  # silver beside gold comes back, half of the way in some 35 sessions
        pulled = -pull * strays
        strays += pulled + shocks[i, 1]
        shocks[i, 1] = GOLD_IN_SILVER * shocks[i, 0] + pulled + shocks[i, 1]
    return shocks


def _symbol(drivers: FloatArray, row: tuple[float, ...], draws: FloatArray) -> tuple[FloatArray, ...]:
    first, *loadings, own = row
    close = first * np.exp(np.cumsum(drivers @ np.array(loadings) + own * draws[:, 0]))
    before = np.concatenate([[first], close[:-1]])
    opened = before * np.exp(0.4 * np.log(close / before) + 0.002 * draws[:, 1])
    high = np.maximum(opened, close) * np.exp(0.004 * np.abs(draws[:, 2]))
    low = np.minimum(opened, close) * np.exp(-0.004 * np.abs(draws[:, 3]))
    return opened, high, low, close, np.round(1e6 * np.exp(0.3 * draws[:, 1]))


def _ordinals(sessions: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    last = date(FIRST.year + 2 + sessions // 240, 1, 1)
    days = [session.day.toordinal() for session in xnys().sessions(FIRST, last)]
    return np.array(days[:sessions], dtype=np.int64)
