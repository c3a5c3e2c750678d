# A print of notebooks/engine/wanted.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Wanted.

From a finished session to wanted weights: every strategy has its say, and none can stop the others.
"""

# cell 4 of notebooks/engine/wanted.ipynb
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from math import fsum
from typing import Any

from qgtm.allocation.targets import PARAMS as TARGETS
from qgtm.allocation.targets import Caps, book
from qgtm.core.codec import canonical
from qgtm.core.events import Event, SignalsComputed, StrategyDisabled, TargetsSet
from qgtm.core.mode import Mode
from qgtm.core.series import FeedName
from qgtm.core.universe import TRADED
from qgtm.engine.desk import Desk, Views
from qgtm.engine.state import NO_MONEY, State
from qgtm.features.bars import FloatArray
from qgtm.features.seen import Seen
from qgtm.risk.kill_switch import size_frac
from qgtm.risk.limits import Limits


# cell 6 of notebooks/engine/wanted.ipynb
def viewed(state: State, session: date, desk: Desk) -> list[Event]:
    """Return every strategy's view after `session`, and which of them are disabled from now on.

    A strategy whose feed is stale is paused: it is not asked, and its last view stands. The newest row of
    `desk.history` is that session's. Raises nothing that a strategy raises, but MemoryError: that is the
    machine's trouble and no strategy's.
    """
    signals: dict[str, Mapping[str, float | None]] = {}
    carried: dict[str, Any] = {}
    facts: list[Event] = []
    paused: dict[str, tuple[str, ...]] = {}
    seen = desk.history.seen()
    for strategy in desk.strategies:
        name = strategy.name
        if name in state.disabled:
            continue
        if stale := waits_for(state, strategy):
            paused[name] = stale
            continue
        try:
            signals[name], carried[name] = _view(strategy, state.carried.get(name), seen)
        except MemoryError:
            raise  # the process ends rather than limps, and is started again
        except Exception as problem:  # noqa: BLE001 - a strategy may fail in any way, the loop may not
            facts.append(StrategyDisabled(strategy=name, reason=f"{type(problem).__name__}: {problem}"))
    kept = {name: value for name, value in carried.items() if value is not None}
    return [*facts, SignalsComputed(session=session, signals=signals, carried=kept, paused=paused)]


def waits_for(state: State, strategy: Views) -> tuple[str, ...]:
    """Return the stale feeds that a strategy reads; bars are not among them, since the session is here."""
    return tuple(feed for feed in strategy.feeds if feed in state.feeds_failed and feed != FeedName.OHLCV)


def _view(strategy: Views, written: Any, seen: Seen) -> tuple[dict[str, float | None], Any]:
    if strategy.is_stateful and written is None:
        carried, targets = _warmed(strategy, seen)
    else:
        carried, targets = strategy.step(strategy.decode(written), seen)
    values = targets.tolist()
    if any(abs(value) > 1.0 for value in values):  # NaN is no view and passes
        raise ValueError(f"a view lies outside [-1, 1]: {values}")
    view = {s: None if v != v else v for s, v in zip(strategy.symbols, values, strict=True)}
    written = strategy.encode(carried)
    if written is not None or {float} != set(map(type, values)):
        canonical((view, written))  # what the journal could not hold is this strategy's fault, not the loop's
    return view, written


def _warmed(strategy: Views, seen: Seen) -> tuple[object | None, FloatArray]:
    """Walk all that is known once, so that a carried state starts where the history does."""
    carried, targets = strategy.step(None, seen.upto(1))
    for n in range(2, len(seen) + 1):
        carried, targets = strategy.step(carried, seen.upto(n))
    return carried, targets


# cell 8 of notebooks/engine/wanted.ipynb
def wanted(state: State, session: date, desk: Desk) -> TargetsSet:
    """Return the weights that the present views ask for, inside the caps, from the next open on."""
    views = {
        name: _sized(
            {s: value for s, value in mine.items() if value is not None and s in TRADED},
            state.shadows.get(name, 1.0),
        )
        for name, mine in state.signals.items()
        if state.shadows.get(name, 1.0) > 0.0
    }
    closes = desk.history.closes(TRADED, TARGETS.covariance_lookback + 1)
    # A latch stops orders, not views: what is wanted is known the moment that it is cleared.
    size = float(size_frac(replace(state.switch, latches=())))
    asked = book(views, TRADED, closes, _caps(state.limits or desk.limits, desk), size, TARGETS)
    targets = TargetsSet(
        session=session,
        weights=asked.weights,
        by_strategy=asked.by_strategy,
        notes=(*asked.notes, *_in_the_shadow(state)),
    )
    return _shrinking(state, targets)


def _sized(view: dict[str, float], share: float) -> dict[str, float]:
    """Return the view at a share of its size: first what it would be allowed, then the share of that."""
    if share == 1.0:
        return view
    strength = max(1.0, fsum(abs(value) for value in view.values()))
    return {symbol: share * value / strength for symbol, value in view.items()}


def _in_the_shadow(state: State) -> tuple[str, ...]:
    shares = [state.shadows[name] for name in state.signals if name in state.shadows]
    if not shares:
        return ()
    some = f"{len(shares)} of {len(state.signals)} strategies are in the shadow"
    return (f"{some}, at {max(shares):.0%} of their size",)


def _caps(limits: Limits, desk: Desk) -> Caps:
    share = desk.params.cap_share
    return Caps(
        volatility_frac=float(limits.volatility_target_frac),
        single_name_frac={symbol: share * float(limits.single_name(symbol)) for symbol in TRADED},
        sector_frac=share * float(limits.sector_frac),
        gross=share * float(limits.gross_frac),
        net=share * float(limits.net_frac),
        is_shorting_allowed=desk.is_shorting_allowed,
    )


def _scaled(targets: TargetsSet, factors: Mapping[str, float], note: str) -> TargetsSet:
    """Return the targets with each symbol's weight, whole and by strategy, times its factor."""
    return replace(
        targets,
        weights={s: round(w * factors[s], 6) for s, w in targets.weights.items() if round(w * factors[s], 6)},
        by_strategy={
            name: {s: w * factors.get(s, 1.0) for s, w in mine.items()}
            for name, mine in targets.by_strategy.items()
        },
        notes=(*targets.notes, note),
    )


