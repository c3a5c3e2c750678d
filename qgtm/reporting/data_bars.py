"""The audit of daily bars: one symbol alone, and symbols that must move together."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np

from qgtm.adapters.calendar import FIRST_YEAR, xnys
from qgtm.core.bar import nonsense
from qgtm.core.universe import LEVERAGE, PRIMARY, REFERENCE, SECTOR
from qgtm.features.bars import FIELDS, FloatArray
from qgtm.reporting.data_checks import (
    Rows,
    borne_out,
    linear,
    missing,
    moves_of,
    repeated,
    runs,
    shifts,
    spikes,
    stuck,
    unordered,
)
from qgtm.reporting.data_finding import Fault, Finding, Severity

OPEN, HIGH, LOW, CLOSE, VOLUME = range(5)
CENT: Final = 0.01 + 1e-9  # of rounding, between a high and what lies below it
LEAST_SPIKE: Final = 0.05
LEAST_SHIFT: Final = 0.35  # of the logarithm: what no fund here did in a session without its peers
LEAST_WICK: Final = 0.15
LONE: Final = 60  # sessions without a bar after which rows stand alone
ENDS: Final = 5
LONG_GAP: Final = 20
APART: Final = 0.03  # of a day's return, between two wrappers of one metal
DIVIDEND: Final = 0.10  # of the price: miners' funds have paid a twentieth at the end of a year
METALS: Final = ("gold", "silver", "platinum_palladium")
MINERS: Final = ("gold_miners", "silver_miners")


@dataclass(frozen=True, eq=False, slots=True)
class Prices:
    """One symbol's bars as a source has them, oldest first or not; NaN where a cell is no number."""

    symbol: str
    source: str
    days: list[date]
    values: FloatArray  # (n, 5)
    adjusted: FloatArray | None = None  # (n,) closes


def audit_bars(every: Sequence[Prices]) -> Iterator[Finding]:
    """Yield what is wrong with bars of one source: each alone, then each against its peers."""
    clean: dict[str, Prices] = {}
    for prices in every:
        yield from _rows(prices)
        clean[prices.symbol] = _usable(prices)
    last = max((prices.days[-1] for prices in clean.values() if prices.days), default=None)
    moves = {symbol: _moves(prices) for symbol, prices in clean.items() if len(prices.days) > 2}
    for prices in clean.values():
        if prices.days and last is not None:
            yield from _coverage(prices, last)
        if len(prices.days) > 2:
            yield from _shape(prices)
            yield from _jumps(prices, moves)
    for symbol, primary in PRIMARY.items():
        if symbol != primary and symbol in clean and primary in clean:
            yield from _wrapper(clean[symbol], clean[primary])


def _found(prices: Prices, fault: Fault, severity: Severity, days: Sequence[date], evidence: str) -> Finding:
    return Finding(
        fault=fault,
        severity=severity,
        subject=prices.symbol,
        source=prices.source,
        start=min(days, default=None),
        end=max(days, default=None),
        count=len(days),
        evidence=evidence,
    )


def named(days: Sequence[date], most: int = 4) -> str:
    """Return the first few days in words."""
    more = f" and {len(days) - most} more" if len(days) > most else ""
    return ", ".join(map(str, days[:most])) + more


def _rows(prices: Prices) -> Iterator[Finding]:
    """Check what each row says by itself."""
    days = prices.days
    if rows := repeated(days):
        twice = [days[row] for row in rows]
        yield _found(prices, Fault.DUPLICATE, Severity.RED, twice, f"there are two bars of {named(twice)}")
    if rows := unordered(days):
        back = [days[row] for row in rows]
        yield _found(
            prices, Fault.DUPLICATE, Severity.YELLOW, back, f"rows are out of order at {named(back)}"
        )
    bad = {row: why for row, bar in enumerate(prices.values.tolist()) if (why := _nonsense(bar))}
    if bad:
        where = [days[row] for row in bad]
        why = f"{days[min(bad)]}: {bad[min(bad)]}"
        yield _found(
            prices, Fault.NONSENSE, Severity.RED, where, f"{len(bad)} bars cannot be true, such as {why}"
        )
    idle = [days[row] for row in np.flatnonzero(prices.values[:, VOLUME] == 0).tolist() if row not in bad]
    if idle:
        share = f"{len(idle)} of {len(days)} rows have a volume of zero, such as {named(idle)}"
        yield _found(prices, Fault.NO_TRADE, Severity.YELLOW, idle, share)


def _nonsense(bar: list[float]) -> str | None:
    open_, high, low, close, volume = bar
    top = high if high < low else max(high, min(max(open_, close), high + CENT))
    floor = min(low, max(min(open_, close), low - CENT))
    return nonsense(open_, top, floor, close, volume)


