"""The audit of series: each alone by its own calendar, its vintages, and those that must add up."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

import numpy as np

from qgtm.adapters.calendar import FIRST_YEAR, xnys
from qgtm.adapters.cot_calendar import is_working_day
from qgtm.adapters.publication import NOW_AND_THEN, is_described, published_at
from qgtm.core.series import COT_CODES, COT_FIELDS, SERIES, Cadence, FeedName
from qgtm.features.bars import FloatArray
from qgtm.reporting.data_bars import named
from qgtm.reporting.data_checks import (
    FACTOR,
    linear,
    missing,
    moves_of,
    off_tick,
    repeated,
    resized,
    runs,
    shifts,
    spikes,
    stuck,
    tick,
    unordered,
)
from qgtm.reporting.data_finding import Fault, Finding, Severity

_DAY: Final = timedelta(days=1)
# Set by a committee or told in whole runs: what repeats is no sign of a fault, and a jump is its nature.
STEPWISE: Final = ("DFF", "SOFR", "WALCL")
LONG_GAP: Final = 20
ENDS: Final = 90  # days before the newest series of a source
LEAST_SHIFT: Final = 0.7
LEAST_LEVEL: Final = 1.5  # points, of what is told in percent
ADDS_UP: Final = 0.021  # of a point: three numbers that are each rounded to a hundredth
# Whole = one less another, as their publishers work it out.
SUMS: Final = (("T10Y2Y", "DGS10", "DGS2"), ("T10YIE", "DGS10", "DFII10"))
REVISED: Final = {FeedName.COT: 0.05, FeedName.FRED: 0.005}


@dataclass(frozen=True, eq=False, slots=True)
class Numbers:
    """One series as a source has it, the newest value of each day; NaN where there is a row and no value."""

    name: str
    source: str
    days: list[date]
    values: FloatArray
    revisions: Sequence["Revision"] = ()


@dataclass(frozen=True, slots=True)
class Revision:
    """One vintage of a day's value: since when it is known, and whether it is the first."""

    day: date
    known_at: datetime
    value: float
    before: float | None


def audit_series(every: Sequence[Numbers]) -> Iterator[Finding]:
    """Yield what is wrong with series of one source: each alone, then those that must add up."""
    by_name = {numbers.name: numbers for numbers in every}
    newest = max((numbers.days[-1] for numbers in every if numbers.days), default=None)
    for numbers in every:
        yield from _rows(numbers)
        usable = _usable(numbers)
        if usable.days and newest is not None:
            yield from _coverage(numbers, usable, newest)
        if len(usable.days) > 5:
            yield from _values(usable)
        yield from _vintages(numbers)
    for whole, one, less in SUMS:
        if all(name in by_name for name in (whole, one, less)):
            yield from _adds_up(*(_usable(by_name[name]) for name in (whole, one, less)))
    yield from _positions({name: _usable(n) for name, n in by_name.items() if name.startswith("COT_")})


def _found(numbers: Numbers, fault: Fault, severity: Severity, days: Sequence[date], said: str) -> Finding:
    return Finding(
        fault=fault,
        severity=severity,
        subject=numbers.name,
        source=numbers.source,
        start=min(days, default=None),
        end=max(days, default=None),
        count=len(days),
        evidence=said,
    )


def _is_hourly(name: str) -> bool:
    return name in SERIES and SERIES[name].cadence is Cadence.HOURLY


def _rows(numbers: Numbers) -> Iterator[Finding]:
    days = numbers.days
    if not _is_hourly(numbers.name):
        if rows := repeated(days):
            twice = [days[row] for row in rows]
            yield _found(numbers, Fault.DUPLICATE, Severity.RED, twice, f"{named(twice)} stand there twice")
        if rows := unordered(days):
            back = [days[row] for row in rows]
            said = f"rows are out of order at {named(back)}"
            yield _found(numbers, Fault.DUPLICATE, Severity.YELLOW, back, said)
    bad = [days[row] for row in np.flatnonzero(np.isinf(numbers.values)).tolist()]
    if bad:
        yield _found(numbers, Fault.NONSENSE, Severity.RED, bad, f"{named(bad)} hold no finite number")
    odd = [day for day in days if _is_odd(numbers.name, day)]
    if odd:
        said = f"there are values of {named(odd)}, on which none is published"
        yield _found(numbers, Fault.STRAY, Severity.YELLOW, odd, said)


