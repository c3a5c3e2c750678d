"""Is a strategy fit for the daily loop? Every question with what was found, and what to do about it.

The tests ask the same of every printed strategy that `qgtm test` asks of a working copy.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import date
from typing import Any, Final

import numpy as np

from qgtm.core.series import FeedName
from qgtm.core.universe import LEVERAGE, SYMBOLS, TRADED
from qgtm.features.bars import FIELDS, Bars, FloatArray
from qgtm.features.panel import Panel
from qgtm.features.relative_value import BASES
from qgtm.features.seen import Seen
from qgtm.research import causality
from qgtm.research.made_up_panel import made_up_seen
from qgtm.strategies import Strategy

LENGTH: Final = 520  # long enough that the slowest rule has had something to say
SEED: Final = 21
STEP: Final = 13  # sessions between two places where the future is cut off
LEAST_VIEWS: Final = 0.3
CARRIED: Final = ("State", "start", "view", "update")
CATEGORIES: Final = "ABCDEFGH"
MADE: Final = 2700  # sessions of the market on which legs are hedged, and how many of its last count:
NEUTRAL_LENGTH: Final = 1300  # the leveraged funds multiply since 2020 by what they multiply now
NEUTRAL_FRAC: Final = 0.25  # of the beta that one leg alone has
FEWEST: Final = 30  # sessions held, or a beta says nothing
MEANT: Final = {
    "gold": "GLD",
    "silver": "SLV",
    "platinum": "PPLT",
    "palladium": "PALL",
    "miners": "GDX",
    "equity": "SPY",
}


@dataclass(frozen=True, slots=True)
class Check:
    """Say how one question was answered; `cure` is what to do when it was answered badly."""

    name: str
    is_ok: bool
    found: str
    cure: str = ""


@dataclass(frozen=True, eq=False)
class Case:
    """What is examined: the strategy, the markets it is tried on by name, and what its card claims."""

    strategy: Strategy
    markets: Mapping[str, Seen]
    claims: tuple[str, ...] = ()


# -- markets -----------------------------------------------------------------------------------------


def markets(strategy: Strategy) -> dict[str, Seen]:
    """Return the markets that a strategy is tried on: made up, and made up with holes in bars and feeds."""
    made = made_up_seen(max(LENGTH, strategy.warm_up + LENGTH // 2), SEED)
    return {"made up": made, "made up with holes": Seen(holed(made.bars, 3), late(made.panel, 20))}


def holed(bars: Bars, seed: int) -> Bars:
    """Return the bars with one session in twelve missing, and one hole too long to step over."""
    holes = np.random.default_rng(seed).random(bars.close.shape) < 1 / 12
    holes[330:339, 2] = True
    return Bars(
        bars.sessions, bars.symbols, *(np.where(holes, np.nan, getattr(bars, name)) for name in FIELDS)
    )


def late(panel: Panel, first: int) -> Panel:
    """Return the panel of a fund that has collected nothing before session `first`, and two holes after."""
    values, described = panel.values.copy(), panel.described.copy()
    for rows in (slice(0, first), slice(first + 30, first + 31), slice(first + 40, first + 47)):
        values[rows], described[rows] = np.nan, 0
    return Panel(panel.names, values, described)


# -- the questions -----------------------------------------------------------------------------------


def examined(case: Case) -> Iterator[Check]:
    """Yield the answer to each question; a rule that raises has failed it, with what it raised."""
    for name, ask in QUESTIONS.items():
        try:
            found = ask(case)
        except Exception as problem:  # noqa: BLE001  the rule is being written: whatever it raises is an answer
            cure = "Correct the rule; the notebook's own cells show where it comes from."
            yield Check(name, False, f"{type(problem).__name__}: {problem}", cure)
        else:
            yield Check(name, *found)


Answer = tuple[bool, str, str]


def _contract(case: Case) -> Answer:
    module = case.strategy.module
    wrong = [said for said, is_so in _promises(module) if not is_so]
    cure = "Correct it in the first export cell; docs/notebooks.md says what a strategy defines."
    return not wrong, "; ".join(wrong) or "what a strategy defines is there", cure


def _promises(module: Any) -> Iterator[tuple[str, bool]]:
    carries = [hasattr(module, name) for name in CARRIED]
    yield f"CATEGORY is {module.CATEGORY!r} and no letter from A to H", module.CATEGORY in tuple(CATEGORIES)
    yield "FEEDS begins with another feed than ohlcv", module.FEEDS[:1] == (FeedName.OHLCV,)
    yield f"FEEDS names an unknown one of {module.FEEDS}", set(module.FEEDS) <= set(FeedName)
    yield f"symbols {module.symbols} are not all in the universe", set(module.symbols) <= set(SYMBOLS)
    yield f"warm_up is {module.warm_up}", module.warm_up > 1
    yield "PARAMS is not made of the dataclass Params", is_dataclass(module.PARAMS)
    yield f"some of {', '.join(CARRIED)} are lacking", all(carries) or not any(carries)
    knobs = {field.name for field in fields(module.PARAMS)}
    kept = {field.name for field in fields(module.State)} if all(carries) else set()
    yield f"State holds the knobs {sorted(kept & knobs)}, which belong to Params", not kept & knobs


def _views(case: Case) -> Answer:
    strategy = case.strategy
    for name, seen in case.markets.items():
        targets = _targets(strategy, seen)
        early = np.flatnonzero(np.isfinite(targets[: strategy.warm_up - 1]).any(axis=1))
        share = float(np.isfinite(targets[strategy.warm_up - 1 :]).mean())
        if len(early):
            said = f"{name}: a view after {early[0] + 1} sessions, and warm_up says {strategy.warm_up}"
            return False, said, "Give no view (NaN) before `sessions_needed`, or make it smaller."
        if share <= LEAST_VIEWS:
            said = f"{name}: a view on {share:.0%} of the sessions once warm"
            return False, said, "See whether the feeds and symbols are there, and what a hole does."
    return True, "views once warm, none before", ""


def _budget(case: Case) -> Answer:
    for name, seen in case.markets.items():
        targets = _targets(case.strategy, seen)
        asked = np.nansum(np.abs(targets), axis=1)
        worst = int(asked.argmax())
        if asked[worst] > 1 + 1e-12:
            said = f"{name}: {asked[worst]:.3f} of the budget on {_day(seen, worst)}"
            return False, said, "Scale the targets so that their sizes sum to 1 at most."
    if not any(np.nanmax(np.abs(_targets(case.strategy, seen))) > 0 for seen in case.markets.values()):
        return False, "it never wants anything", "See whether a threshold is out of reach."
    return True, "never more than the whole budget", ""


def _absent(case: Case) -> Answer:
    symbols = case.strategy.symbols
    read = [i for i, symbol in enumerate(symbols) if symbol not in TRADED]
    for name, seen in case.markets.items():
        targets, window = _targets(case.strategy, seen), seen.select(symbols)
        rows, columns = np.nonzero(np.isnan(window.bars.close) & np.isfinite(targets))
        if len(rows):
            said = f"{name}: a view of {symbols[columns[0]]} without a bar on {_day(seen, rows[0])}"
            return False, said, "End `signal` with `np.where(np.isnan(seen.bars.close), np.nan, targets)`."
        if np.nan_to_num(targets[:, read]).any():
            said = f"{name}: it wants one of {', '.join(symbols[i] for i in read)}, which are only read"
            return False, said, "Give 0 in the columns of symbols that are not traded."
    return True, "no view where there is no bar, nothing in what is only read", ""


def _truncation(case: Case) -> Answer:
    for name, seen in case.markets.items():
        ends = range(1, len(seen), STEP)
        if found := causality.strategy_future_seen(case.strategy, seen, ends):
            said = f"{name}: cutting the future off changes the past at {len(found)} of {len(ends)} places"
            cure = "Something reads ahead: let windows end today (qgtm.features.rolling), scale by no whole."
            return False, f"{said}, first on {_day(seen, found[0] - 1)}", cure
    return True, "cutting the future off changes no bit", ""


def _bar_by_bar(case: Case) -> Answer:
    for name, seen in case.markets.items():
        if found := causality.strategy_live_differs(case.strategy, seen):
            said = f"{name}: the live step differs on {len(found)} of {len(seen)} sessions"
            cure = "`sessions_needed` is too short, or something is remembered outside of State."
            return False, f"{said}, first on {_day(seen, found[0])}", cure
    return True, "the live step gives what all at once gives", ""


def _restart(case: Case) -> Answer:
    strategy = case.strategy
    if not strategy.is_stateful:
        return True, "it carries no state", ""
    for name, seen in case.markets.items():
        state, whole = None, _targets(strategy, seen)
        for i, known in enumerate(causality.grown(seen)):
            state = strategy.decode(json.loads(json.dumps(strategy.encode(state), allow_nan=False)))
            state, targets = strategy.step(state, known)
            if not np.array_equal(targets, whole[i], equal_nan=True):
                said = f"{name}: after a restart before {_day(seen, i)} it wants something else"
                return False, said, "Let State be a frozen dataclass of numbers and tuples of them."
    return True, "goes on as before after a restart", ""


def _neutrality(case: Case) -> Answer:
    if not case.claims:
        return True, "nothing is claimed", ""
    market = made_up_seen(MADE, SEED).tail(NEUTRAL_LENGTH)
    answers = [answer for claim in case.claims for answer in _are_neutral(case.strategy, claim, market)]
    wrong = [said for is_ok, said in answers if not is_ok]
    cure = "Size the legs by the hedge ratio, or take the claim out of the card's `neutral_in`."
    return not wrong, "; ".join(wrong or [said for _, said in answers]), cure


def _are_neutral(strategy: Strategy, claim: str, market: Seen) -> Iterator[tuple[bool, str]]:
    window = market.select(strategy.symbols)
    targets = _targets(strategy, window)
    if claim.startswith("dollars"):
        whole = targets[np.isfinite(targets).all(axis=1)]
        left = float(np.abs(whole.sum(axis=1)).max(initial=0.0))
        yield left < 1e-9, f"{claim!r}: bought and sold differ by {left:.3g} of the budget at most"
        return
    if claim.startswith("each base's return"):
        yield from _multiplied(strategy.symbols, claim, targets)
        return
    word = claim.partition("'s return")[0]
    symbol = MEANT.get(word, word)
    if symbol not in strategy.symbols or len(strategy.symbols) == 1:
        yield False, f"{claim!r} cannot be tested: begin with `dollars`, or `SYMBOL's return` of one leg"
        return
    on = strategy.symbols.index(symbol)
    leg = 1 if on == 0 else 0
    pair = realised_beta(window.bars, targets, on, leg)
    alone = realised_beta(window.bars, np.abs(targets) * np.eye(len(strategy.symbols))[leg], on, leg)
    said = f"beta on {symbol} {pair:.3f}, one leg alone {alone:.3f}"
    yield abs(pair) < NEUTRAL_FRAC * abs(alone), f"{claim!r}: {said}"


def _multiplied(symbols: tuple[str, ...], claim: str, targets: FloatArray) -> Iterator[tuple[bool, str]]:
    funds = [(k, BASES[symbol]) for k, symbol in enumerate(symbols) if BASES.get(symbol) in symbols]
    if not funds:
        yield False, f"{claim!r} cannot be tested: no leveraged fund is traded together with its base"
    for k, base in funds:
        of_base = targets[:, symbols.index(base)]
        moved = of_base + LEVERAGE[symbols[k]] * targets[:, k]
        left = float(np.nanmax(np.abs(moved)))
        is_ok = left < 1e-9 and bool(np.nan_to_num(of_base).any())
        yield is_ok, f"{claim!r}: {left:.3g} of the budget moves with {base} beside {symbols[k]} at most"


def realised_beta(bars: Bars, targets: FloatArray, on: int, leg: int = 0) -> float:
    """Return the beta on symbol `on` of targets (n, k) held from each close to the next, as if long `leg`.

    NaN when the leg was held for less than a month and a half.
    """
    returns = np.diff(np.log(bars.close), axis=0)
    held = np.nan_to_num(targets[:-1])
    is_in = (held[:, leg] != 0) & np.isfinite(returns[:, on])
    if is_in.sum() < FEWEST:
        return float("nan")
    pair = (held * np.nan_to_num(returns)).sum(axis=1)[is_in] * np.sign(held[is_in, leg])
    other = returns[is_in, on]
    return float(np.cov(pair, other)[0, 1] / other.var(ddof=1))


def _targets(strategy: Strategy, seen: Seen) -> FloatArray:
    return np.asarray(strategy.module.signal(seen.select(strategy.symbols)))


def _day(seen: Seen, row: int) -> date:
    return date.fromordinal(int(seen.bars.sessions[row]))


QUESTIONS: Final[Mapping[str, Callable[[Case], Answer]]] = {
    "contract": _contract,
    "views": _views,
    "budget": _budget,
    "absent bars": _absent,
    "truncation": _truncation,
    "bar by bar": _bar_by_bar,
    "restart": _restart,
    "neutrality": _neutrality,
}


def failures(checks: Sequence[Check]) -> tuple[Check, ...]:
    """Return those that failed."""
    return tuple(check for check in checks if not check.is_ok)
