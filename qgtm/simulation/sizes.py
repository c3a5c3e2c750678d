"""The large sizes of the simulation, by hand and overnight: resumable, and written up as docs/simulation.md.

What was done is kept as lines of JSON, one a seed; a run that is begun again at the same commit goes on
where it ended.
"""

import argparse
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.progress import Progress

from qgtm.adapters.clock import SystemClock
from qgtm.config import Config, load_config
from qgtm.simulation.coverage import BIG_DAYS, gaps
from qgtm.simulation.elsewhere import EDGES, FAULTS, INVARIANTS
from qgtm.simulation.fault import CLASSES, RAMP_DAYS
from qgtm.simulation.matching import differences
from qgtm.simulation.run import DAYS, lived, swept

REPO: Final = Path(__file__).resolve().parents[2]
KEPT: Final = Path("var") / "simulation"
TASKS: Final = 50  # worlds that a process lives through before another follows it: each leaves some memory
AMBIGUOUS: Final = ("lost", "gateway", "garbled")
SAID: Final = {
    "days": "days of faults, the exchange's core behind the daemon's ports",
    "ramp": "days of growing again after a hard cap and its reset",
    "client": "days of faults through the real alpaca-py",
    "matching": "days of random orders, the exchange against a second matching",
    "crashes": "worlds of a day in which the process dies at every effect, before and after",
}


@dataclass(frozen=True)
class Size:
    """One kind of run: how many seeds of it, and how many days each."""

    kind: str
    seeds: int
    days: int


# A day has about 800 effects, and a crash pays for its own healing.
WHOLE: Final = (
    Size("days", 2_000, DAYS),
    Size("ramp", 60, RAMP_DAYS),
    Size("client", 200, DAYS),
    Size("matching", 1_000, 1),
    Size("crashes", 20, 1),
)


@dataclass
class Tally:
    """What the seeds of one kind came to, all together."""

    seeds: int = 0
    days: int = 0
    lives: int = 0
    crashes: int = 0
    took_s: float = 0.0
    fired: Counter[str] = field(default_factory=Counter)
    held: Counter[str] = field(default_factory=Counter)
    edges: Counter[str] = field(default_factory=Counter)
    reached: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)

    def take(self, row: Mapping[str, Any]) -> None:
        """Take in what one seed came to."""
        self.seeds += 1
        self.days += row["days"]
        self.lives += row.get("lives", 0)
        self.crashes += row.get("crashes", 0)
        self.took_s += row["took_s"]
        self.fired.update(row.get("fired", {}))
        self.held.update(row.get("held", {}))
        self.edges.update(row.get("edges", {}))
        self.reached.update(row.get("reached", {}))
        self.broken += [f"seed {row['seed']}: {text}" for text in row["broken"]]


def one_seed(kind: str, seed: int, days: int, config: Config) -> dict[str, Any]:
    """Return what one seed of a kind came to, as plain values."""
    clock = SystemClock()
    began_s = clock.monotonic()
    row: dict[str, Any] = {"kind": kind, "seed": seed, "days": days}
    if kind == "matching":
        row["broken"] = differences(seed)
    elif kind == "crashes":
        found = swept(seed, days, config, every=1)
        row["crashes"] = found.crashes
        row["broken"] = [f"crash {n} at {what}: {list(map(str, v))}" for n, what, v in found.broken]
    else:
        day = lived(seed, days, config, is_real_client=kind == "client", is_ramp=kind == "ramp")
        row.update(lives=day.lives, fired=day.fired, held=day.held, edges=day.edges, reached=day.reached)
        row["broken"] = [f"{v.invariant} at mark {v.mark}: {v.text}" for v in day.violations]
    row["took_s"] = round(clock.monotonic() - began_s, 2)
    return row


def rows_of(path: Path) -> Iterator[dict[str, Any]]:
    """Yield what was done before; a line that was cut off is done again."""
    if path.exists():
        for line in path.read_text("utf-8").splitlines():
            try:
                yield json.loads(line)
            except ValueError:
                continue


def run(sizes: Sequence[Size], path: Path, config: Config, *, jobs: int, console: Console) -> None:
    """Do what is not done yet, and write each seed down as it ends."""
    done = {(row["kind"], row["seed"], row["days"]) for row in rows_of(path)}
    wanted = [(size.kind, seed, size.days) for size in sizes for seed in range(size.seeds)]
    left = [each for each in wanted if each not in done]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as kept, Progress(console=console) as progress:
        task = progress.add_task("seeds", total=len(wanted), completed=len(wanted) - len(left))
        for begin in range(0, len(left), jobs * TASKS):
            for row in _lived(left[begin : begin + jobs * TASKS], config, jobs):
                kept.write(json.dumps(row) + "\n")
                kept.flush()
                progress.advance(task)
                for text in row["broken"]:
                    console.print(f"seed {row['seed']} ({row['kind']}): {text}", style="red", markup=False)


def _lived(some: Sequence[tuple[str, int, int]], config: Config, jobs: int) -> Iterator[dict[str, Any]]:
    """Yield what some seeds came to, as each ends, in processes that end with the last of them."""
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        try:
            for future in as_completed([pool.submit(one_seed, *each, config) for each in some]):
                yield future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)  # what is left is done when it is begun again
            raise


