"""Live through seeds and say what came of each; the same for one of them and for ten thousand days."""

import gc
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

from qgtm.adapters.clock import SystemClock
from qgtm.config import Config
from qgtm.simulation.checker import Violation
from qgtm.simulation.client import adapter_on
from qgtm.simulation.crash import Sweep, sweep
from qgtm.simulation.fault import ramp_days
from qgtm.simulation.story import Story
from qgtm.simulation.tape import MARKETS, market_of
from qgtm.simulation.trace import Mark

DAYS: Final = 5  # of one seed: more seeds show more than longer ones
MEMORY: Final = Path("/dev/shm")
LAST_MARKS: Final = 25


@dataclass(frozen=True)
class Lived:
    """What came of one seed."""

    seed: int
    days: int
    faults: tuple[tuple[str, str, tuple[str, ...]], ...]
    violations: tuple[Violation, ...]
    trace_hash: str
    fired: Counter[str] = field(default_factory=Counter)
    held: Counter[str] = field(default_factory=Counter)
    edges: Counter[str] = field(default_factory=Counter)
    reached: Counter[str] = field(default_factory=Counter)  # on how many days each cap acted
    lives: int = 0
    rows: int = 0
    took_s: float = 0.0
    last: tuple[Mark, ...] = ()

    def plain(self) -> dict[str, Any]:
        """Return it as the keys of the JSON answer."""
        return {
            "seed": self.seed,
            "days": self.days,
            "faults": [{"at": at, "fault": name, "about": list(about)} for at, name, about in self.faults],
            "violations": [violation._asdict() for violation in self.violations],
            "trace_hash": self.trace_hash,
        }


@contextmanager
def empty_folder() -> Iterator[Path]:
    """Give a folder that is gone afterwards, in memory where there is such a place."""
    made = Path(tempfile.mkdtemp(prefix="qgtm-", dir=MEMORY if MEMORY.is_dir() else None))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


@contextmanager
def tidy_memory() -> Iterator[None]:
    """Let the collector of cycles pass over all that was there before, and look rarely; the rest it takes.

    A world holds itself in many circles, and what the worlds of a process share is large. A copy of the
    process that is split off shares the memory which no collector has touched.
    """
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(100 * before[0], *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.collect()
        gc.unfreeze()


def lived(
    seed: int,
    days: int,
    config: Config,
    *,
    until: int | None = None,
    only: frozenset[str] | None = None,
    forced: frozenset[str] | None = None,
    is_real_client: bool = False,
    is_ramp: bool = False,
    is_kept: bool = False,
) -> Lived:
    """Live through the days of one seed, to the first thing that must not be."""
    clock = SystemClock()
    began_s = clock.monotonic()
    with tidy_memory(), empty_folder() as folder:
        way = adapter_on if is_real_client else None
        story = Story(
            seed,
            days,
            config,
            folder,
            adapter=way,
            until=until,
            only=only,
            forced=forced,
            plan_of=ramp_days(seed) if is_ramp else None,
        )
        story.trace.is_kept = is_kept
        story.run()
    modes = Counter(dict.fromkeys(story.checker.known.edges, 1))
    return Lived(
        seed=seed,
        days=days,
        faults=tuple((at.isoformat(), name, about) for at, name, about in story.faults),
        violations=tuple(story.checker.violations),
        trace_hash=story.trace.hash,
        fired=story.weather.fired,
        held=story.checker.held,
        edges=modes,
        reached=Counter(trigger for _, trigger in story.checker.reached),
        lives=story.lives,
        rows=len(story.disk.rows),
        took_s=clock.monotonic() - began_s,
        last=tuple(story.trace.marks[-LAST_MARKS:]),
    )


def swept(seed: int, days: int, config: Config, *, every: int, first: int = 0) -> Sweep:
    """Let the process die at every `every`-th effect of a seed."""
    with tidy_memory(), empty_folder() as folder:
        return sweep(lambda: Story(seed, days, config, folder), every=every, first=first)


def shrunk(seed: int, days: int, config: Config) -> frozenset[str]:
    """Return the fewest fault classes that still break what this seed breaks; all when it breaks nothing."""
    broken = {violation.invariant for violation in lived(seed, days, config).violations}
    kept = frozenset(_planned(seed, days, config))
    for name in sorted(kept):
        fewer = kept - {name}
        if broken & {v.invariant for v in lived(seed, days, config, only=fewer).violations}:
            kept = fewer
    return kept


def _planned(seed: int, days: int, config: Config) -> set[str]:
    with empty_folder() as folder:
        return set(Story(seed, days, config, folder).planned)


def warm_up() -> None:
    """Make what all worlds share, before processes are split off."""
    for number in range(MARKETS):
        market_of(number).sessions(market_of(number).first, market_of(number).first)


def lived_all(
    seeds: Sequence[int], days: int, config: Config, *, jobs: int = 1, is_real_client: bool = False
) -> Iterator[Lived]:
    """Yield what came of each seed, as it is done; with `jobs` processes side by side."""
    if jobs <= 1:
        for seed in seeds:
            yield lived(seed, days, config, is_real_client=is_real_client)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        asked = [pool.submit(lived, seed, days, config, is_real_client=is_real_client) for seed in seeds]
        for future in as_completed(asked):
            yield future.result()
