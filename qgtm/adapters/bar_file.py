"""Daily bars from CSV or Parquet files: read, checked, and refused in one sentence when they are wrong."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from operator import itemgetter, lt
from pathlib import Path
from typing import Any, Final

import numpy as np

from qgtm.adapters.calendar import FIRST_YEAR, LAST_YEAR, Calendar
from qgtm.adapters.files import unread
from qgtm.core.errors import MarketError
from qgtm.core.universe import SYMBOLS
from qgtm.features.bars import FloatArray

COLUMNS: Final = ("date", "open", "high", "low", "close", "volume")
CENT: Final = 0.01 + 1e-9  # files keep prices as floats: a high a rounding below the close is no lie
_DEAREST: Final = 1e7  # dollars a share; more is an overflow that somebody wrote down
_Row = tuple[int, Sequence[Any]]  # where it stands in the file; the six columns


@dataclass(frozen=True, slots=True, eq=False)
class BarFile:
    """One symbol's bars, oldest first; `values` is (n, 5): open high low close volume."""

    days: tuple[date, ...]
    values: FloatArray
    zero_volume: int
    ignored: tuple[str, ...]


def bar_files(folder: Path) -> dict[str, Path]:
    """Return the folder's files by symbol, in the universe's order; other kinds of file are left alone.

    Raises `MarketError` for a folder without any, and for a file that is named after no symbol.
    """
    if not folder.is_dir():
        raise MarketError(f"{folder} is no folder; name one that holds a CSV or Parquet file for each symbol")
    paths = sorted(path for path in folder.iterdir() if path.suffix in (".csv", ".parquet"))
    if not paths:
        raise MarketError(f"{folder} holds no .csv or .parquet file; put one there a symbol, such as GLD.csv")
    found: dict[str, Path] = {}
    for path in paths:
        if path.stem not in SYMBOLS:
            raise MarketError(f"{path}: {path.stem} is no symbol of the universe; rename it or take it out")
        if path.stem in found:
            names = f"{found[path.stem].name} and {path.name}"
            raise MarketError(f"{folder} holds {path.stem} twice, as {names}; keep one of them")
        found[path.stem] = path
    return {symbol: found[symbol] for symbol in SYMBOLS if symbol in found}


def read_bars(path: Path, calendar: Calendar) -> BarFile:
    """Return the bars of a file without those that nobody traded.

    Raises `MarketError` for anything that a price history cannot be.
    """
    header, rows = _csv_rows(path) if path.suffix == ".csv" else _parquet_rows(path)
    if not rows:
        raise MarketError(f"{path} holds no bars; fill it or take it out of the folder")
    lines = [line for line, _ in rows]
    days, values = _columns_at_once(rows) or (
        [_day(path, line, row[0]) for line, row in rows],
        np.array([_numbers(path, line, row) for line, row in rows], dtype=np.float64),
    )
    _check_numbers(path, lines, days, values)
    _check_days(path, lines, days, calendar)
    traded = values[:, 4] > 0
    _check_prices(path, lines, days, values, traded)
    kept = tuple(day for day, keep in zip(days, traded.tolist(), strict=True) if keep)
    return BarFile(kept, values[traded], int((~traded).sum()), _ignored(header))