def _shrinking(state: State, targets: TargetsSet) -> TargetsSet:
    if state.switch.mode is not Mode.REDUCING:
        return targets
    factors = {
        symbol: _shrink_factor(weight, _left_weight(state, symbol))
        for symbol, weight in targets.weights.items()
    }
    return _scaled(targets, factors, "past the soft cap: nothing may be opened or enlarged")


def _shrink_factor(weight: float, held: float) -> float:
    if weight * held <= 0:
        return 0.0
    return min(1.0, held / weight)


def _left_weight(state: State, symbol: str) -> float:
    """Return what is held of `symbol`, or what pending targets are to leave of it when that is less."""
    held = held_weight(state, symbol)
    return min(held, state.weights.get(symbol, 0.0), key=abs) if state.is_pending else held


def held_weight(state: State, symbol: str) -> float:
    """Return what is held of `symbol` as a signed share of equity; 0 when equity or price are not known."""
    if not state.equity_usd or state.equity_usd <= 0:
        return 0.0
    return float(state.quantity(symbol) * state.marks.get(symbol, NO_MONEY) / state.equity_usd)


# cell 10 of notebooks/engine/wanted.ipynb
def halved(state: State) -> TargetsSet:
    """Return half of what is held as the new targets: the soft cap's one halving per episode."""
    weights = {s: round(held_weight(state, s) / 2, 6) for s, p in state.positions.items() if p.quantity}
    parts = {
        name: {s: _part(state, s, quantity) * weights.get(s, 0.0) for s, quantity in mine.items()}
        for name, mine in state.shares.items()
    }
    session = state.session or date.min
    return TargetsSet(session=session, weights=weights, by_strategy=parts, notes=("halved at the soft cap",))


def _part(state: State, symbol: str, quantity: Any) -> float:
    held = state.quantity(symbol)
    return float(quantity / held) if held else 0.0


__all__ = [
    "halved",
    "held_weight",
    "viewed",
    "waits_for",
    "wanted",
]