def tallies(path: Path) -> dict[str, Tally]:
    """Return what all seeds of each kind came to."""
    found = {kind: Tally() for kind in SAID}
    for row in rows_of(path):
        found[row["kind"]].take(row)
    return found


def report(found: Mapping[str, Tally], commit: str, on: date, config: Config) -> str:
    """Return docs/simulation.md."""
    lines = [
        "# The simulation",
        "",
        "Written by `make simulate`; nobody edits it. Daemon, watchdog, both operators and the exchange live",
        "in one process on virtual time, faults are drawn from the catalogue, and a checker that shares no",
        "code with the daemon holds the invariants. A seed that breaks one is replayed with",
        "`qgtm simulate --days 5 --seed SEED --until MARK` and kept in `tests/simulation/seeds`.",
        "",
        f"Commit {_short(commit)}, configuration {config.sha[:12]}, {on:%Y-%m-%d}.",
        "",
        "| what ran | seeds | days | lives | crashes | broken | s a day (wall) |",
        "|---|---|---|---|---|---|---|",
    ]
    for kind, tally in found.items():
        pace = tally.took_s / tally.days if tally.days else 0.0
        lines.append(
            f"| {SAID[kind]} | {_span(tally.seeds)} | {tally.days} | {tally.lives} "
            f"| {tally.crashes} | {len(tally.broken)} | {pace:.2f} |"
        )
    both = _added(found.values())
    ambiguous = sum(both.fired[name] for name in AMBIGUOUS)
    lines += ["", f"Calls that were done and whose answer was lost or spoilt: {ambiguous:,}.", ""]
    lines += _table("What was held", "invariant", "times asked", _in_order(both.held))
    lines += _table("What struck", "fault", "times", sorted(both.fired.items()))
    lines += _table(
        "Edges of the switch, the latches and the requests", "edge", "worlds", sorted(both.edges.items())
    )
    classes = [(name, each.rows) for name, each in sorted(CLASSES.items())]
    lines += _table("Classes of fault", "class", "rows of the catalogue", classes)
    lines += _elsewhere()
    lines += ["## What was not covered", "", *(gaps(found) or ["Nothing."]), ""]
    lines += ["## What was broken", "", *(both.broken or ["Nothing."]), ""]
    return "\n".join(lines)


def _elsewhere() -> list[str]:
    """Return what one process on virtual time cannot show, and which test holds it."""
    lines = _table("Faults that are injected elsewhere", "row", "why, and where", sorted(FAULTS.items()))
    lines += _table("Invariants that are held elsewhere", "id", "why, and where", sorted(INVARIANTS.items()))
    return lines + _table("Edges that no world can take", "edge", "why, and where", sorted(EDGES.items()))


def _short(commit: str) -> str:
    """Return a commit in twelve letters, and still with the mark that files differ from it."""
    head, plus, mark = commit.partition("+")
    return f"{head[:12]}{plus}{mark}"


def _span(seeds: int) -> str:
    return f"0 to {seeds - 1}" if seeds else "not run"


def _added(tally: Any) -> Tally:
    whole = Tally()
    for each in tally:
        whole.fired.update(each.fired)
        whole.held.update(each.held)
        whole.edges.update(each.edges)
        whole.reached.update(each.reached)
        whole.broken += each.broken
    return whole


def _in_order(held: Counter[str]) -> list[tuple[str, int]]:
    return sorted(held.items(), key=lambda each: int(each[0][1:]))


def _table(title: str, left: str, right: str, rows: Sequence[tuple[str, Any]]) -> list[str]:
    cells = [
        f"| {name} | {value:,} |" if isinstance(value, int) else f"| {name} | {value} |"
        for name, value in rows
    ]
    return [f"## {title}", "", f"| {left} | {right} |", "|---|---|", *cells, ""]


def commit_of(repo: Path) -> str:
    """Return the commit that is checked out, with a mark when files differ from it."""
    told: Callable[..., str] = lambda *words: subprocess.run(  # noqa: E731
        ["git", *words], cwd=repo, capture_output=True, text=True, check=True
    ).stdout.strip()
    head = told("rev-parse", "HEAD")
    return f"{head[:12]}+changes" if told("status", "--porcelain", "qgtm") else head


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is left of the sizes, write the report, and return 1 when anything was broken."""
    parser = argparse.ArgumentParser(prog="make simulate", description=__doc__)
    parser.add_argument("--share", type=float, default=1.0, help="part of the whole sizes to run")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--kind", choices=sorted(SAID), action="append", help="only this kind of run")
    wanted = parser.parse_args(arguments)
    console, config = Console(stderr=True), load_config(REPO / "qgtm_config.toml", {})
    commit = commit_of(REPO)
    path = REPO / KEPT / f"{commit}.jsonl"
    sizes = [
        Size(size.kind, max(1, round(size.seeds * wanted.share)), size.days)
        for size in WHOLE
        if wanted.kind is None or size.kind in wanted.kind
    ]
    run(sizes, path, config, jobs=wanted.jobs, console=console)
    found = tallies(path)
    text = report(found, commit, SystemClock().now().date(), config)
    (REPO / "docs" / "simulation.md").write_text(text, encoding="utf-8")
    is_big = found["days"].days >= BIG_DAYS
    return 1 if any(tally.broken for tally in found.values()) or (is_big and gaps(found)) else 0


if __name__ == "__main__":
    sys.exit(main())
