"""Run one side of `benchmarks.sweep` some times, and say what the best took and what came out."""

import json
import resource
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.sides.sweep_market import ROUNDS, Floats


def timed(side: Callable[[], Floats], finals: Path) -> None:
    """Print the best time, wall and CPU, and the peak memory; write what came out."""
    side()
    runs = []
    for _ in range(ROUNDS):
        began, cpu = time.perf_counter(), time.process_time()
        found = side()
        runs.append((time.process_time() - cpu, time.perf_counter() - began))
    np.save(finals, found)
    best_cpu, best_wall = min(runs)[0], min(wall for _, wall in runs)
    print(json.dumps({"cpu_s": best_cpu, "wall_s": best_wall, "peak_mb": _peak_kb() / 1024}))


def _peak_kb() -> int:
    told = Path("/proc/self/status")
    if told.exists():  # what getrusage says begins with what the process that started us had
        return next(
            int(line.split()[1]) for line in told.read_text().splitlines() if line.startswith("VmHWM")
        )
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
