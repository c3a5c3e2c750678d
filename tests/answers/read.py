"""Read an answer: a comment that says how it was made, a header, numbers; an empty cell is NaN."""

import csv
from pathlib import Path

import numpy as np

from qgtm.features.bars import Bars, FloatArray

HERE = Path(__file__).parent


def answer(name: str) -> dict[str, FloatArray]:
    """Return the columns of `name`.csv."""
    lines = (HERE / f"{name}.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("# "), f"{name}.csv does not say how it was made"
    header, *rows = csv.reader(lines[1:])
    table = np.array([[float(cell) if cell else np.nan for cell in row] for row in rows])
    return {column: np.ascontiguousarray(table[:, i]) for i, column in enumerate(header)}


def bars_of_closes(columns: dict[str, FloatArray], symbols: tuple[str, ...], reach: float = 0.0) -> Bars:
    """Return bars whose open and close are the answer's prices, with a high and a low `reach` away."""
    close = np.stack([columns[symbol] for symbol in symbols], axis=1)
    numbers = np.arange(len(close), dtype=np.int64)
    return Bars(numbers, symbols, close, close + reach, close - reach, close, np.ones_like(close))
