"""The audit of data: of a folder of files as they lie there, or of the store with all its vintages.

A folder may hold, at any depth, daily bars (`date, open, high, low, close, volume`, one symbol a file),
series (`date, value`, one a file) and the CFTC's yearly files; each folder is judged as one source. Nothing
is refused at the first fault, and nothing is mended.
"""

import csv
import math
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np

from qgtm.adapters import cot_calendar
from qgtm.adapters.feed_cot import weeks_from_zip
from qgtm.adapters.files import unread
from qgtm.adapters.lake import Lake
from qgtm.adapters.vintage import instant_of
from qgtm.core.errors import FeedError
from qgtm.core.universe import SYMBOLS
from qgtm.features.bars import FIELDS
from qgtm.reporting.data_bars import Prices, audit_bars, audit_strays
from qgtm.reporting.data_finding import Fault, Finding, Severity, by_severity
from qgtm.reporting.data_series import Numbers, Revision, audit_series

ADJUSTED: Final = "adj_close"
STAMP_DAYS: Final = 7
Table = tuple[list[str], list[list[str]]]


@dataclass(frozen=True, slots=True)
class DataAudit:
    """What was looked at, in words, what was found, and which files nobody could judge."""

    looked_at: tuple[str, ...]
    findings: tuple[Finding, ...]
    passed_over: tuple[str, ...] = ()


def audit_folder(root: Path) -> DataAudit:
    """Return what is wrong with the files below a folder. Raises FeedError when there are none to judge."""
    if not root.is_dir():
        raise FeedError(f"{root} is no folder; name one that holds files of bars or series.")
    findings: list[Finding] = []
    looked: list[str] = []
    over: list[str] = []
    for folder in sorted({path.parent for path in root.rglob("*") if path.is_file()}):
        source = "." if folder == root else str(folder.relative_to(root))
        files = sorted(path for path in folder.iterdir() if path.is_file())
        tables = [path for path in files if path.suffix in (".csv", ".parquet")]
        packed = [path for path in files if path.suffix == ".zip"]
        over += [str(path.relative_to(root)) for path in files if path not in tables and path not in packed]
        found, words = _folder(tables, packed, source)
        findings += found
        looked += words
    if not looked and not findings:
        raise FeedError(f"{root} holds no .csv, .parquet or .zip file to judge.")
    return DataAudit(tuple(looked), by_severity(findings), tuple(over))


def _folder(tables: Sequence[Path], packed: Sequence[Path], source: str) -> tuple[list[Finding], list[str]]:
    findings: list[Finding] = []
    bars: list[Prices] = []
    series: list[Numbers] = []
    for path in tables:
        taken = _taken(path, source)
        if isinstance(taken, Finding):
            findings.append(taken)
        elif isinstance(taken, Prices):
            bars.append(taken)
            findings += _strange_fields(path, source)
        else:
            series.append(taken)
    weeks, told = _reports(packed, source)
    findings += told
    findings += [*audit_bars(bars), *(found for each in bars for found in audit_strays(each))]
    findings += audit_series([*series, *weeks])
    words = []
    if bars:
        words.append(f"{source}: {len(bars)} symbols, {sum(len(b.days) for b in bars):,} bars")
    if series:
        words.append(f"{source}: {len(series)} series, {sum(len(s.days) for s in series):,} values")
    if weeks:
        words.append(f"{source}: {len(packed)} yearly files, {sum(len(w.days) for w in weeks):,} positions")
    return findings, words


# --- files -------------------------------------------------------------------------------------


def _table(path: Path) -> Table:
    if path.suffix == ".parquet":
        return _parquet(path)
    try:
        with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
            rows = [row for row in csv.reader(file) if row]
    except OSError as problem:
        raise FeedError(unread(problem, path)) from None
    head = [name.strip().lower() for name in rows[0]] if rows else []
    return head, rows[1:]


def _parquet(path: Path) -> Table:
    import duckdb

    with duckdb.connect() as connection:
        try:
            found = connection.execute("select * from read_parquet(?)", [str(path)])
            head = [str(column[0]).lower() for column in found.description or ()]
            return head, [["" if cell is None else str(cell) for cell in row] for row in found.fetchall()]
        except duckdb.Error as problem:
            raise FeedError(f"{path.name} is no Parquet: {problem}") from None


def _taken(path: Path, source: str) -> Prices | Numbers | Finding:
    try:
        head, rows = _table(path)
    except FeedError as problem:
        return _unusable(path, source, str(problem))
    wanted = _wanted(head)
    lacking = [name for name in wanted if name not in head]
    if lacking:
        named = f"it has no column {' or '.join(lacking)}; its columns are {', '.join(head)}"
        return _unusable(path, source, named)
    at = [head.index(name) for name in wanted]
    dated = [(day, row) for row in rows if (day := _day(row, at[0])) is not None]
    if len(dated) < len(rows) or not rows:
        return _unusable(path, source, f"{len(rows) - len(dated)} of {len(rows)} rows have no day")
    days = [day for day, _ in dated]
    values = np.array([[_number(row, place) for place in at[1:]] for _, row in dated])
    if wanted[1:] == ("value",):
        return Numbers(path.stem, source, days, values[:, 0])
    raw = [_number(row, head.index(ADJUSTED)) for _, row in dated] if ADJUSTED in head else None
    return Prices(path.stem, source, days, values, None if raw is None else np.array(raw))


