"""What is run and how much of it: each kind of trial, cut into jobs of a seed each."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Final

from tests.durability import ambiguous, disks, drills, kills
from tests.durability.book import Job, Row

REPO: Final = Path(__file__).resolve().parents[2]
KEPT: Final = REPO / "var" / "durability"
ONE_THREAD: Final = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Trial:
    """One kind of trial: what a seed does, how many of it in all, and how many a seed."""

    do: Callable[[int, int], dict[str, Any]]
    whole: int
    a_seed: Callable[[int], int]


TRIALS: Final = {
    "kills": Trial(lambda seed, size: kills.lived_through(seed, size, KEPT), 1_000, kills.kills_of),
    "power cuts": Trial(disks.power_cuts, 2_000, lambda seed: 500),
    "weaker syncing": Trial(lambda seed, size: disks.power_cuts(seed, size, "NORMAL"), 300, lambda seed: 300),
    "failing disks": Trial(lambda seed, size: disks.failing_disks(size), 60, lambda seed: 60),
    "edits": Trial(disks.edits, 10_000, lambda seed: 2_500),
    "flipped bits": Trial(disks.flipped_bytes, 10_000, lambda seed: 2_500),
    "ambiguous submits": Trial(ambiguous.submits, 20_000, lambda seed: 250),
    "hard caps": Trial(drills.hard_caps, 1_000, lambda seed: 10),
    "dead man": Trial(drills.dead_men, 1_000, lambda seed: 10),
    "drifts": Trial(drills.drifts, 1_000, lambda seed: 50),
    "reconnects": Trial(drills.reconnects, 1_000, lambda seed: 25),
}


def jobs_of(name: str, whole: int) -> list[Job]:
    """Return the jobs that come to at least `whole` of one kind."""
    trial, jobs, done = TRIALS[name], list[Job](), 0
    for seed in count():
        if done >= whole:
            return jobs
        size = min(trial.a_seed(seed), whole - done)
        jobs.append((name, seed, size))
        done += size
    return jobs


def cpu_s() -> float:
    """Return the CPU seconds of this process and of its children that have ended."""
    return sum(os.times()[:4])


def one(name: str, seed: int, size: int) -> Row:
    """Return what one job came to; what it raises is a breach as well."""
    began_s, spent_s = time.monotonic(), cpu_s()
    try:
        found = TRIALS[name].do(seed, size)
    except Exception as problem:  # noqa: BLE001  the run goes on with the next seed
        found = {"broken": [f"{type(problem).__name__}: {problem}"]}
    took = {"took_s": round(time.monotonic() - began_s, 2), "cpu_s": round(cpu_s() - spent_s, 2)}
    return {"what": name, "seed": seed, "size": size, **found, **took}


def single_threaded() -> None:
    """Let no numeric library start threads: a process that is forked has one."""
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