def begins_on(files: Iterable[BarFile]) -> date:
    """Return the first day by which at least half of the files have begun; each holds a bar.

    A lone early row (one symbol, years before the rest) does not begin a history.
    """
    starts = sorted(file.days[0] for file in files)
    return starts[(len(starts) - 1) // 2]


def _ignored(header: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in header if name not in COLUMNS)


def _csv_rows(path: Path) -> tuple[list[str], list[_Row]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            header = [name.strip().lower() for name in next(reader, [])]
            cells = itemgetter(*_columns(path, header))
            return header, [
                (reader.line_num, _cells(path, reader.line_num, row, cells)) for row in reader if row
            ]
    except OSError as error:
        raise MarketError(unread(error, path)) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise MarketError(f"{path} cannot be read as CSV ({error}); export it again") from error


def _columns(path: Path, header: Sequence[str]) -> list[int]:
    if not header:
        raise MarketError(f"{path} is empty; fill it or take it out of the folder")
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        raise MarketError(f"{path} has no column {' or '.join(missing)}; its first line must name {_NAMES}")
    return [header.index(name) for name in COLUMNS]


_NAMES: Final = ", ".join(COLUMNS)


def _cells(path: Path, line: int, row: list[str], cells: "itemgetter[Any]") -> tuple[str, ...]:
    try:
        found: tuple[str, ...] = cells(row)
    except IndexError:
        message = f"{_at(path, line)}: the line breaks off after {len(row)} values; write the whole bar"
        raise MarketError(message) from None
    return found


def _parquet_rows(path: Path) -> tuple[list[str], list[_Row]]:
    import duckdb  # only who has Parquet files waits for it

    with duckdb.connect() as connection:
        try:
            found = connection.execute("select * from read_parquet(?)", [str(path)])
            names = [str(column[0]).lower() for column in found.description or ()]
            table = found.fetchall()
        except duckdb.Error as error:
            raise MarketError(f"{path} cannot be read as Parquet ({error}); export it again") from error
    where = _columns(path, names)
    return names, [(number, [row[i] for i in where]) for number, row in enumerate(table, start=1)]


def _columns_at_once(rows: list[_Row]) -> tuple[list[date], FloatArray] | None:
    """Read what is mostly there, ISO dates and numbers, by column; None where a cell wants a closer look."""
    days, *numbers = zip(*(row for _, row in rows), strict=True)
    try:
        found = [_iso_day(day) for day in days]
        return found, np.array([list(map(float, column)) for column in numbers], dtype=np.float64).T.copy()
    except (TypeError, ValueError):
        return None


_iso_day = lru_cache(maxsize=8192)(date.fromisoformat)  # the files of a folder name the same days


def _day(path: Path, line: int, cell: object) -> date:
    try:
        return date.fromisoformat(str(cell).strip().removesuffix(" 00:00:00"))
    except ValueError:
        message = f"{_at(path, line)}: {cell!r} is no date; write it as 2024-01-31"
        raise MarketError(message) from None


def _numbers(path: Path, line: int, row: Sequence[Any]) -> list[float]:
    try:
        return [float(cell) for cell in row[1:]]
    except (TypeError, ValueError):
        name, cell = next((n, c) for n, c in zip(COLUMNS[1:], row[1:], strict=True) if not _is_number(c))
        message = f"{_at(path, line, row[0])}: {name} is {cell!r}, no number; correct it or delete the line"
        raise MarketError(message) from None


def _is_number(cell: Any) -> bool:
    try:
        float(cell)
    except (TypeError, ValueError):
        return False
    return True


def _check_numbers(path: Path, lines: list[int], days: list[date], values: FloatArray) -> None:
    bad = ~np.isfinite(values) | (values < 0) | (values > np.array([_DEAREST] * 4 + [1e15]))
    if not bad.any():
        return
    row, column = (int(index[0]) for index in np.nonzero(bad))
    name, value = COLUMNS[1 + column], values[row, column]
    what = "no finite number" if not np.isfinite(value) else "negative" if value < 0 else "beyond belief"
    where = _at(path, lines[row], days[row])
    raise MarketError(f"{where}: {name} is {value:g}, {what}; correct it or delete the line")


def _check_days(path: Path, lines: list[int], days: list[date], calendar: Calendar) -> None:
    if all(map(lt, days, days[1:])) and days[0].year >= FIRST_YEAR and days[-1].year <= LAST_YEAR:
        known = {session.day for session in calendar.sessions(days[0], days[-1])}
        if known.issuperset(days):
            return
    for line, before, day in zip(lines[1:], days, days[1:], strict=False):
        if day == before or (day < before and day in days[: lines.index(line)]):
            raise MarketError(
                f"{_at(path, line, day)}: the date stands there twice; delete one of the two lines"
            )
        if day < before:
            raise MarketError(f"{_at(path, line, day)}: it comes after {before}; sort the file by date")
    for line, day in zip(lines, days, strict=True):
        if not FIRST_YEAR <= day.year <= LAST_YEAR:
            raise MarketError(f"{_at(path, line, day)}: a bar lies in {FIRST_YEAR} to {LAST_YEAR}; delete it")
        if calendar.session_on(day) is None:
            raise MarketError(f"{_at(path, line, day)}: New York was closed that day; delete the line")


def _check_prices(path: Path, lines: list[int], days: list[date], values: FloatArray, traded: Any) -> None:
    opened, high, low, close = values[:, :4].T
    faults: Iterable[tuple[Any, str]] = (
        (values[:, :4].min(axis=1) < 0.005, "a price is below half a cent"),
        (high < low - CENT, "the high is below the low"),
        ((opened > high + CENT) | (opened < low - CENT), "the open lies outside low and high"),
        ((close > high + CENT) | (close < low - CENT), "the close lies outside low and high"),
    )
    for fault, what in faults:
        for row in np.nonzero(fault & traded)[0][:1].tolist():
            where = _at(path, lines[row], days[row])
            raise MarketError(f"{where}: {what} ({_told(values[row])}); correct it or delete the line")


def _told(bar: FloatArray) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in zip(COLUMNS[1:5], bar, strict=False))


def _at(path: Path, line: int, day: object = "") -> str:
    place = "line" if path.suffix == ".csv" else "row"
    return f"{path}, {place} {line}" + (f" ({day})" if day else "")