def _usable(prices: Prices) -> Prices:
    """Return the rows that can be judged: each day once, no nonsense, traded, of a session."""
    first: dict[date, int] = {}
    for row, day in enumerate(prices.days):
        if day not in first and not _nonsense(prices.values[row].tolist()) and prices.values[row, VOLUME] > 0:
            first[day] = row
    sessions = {day for day in first if day.year >= FIRST_YEAR and xnys().session_on(day) is not None}
    order = [first[day] for day in sorted(sessions)]
    adjusted = None if prices.adjusted is None else prices.adjusted[order]
    kept = [prices.days[row] for row in order]
    return Prices(prices.symbol, prices.source, kept, prices.values[order], adjusted)


def _coverage(prices: Prices, last: date) -> Iterator[Finding]:
    """Check which sessions are there."""
    days, lone = prices.days, _lone(prices.days)
    if lone:
        evidence = f"{named(days[:lone])} stand alone, {LONE} sessions or more before the rest"
        yield _found(prices, Fault.STRAY, Severity.YELLOW, days[:lone], evidence)
    sessions = [each.day for each in xnys().sessions(days[lone], last)]
    inside = [day for day in sessions if day <= days[-1]]
    if gone := missing(days[lone:], inside):
        longest = max(len(run) for run in runs([inside.index(day) for day in gone]))
        evidence = (
            f"{len(gone)} of {len(inside)} sessions have no bar that was traded ({named(gone)}), "
            f"{longest} in a row at most"
        )
        severity = Severity.RED if longest >= LONG_GAP else Severity.YELLOW
        yield _found(prices, Fault.GAP, severity, gone, evidence)
    after = [day for day in sessions if day > days[-1]]
    if len(after) > ENDS:
        evidence = f"the last bar is of {days[-1]}, {len(after)} sessions before that of other symbols"
        yield _found(prices, Fault.ENDS, Severity.YELLOW, [days[-1]], evidence)


def _lone(days: list[date]) -> int:
    """Return how many rows at the start stand alone: fewer than five, long before the next."""
    for row in range(1, min(6, len(days))):
        if len(xnys().sessions(days[row - 1], days[row])) > LONE:
            return row
    return 0


def audit_strays(prices: Prices) -> Iterator[Finding]:
    """Yield the rows of days on which New York did not trade."""
    odd = [d for d in prices.days if d.year >= FIRST_YEAR and xnys().session_on(d) is None]
    if odd:
        evidence = f"New York did not trade on {named(odd)}"
        yield _found(prices, Fault.STRAY, Severity.YELLOW, odd, evidence)


def _shape(prices: Prices) -> Iterator[Finding]:
    """Check what rows say beside their neighbours, without a second source."""
    prices_only = prices.values[:, :VOLUME]
    straight = [set(linear(prices_only[:, field], 2)) for field in range(VOLUME)]
    if rows := sorted(set.intersection(*straight)):
        days = [prices.days[row] for row in rows]
        evidence = f"open, high, low and close lie on one straight line at {named(days)}"
        yield _found(prices, Fault.INTERPOLATED, Severity.RED, days, evidence)
    same = [set(stuck(prices.values[:, field], 1)) for field in range(len(FIELDS))]
    if rows := sorted(set.intersection(*same)):
        days = [prices.days[row] for row in rows]
        evidence = f"the whole bar repeats the one before at {named(days)}"
        yield _found(prices, Fault.INTERPOLATED, Severity.RED, days, evidence)
    yield from _volumes(prices)
    yield from _adjustment(prices)


def _volumes(prices: Prices) -> Iterator[Finding]:
    if len(prices.days) < 43:
        return
    medians = np.median(np.lib.stride_tricks.sliding_window_view(prices.values[:, VOLUME], 21), axis=1)
    ratio = np.abs(np.log(medians[21:] / medians[:-21]))
    for run in runs(np.flatnonzero(ratio > np.log(20.0)).tolist()):
        row = max(run, key=lambda at: ratio[at]) + 21
        factor = float(medians[row] / medians[row - 21])
        evidence = f"volume is {factor:.3g} times what it was before {prices.days[row]}"
        yield _found(prices, Fault.UNIT, Severity.YELLOW, [prices.days[row]], evidence)


def _adjustment(prices: Prices) -> Iterator[Finding]:
    """Hold adjusted closes against raw ones: their ratio moves on few days, up in time, by a dividend."""
    if prices.adjusted is None:
        return
    ratio = prices.adjusted / prices.values[:, CLOSE]
    steps = np.diff(np.log(ratio))
    moved = np.flatnonzero(np.abs(steps) > 2e-4).tolist()
    odd = [row + 1 for row in moved if steps[row] < 0 or steps[row] > DIVIDEND]
    if len(moved) > len(steps) / 5:
        odd = [row + 1 for row in moved]
    if odd:
        days = [prices.days[row] for row in odd]
        change = float(np.exp(steps[odd[0] - 1]) - 1)
        evidence = (
            f"adjusted over raw close moves by {change:+.2%} on {days[0]}, which is no dividend "
            f"({len(odd)} such days, {named(days)})"
        )
        yield _found(prices, Fault.ADJUSTED, Severity.RED, days, evidence)
    if abs(float(ratio[-1]) - 1) > 0.001:
        evidence = f"the newest adjusted close is {ratio[-1]:.4f} times the raw one, and both should be equal"
        yield _found(prices, Fault.ADJUSTED, Severity.YELLOW, [prices.days[-1]], evidence)


