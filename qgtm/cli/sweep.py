"""`qgtm sweep`: a strategy over a grid of its parameters, windows and symbols."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from qgtm.adapters.clock import SystemClock
from qgtm.adapters.manifest import borrow_bps, load_manifest, manifest_sha
from qgtm.cli.options import AsJson, Bars, say, say_json
from qgtm.core.errors import MarketError
from qgtm.reporting.make import ROOT
from qgtm.research.fills import FIGURES
from qgtm.research.grid import BOOK, grid, windows
from qgtm.research.history import evidence
from qgtm.research.story import world
from qgtm.research.sweep import Dask, Job, Swept, swept
from qgtm.strategies import BY_NAME

Name = Annotated[str, typer.Argument(help="Which strategy.", metavar="NAME")]
Knobs = Annotated[
    list[str] | None,
    typer.Option(
        "--grid",
        help="name=low:high:step, name=a,b,c, or name for its own range; may be repeated. "
        "Without it: the first two knobs that have a range.",
        metavar="KNOB",
    ),
]
Parts = Annotated[int, typer.Option("--windows", help="Equal windows that the sessions are cut into.", min=1)]
Days = Annotated[
    list[str] | None,
    typer.Option("--window", help="2020-01-02:2021-12-31, both in; may be repeated.", metavar="DAYS"),
]
Accounts = Annotated[
    str,
    typer.Option("--symbols", help=f"{BOOK!r}: all in one account; 'each': each alone; or names by comma."),
]
Scheduler = Annotated[
    str, typer.Option(help="A Dask cluster that is there, such as tcp://10.0.0.5:8786.", metavar="ADDRESS")
]
Workers = Annotated[int, typer.Option(help="Processes of our own, without --scheduler.", min=1)]
Sets = Annotated[
    int,
    typer.Option("--chunk", help="Sets of parameters that are kept at a time; 0 chooses up to 32.", min=0),
]
Sessions = Annotated[int, typer.Option(help="How many, of made-up or recorded bars.", min=60)]
Seed = Annotated[int, typer.Option(help="Of the made-up market.", min=0)]
Costs = Annotated[float, typer.Option(help="Paid on every fill.", min=0.0)]
Figure = Annotated[str, typer.Option(help=f"Which one is drawn: {', '.join(FIGURES)}.")]
CORES = os.cpu_count() or 1
Folder = Annotated[Path, typer.Option(help="Where chunks and pictures are kept.", metavar="PATH")]


def command(
    name: Name,
    knobs: Knobs = None,
    parts: Parts = 1,
    days: Days = None,
    accounts: Accounts = BOOK,
    scheduler: Scheduler = "",
    workers: Workers = CORES,
    sets: Sets = 0,
    bars: Bars = None,
    sessions: Sessions = 2520,
    seed: Seed = 4,
    cost_bps: Costs = 3.0,
    figure: Figure = "sharpe",
    folder: Folder = Path("var/sweeps"),
    as_json: AsJson = False,
) -> None:
    """Back-test a strategy over a grid of its parameters, windows and symbols, and draw a map of it.

    What is done is kept chunk by chunk, so that a sweep that was stopped goes on. A good cell among bad
    ones is luck: look for a plain, and count every cell as a trial when you judge the best.
    """
    if figure not in FIGURES:
        raise MarketError(f"there is no figure {figure!r}; there are {', '.join(FIGURES)}.")
    source = "synthetic" if bars is None else str(bars)
    job = _job(name, knobs or [], source, sessions, seed, accounts, parts, days or [], cost_bps)
    job = replace(job, sets=sets)
    clock = SystemClock()
    began_s = clock.monotonic()
    done = _swept(job, folder / name, scheduler, workers, name)
    told = _told(name, source, done, figure, clock.monotonic() - began_s, folder)
    if as_json:
        say_json(told)
        return
    say(
        f"{told['cells']:,} accounts in {told['took_s']:.1f} s; {done.resumed} of {job.chunks} chunks had "
        f"been done before; {source} bars.",
        f"best {figure}: {told['best'][figure]:.3f} at {told['best']['params']} (of {len(job.grid)} tried); "
        f"median {told['median']:.3f}",
        f"map: {told['page']}",
    )


def _job(
    name: str,
    knobs: list[str],
    source: str,
    sessions: int,
    seed: int,
    accounts: str,
    parts: int,
    days: list[str],
    cost_bps: float,
) -> Job:
    if name not in BY_NAME:
        raise MarketError(f"there is no strategy {name!r}; there are {', '.join(BY_NAME)}.")
    module = BY_NAME[name].module
    there, manifest = world(source, sessions, seed), load_manifest(ROOT / "qgtm")
    return Job(
        module=module.__name__,
        bars=there.bars,
        panel=there.panel,
        grid=grid(module, knobs),
        windows=windows(there.bars, parts, days),
        symbols=_accounts(module.symbols, accounts),
        cost_bps=cost_bps,
        borrow_bps=borrow_bps(manifest, name),
        prints=manifest_sha(manifest),
    )


def _accounts(there: tuple[str, ...], wanted: str) -> tuple[str, ...]:
    chosen = there if wanted == "each" else tuple(dict.fromkeys(wanted.split(",")))
    if unknown := set(chosen) - {*there, BOOK}:
        raise MarketError(f"it trades no {', '.join(sorted(unknown))}; it trades {', '.join(there)}.")
    return chosen


def _swept(job: Job, store: Path, scheduler: str, workers: int, name: str) -> Swept:
    try:
        with _bar(name, job) as tell:
            return swept(job, store, Dask(scheduler, workers), tell)
    except (OSError, TimeoutError) as problem:
        if not scheduler:
            raise
        raise MarketError(
            f"nobody answers at {scheduler} ({problem}); start `dask scheduler` there, or leave it out."
        ) from problem
    except ImportError as problem:
        raise MarketError(
            f"sweeps need a part that is not installed here ({problem.name}): `pip install '.[research]'`."
        ) from problem


@contextmanager
def _bar(name: str, job: Job) -> Iterator[Callable[[int, int], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn(name),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("chunks"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as drawn:
        task = drawn.add_task(name, total=job.chunks)
        yield lambda done, of: drawn.update(task, completed=done, total=of)


def _told(name: str, source: str, done: Swept, figure: str, took_s: float, folder: Path) -> dict[str, Any]:
    from qgtm.research.heat import write_heat_map

    job = done.job
    svg, page = write_heat_map(done, figure, folder / name / job.key(), f"{name}: {figure}")
    means = done.figures.mean(axis=(1, 2))
    ranked = means[:, FIGURES.index(figure)]
    best = int(ranked.argmin() if figure in LOWER_IS_BETTER else ranked.argmax())
    point = list(job.grid.points())[best]
    return {
        "strategy": name,
        "source": evidence(source),
        "cells": job.cells,
        "sets": len(job.grid),
        "windows": [each.name for each in job.windows],
        "symbols": list(job.symbols),
        "grid": {each: list(values) for each, values in job.grid.knobs},
        "chunks": job.chunks,
        "resumed": done.resumed,
        "took_s": round(took_s, 3),
        "best": {"params": point, **dict(zip(FIGURES, means[best].tolist(), strict=True))},
        "printed": {k: v for k, v in asdict(BY_NAME[name].module.PARAMS).items() if k in job.grid.names},
        "median": float(sorted(ranked)[len(ranked) // 2]),
        "figures": str(page.parent),
        "svg": str(svg),
        "page": str(page),
    }


LOWER_IS_BETTER = ("volatility_frac", "max_drawdown_frac", "turnover_a_year", "costs_frac")
