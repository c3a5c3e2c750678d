"""How long `step` takes for one daily bar set of thirty symbols, with every printed strategy loaded.

A replay over made-up bars is walked; the process's own time in `step` is taken for each bar set, the journal
and the exchange left out. Limit: 99 in 100 under 5 ms. The first year, in which strategies warm up, counts.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import exchange_calendars
import numpy as np

import qgtm.live.kernel
from benchmarks.desks import begun_replay
from benchmarks.made_up_bars import write_bars
from qgtm.core.events import BarsClosed
from qgtm.core.universe import SYMBOLS
from qgtm.strategies import BY_NAME

SESSIONS = 740
LIMIT_MS = 5.0


def durations_ms(folder: Path) -> list[float]:
    """Return how long `step` took for each bar set of the folder."""
    taken: list[float] = []
    step = qgtm.live.kernel.step

    def timed(state: Any, event: Any, now: Any, desk: Any) -> Any:
        began = time.process_time()
        after = step(state, event, now, desk)
        if isinstance(event, BarsClosed):
            taken.append((time.process_time() - began) * 1000)
        return after

    qgtm.live.kernel.step = timed
    try:
        replay, sessions = begun_replay(folder, tuple(BY_NAME.values()))
        for session in sessions:
            replay.walk(session)
    finally:
        qgtm.live.kernel.step = step
    return taken


def measure() -> dict[str, Any]:
    """Return median, 99th percentile and worst in milliseconds, and whether the limit is kept."""
    days = exchange_calendars.get_calendar("XNYS").sessions_window("2021-01-04", SESSIONS)
    with tempfile.TemporaryDirectory() as scratch:
        write_bars(Path(scratch), SYMBOLS, [day.date() for day in days])
        taken = durations_ms(Path(scratch))
    p50, p99, worst = (float(value) for value in np.percentile(taken, [50, 99, 100]))
    return {
        "bar_sets": len(taken), "strategies": len(BY_NAME),
        "p50_ms": p50, "p99_ms": p99, "worst_ms": worst, "is_kept": p99 < LIMIT_MS,
    }  # fmt: skip


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    """Run, print, and return the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.step", description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    chosen = parser.parse_args(arguments)
    found = measure()
    if chosen.json:
        print(json.dumps(found))
    else:
        kept = "kept" if found["is_kept"] else "NOT KEPT"
        print(
            f"{found['bar_sets']} bar sets: median {found['p50_ms']:.2f} ms, p99 {found['p99_ms']:.2f} ms "
            f"(limit {LIMIT_MS:.0f}), worst {found['worst_ms']:.2f} ms: {kept}"
        )
    return found


if __name__ == "__main__":
    main()
