"""`qgtm diff`: what an edit of a notebook changes in what its strategy would have wanted."""

from pathlib import Path
from typing import Annotated, Any

import typer

from qgtm.cli.options import AsJson, Bars, say, say_json
from qgtm.research.history import evidence
from qgtm.research.story import world
from qgtm.workbench.change import Change, change, write_picture
from qgtm.workbench.working import deployed_print, working_copy

Name = Annotated[str, typer.Argument(help="Which strategy: the name of its notebook.", metavar="NAME")]
Sessions = Annotated[int, typer.Option(help="How many, of made-up or recorded bars.", min=60)]
Seed = Annotated[int, typer.Option(help="Of the made-up market.", min=0)]
Folder = Annotated[Path, typer.Option(help="Where the picture is put.", metavar="PATH")]


def command(
    name: Name,
    bars: Bars = None,
    sessions: Sessions = 2520,
    seed: Seed = 4,
    folder: Folder = Path("var/diffs"),
    as_json: AsJson = False,
) -> None:
    """Compare the deployed print with the working copy: on how many days they want something else.

    The working copy is the notebook as it would be printed now; nothing is printed. What other prints
    say is taken as they lie on the disk.
    """
    working = working_copy(Path.cwd(), name)
    deployed = deployed_print(working.root, name)
    source = "synthetic" if bars is None else str(bars)
    found = change(deployed, working.strategy, world(source, sessions, seed))
    picture = write_picture(found, folder) if found.days else None
    if as_json:
        say_json(_told(found, evidence(source), working.is_printed, picture))
    else:
        say(*_lines(found, evidence(source), working.is_printed, picture))


def _told(found: Change, source: str, is_printed: bool, picture: Path | None) -> dict[str, Any]:
    return {
        "strategy": found.name,
        "source": source,
        "is_printed": is_printed,
        "sessions": len(found.bars),
        "differing": len(found.days),
        "first": found.days[0] if found.days else None,
        "last": found.days[-1] if found.days else None,
        "largest_frac": found.largest_frac,
        "by_symbol": found.by_symbol,
        "knobs": {knob: {"deployed": old, "working": new} for knob, (old, new) in found.knobs.items()},
        "picture": None if picture is None else str(picture),
    }


def _lines(found: Change, source: str, is_printed: bool, picture: Path | None) -> list[str]:
    over = f"{len(found.bars):,} sessions of {source} bars"
    if is_printed:
        return [f"The notebook is what is printed: nothing differs, on none of {over}."]
    turned = [f"{knob}: {old} is now {new}" for knob, (old, new) in found.knobs.items()]
    if not found.days:
        return [*turned, f"The notebook has changed, but no target differs, on none of {over}."]
    by_symbol = ", ".join(f"{symbol} {count:,}" for symbol, count in found.by_symbol.items())
    return [
        *turned,
        f"{len(found.days):,} of {over} differ, from {found.days[0]} to {found.days[-1]}: {by_symbol}.",
        f"The largest difference is {found.largest_frac:.3f} of the budget.",
        f"picture: {picture}",
    ]
