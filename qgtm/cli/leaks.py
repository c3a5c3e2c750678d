"""`qgtm leaks`: show that look-ahead would be found, on thirty planted leaks and their honest twins."""

from typing import Annotated

import typer

from qgtm.cli.options import AsJson, say, say_json
from qgtm.research.leaks import Finding, judged
from qgtm.research.zoo import Pair, pairs, world

Seed = Annotated[int, typer.Option(help="Which made-up market they are judged on.", min=0)]


def command(seed: Seed = 5, as_json: AsJson = False) -> None:
    """Judge thirty ways to see the future, and the honest twin of each.

    Exits with 1 when a planted leak is missed or an honest twin is suspected. The same judge holds every
    feature of the fund in the tests.
    """
    there = world(seed=seed)
    found = [(pair, judged(pair.planted, there), judged(pair.clean, there)) for pair in pairs()]
    missed = [pair.planted.name for pair, planted, _ in found if planted is None]
    alarms = [pair.clean.name for pair, _, clean in found if clean is not None]
    if as_json:
        say_json(
            {
                "planted": len(found),
                "caught": len(found) - len(missed),
                "clean": len(found),
                "false_alarms": len(alarms),
                "missed": missed,
                "suspected": alarms,
            }
        )
    else:
        say(*(_line(pair, planted) for pair, planted, _ in found), "")
        caught = f"{len(found) - len(missed)} of {len(found)} planted leaks caught"
        say(f"{caught}; {len(alarms)} of {len(found)} honest twins suspected.")
    if missed or alarms:
        raise typer.Exit(1)


def _line(pair: Pair, finding: Finding | None) -> str:
    said = "MISSED" if finding is None else f"{finding.session}: {finding.how}"
    return f"{pair.planted.name:<37} {said}"
