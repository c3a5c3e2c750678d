"""Bars for a notebook or a test: recorded ones from a folder, or made-up ones from a seed."""

import csv
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

import numpy as np

from qgtm.adapters.calendar import xnys
from qgtm.core.errors import MarketError
from qgtm.core.universe import SYMBOLS
from qgtm.features.bars import FIELDS, Bars
from qgtm.research.made_up import made_up

HEADER = ("date", *FIELDS)
Row = tuple[date, tuple[float, ...]]


def history(source: str, symbols: Sequence[str], sessions: int, seed: int = 0) -> Bars:
    """Return the last `sessions` bars of `symbols` from `source`: "synthetic", or a folder of daily bars.

    Raises MarketError when the folder cannot be read or lacks a symbol.
    """
    if source == "synthetic":
        return made_up(sessions, seed).select(symbols)
    return history_from_folder(Path(source), symbols).tail(sessions)


def evidence(source: str) -> str:
    """Return what bars of `source` are worth as evidence: "synthetic" or "recorded"."""
    return "synthetic" if source == "synthetic" else "recorded"


def history_from_folder(folder: Path, symbols: Sequence[str] | None = None) -> Bars:
    """Return the daily bars of `folder` (SYMBOL.csv or SYMBOL.parquet), one row an XNYS session.

    A session without a bar is NaN, and so is one whose bar has no volume: nobody paid that price. The rows
    run from the first session that at least half of the files have to the last that any has, so that a
    stray row years earlier adds nothing. Rows on days without a session are left out. Raises
    MarketError, naming file and line, for bars that cannot be true.
    """
    files = _files(folder, symbols)
    rows = {symbol: tuple(_rows(path)) for symbol, path in files.items()}
    days = _sessions(rows, folder)
    at = {day: i for i, day in enumerate(days)}
    fields = np.full((len(FIELDS), len(days), len(files)), np.nan)
    for column, symbol in enumerate(files):
        for day, values in rows[symbol]:
            if day in at and values[-1] > 0:
                fields[:, at[day], column] = values
    return Bars(np.array([day.toordinal() for day in days], dtype=np.int64), tuple(files), *fields)


def _files(folder: Path, symbols: Sequence[str] | None) -> dict[str, Path]:
    if not folder.is_dir():
        raise MarketError(f"there is no folder {folder}: name one that holds daily bars as SYMBOL.csv")
    found = {
        path.stem: path for path in sorted(folder.iterdir()) if path.suffix.lower() in (".csv", ".parquet")
    }
    if not found:
        raise MarketError(f"{folder} holds no SYMBOL.csv and no SYMBOL.parquet: name a folder of daily bars")
    wanted = tuple(symbols) if symbols is not None else tuple(each for each in SYMBOLS if each in found)
    lacking = [symbol for symbol in wanted if symbol not in found]
    if lacking or not wanted:
        raise MarketError(
            f"{folder} has no bars of {', '.join(lacking) or 'the universe'}: add {lacking or SYMBOLS[:1]}"
        )
    return {symbol: found[symbol] for symbol in wanted}


def _rows(path: Path) -> Iterator[Row]:
    before = date.min
    for line, cells in _cells(path):
        day, values = _row(path, line, cells)
        if day <= before:
            fault = "a second time" if day == before else f"after {before}"
            raise MarketError(f"{path}, line {line}: {day} comes {fault}; sort the rows, one a session")
        before = day
        yield day, values
    if before == date.min:
        raise MarketError(f"{path} is empty: remove it, or fill it with daily bars")


def _cells(path: Path) -> Iterator[tuple[int, Sequence[object]]]:
    if path.suffix.lower() == ".parquet":
        yield from _parquet_cells(path)
        return
    with path.open(newline="", encoding="utf-8") as lines:
        reader = csv.reader(lines)
        header = [name.strip().lower() for name in next(reader, [])]
        yield from enumerate(_picked(path, header, reader), start=2)


def _picked(path: Path, header: list[str], reader: Iterator[list[str]]) -> Iterator[Sequence[object]]:
    lacking = [name for name in HEADER if name not in header]
    if lacking and header:
        raise MarketError(f"{path} has no column {', '.join(lacking)}: its first line must name {HEADER}")
    places = [header.index(name) for name in HEADER] if header else []
    for cells in reader:
        yield [cells[place] if place < len(cells) else "" for place in places]


def _parquet_cells(path: Path) -> Iterator[tuple[int, Sequence[object]]]:
    import pandas as pd  # here, not above: a folder of CSV files needs no pandas

    try:
        frame = pd.read_parquet(path).reset_index()
    except ImportError as error:
        raise MarketError(f"{path} needs pyarrow to be read: install it, or write the bars as CSV") from error
    frame.columns = pd.Index([str(name).lower() for name in frame.columns])
    lacking = [name for name in HEADER if name not in frame.columns]
    if lacking:
        raise MarketError(f"{path} has no column {', '.join(lacking)}: it must have {HEADER}")
    days = pd.to_datetime(frame["date"]).dt.date
    for i, (day, *values) in enumerate(zip(days, *(frame[name] for name in FIELDS), strict=True), start=1):
        yield i, [str(day), *values]


def _row(path: Path, line: int, cells: Sequence[object]) -> Row:
    try:
        day, values = date.fromisoformat(str(cells[0]).strip()), tuple(float(str(each)) for each in cells[1:])
    except ValueError as error:
        raise MarketError(f"{path}, line {line}: {error}; write {', '.join(HEADER)}") from error
    fault = _fault(*values)
    if fault:
        raise MarketError(f"{path}, line {line} ({day}): {fault}; correct the row or remove it")
    return day, values


def _fault(opened: float, high: float, low: float, close: float, volume: float) -> str:
    if not all(map(math.isfinite, (opened, high, low, close, volume))):
        return "a value is not a number"
    if volume < 0:
        return f"the volume {volume} is below zero"
    if volume == 0:  # such a bar is left out whatever it says
        return ""
    if low <= 0:
        return f"the low {low} is not above zero"
    if not low <= min(opened, close) <= max(opened, close) <= high:
        return f"open {opened} and close {close} do not lie between low {low} and high {high}"
    return ""


def _sessions(rows: dict[str, tuple[Row, ...]], folder: Path) -> tuple[date, ...]:
    seen = Counter(day for each in rows.values() for day, _ in each)
    started = [day for day, files in seen.items() if 2 * files >= len(rows)]
    if not started:
        raise MarketError(f"no session in {folder} is shared by half of its files: give them one period")
    return tuple(session.day for session in xnys().sessions(min(started), max(seen)))
