"""Bars for a notebook or a test: recorded ones from a folder, or made-up ones from a seed."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from qgtm.adapters.bar_file import bar_files, begins_on, read_bars
from qgtm.adapters.calendar import xnys
from qgtm.core.errors import MarketError
from qgtm.features.bars import FIELDS, Bars
from qgtm.research.made_up import made_up


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
    run from the day by which half of the files have begun to the last that any has. Raises MarketError,
    naming file and line, for bars that cannot be true.
    """
    paths = bar_files(folder)
    wanted = tuple(paths) if symbols is None else tuple(symbols)
    if lacking := [symbol for symbol in wanted if symbol not in paths]:
        raise MarketError(f"{folder} has no bars of {', '.join(lacking)}: add a file for each")
    files = {symbol: read_bars(paths[symbol], xnys()) for symbol in wanted}
    traded = [file for file in files.values() if file.days]
    if not traded:
        raise MarketError(f"no file in {folder} holds a bar that was traded; choose another folder")
    sessions = xnys().sessions(begins_on(traded), max(file.days[-1] for file in traded))
    days = np.array([session.day.toordinal() for session in sessions], dtype=np.int64)
    fields = np.full((len(FIELDS), len(days), len(wanted)), np.nan)
    for column, file in enumerate(files.values()):
        rows = np.searchsorted(days, [day.toordinal() for day in file.days])
        kept = np.isin([day.toordinal() for day in file.days], days)
        fields[:, rows[kept], column] = file.values[kept].T
    return Bars(days, wanted, *fields)
