"""The leak zoo: thirty ways in which back-tests see the future, each beside an honest twin.

They are kept to show that the judge of `qgtm.research.leaks` is awake. Nothing here is ever traded.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache, partial
from typing import Final

import numpy as np

from qgtm.adapters.calendar import xnys
from qgtm.core.fact import Fact
from qgtm.features.bars import Bars, FloatArray
from qgtm.features.hidden_markov import Model, filtered
from qgtm.research.leaks import Kind, Suspect, World
from qgtm.research.made_up import made_up

Rule = Callable[[World], FloatArray]
SESSIONS: Final = 320
N: Final = 21  # the window of most of them
YIELD, WALCL, COT = "DFII10", "WALCL", "COT_GOLD_MM_LONG"


@dataclass(frozen=True)
class Pair:
    """A planted leak and its honest twin: the same idea, done wrong and done right."""

    planted: Suspect
    clean: Suspect


@cache
def world(sessions: int = SESSIONS, seed: int = 5) -> World:
    """Return a made-up world: bars, three series with lags and revisions, dividends, a fund that went."""
    bars = made_up(sessions, seed)
    days = [date.fromordinal(int(each)) for each in bars.sessions]
    closes = tuple(xnys().session_on(day).close_at for day in days)  # type: ignore[union-attr]
    gone = bars.symbols[-1]
    return World(
        bars=_with_hole(bars),
        closes=closes,
        facts=tuple(_facts(days, np.random.default_rng([seed, 1]))),
        listed=dict.fromkeys(bars.symbols, days[0]),
        delisted={gone: days[3 * sessions // 4]},
        paid={("GLD", day): 0.4 for day in days[40::63]},
    )


def _with_hole(bars: Bars) -> Bars:
    """Return the bars with a silver that misses one session in nine."""
    fields = []
    for name in ("open", "high", "low", "close", "volume"):
        values = getattr(bars, name).copy()
        values[4::9, bars.symbols.index("SLV")] = np.nan
        fields.append(values)
    return Bars(bars.sessions, bars.symbols, *fields)


def _at(day: date, hour: float) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(hours=hour)


def _facts(days: list[date], draw: np.random.Generator) -> Iterator[Fact]:
    for day, value in zip(days, 1.0 + np.cumsum(0.03 * draw.standard_normal(len(days))), strict=True):
        # the yield of a day is published in the evening, after the close
        yield Fact(YIELD, _at(day, 0), _at(day, 22.5), float(value))
    for day in days[::5]:
        first, revised = draw.normal(8e6, 1e4, 2).tolist()
        yield Fact(WALCL, _at(day, 0), _at(day + timedelta(days=1), 21.5), first)
        yield Fact(WALCL, _at(day, 0), _at(day + timedelta(days=20), 21.5), revised)
    for day in days[1::5]:
        yield Fact(COT, _at(day, 0), _at(day + timedelta(days=3), 20.5), float(draw.normal(2e5, 2e4)))


# What the rules are made of. Each takes arrays (n,) and is honest unless its name says otherwise.


def gold(world: World) -> FloatArray:
    """Return the closes of GLD (n,)."""
    return world.bars.close[:, world.bars.symbols.index("GLD")]


def silver(world: World) -> FloatArray:
    """Return the closes of SLV (n,), with holes."""
    return world.bars.close[:, world.bars.symbols.index("SLV")]


def moves(close: FloatArray) -> FloatArray:
    """Return the daily log returns (n,), NaN first."""
    return np.concatenate([[np.nan], np.diff(np.log(close))])


def rolled(values: FloatArray, rule: Callable[[FloatArray], float], n: int = N) -> FloatArray:
    """Return `rule` of the last `n` values at each session."""
    out = np.full(len(values), np.nan)
    for i in range(n - 1, len(values)):
        out[i] = rule(values[i - n + 1 : i + 1])
    return out


def expanded(values: FloatArray, rule: Callable[[FloatArray], float], least: int = N) -> FloatArray:
    """Return `rule` of all values so far at each session."""
    out = np.full(len(values), np.nan)
    for i in range(least, len(values)):
        out[i] = rule(values[: i + 1])
    return out


def moved_back(values: FloatArray, n: int = 1) -> FloatArray:
    """Return each session's value as of `n` sessions later: a leak by itself."""
    return np.concatenate([values[n:], np.full(n, np.nan)])


