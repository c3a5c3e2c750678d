"""The strategies, printed from notebooks/strategies, and the one way in which the live loop steps them."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from types import ModuleType
from typing import Any, Protocol, cast, get_args, get_origin, get_type_hints

import numpy as np

from qgtm.features.bars import FloatArray
from qgtm.features.seen import Seen
from qgtm.strategies import (
    breakeven_liquidity,
    cot_extreme,
    cot_momentum,
    cross_sectional_momentum,
    curve_steepening,
    dollar_dislocation,
    donchian_breakout,
    event_drift,
    gold_platinum_ratio,
    gold_silver_ratio,
    gvz_vix_spread,
    hedging_pressure,
    implied_carry,
    levered_decay,
    london_fix_drift,
    miners_vs_metal,
    overnight_gold,
    policy_path,
    real_carry,
    real_rate_gold,
    reddit_contrarian,
    seasonality,
    silver_miners_vs_silver,
    tail_hedge,
    tsmom,
    vix_haven,
    vol_risk_premium,
    vol_skew,
    vol_term_structure,
)

__all__ = ["BY_NAME", "STRATEGIES", "Strategy", "StrategyModule"]

STRATEGIES: tuple[ModuleType, ...] = (
    breakeven_liquidity,
    cot_extreme,
    cot_momentum,
    cross_sectional_momentum,
    curve_steepening,
    dollar_dislocation,
    donchian_breakout,
    event_drift,
    gold_platinum_ratio,
    gold_silver_ratio,
    gvz_vix_spread,
    hedging_pressure,
    implied_carry,
    levered_decay,
    london_fix_drift,
    miners_vs_metal,
    overnight_gold,
    policy_path,
    real_carry,
    real_rate_gold,
    reddit_contrarian,
    seasonality,
    silver_miners_vs_silver,
    tail_hedge,
    tsmom,
    vix_haven,
    vol_risk_premium,
    vol_skew,
    vol_term_structure,
)


class StrategyModule(Protocol):
    """What every printed strategy module defines; one with entry and exit rules adds three more names.

    Those are `start(params)`, `view(seen, params)` (rows, m), a row for each session from the first that
    is warm, and `update(state, row, params)`; `signal` is then the fold of `update` over `view`.
    """

    NAME: str
    CATEGORY: str
    FEEDS: tuple[str, ...]
    symbols: tuple[str, ...]
    warm_up: int
    PARAMS: Any

    def signal(self, seen: Seen, params: Any = ...) -> FloatArray:
        """Return targets (n, k) in [-1, 1] of the strategy's budget; NaN is no view."""
        ...


@dataclass(frozen=True)
class Strategy:
    """Step a printed strategy one bar set at a time, whether it carries a state or not."""

    module: ModuleType

    @property
    def name(self) -> str:
        """Return the module's name, which is also the notebook's and the report's."""
        return cast(str, self.module.NAME)

    @property
    def symbols(self) -> tuple[str, ...]:
        """Return the columns of its window, in order."""
        return cast(tuple[str, ...], self.module.symbols)

    @property
    def feeds(self) -> tuple[str, ...]:
        """Return the feeds that it reads; it is paused while one of them is stale."""
        return cast(tuple[str, ...], self.module.FEEDS)

    @property
    def warm_up(self) -> int:
        """Return the sessions that its last row needs to be exact."""
        return cast(int, self.module.warm_up)

    @property
    def is_stateful(self) -> bool:
        """Return whether it carries a state from bar to bar."""
        return hasattr(self.module, "update")

    def start(self) -> object | None:
        """Return the state before the first bar; None for a strategy that carries none."""
        return cast(object, self.module.start(self.module.PARAMS)) if self.is_stateful else None

    def step(self, carried: object | None, seen: Seen) -> tuple[object | None, FloatArray]:
        """Take the newest session in: return the state after it and the targets (k,).

        `seen` may hold more symbols and more sessions than needed. `carried` is what the step before
        returned, None to start. Raises KeyError when a symbol has no column.
        """
        window = seen.tail(self.warm_up).select(self.symbols)
        if not self.is_stateful:
            return None, self.module.signal(window)[-1]
        params = self.module.PARAMS
        before = self.start() if carried is None else carried
        rows = self.module.view(window, params)
        if not len(rows):  # not warm yet: nothing was seen, so nothing is learnt
            return before, np.full(len(self.symbols), np.nan)
        return cast(tuple[object, FloatArray], self.module.update(before, rows[-1], params))

    def encode(self, carried: object | None) -> Any:
        """Return the state as JSON values, exactly: a float becomes the text of its `repr`."""
        return None if carried is None else _encoded(carried)

    def decode(self, written: Any) -> object | None:
        """Return the state that `encode` wrote. Raises ValueError when it is of another shape."""
        if written is None:
            return None
        try:
            return cast(object, _decoded(self.module.State, written))
        except (TypeError, ValueError, KeyError) as error:
            raise ValueError(
                f"the written state of {self.name} does not fit its State ({error}): "
                "it comes from another version, so warm the strategy up anew"
            ) from error


def _encoded(value: Any) -> Any:
    if is_dataclass(value):
        return {field.name: _encoded(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple):
        return [_encoded(each) for each in value]
    # repr and back is exact, and holds nan and inf, which JSON has no word for.
    return repr(float(value)) if isinstance(value, float | np.floating) else value


@cache
def _hints(kind: type) -> Mapping[str, Any]:
    return get_type_hints(kind)


def _decoded(kind: Any, written: Any) -> Any:
    if is_dataclass(kind):
        hints = _hints(cast(type, kind))
        if set(hints) != set(written):
            raise ValueError(f"expected {', '.join(sorted(hints))}, got {', '.join(sorted(written))}")
        return cast(type, kind)(**{name: _decoded(hint, written[name]) for name, hint in hints.items()})
    if get_origin(kind) is tuple:
        return tuple(_decoded(get_args(kind)[0], each) for each in written)
    return kind(written)


BY_NAME: dict[str, Strategy] = {module.NAME: Strategy(module) for module in STRATEGIES}
