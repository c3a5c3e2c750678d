"""`qgtm evidence`: what each strategy's record is worth, and whether it passes its gates."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from textwrap import wrap
from types import ModuleType
from typing import Annotated, Any, Final

import typer

from qgtm.adapters.card_file import keep_card, print_sha
from qgtm.adapters.manifest import Manifest, borrow_bps, load_manifest
from qgtm.cli.options import AsJson, Bars, ConfigPath, configured, say, say_json
from qgtm.cli.report import reports_of
from qgtm.core.errors import MarketError
from qgtm.core.gate import Standing
from qgtm.features.seen import Seen
from qgtm.reporting.make import ROOT
from qgtm.research.evidence import as_json, found, unjudged
from qgtm.research.evidence_page import lines, number
from qgtm.research.history import evidence
from qgtm.research.story import world
from qgtm.strategies import BY_NAME

Name = Annotated[str | None, typer.Argument(help="Which strategy; else all.", metavar="NAME")]
Sessions = Annotated[int, typer.Option(help="The last so many, of made-up or recorded bars.", min=60)]
Seed = Annotated[int, typer.Option(help="Of the made-up market, and of the bootstrap.", min=0)]
Costs = Annotated[float, typer.Option(help="Paid on every fill.", min=0.0)]
Folder = Annotated[
    Path | None,
    typer.Option(
        "--reports",
        help="Where the cards of a run with --bars are kept; else reports/ beside the configuration, where "
        "the daemon looks.",
        metavar="PATH",
    ),
]

ROW: Final = "{:<26}{:>8}{:>9}{:>16}{:>9}{:>10}"
WIDE: Final = 78


def command(
    name: Name = None,
    bars: Bars = None,
    sessions: Sessions = 2520,
    seed: Seed = 4,
    cost_bps: Costs = 3.0,
    reports: Folder = None,
    config: ConfigPath = None,
    as_json: AsJson = False,
) -> None:
    """Judge every strategy on sessions that its parameters were not chosen on, and say what the gates say.

    Series and reports are taken from the folders `fred` and `cot` in the folder of bars or beside it. With
    --bars the cards are kept, and the daemon lets trade who passes; without it the market is made up,
    which proves nothing.
    """
    source = "synthetic" if bars is None else str(bars)
    keep = None if bars is None else reports or reports_of(configured(config)[0])
    there = world(source, sessions, seed)
    manifest = load_manifest(ROOT / "qgtm")
    cards = []
    with _bar(_chosen(name)) as modules:
        for module in modules:
            cards.append(card_of(module, there, evidence(source), cost_bps, seed, manifest))
            if keep is not None:
                keep_card(keep, cards[-1])
    if as_json:
        say_json(cards)
        return
    _print(cards, is_one=name is not None)
    if keep is not None:
        say(f"cards: {keep / 'evidence'}")


def card_of(
    module: ModuleType, there: Seen, recorded: str, cost_bps: float, seed: int, manifest: Manifest
) -> dict[str, Any]:
    """Return the card of a printed strategy over `there`: inputs, figures, standing and words."""
    borrow = borrow_bps(manifest, module.NAME)
    absent = [symbol for symbol in module.symbols if symbol not in there.bars.symbols]
    if absent:
        judged = unjudged(module.NAME, module.FEEDS, ", ".join(absent))
    else:
        judged = as_json(found(module, there, recorded, cost_bps, seed, borrow))
    span = {"sessions": len(there), "cost_bps": cost_bps, "borrow_bps": borrow}
    return judged | {"print": print_sha(manifest, module.NAME), "over": span}


def _chosen(name: str | None) -> list[ModuleType]:
    if name is not None and name not in BY_NAME:
        raise MarketError(f"there is no strategy {name!r}; there are {', '.join(BY_NAME)}.")
    return [each.module for key, each in BY_NAME.items() if name in (None, key)]


@contextmanager
def _bar(modules: list[ModuleType]) -> Iterator[Iterator[ModuleType]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("strategies"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as drawn:
        task = drawn.add_task("evidence", total=len(modules))

        def walked() -> Iterator[ModuleType]:
            for module in modules:
                drawn.update(task, description=module.NAME)
                yield module
                drawn.advance(task)

        yield walked()


def _print(cards: list[dict[str, Any]], *, is_one: bool) -> None:
    if is_one:
        say(cards[0]["name"], *lines(cards[0]["evidence"], cards[0]["proof"]))
        return
    say(ROW.format("strategy", "sessions", "Sharpe", "with 90% in", "overfit", "deflated"))
    for card in cards:
        say(
            ROW.format(*cells(card)),
            *wrap(card["evidence"], WIDE, initial_indent="  ", subsequent_indent="  "),
        )
    told = Counter(card["state"] for card in cards)
    say("", f"{told[Standing.PROVEN]} proven, {told[Standing.SHADOW]} in the shadow, of {len(cards)}.")


def cells(card: Mapping[str, Any]) -> list[str]:
    """Return a card's figures out of sample as the cells of a row; a line where there is none."""
    proof = card["proof"]
    ratio, overfit, deflated = (_figure(proof[each]) for each in ("sharpe", "overfit", "deflated"))
    span = "-" if proof["low"] is None else f"{number(proof['low'])} to {number(proof['high'])}"
    return [card["name"], str(proof["sessions"]), ratio, span, overfit, deflated]


def _figure(value: float | None) -> str:
    return "-" if value is None else number(value)
