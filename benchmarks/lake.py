"""How long the store takes: a cold load of ten years, a day's append, the panel of all sessions.

Thirty symbols and every series, hourly ones by the hour, on the disk and in the page cache. A cold load is a
new process's: DuckDB's import counts, Python's own start does not. The append is durable: each file and its
folder are synced; its median by the wall is told beside the process's own time. Limits: a load under 1 s, an
append under 50 ms.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from qgtm.adapters.calendar import Session, xnys
from qgtm.adapters.lake import LakeWriter
from qgtm.core.bar import Bar, BarSet
from qgtm.core.fact import Fact
from qgtm.core.series import SERIES, Cadence
from qgtm.core.universe import SYMBOLS

FIRST, LAST = date(2015, 1, 2), date(2024, 12, 31)
DAYS = 40
LOAD_S, APPEND_MS = 1.0, 50.0
COLD = """
import json, sys, time
from pathlib import Path
from qgtm.adapters.calendar import xnys
from qgtm.adapters.lake import Lake
from datetime import date
sessions = xnys().sessions(date(2015, 1, 2), date(2024, 12, 31))
began = time.perf_counter()
lake = Lake(Path(sys.argv[1]))
loaded = time.perf_counter()
panel = lake.panel([session.close_at for session in sessions])
joined = time.perf_counter()
bars = lake.bars(sessions[-1].close_at)
print(json.dumps({
    "load_s": loaded - began, "panel_s": joined - loaded, "bars_s": time.perf_counter() - joined,
    "rows": sum(len(lake.vintages(name)) for name in lake.names()), "bars": int((bars.close > 0).sum()),
}))
"""


def history(rng: np.random.Generator, sessions: tuple[Session, ...]) -> tuple[list[Fact], list[BarSet]]:
    """Return ten years of facts and bars."""
    hours = [datetime(2015, 1, 1, tzinfo=UTC) + timedelta(hours=n) for n in range(24 * 3650)]
    facts = []
    for name, series in SERIES.items():
        if series.cadence is Cadence.HOURLY:
            facts += [
                Fact(name, at, at, float(value))
                for at, value in zip(hours, rng.random(len(hours)), strict=True)
            ]
        else:
            chosen = sessions[:: 5 if series.cadence is Cadence.WEEKLY else 1]
            facts += [Fact(name, s.open_at, s.close_at, float(rng.random())) for s in chosen]
    return facts, [bar_set(rng, session.day, session.close_at) for session in sessions]


def bar_set(rng: np.random.Generator, day: date, at: datetime) -> BarSet:
    """Return a session's bars."""
    bars = {
        symbol: Bar(
            symbol=symbol, session=day, known_at=at,
            open=10.5, high=12, low=9, close=10 + float(rng.random()), volume=1e6,
        )
        for symbol in SYMBOLS
    }  # fmt: skip
    return BarSet(session=day, known_at=at, bars=bars)


def appends_ms(rng: np.random.Generator, root: Path, last: Session) -> list[tuple[float, float]]:
    """Return what some days' appends take, of a value of each series and a bar of each symbol: own, wall."""
    taken = []
    with LakeWriter(root) as writer:
        for n in range(1, DAYS + 1):
            at = last.close_at + timedelta(days=n)
            facts = [Fact(name, at, at, float(rng.random())) for name in SERIES]
            bars = [bar_set(rng, at.date(), at)]
            own, wall = time.process_time(), time.perf_counter()
            writer.append(facts)
            writer.append_bars(bars)
            taken.append((1000 * (time.process_time() - own), 1000 * (time.perf_counter() - wall)))
    return taken


def measure() -> dict[str, Any]:
    """Return the times, and whether both limits are kept."""
    rng, sessions = np.random.default_rng(1), xnys().sessions(FIRST, LAST)
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "store"
        with LakeWriter(root) as writer:
            facts, sets = history(rng, sessions)
            writer.append(facts)
            writer.append_bars(sets)
        cold = json.loads(subprocess.check_output([sys.executable, "-c", COLD, str(root)], text=True))
        own, wall = np.array(appends_ms(rng, root, sessions[-1])).T
    p99, median = float(np.percentile(own, 99)), float(np.median(wall))
    is_kept = cold["load_s"] < LOAD_S and p99 < APPEND_MS
    return {**cold, "append_own_p99_ms": p99, "append_wall_p50_ms": median, "is_kept": is_kept}


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    """Measure, print and return the figures."""
    argparse.ArgumentParser(description=__doc__).parse_args(arguments)
    found = measure()
    print(json.dumps(found))
    return found


if __name__ == "__main__":
    main()