def _is_odd(name: str, day: date) -> bool:
    """Return whether a series cannot describe a day; holidays that others keep are no matter here."""
    if name in SERIES and SERIES[name].feed is FeedName.COT:
        return day.weekday() > 2
    if name == "DFF" or _is_hourly(name):
        return False
    return day.weekday() != 2 if name == "WALCL" else day.weekday() > 4


def _usable(numbers: Numbers) -> Numbers:
    first: dict[date, int] = {}
    for row in np.flatnonzero(np.isfinite(numbers.values)).tolist():
        first.setdefault(numbers.days[row], row)
    order = [first[day] for day in sorted(first)]
    kept = [numbers.days[row] for row in order]
    return Numbers(numbers.name, numbers.source, kept, numbers.values[order])


def _expected(name: str, start: date, end: date) -> list[date]:
    """Return the days that should have a value; of a series that we do not know, what both calendars keep."""
    days = (start + n * _DAY for n in range((end - start).days + 1))
    if name in SERIES:
        return [day for day in days if is_described(name, day)]
    return [day for day in days if is_working_day(day) and xnys().session_on(day) is not None]


def _coverage(numbers: Numbers, usable: Numbers, newest: date) -> Iterator[Finding]:
    if (newest - usable.days[-1]).days > ENDS:
        said = f"the last value is of {usable.days[-1]}, and other series go on until {newest}"
        yield _found(numbers, Fault.ENDS, Severity.YELLOW, usable.days[-1:], said)
    if numbers.name in NOW_AND_THEN:
        return
    start = max(usable.days[0], date(FIRST_YEAR, 1, 3))
    expected = _expected(numbers.name, start, usable.days[-1])
    if gone := missing(usable.days, expected):
        longest = max(len(run) for run in runs([expected.index(day) for day in gone]))
        there = set(numbers.days)
        blank = sum(day in there for day in gone)
        said = (
            f"{len(gone)} of {len(expected)} days have no value ({named(gone)}), {longest} in a row at most; "
            f"{blank} of them are told as empty"
        )
        severity = Severity.RED if longest >= LONG_GAP else Severity.YELLOW
        yield _found(numbers, Fault.GAP, severity, gone, said)


def _values(numbers: Numbers) -> Iterator[Finding]:
    name, values, days = numbers.name, numbers.values, numbers.days
    if _is_return(name):
        yield from _great(numbers)
        return
    if _is_hourly(name):
        return
    step = tick(values)
    if rows := off_tick(values, step):
        off = [days[row] for row in rows]
        said = f"values are told in steps of {step:g}, and those of {named(off)} are not"
        yield _found(numbers, Fault.INTERPOLATED, Severity.YELLOW, off, said)
    if name not in STEPWISE:
        yield from _made_up(numbers, step)
    yield from _jumps(numbers, step)


def _made_up(numbers: Numbers, step: float) -> Iterator[Finding]:
    days = numbers.days
    if rows := linear(numbers.values, 7 if step else 2):
        on = [days[row] for row in rows]
        said = f"{len(on)} values lie on a straight line between their neighbours ({named(on)})"
        yield _found(numbers, Fault.INTERPOLATED, Severity.RED, on, said)
    if rows := stuck(numbers.values, 15 if step else 2):
        on = [days[row] for row in rows]
        said = f"{len(on)} values repeat the one before ({named(on)})"
        yield _found(numbers, Fault.INTERPOLATED, Severity.YELLOW, on, said)


def _jumps(numbers: Numbers, step: float) -> Iterator[Finding]:
    values, days = numbers.values, numbers.days
    moves, is_log = moves_of(values)
    least = 0.05 if is_log else max(5 * step, 1e-9)
    for row in spikes(moves, least):
        said = f"{days[row]} is {values[row]:.6g}, between {values[row - 1]:.6g} and {values[row + 1]:.6g}"
        yield _found(numbers, Fault.OUTLIER, Severity.RED, [days[row]], said)
    bound = LEAST_SHIFT if is_log else LEAST_LEVEL if _is_percent(numbers.name) else 0.0
    changed = shifts(moves, max(bound, least), 20.0) if bound else []
    for row in changed:
        last = row == len(values) - 1
        said = f"{days[row - 1]} is {values[row - 1]:.6g} and {days[row]} is {values[row]:.6g}"
        fault = Fault.OUTLIER if last else Fault.UNIT
        yield _found(
            numbers, fault, Severity.RED, [days[row]], f"{said}{'' if last else ', and so it stays'}"
        )
    if not changed and numbers.name not in STEPWISE:
        for row in resized(np.diff(values)):
            said = (
                f"from {days[row]} on its moves are of another size than before, by {FACTOR:g} times or more"
            )
            yield _found(numbers, Fault.UNIT, Severity.RED, [days[row]], said)