def delayed(values: FloatArray, n: int = 1) -> FloatArray:
    """Return each session's value of `n` sessions before."""
    return np.concatenate([np.full(n, np.nan), values[: len(values) - n]])


def carried(values: FloatArray) -> FloatArray:
    """Fill holes with the last known value."""
    out = values.copy()
    for i in range(1, len(out)):
        if math.isnan(out[i]):
            out[i] = out[i - 1]
    return out


def as_of(world: World, series: str, moment: Callable[[Fact, date, datetime], bool]) -> FloatArray:
    """Return the newest fact of a series at each session for which `moment` says that it may be used."""
    facts = [fact for fact in world.facts if fact.series == series]
    out = np.full(len(world), np.nan)
    for i, (ordinal, close) in enumerate(zip(world.bars.sessions.tolist(), world.closes, strict=True)):
        day = date.fromordinal(ordinal)
        usable = [fact for fact in facts if moment(fact, day, close)]
        if usable:
            out[i] = max(usable, key=lambda fact: (fact.at, fact.known_at)).value
    return out


def _is_known(fact: Fact, _: date, close: datetime) -> bool:
    return fact.known_at <= close


def _is_described(fact: Fact, day: date, _: datetime) -> bool:
    return fact.at.date() <= day


def _is_of_the_day_known(fact: Fact, day: date, _: datetime) -> bool:
    return fact.known_at.date() <= day  # the close is earlier in that day


def revised(world: World, series: str, *, is_honest: bool) -> FloatArray:
    """Return the newest value, of the vintage of then or of the last vintage that there ever was."""
    last = {}
    for fact in sorted((f for f in world.facts if f.series == series), key=lambda fact: fact.known_at):
        last[fact.at] = fact.value
    firsts = as_of(world, series, _is_known)
    if is_honest:
        return firsts
    by_value = {fact.value: last[fact.at] for fact in world.facts if fact.series == series}
    return np.array([by_value.get(value, np.nan) for value in firsts.tolist()])


def z(values: FloatArray) -> float:
    """Return how many deviations the last value lies from the mean."""
    return float((values[-1] - np.nanmean(values)) / np.nanstd(values))


def rank(values: FloatArray) -> float:
    """Return the share of the values that the last one reaches."""
    return float((values <= values[-1]).mean())


def weekly(world: World, *, is_honest: bool) -> FloatArray:
    """Return the week's return, shown through the week that it describes or from its end on."""
    close, weeks = gold(world), (world.bars.sessions - 1) // 7
    out = np.full(len(close), np.nan)
    for week in np.unique(weeks):
        rows = np.flatnonzero(weeks == week)
        if is_honest:
            before = np.flatnonzero(weeks < week)
            if len(before):
                first = np.flatnonzero(weeks == weeks[before[-1]])[0]
                out[rows] = math.log(close[before[-1]] / close[first])
        else:
            out[rows] = math.log(close[rows[-1]] / close[rows[0]])
    return out


def alive(world: World, *, is_honest: bool) -> FloatArray:
    """Return the mean close of the funds that were there then, or of those that are still there."""
    end = date.fromordinal(int(world.bars.sessions[-1]))
    out = np.full(len(world), np.nan)
    for i, ordinal in enumerate(world.bars.sessions.tolist()):
        day = date.fromordinal(ordinal) if is_honest else end
        there = [
            k for k, symbol in enumerate(world.bars.symbols) if world.delisted.get(symbol, date.max) > day
        ]
        out[i] = np.nanmean(world.bars.close[i, there])
    return out


def adjusted(world: World, *, is_honest: bool) -> FloatArray:
    """Return closes less the dividends that followed: up to each session's own day, or to the end."""
    close, days = gold(world), world.bars.sessions.tolist()
    paid = [(day.toordinal(), usd) for (symbol, day), usd in world.paid.items() if symbol == "GLD"]
    out = close.copy()
    if is_honest:  # today's close is what it is; what was paid before lowers the closes before it
        base = np.array([sum(usd for at, usd in paid if at <= day) for day in days])
        return np.asarray(out + base)
    for i, day in enumerate(days):
        out[i] -= sum(usd for at, usd in paid if at > day)
    return out