# --- against others ---------------------------------------------------------------------------------


def _moves(prices: Prices) -> dict[date, float]:
    """Return the log return of each day, dollars of metal or miners in a leveraged fund."""
    moves, _ = moves_of(prices.values[:, CLOSE])
    times = LEVERAGE.get(prices.symbol, 1)
    return {day: float(move) / times for day, move in zip(prices.days[1:], moves, strict=True)}


def _peers(symbol: str) -> list[str]:
    """Return who moves with a symbol: its own kind, else its sector, else all of metal or of miners."""
    sector = SECTOR.get(symbol)
    if sector is None:
        return [peer for peer in REFERENCE if peer != symbol]
    kin = METALS if sector in METALS else MINERS if sector in MINERS else (*METALS, *MINERS)
    return [peer for peer, where in SECTOR.items() if peer != symbol and where in kin]


def _jumps(prices: Prices, moves: Mapping[str, dict[date, float]]) -> Iterator[Finding]:
    """Check great moves that no peer bears out."""
    close = prices.values[:, CLOSE]
    own, _ = moves_of(close)
    peers = [moves[peer] for peer in _peers(prices.symbol) if peer in moves]
    sign = np.sign(LEVERAGE.get(prices.symbol, 1))

    def is_alone(row: int) -> bool:
        day = prices.days[row]
        return not borne_out(own * sign, row, [lambda _, of=of: of.get(day) for of in peers])  # type: ignore[misc]

    last = len(close) - 1
    for row in spikes(own, LEAST_SPIKE):
        if is_alone(row):
            yield _spike(prices, row, "and is back at once")
    for row in shifts(own, LEAST_SHIFT):
        if is_alone(row) and row == last:
            yield _spike(prices, row, "on the last day there is")
        elif is_alone(row):
            factor = close[row] / close[row - 1]
            evidence = (
                f"from {prices.days[row]} on prices are {factor:.4g} times those before: "
                "a split that was not adjusted, or another unit"
            )
            yield _found(prices, Fault.UNIT, Severity.RED, [prices.days[row]], evidence)
    yield from _wicks(prices)


def _spike(prices: Prices, row: int, then: str) -> Finding:
    close = prices.values[:, CLOSE]
    evidence = (
        f"the close of {prices.days[row]} is {close[row] / close[row - 1]:.4g} times the one before {then}, "
        "and no other symbol moved with it"
    )
    return _found(prices, Fault.OUTLIER, Severity.RED, [prices.days[row]], evidence)


def _wicks(prices: Prices) -> Iterator[Finding]:
    """Check highs, lows and opens that are far from their own close and the one before."""
    values = prices.values
    before = np.concatenate([values[:1, CLOSE], values[:-1, CLOSE]])
    top = np.maximum(np.maximum(values[:, CLOSE], before), 1e-12)
    floor = np.minimum(values[:, CLOSE], before)
    with np.errstate(divide="ignore"):
        reach = np.maximum(
            np.log(np.maximum(values[:, HIGH], values[:, OPEN]) / top),
            np.log(floor / np.minimum(values[:, LOW], values[:, OPEN])),
        )
    usual = float(np.median(np.maximum(reach, 0.0)))
    rows: Rows = np.flatnonzero(reach > max(LEAST_WICK, 12 * usual)).tolist()
    if rows:
        days = [prices.days[row] for row in rows]
        evidence = (
            f"open, high or low of {named(days)} is {np.exp(reach[rows[0]]):.3g} times beyond both closes"
        )
        yield _found(prices, Fault.OUTLIER, Severity.YELLOW, days, evidence)


def _wrapper(prices: Prices, primary: Prices) -> Iterator[Finding]:
    """Hold two wrappers of one metal against each other, day by day."""
    ours, theirs = (dict(zip(p.days, p.values[:, CLOSE].tolist(), strict=True)) for p in (prices, primary))
    days = sorted(set(ours) & set(theirs))
    if len(days) < 3:
        return
    gap = np.diff(np.log([ours[d] / theirs[d] for d in days]))
    bound = max(APART, 12 * 1.4826 * float(np.median(np.abs(gap))))
    far = [days[row + 1] for row in np.flatnonzero(np.abs(gap) > bound).tolist()]
    if far:
        worst = float(np.abs(gap).max())
        evidence = (
            f"{prices.symbol} and {primary.symbol} hold one metal, and their returns differ by up to "
            f"{worst:.1%} ({named(far)})"
        )
        yield _found(prices, Fault.CROSS, Severity.YELLOW, far, evidence)
