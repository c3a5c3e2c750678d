"""`qgtm parity`: what the daemon decides bar by bar, against what the notebooks say all at once."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

from qgtm.cli.options import AsJson, Bars, ConfigPath, configured, say, say_json
from qgtm.config import Config
from qgtm.core.errors import ConfigError, ExportError
from qgtm.export.press import find_root
from qgtm.features.seen import Seen
from qgtm.research.history import history_from_folder
from qgtm.research.made_up_panel import made_up_panel, made_up_seen
from qgtm.simulation.gaps import PARTS, Gaps, gaps, write_bars
from qgtm.simulation.parity import Agreement, Difference, agreement
from qgtm.strategies import BY_NAME, Strategy
from qgtm.workbench.working import working_copy

Sessions = Annotated[int, typer.Option(help="How many of the last sessions are walked.", min=60, max=5000)]
Replayed = Annotated[
    int, typer.Option(help="How many of them are traded on the paper exchange; 0 leaves it out.", min=0)
]
Names = Annotated[list[str] | None, typer.Option("--strategy", help="Only these strategies; else all.")]
Seed = Annotated[int, typer.Option(help="Of the made-up market, and of what is made up beside bars.", min=0)]
Second = Annotated[bool, typer.Option(help="Hold the back-test against vectorbt's own book.")]

WORDS: Mapping[str, str] = {
    "data": "prices to the cent, bars refused",
    "timing": "other sessions, or filled in part",
    "rounding": "whole shares",
    "price": "what was paid instead of the open",
    "cost": "charged instead of assumed",
}


def command(
    bars: Bars = None,
    sessions: Sessions = 1000,
    replayed: Replayed = 120,
    strategy: Names = None,
    seed: Seed = 4,
    vectorbt: Second = True,
    config: ConfigPath = None,
    as_json: AsJson = False,
) -> None:
    """Compare every decision of the daemon's way with the notebooks' own figures, and say where they differ.

    The daemon's way is its stores, features, rules, journal and checkpoints, bar by bar, with a restart in
    the middle. After it the same bars are traded on the paper exchange and in a back-test, and each dollar
    between the two is told as data, timing, rounding, price or cost. Without --bars the market is made up;
    beside recorded bars the series are. Exits with 1 when a decision differs, or a dollar is not explained.
    """
    loaded, _ = configured(config)
    names = _wanted(strategy)
    seen = _market(bars, sessions, seed)
    with Progress(console=Console(stderr=True), transient=True, disable=as_json) as progress:
        found = _agreement(seen, names, loaded, progress)
        money = _gaps(seen, bars, names, replayed, loaded, vectorbt, progress) if replayed else None
    if as_json:
        say_json(_fields(found, money))
    else:
        say(*_told(found), *(_money(money) if money else ()))
    if found.differing or (money and money.unexplained_usd):
        raise typer.Exit(1)


def _wanted(names: Sequence[str] | None) -> tuple[str, ...]:
    if unknown := [name for name in names or () if name not in BY_NAME]:
        raise ConfigError(f"there is no strategy {unknown[0]}: there are {', '.join(BY_NAME)}.")
    return tuple(dict.fromkeys(names or BY_NAME))


def _market(folder: Path | None, sessions: int, seed: int) -> Seen:
    if folder is None:
        return made_up_seen(sessions, seed)
    bars = history_from_folder(folder).tail(sessions)
    return Seen(bars, made_up_panel(bars, seed))  # a folder has prices alone


def notebooks(names: Sequence[str], start: Path) -> dict[str, Strategy]:
    """Return the strategies as their notebooks have them now; as printed where there are no notebooks.

    Raises ExportError for a notebook that cannot be printed.
    """
    try:
        root = find_root(start)
    except ExportError:
        return {name: BY_NAME[name] for name in names}
    return {name: working_copy(root, name).strategy for name in names}


def _agreement(seen: Seen, names: Sequence[str], config: Config, progress: Progress) -> Agreement:
    with TemporaryDirectory(prefix="qgtm-parity-") as folder:
        return agreement(
            seen,
            [BY_NAME[name] for name in names],
            notebooks(names, Path.cwd()),
            config.limits,
            Path(folder),
            lambda sets: progress.track(sets, description="bar by bar"),
        )


def _gaps(
    seen: Seen,
    bars: Path | None,
    names: Sequence[str],
    sessions: int,
    config: Config,
    with_vectorbt: bool,
    progress: Progress,
) -> Gaps:
    with TemporaryDirectory(prefix="qgtm-parity-") as folder:
        if bars is None:
            write_bars(seen.bars, Path(folder))
        return gaps(
            bars or Path(folder),
            [BY_NAME[name] for name in names],
            config.limits,
            config.fund.starting_cash_usd,
            sessions,
            with_vectorbt=with_vectorbt,
            track=lambda days: progress.track(days, description="on the exchange"),
        )


def _fields(found: Agreement, money: Gaps | None) -> dict[str, Any]:
    return {
        "strategies": len(found.strategies),
        "sessions": found.sessions,
        "decisions": found.decisions,
        "differing": found.differing,
        "checkpoints": found.checkpoints,
        "restarted_on": found.restarted_on,
        "differences": [
            {
                "strategy": each.strategy,
                "bar": each.session,
                "symbol": each.symbol,
                "input": each.input,
                "live": each.live,
                "notebook": each.notebook,
            }
            for each in found.differences
        ],
        "gaps": None if money is None else _gap_fields(money),
    }


def _gap_fields(money: Gaps) -> dict[str, Any]:
    return {
        "sessions": money.sessions,
        "fills": money.fills,
        "backtest_usd": float(money.backtest_usd),
        "vectorbt_usd": None if money.vectorbt_usd is None else float(money.vectorbt_usd),
        "replay_usd": float(money.replay_usd),
        "whole_usd": float(money.whole_usd),
        **{f"{part}_usd": float(money.parts_usd[part]) for part in PARTS},
        "unexplained_usd": float(money.unexplained_usd),
        "positions_frac": round(money.positions_frac, 6),
    }


def _told(found: Agreement) -> Iterable[str]:
    yield f"{len(found.strategies)} strategies over {found.sessions} sessions, " + (
        f"{found.checkpoints} checkpoints, started anew after {found.restarted_on}."
    )
    yield from map(_difference, found.differences)
    yield f"differing decisions: {found.differing:,} of {found.decisions:,}"


def _difference(each: Difference) -> str:
    return (
        f"{each.strategy} on {each.session}: {each.symbol} is {_said(each.live)} live and "
        f"{_said(each.notebook)} in the notebook. First input that differs: {each.input}."
    )


def _said(value: float | None) -> str:
    return "no view" if value is None else repr(value)


def _money(money: Gaps) -> Iterable[str]:
    yield ""
    yield f"{money.sessions} sessions on the paper exchange, {money.fills} fills, and back-tested:"
    yield f"  back-test   {_usd(money.backtest_usd)}"
    if money.vectorbt_usd is not None:
        yield f"  vectorbt    {_usd(money.vectorbt_usd)}"
    yield from (f"  {part:<11} {_usd(money.parts_usd[part])}  {WORDS[part]}" for part in PARTS)
    yield f"  replay      {_usd(money.replay_usd)}"
    yield f"  unexplained {_usd(money.unexplained_usd)}"


def _usd(amount: Any) -> str:
    return f"{amount:>14,.2f}"