def _is_return(name: str) -> bool:
    return name in SERIES and SERIES[name].unit == "log return"


def _is_percent(name: str) -> bool:
    return name not in SERIES or SERIES[name].unit == "percent"


def _great(numbers: Numbers) -> Iterator[Finding]:
    size = np.abs(numbers.values)
    bound = max(0.05, 25 * 1.4826 * float(np.median(size)))
    if rows := np.flatnonzero(size > bound).tolist():
        days = [numbers.days[row] for row in rows]
        said = f"{named(days)}: a return of {numbers.values[rows[0]]:+.1%} within part of a session"
        yield _found(numbers, Fault.OUTLIER, Severity.RED, days, said)


# --- vintages ------------------------------------------------------------------------------------


def _vintages(numbers: Numbers) -> Iterator[Finding]:
    """Check since when values are known, and by how much they were revised."""
    if not numbers.revisions or numbers.name not in SERIES or _is_hourly(numbers.name):
        return
    early = [
        each
        for each in numbers.revisions
        if is_described(numbers.name, each.day)
        and each.known_at.date() < published_at(numbers.name, each.day).date()
    ]
    if early:
        first = early[0]
        said = (
            f"the value of {first.day} is known since {first.known_at:%Y-%m-%d}, and was published on "
            f"{published_at(numbers.name, first.day):%Y-%m-%d}; {len(early)} such values"
        )
        yield _found(numbers, Fault.VINTAGE, Severity.RED, [each.day for each in early], said)
    bound = REVISED.get(SERIES[numbers.name].feed, 0.0)
    great = [each for each in numbers.revisions if each.before is not None and _is_great(each, bound)]
    if great:
        one = great[0]
        said = (
            f"{len(great)} values were revised by more than {bound:.1%}, such as {one.day} from "
            f"{one.before:.6g} to {one.value:.6g} on {one.known_at:%Y-%m-%d}"
        )
        yield _found(numbers, Fault.VINTAGE, Severity.YELLOW, [each.day for each in great], said)
    yield from _drift(numbers)


def _is_great(each: Revision, bound: float) -> bool:
    before = each.before or 0.0
    return abs(each.value - before) > bound * max(abs(before), 1e-9)


def _drift(numbers: Numbers) -> Iterator[Finding]:
    """Check whether revisions go one way: then the first word is biased."""
    changes = np.array([each.value - each.before for each in numbers.revisions if each.before is not None])
    if len(changes) < 20:
        return
    share = float(np.mean(changes > 0))
    if abs(share - 0.5) * 2 * np.sqrt(len(changes)) > 4.0:  # a sign test, four deviations
        days = [each.day for each in numbers.revisions if each.before is not None]
        said = f"{share:.0%} of {len(changes)} revisions go up, the mean is {float(changes.mean()):+.4g}"
        yield _found(numbers, Fault.VINTAGE, Severity.YELLOW, days, said)


# --- what must add up ---------------------------------------------------------------------------


def _adds_up(whole: Numbers, one: Numbers, less: Numbers) -> Iterator[Finding]:
    values = [dict(zip(n.days, n.values.tolist(), strict=True)) for n in (whole, one, less)]
    days = sorted(set(values[0]) & set(values[1]) & set(values[2]))
    off = [day for day in days if abs(values[0][day] - values[1][day] + values[2][day]) > ADDS_UP]
    if off:
        day = off[0]
        said = (
            f"{whole.name} is not {one.name} less {less.name} on {named(off)}: "
            f"{values[0][day]:.4g} against {values[1][day]:.4g} - {values[2][day]:.4g}"
        )
        yield _found(whole, Fault.CROSS, Severity.RED, off, said)


def _positions(by_name: Mapping[str, Numbers]) -> Iterator[Finding]:
    """Check that no group holds more than there is."""
    for metal in COT_CODES:
        whole = by_name.get(f"COT_{metal}_OI")
        if whole is None:
            continue
        there = dict(zip(whole.days, whole.values.tolist(), strict=True))
        for field in COT_FIELDS:
            part = by_name.get(f"COT_{metal}_{field}")
            pairs = [] if part is None else zip(part.days, part.values.tolist(), strict=True)
            over = [day for day, held in pairs if not 0 <= held <= there.get(day, held)]
            if over and part is not None:
                said = f"more is held than there is, or less than nothing, on {named(over)}"
                yield _found(part, Fault.NONSENSE, Severity.RED, over, said)
