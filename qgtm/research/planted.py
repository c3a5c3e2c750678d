"""Markets with and without an effect, to see whether the evidence tells them apart."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from qgtm.features.bars import Bars, FloatArray
from qgtm.features.seen import Seen
from qgtm.research.made_up import made_up_universe
from qgtm.research.made_up_panel import made_up_panel
from qgtm.research.trials import Rule

PASSES: Final = 200  # a rule that reads prices wants something else once they have moved
SAME: Final = 1e-3  # of the budget, by which it may still want something else
STRENGTH: Final = 1.0  # of a day's volatility, for the whole budget


def without_effect(sessions: int, seed: int) -> Seen:
    """Return a made-up market in which nothing that is known tells of tomorrow's prices.

    Prices are martingales: no symbol strays back to another, and what a random walk of logarithms gains by
    being uneven is taken off. What is known beside them moves with them and is known afterwards.
    """
    bars = made_up_universe(sessions, seed, pull=0.0)
    uneven = 0.5 * np.diff(np.log(bars.close), axis=0).var(axis=0)
    fair = _drifted(bars, np.broadcast_to(-uneven, bars.close.shape))
    return Seen(fair, made_up_panel(fair, seed))


def planted(
    rule: Rule, params: Any, everything: Seen, symbols: Sequence[str], strength: float = STRENGTH
) -> Seen:
    """Return the market with the rule's effect in it: what it wants at a close moves up in the next session.

    Each symbol drifts from open to close by `strength` of its daily volatility for a target of 1, in the
    direction of the target. Raises what the rule raises.
    """
    base, drift = everything.bars, np.zeros(everything.bars.close.shape)
    columns = [base.symbols.index(each) for each in symbols]
    volatility = np.nanstd(np.diff(np.log(base.close[:, columns]), axis=0), axis=0)
    moved, before = everything, np.zeros((len(base), len(columns)))
    for _ in range(PASSES):
        wanted = np.nan_to_num(rule(moved.select(symbols), params))
        if np.abs(wanted - before).max() < SAME:
            break
        drift[1:, columns] = strength * volatility * np.sign(wanted[:-1])
        moved, before = Seen(_drifted(base, drift), everything.panel), wanted
    return moved


def _drifted(bars: Bars, drift: FloatArray) -> Bars:
    after = np.exp(np.cumsum(drift, axis=0))
    before = np.vstack([np.ones(bars.close.shape[1]), after[:-1]])
    opened, close = bars.open * before, bars.close * after
    high = np.fmax(bars.high * after, np.fmax(opened, close))
    low = np.fmin(bars.low * after, np.fmin(opened, close))
    return Bars(bars.sessions, bars.symbols, opened, high, low, close, bars.volume)
