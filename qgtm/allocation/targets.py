# A print of notebooks/allocation/targets.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Targets.

From every strategy's view to one book of wanted weights that keeps all caps.
"""

# cell 4 of notebooks/allocation/targets.ipynb
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from qgtm.core.universe import LEVERAGE, SECTOR, WRAPPERS, primary
from qgtm.features.bars import FloatArray


# cell 5 of notebooks/allocation/targets.ipynb
@dataclass(frozen=True)
class Params:
    """The knobs of this module."""

    covariance_lookback: int
    volatility_floor_frac: float
    gross_cap_frac: float


PARAMS = Params(
    covariance_lookback=126,  # sessions of returns in the covariance [40, 504]
    volatility_floor_frac=0.04,  # least annual volatility believed of a strategy's direction [0.01, 0.20]
    gross_cap_frac=1.00,  # of equity, the most that one strategy may hold, both sides counted [0.10, 2.00]
)


@dataclass(frozen=True)
class Caps:
    """What the book may hold, as shares of equity; volatility is annual."""

    volatility_frac: float
    single_name_frac: Mapping[str, float]
    sector_frac: float
    gross: float
    net: float
    is_shorting_allowed: bool = True


@dataclass(frozen=True)
class Book:
    """Wanted weights, whole and by strategy (which add up to the whole), and what was cut, in words."""

    weights: Mapping[str, float]
    by_strategy: Mapping[str, Mapping[str, float]]
    notes: tuple[str, ...]


# cell 7 of notebooks/allocation/targets.ipynb
def covariance(close: FloatArray, lookback: int) -> FloatArray:
    """Return the annual covariance (k, k) of log returns over the last `lookback` rows of `close` (n, k).

    NaN in the row and column of a symbol with too few closes.
    """
    filled = last_known(close[-(lookback + 1) :])
    returns = np.diff(np.log(filled), axis=0)
    is_known = np.isfinite(returns)
    enough = is_known.sum(axis=0) >= 2 * lookback / 3
    clean = np.where(is_known, returns, 0.0)
    # einsum and not matmul: a linear-algebra library may add up in another order on another machine.
    result = np.einsum("ti,tj->ij", clean, clean) * (252.0 / max(len(returns), 1))
    return np.where(enough[:, None] & enough[None, :], result, np.nan)


def last_known(close: FloatArray) -> FloatArray:
    """Return `close` (n, k) with each hole filled by the close before it; NaN before the first."""
    is_known = np.isfinite(close)
    if is_known.all():
        return close
    rows = np.where(is_known, np.arange(len(close))[:, None], -1)
    latest = np.maximum.accumulate(rows, axis=0)
    taken = np.take_along_axis(close, np.maximum(latest, 0), axis=0)
    return np.where(latest >= 0, taken, np.nan)


# cell 9 of notebooks/allocation/targets.ipynb
def budgeted(signal: FloatArray, sigma: FloatArray, budget_frac: float, params: Params) -> FloatArray | None:
    """Return the weights (k,) at which `signal` (k,) in [-1, 1] uses its share of the risk budget.

    None when a symbol that it wants has no covariance: what cannot be judged is not bought.
    """
    strength = float(np.abs(signal).sum())
    if strength == 0.0:
        return np.zeros_like(signal)
    direction = signal / strength
    wanted = direction != 0.0
    variance = float(np.einsum("i,ij,j->", direction[wanted], sigma[wanted][:, wanted], direction[wanted]))
    if not np.isfinite(variance):
        return None
    volatility = math.sqrt(max(variance, 0.0))
    unit = budget_frac / max(volatility, params.volatility_floor_frac)
    weights: FloatArray = signal / max(strength, 1.0) * min(unit, params.gross_cap_frac)
    return weights


# cell 11 of notebooks/allocation/targets.ipynb
def book(
    signals: Mapping[str, Mapping[str, float]],
    symbols: Sequence[str],
    close: FloatArray,
    caps: Caps,
    size_frac: float,
    params: Params,
) -> Book:
    """Return the wanted book from each strategy's last view by symbol.

    `close` (n, k) has a column for each of `symbols`; `size_frac` in [0, 1] is what the kill switch allows.
    Weights are rounded to a millionth of equity.
    """
    sigma = covariance(close, params.covariance_lookback)
    place = {symbol: i for i, symbol in enumerate(symbols)}
    raw, notes = _raw(signals, place, sigma, caps.volatility_frac / max(len(signals), 1) ** 0.5, params)
    total = _net(raw)
    final, cuts = _capped(total, place, sigma, caps, size_frac)
    return Book(
        weights={symbol: round(weight, 6) for symbol, weight in sorted(final.items()) if round(weight, 6)},
        by_strategy=_shared(raw, total, final),
        notes=(*notes, *cuts),
    )


def _raw(
    signals: Mapping[str, Mapping[str, float]],
    place: Mapping[str, int],
    sigma: FloatArray,
    budget_frac: float,
    params: Params,
) -> tuple[dict[str, dict[str, float]], list[str]]:
    raw, notes = {}, []
    for name in sorted(signals):
        view = dict(
            sorted(signals[name].items())
        )  # sums of floats depend on their order, a journal's rows do not
        columns = [place[symbol] for symbol in view]
        weights = budgeted(
            np.array([view[symbol] for symbol in view], dtype=np.float64),
            sigma[columns][:, columns],
            budget_frac,
            params,
        )
        if weights is None:
            notes.append(f"{name} wants a symbol whose risk is not known yet, so it stands aside")
        raw[name] = {} if weights is None else dict(zip(view, weights.tolist(), strict=True))
    return raw, notes


def _net(raw: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    total: dict[str, float] = {}
    for weights in raw.values():
        for symbol, weight in weights.items():
            total[primary(symbol)] = total.get(primary(symbol), 0.0) + weight
    return total


# cell 12 of notebooks/allocation/targets.ipynb
def _capped(
    total: Mapping[str, float],
    place: Mapping[str, int],
    sigma: FloatArray,
    caps: Caps,
    size_frac: float,
) -> tuple[dict[str, float], list[str]]:
    notes: list[str] = []
    weights = _calmed(_sellable(total, caps, notes), place, sigma, caps, notes)
    is_judged = {symbol: bool(np.isfinite(sigma[i, i])) for symbol, i in place.items()}
    weights = _overflowed(weights, is_judged, caps, notes)
    # math.fsum, since the built-in sum of floats rounds otherwise from Python 3.12 on.
    for sector in sorted(set(SECTOR.values())):
        names = [symbol for symbol in weights if SECTOR[symbol] == sector]
        used = math.fsum(abs(weights[n] * LEVERAGE.get(n, 1)) for n in names)
        _scale_down(weights, names, used, caps.sector_frac, f"sector {sector}", notes)
    gross = math.fsum(abs(weight * LEVERAGE.get(symbol, 1)) for symbol, weight in weights.items())
    _scale_down(weights, list(weights), gross, caps.gross, "gross exposure", notes)
    net = abs(math.fsum(weight * LEVERAGE.get(symbol, 1) for symbol, weight in weights.items()))
    _scale_down(weights, list(weights), net, caps.net, "net exposure", notes)
    weights = _calmed(weights, place, sigma, caps, notes)
    # Last, since a smaller book has smaller caps, too: the gate scales each of them by the same share.
    return {symbol: weight * size_frac for symbol, weight in weights.items()}, notes


def _sellable(total: Mapping[str, float], caps: Caps, notes: list[str]) -> dict[str, float]:
    if caps.is_shorting_allowed or all(weight >= 0 for weight in total.values()):
        return dict(total)
    notes.append("short weights are left out: the account may not sell short")
    return {symbol: max(weight, 0.0) for symbol, weight in total.items()}


def _calmed(
    weights: dict[str, float], place: Mapping[str, int], sigma: FloatArray, caps: Caps, notes: list[str]
) -> dict[str, float]:
    """Scale the book down to the volatility target."""
    volatility = _volatility(weights, place, sigma)
    _scale_down(weights, list(weights), volatility, caps.volatility_frac, "volatility", notes)
    return weights


def _volatility(weights: Mapping[str, float], place: Mapping[str, int], sigma: FloatArray) -> float:
    columns = [place[symbol] for symbol in weights]
    known = sigma[columns][:, columns]
    vector = np.array([weights[symbol] for symbol in weights], dtype=np.float64)
    variance = float(np.einsum("i,ij,j->", vector, np.where(np.isfinite(known), known, 0.0), vector))
    return math.sqrt(max(variance, 0.0))


def _overflowed(
    weights: Mapping[str, float], is_judged: Mapping[str, bool], caps: Caps, notes: list[str]
) -> dict[str, float]:
    """Cut each weight to its single-name cap; what is over goes to the next wrapper of the same metal.

    A wrapper without a history is passed over: it has no price to trade at, or none that can be judged.
    """
    result: dict[str, float] = {}
    for symbol in sorted(weights):
        rest, sign = abs(weights[symbol]), 1.0 if weights[symbol] >= 0 else -1.0
        judged = [each for each in WRAPPERS.get(symbol, (symbol,)) if is_judged.get(each, False)]
        for wrapper in judged:
            part = min(rest, caps.single_name_frac[wrapper])
            rest -= part
            if part > 0:
                result[wrapper] = sign * part
        if rest > 1e-12:
            notes.append(f"{symbol} is cut by {rest:.1%} of equity to its single-name cap")
    return result


def _scale_down(
    weights: dict[str, float], names: Sequence[str], used: float, cap: float, what: str, notes: list[str]
) -> None:
    if used > cap:
        notes.append(f"{what} of {used:.1%} is scaled down to {cap:.1%}")
        for name in names:
            weights[name] *= cap / used


def _shared(
    raw: Mapping[str, Mapping[str, float]], total: Mapping[str, float], final: Mapping[str, float]
) -> dict[str, dict[str, float]]:
    """Split the final weights over the strategies in proportion to what each wanted of the primary."""
    result: dict[str, dict[str, float]] = {}
    for name, weights in raw.items():
        mine: dict[str, float] = {}
        for symbol, weight in weights.items():
            for wrapper in WRAPPERS.get(primary(symbol), (symbol,)):
                share = _part(
                    weight, total[primary(symbol)], final.get(wrapper, 0.0), wrapper == primary(symbol)
                )
                if share:
                    mine[wrapper] = round(mine.get(wrapper, 0.0) + share, 9)
        result[name] = mine
    return result


def _part(weight: float, total: float, final: float, is_primary: bool) -> float:
    if abs(total) > 1e-12:
        return weight / total * final
    # Views that cancel out to nothing still stand against each other inside the book.
    return weight if is_primary else 0.0


__all__ = [
    "PARAMS",
    "Book",
    "Caps",
    "Params",
    "book",
    "budgeted",
    "covariance",
    "last_known",
]
