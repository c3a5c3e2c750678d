"""Seeded daily bars in the form that `qgtm replay --bars` reads: one CSV a symbol."""

import csv
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np

SEED = 7


def write_bars(folder: Path, symbols: Sequence[str], sessions: Sequence[date]) -> None:
    """Write a random walk for each symbol, with a gap over night and a range by day."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(SEED)
    for symbol in symbols:
        overnight, by_day, reach = rng.normal(0, [[0.006], [0.010], [0.004]], (3, len(sessions)))
        close = 60 * np.exp(np.cumsum(overnight + by_day))
        opened = close / np.exp(by_day)
        high = np.maximum(opened, close) * np.exp(np.abs(reach))
        low = np.minimum(opened, close) * np.exp(-np.abs(reach))
        volume = rng.integers(200_000, 5_000_000, len(sessions))
        with (folder / f"{symbol}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("date", "open", "high", "low", "close", "volume"))
            for row in zip(sessions, opened, high, low, close, volume, strict=True):
                writer.writerow((row[0], *(f"{price:.2f}" for price in row[1:5]), row[5]))
