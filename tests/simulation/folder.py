"""A small folder of daily bars, made from a seed, for replays and boots."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np

from qgtm.adapters.calendar import xnys

SYMBOLS = ("GLD", "SLV", "GDX", "GDXJ", "SIL", "PPLT", "PALL", "SPY", "TLT", "UUP", "TIP")
FIRST, LAST = date(2022, 1, 3), date(2023, 3, 31)


def write_folder(
    folder: Path, first: date = FIRST, last: date = LAST, symbols: Sequence[str] = SYMBOLS, seed: int = 1
) -> Path:
    """Write a CSV a symbol: trends that last months, so that strategies have something to follow."""
    folder.mkdir(parents=True, exist_ok=True)
    days = [session.day for session in xnys().sessions(FIRST, LAST)]
    for number, symbol in enumerate(symbols):
        chance = np.random.default_rng([seed, number])
        drift = 0.003 * np.sin(np.arange(len(days)) / 40 + number)
        close = np.round(60 * np.exp((drift + chance.normal(0, 0.008, len(days))).cumsum()), 2)
        open_ = np.round(close * np.exp(chance.normal(0, 0.003, len(days))), 2)
        high, low = (
            np.round(np.maximum(open_, close) * 1.004, 2),
            np.round(np.minimum(open_, close) * 0.996, 2),
        )
        volume = chance.integers(1_000_000, 9_000_000, len(days))
        rows = zip(days, open_, high, low, close, volume, strict=True)
        lines = [
            f"{day},{o:.2f},{h:.2f},{lo:.2f},{c:.2f},{v}"
            for day, o, h, lo, c, v in rows
            if first <= day <= last
        ]
        (folder / f"{symbol}.csv").write_text("date,open,high,low,close,volume\n" + "\n".join(lines) + "\n")
    return folder


def spoil(folder: Path, symbol: str, after: date, factor: float) -> None:
    """Multiply all prices of a symbol later than a day: another future."""
    path = folder / f"{symbol}.csv"
    head, *rows = path.read_text().splitlines()
    changed = []
    for row in rows:
        day, *prices, volume = row.split(",")
        if date.fromisoformat(day) > after:
            prices = [f"{float(price) * factor:.2f}" for price in prices]
        changed.append(",".join([day, *prices, volume]))
    path.write_text("\n".join([head, *changed]) + "\n")