def slope(pairs: FloatArray) -> float:
    """Return the slope of the first column on the second, (n, 2), where both are known."""
    known = pairs[np.isfinite(pairs).all(axis=1)]
    if len(known) < 3:
        return math.nan
    x = known[:, 1] - known[:, 1].mean()
    return float((x * known[:, 0]).sum() / (x * x).sum())


def betas(world: World, *, is_honest: bool) -> FloatArray:
    """Return the slope of silver on gold over the last 63 sessions, or over all of them."""
    pairs = np.column_stack([moves(carried(silver(world))), moves(gold(world))])
    if not is_honest:
        return np.full(len(pairs), slope(pairs))
    return np.array([slope(pairs[max(0, i - 62) : i + 1]) for i in range(len(pairs))])


def components(world: World, *, is_honest: bool) -> FloatArray:
    """Return the first principal component's score: of the past's loadings, or of the whole sample's."""
    logs = np.log(world.bars.close[:, [k for k, s in enumerate(world.bars.symbols) if s != "SLV"]])
    daily = np.vstack([np.zeros(logs.shape[1]), np.diff(logs, axis=0)])
    if not is_honest:
        return daily @ _loadings(daily)
    out = np.full(len(daily), np.nan)
    for i in range(63, len(daily)):
        out[i] = daily[i] @ _loadings(daily[: i + 1])
    return out


def _loadings(daily: FloatArray) -> FloatArray:
    first = np.linalg.eigh(np.cov(daily.T))[1][:, -1]
    return np.asarray(first * np.sign(first[0]), dtype=np.float64)


def best_lookback(world: World, *, is_honest: bool) -> FloatArray:
    """Return momentum at the lookback that paid best: so far, or in the whole sample."""
    close, daily = gold(world), moves(gold(world))
    lookbacks = (5, 10, 21, 42)
    momenta = [np.concatenate([np.full(n, np.nan), np.log(close[n:] / close[:-n])]) for n in lookbacks]
    gains = [np.nan_to_num(np.sign(delayed(m)) * daily) for m in momenta]
    if not is_honest:
        return momenta[int(np.argmax([gain.sum() for gain in gains]))]
    best = np.argmax(np.cumsum(gains, axis=1), axis=0)
    return np.array([momenta[k][i] for i, k in enumerate(best.tolist())])


def seasonal(world: World, *, is_honest: bool) -> FloatArray:
    """Return the mean return of the calendar month, over the past or over the whole sample."""
    daily = moves(gold(world))
    months = np.array([date.fromordinal(day).month for day in world.bars.sessions.tolist()])
    out = np.full(len(daily), np.nan)
    for i in range(1, len(daily)):
        rows = np.flatnonzero(months == months[i])
        rows = rows[rows <= i] if is_honest else rows
        out[i] = np.nanmean(daily[rows])
    return out


_SMALL: Final = Model(
    start=(0.4, 0.3, 0.3),
    transition=((0.9, 0.08, 0.02), (0.1, 0.8, 0.1), (0.02, 0.18, 0.8)),
    means=((0.1, 0.0, 0.0), (-0.1, 0.0, 0.0), (-0.5, 0.0, 0.0)),
    variances=((0.3, 1.0, 1.0), (1.5, 1.0, 1.0), (9.0, 1.0, 1.0)),
)


def crisis_odds(world: World, *, is_honest: bool) -> FloatArray:
    """Return the probability of the third state: filtered, or smoothed by what came after."""
    rows = np.zeros((len(world), 3))
    rows[:, 0] = 100 * np.nan_to_num(moves(gold(world)))
    memory, alphas = None, []
    for row in rows:
        memory, odds = filtered(_SMALL, memory, row)
        alphas.append(odds)
    if is_honest:
        return np.array(alphas)[:, 2]
    return _smoothed(rows, np.array(alphas))[:, 2]


def _smoothed(rows: FloatArray, alphas: FloatArray) -> FloatArray:
    odds, means, variances = (np.array(each) for each in (_SMALL.transition, _SMALL.means, _SMALL.variances))
    later, out = np.ones(3), alphas.copy()
    for i in range(len(rows) - 2, -1, -1):
        seen = np.exp(-((rows[i + 1, 0] - means[:, 0]) ** 2) / (2 * variances[:, 0])) / variances[:, 0] ** 0.5
        later = odds @ (seen * later)
        later /= later.sum()
        out[i] = alphas[i] * later / (alphas[i] @ later)
    return out


