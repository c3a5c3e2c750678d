"""`qgtm simulate`: live through invented days with faults, and hold what must never break."""

import json
import os
import sys
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import Progress

from qgtm.cli.options import AsJson, ConfigPath, configured, say
from qgtm.core.errors import ConfigError
from qgtm.simulation.crash import seeds_of
from qgtm.simulation.run import DAYS, Lived, lived, lived_all

Days = Annotated[int, typer.Option("--days", help="Sessions that each seed lives through.", min=1)]
Seed = Annotated[int, typer.Option("--seed", help="Of the market, the faults and the people.", min=0)]
Seeds = Annotated[
    str | None, typer.Option("--seeds", help="A:B for the seeds from A up to B, B not among them.")
]
Until = Annotated[
    int | None, typer.Option("--until", help="Stop at this mark of the trace and show what led there.", min=1)
]
Jobs = Annotated[int | None, typer.Option("--jobs", help="Processes side by side; else one a core.", min=1)]
RealClient = Annotated[
    bool, typer.Option("--real-client", help="Let the daemon speak through the real alpaca-py.")
]
BROKEN: Final = 1


def command(
    days: Days = DAYS,
    seed: Seed = 1,
    seeds: Seeds = None,
    until: Until = None,
    real_client: RealClient = False,
    jobs: Jobs = None,
    config: ConfigPath = None,
    as_json: AsJson = False,
) -> None:
    """Live through invented days in which everything goes wrong, and check what must hold all the same.

    Daemon, watchdog, operators and exchange are in one process on a virtual clock: the same seed gives the
    same trace. Exits 1 when anything was broken; `--until MARK` then shows what led to it.
    """
    loaded, _ = configured(config)
    if seeds is not None and until is not None:
        raise ConfigError("--until stops one seed: give --seed, not --seeds.")
    wanted = list(_seeds(seeds)) if seeds is not None else [seed]
    if len(wanted) == 1:
        found = [
            lived(wanted[0], days, loaded, until=until, is_real_client=real_client, is_kept=until is not None)
        ]
        _tell(found[0], as_json=as_json)
    else:
        found = []
        with Progress(console=Console(stderr=True), transient=True, disable=as_json) as progress:
            task = progress.add_task("seeds", total=len(wanted))
            count = jobs or os.cpu_count() or 1
            for each in lived_all(wanted, days, loaded, jobs=count, is_real_client=real_client):
                found.append(each)
                progress.advance(task)
                if each.violations or as_json:
                    _tell(each, as_json=as_json)
        _sum_up(found, as_json=as_json)
    if any(each.violations for each in found):
        sys.exit(BROKEN)


def _seeds(text: str) -> list[int]:
    try:
        found = list(seeds_of(text))
    except ValueError:
        raise ConfigError(f"--seeds is {text!r}: write it as 1:61, for 1 to 60.") from None
    if not found:
        raise ConfigError(f"--seeds {text} names no seed: write the smaller number first.")
    return found


def _tell(found: Lived, *, as_json: bool) -> None:
    if as_json:
        say(json.dumps(found.plain(), ensure_ascii=False))
        return
    for mark in found.last:
        about = " ".join(map(str, mark.about))
        say(f"{mark.number:>7}  {mark.venue_at:%Y-%m-%d %H:%M:%S}  {mark.what}  {about}"[:160])
    for violation in found.violations:
        say(f"seed {found.seed}: {violation.invariant} at {violation.at}: {violation.text}")
        say(f"  to see it: qgtm simulate --days {found.days} --seed {found.seed} --until {violation.mark}")
    struck = ", ".join(f"{name} {count}" for name, count in sorted(found.fired.items()))
    say(
        f"seed {found.seed}: {found.days} days, {found.lives} lives, {found.rows} rows, "
        f"{len(found.violations)} violations, trace {found.trace_hash}",
        f"  struck: {struck or 'nothing'}",
    )


def _sum_up(found: list[Lived], *, as_json: bool) -> None:
    if not as_json:
        days = sum(each.days for each in found)
        broken = sum(len(each.violations) for each in found)
        say(f"{days} days in {len(found)} seeds: {broken} violations")