def _wanted(head: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that a file of this kind must have: any column of bars makes it one of bars."""
    is_bars = any(name in head for name in FIELDS)
    return ("date", *FIELDS) if is_bars else ("date", "value")


def _strange_fields(path: Path, source: str) -> Iterator[Finding]:
    head, _ = _table(path)
    known = ("date", *FIELDS, ADJUSTED)
    if strange := [name for name in head if name not in known]:
        said = f"it has a column {', '.join(strange)} that nobody knows"
        yield _unusable(path, source, said, Severity.YELLOW)


def _unusable(path: Path, source: str, why: str, severity: Severity = Severity.RED) -> Finding:
    return Finding(
        fault=Fault.FIELD,
        severity=severity,
        subject=path.stem,
        source=source,
        start=None,
        end=None,
        count=1,
        evidence=f"{path.name}: {why}",
    )


def _day(row: Sequence[str], place: int) -> date | None:
    try:
        return date.fromisoformat(row[place].strip()[:10])
    except (ValueError, IndexError):
        return None


def _number(row: Sequence[str], place: int) -> float:
    try:
        return float(row[place])
    except (ValueError, IndexError):
        return math.nan  # "." and nothing are how FRED says that there is no value


def _reports(packed: Sequence[Path], source: str) -> tuple[list[Numbers], list[Finding]]:
    findings: list[Finding] = []
    rows: dict[str, list[tuple[date, float]]] = {}
    for path in packed:
        try:
            weeks = weeks_from_zip(path.read_bytes())
        except (FeedError, OSError) as problem:
            findings.append(_unusable(path, source, str(problem)))
            continue
        for week in weeks:
            for field, contracts in week.contracts.items():
                rows.setdefault(f"COT_{week.metal}_{field}", []).append((week.as_of, float(contracts)))
        findings += _stamp(path, source, max(week.as_of for week in weeks))
    found = []
    for name, pairs in rows.items():
        pairs.sort(key=lambda pair: pair[0])
        days, values = zip(*pairs, strict=True)
        found.append(Numbers(name, source, list(days), np.array(values)))
    return found, findings


def _stamp(path: Path, source: str, last: date) -> Iterator[Finding]:
    """Tell of a file whose own stamp is far from its last report: then it is no time of publication."""
    with zipfile.ZipFile(path) as file:
        stamped = datetime(*file.infolist()[0].date_time).date()  # noqa: DTZ001  it says no zone
    due = cot_calendar.published_at(last).date()
    if abs(stamped - due) > timedelta(days=STAMP_DAYS) or stamped < due:
        said = (
            f"{path.name} is stamped {stamped}, and its last report, of {last}, was out on {due}: take that"
        )
        yield Finding(
            fault=Fault.VINTAGE,
            severity=Severity.INFO,
            subject=path.stem,
            source=source,
            start=last,
            end=last,
            count=1,
            evidence=said,
        )


# --- the store -----------------------------------------------------------------------------------


def audit_lake(lake: Lake, now: datetime) -> DataAudit:
    """Return what is wrong with the store at `now`: bars on the scale of then, series with every vintage."""
    source = "store"
    bars = _prices(lake, now, source)
    series = [_numbers(lake, name, now, source) for name in lake.names()]
    files = [
        Finding(
            fault=Fault.FILE,
            severity=Severity.RED,
            subject=source,
            source=source,
            start=None,
            end=None,
            count=1,
            evidence=problem,
        )
        for problem in lake.problems
    ]
    findings = [*files, *audit_bars(bars), *audit_series([each for each in series if each.days])]
    looked = (
        f"{source}: {len(bars)} symbols, {sum(len(b.days) for b in bars):,} bars",
        f"{source}: {len(series)} series, {sum(len(s.days) for s in series):,} values, "
        f"{sum(len(lake.vintages(name)) for name in lake.names()):,} vintages",
    )
    return DataAudit(looked, by_severity(findings))


def _prices(lake: Lake, now: datetime, source: str) -> list[Prices]:
    bars = lake.bars(now, [symbol for symbol in SYMBOLS if symbol in lake.symbols()])
    days = [date.fromordinal(int(each)) for each in bars.sessions]
    found = []
    for column, symbol in enumerate(bars.symbols):
        values = np.column_stack([getattr(bars, field)[:, column] for field in FIELDS])
        there = np.flatnonzero(np.isfinite(values[:, 3])).tolist()
        found.append(Prices(symbol, source, [days[row] for row in there], values[there]))
    return found


def _numbers(lake: Lake, name: str, now: datetime, source: str) -> Numbers:
    window = lake.window(name, now, 10**9)
    days = [moment.date() for moment in window.described.tolist()]
    return Numbers(name, source, days, np.array(window.values), tuple(_revisions(lake, name, now)))


def _revisions(lake: Lake, name: str, now: datetime) -> Iterable[Revision]:
    rows = lake.vintages(name)
    newest: dict[int, float] = {}
    for described, known, value in zip(
        rows.described.tolist(), rows.known.tolist(), rows.values[:, 0].tolist(), strict=True
    ):
        known_at = instant_of(known)
        if known_at <= now:
            yield Revision(instant_of(described).date(), known_at, value, newest.get(described))
            newest[described] = value