def _two_sided(close: FloatArray) -> FloatArray:
    """Return Hodrick and Prescott's trend of the logs, which looks both ways."""
    n = len(close)
    second = np.diff(np.eye(n), 2, axis=0)
    return np.asarray(
        np.linalg.solve(np.eye(n) + 1600.0 * second.T @ second, np.log(close)), dtype=np.float64
    )


def _ewma(values: FloatArray) -> FloatArray:
    out = values.copy()
    for i in range(1, len(out)):
        out[i] = 0.9 * out[i - 1] + 0.1 * out[i]
    return out


def _filled_back(values: FloatArray) -> FloatArray:
    return carried(values[::-1])[::-1]


def _between(values: FloatArray) -> FloatArray:
    known = np.flatnonzero(np.isfinite(values))
    return np.interp(np.arange(len(values)), known, values[known])


def _without_outliers(daily: FloatArray, middle: FloatArray, spread: FloatArray) -> FloatArray:
    return np.where(np.abs(daily - middle) > 4 * spread, np.nan, daily)


def _mad(values: FloatArray) -> float:
    return float(np.nanmedian(np.abs(values - np.nanmedian(values))))


def _open(world: World) -> FloatArray:
    return world.bars.open[:, world.bars.symbols.index("GLD")]


def _trend(world: World) -> FloatArray:
    return np.sign(gold(world) - rolled(gold(world), np.mean))


def _out_after_a_fall(world: World, *, is_honest: bool) -> FloatArray:
    fell = moves(gold(world)) < -0.01
    return 1.0 - (delayed(fell.astype(float)) if is_honest else fell.astype(float))


def _pair(
    name: str, words: str, leak: Rule, clean: Rule, kind: Kind = Kind.KNOWN, twin: str = "done right"
) -> Pair:
    return Pair(Suspect(name, words, leak, kind), Suspect(f"{name}, {twin}", words, clean, kind))


def _of(rule: Callable[[FloatArray], FloatArray], what: Rule = gold) -> Rule:
    return lambda world: rule(what(world))


def _constant(value: float, like: FloatArray) -> FloatArray:
    return np.full(len(like), value)


def pairs() -> tuple[Pair, ...]:
    """Return the thirty pairs."""
    return (*_windows(), *_scales(), *_holes(), *_releases(), *_samples(), *_fills())


def _windows() -> Iterator[Pair]:
    mean = partial(rolled, rule=np.mean)
    yield _pair(
        "centred window",
        "a mean over ten days on both sides",
        _of(lambda x: moved_back(mean(x), 10)),
        _of(mean),
    )
    yield _pair("negative shift", "tomorrow's return", _of(lambda x: moved_back(moves(x))), _of(moves))
    yield _pair(
        "forward label",
        "the return of the next month, left among the features",
        _of(lambda x: np.log(moved_back(x, N) / x)),
        _of(lambda x: np.log(x / delayed(x, N))),
    )
    yield _pair("two-sided filter", "a trend that looks both ways", _of(_two_sided), _of(_ewma))
    yield _pair(
        "reversed memory", "an exponential mean from the end", _of(lambda x: _ewma(x[::-1])[::-1]), _of(_ewma)
    )
    yield _pair(
        "resample label",
        "a week's return stamped on its first day",
        partial(weekly, is_honest=False),
        partial(weekly, is_honest=True),
    )


def _scales() -> Iterator[Pair]:
    yield _pair(
        "full-sample z-score",
        "scaled by the mean and deviation of all years",
        _of(lambda x: (x - x.mean()) / x.std()),
        _of(lambda x: rolled(x, z)),
    )
    yield _pair(
        "full-sample range",
        "between the lowest and the highest of all years",
        _of(lambda x: (x - x.min()) / (x.max() - x.min())),
        _of(lambda x: (x - np.minimum.accumulate(x)) / np.maximum.accumulate(x)),
    )
    yield _pair(
        "full-sample rank",
        "the percentile among all years",
        _of(lambda x: np.argsort(np.argsort(x)) / len(x)),
        _of(lambda x: rolled(x, rank, 63)),
    )
    yield _pair(
        "full-sample volatility",
        "returns divided by their deviation over all years",
        _of(lambda x: moves(x) / np.nanstd(moves(x))),
        _of(lambda x: moves(x) / rolled(moves(x), np.std)),
    )
    yield _pair(
        "fall from the highest ever",
        "a drawdown from a peak that is yet to come",
        _of(lambda x: 1 - x / x.max()),
        _of(lambda x: 1 - x / np.maximum.accumulate(x)),
    )
    yield _pair(
        "share of the final sum",
        "a path divided by where it ends",
        _of(lambda x: np.nancumsum(moves(x)) / np.nansum(moves(x))),
        _of(lambda x: np.nancumsum(moves(x))),
    )
    yield _pair(
        "full-sample outliers",
        "outliers judged by the spread of all years",
        _of(
            lambda x: _without_outliers(
                moves(x), _constant(float(np.nanmedian(moves(x))), x), _constant(_mad(moves(x)) * 0.5, x)
            )
        ),
        _of(
            lambda x: _without_outliers(moves(x), expanded(moves(x), np.nanmedian), expanded(moves(x), _mad))
        ),
    )


def _holes() -> Iterator[Pair]:
    yield _pair(
        "filled from behind",
        "a hole filled with the next value",
        _of(_filled_back, silver),
        _of(carried, silver),
    )
    yield _pair(
        "interpolated",
        "a straight line across a hole",
        _of(_between, silver),
        _of(carried, silver),
        twin="carried",
    )


def _releases() -> Iterator[Pair]:
    known = partial(as_of, moment=_is_known)
    yield _pair(
        "release on the day that it describes",
        "a weekly balance sheet used from the day that it is about",
        partial(as_of, series=WALCL, moment=_is_described),
        partial(known, series=WALCL),
    )
    yield _pair(
        "report on its Tuesday",
        "positions used three days before they are published",
        partial(as_of, series=COT, moment=_is_described),
        partial(known, series=COT),
    )
    yield _pair(
        "published in the evening",
        "a yield used at the close of the day on which it came out after it",
        partial(as_of, series=YIELD, moment=_is_of_the_day_known),
        partial(known, series=YIELD),
    )
    yield _pair(
        "revised vintage",
        "a value as it was corrected weeks later",
        partial(revised, series=WALCL, is_honest=False),
        partial(revised, series=WALCL, is_honest=True),
    )
    yield _pair(
        "dividends to come",
        "closes lowered by dividends that were not yet paid",
        partial(adjusted, is_honest=False),
        partial(adjusted, is_honest=True),
    )


def _samples() -> Iterator[Pair]:
    for name, words, rule in (
        ("survivorship", "a mean over the funds that are still there at the end", alive),
        ("full-sample beta", "a slope over all years", betas),
        ("full-sample components", "loadings of all years", components),
        ("chosen afterwards", "the lookback that paid best in all years", best_lookback),
        ("seasons of all years", "a month's mean with the years that follow in it", seasonal),
        ("smoothed regime", "state probabilities that know what came after", crisis_odds),
    ):
        yield _pair(name, words, partial(rule, is_honest=False), partial(rule, is_honest=True))


def _fills() -> Iterator[Pair]:
    next_open: Rule = lambda world: moved_back(_open(world))  # noqa: E731
    yield _pair(
        "same-bar fill",
        "filled at the close that gave the signal",
        gold,
        next_open,
        Kind.PAID,
        "at the next open",
    )
    yield _pair(
        "best price of the day",
        "filled at the next day's low",
        lambda world: moved_back(world.bars.low[:, world.bars.symbols.index("GLD")]),
        next_open,
        Kind.PAID,
        "at the next open",
    )
    yield _pair(
        "signal of the same day",
        "the position over a session decided at its close",
        _trend,
        lambda world: delayed(_trend(world)),
        Kind.HELD,
        "decided the day before",
    )
    yield _pair(
        "out before the fall",
        "no position on days that fell by more than 1%",
        partial(_out_after_a_fall, is_honest=False),
        partial(_out_after_a_fall, is_honest=True),
        Kind.HELD,
        "out after the fall",
    )
