"""`qgtm replay`: recorded bars through the same step, risk and exchange core as live."""

import dataclasses
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from qgtm.adapters.journal import MemoryJournal, SqliteJournal
from qgtm.cli.options import AsJson, ConfigPath, configured, say_json
from qgtm.config import Config
from qgtm.core.errors import ConfigError, MarketError
from qgtm.core.mode import Mode
from qgtm.core.universe import SYMBOLS
from qgtm.engine.desk import Desk
from qgtm.exchange.market.recorded import RecordedMarket
from qgtm.features.history import History
from qgtm.risk.kill_switch import KillSwitch
from qgtm.simulation.replay import Replay
from qgtm.simulation.summary import ReplaySummary, summary
from qgtm.strategies import BY_NAME

Bars = Annotated[Path, typer.Option("--bars", help="A folder of CSV or Parquet files, one a symbol.")]
Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"])]
Cash = Annotated[int | None, typer.Option("--cash", help="Dollars to begin with; else the config's.", min=1)]
Seed = Annotated[int, typer.Option("--seed", help="Of the path within each day and of partial fills.")]
Share = Annotated[
    float | None,
    typer.Option(
        "--tape-share",
        help="Part of the market's volume that the bars hold, IEX alone about 0.03; else the config's.",
        min=0.0001,
        max=1.0,
    ),
]
Keep = Annotated[
    Path | None, typer.Option("--journal", help="Keep the journal in this new file; else in memory.")
]
Names = Annotated[
    list[str] | None, typer.Option("--strategy", help="Only these strategies; else the config's.")
]


def command(
    bars: Bars,
    from_: Annotated[
        datetime | None,
        typer.Option("--from", formats=["%Y-%m-%d"], help="First session that trades; earlier ones warm up."),
    ] = None,
    to: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last session.")] = None,
    strategy: Names = None,
    cash: Cash = None,
    seed: Seed = 7,
    tape_share: Share = None,
    journal: Keep = None,
    config: ConfigPath = None,
    as_json: AsJson = False,
) -> None:
    """Trade recorded prices from end to end and print what came of it; same input, same head."""
    loaded, _ = configured(config)
    market = RecordedMarket(bars, seed)
    first = from_.date() if from_ else market.first
    last = min(to.date(), market.last) if to else market.last
    sessions = market.sessions(market.first, last)
    traded = [session for session in sessions if session.day >= first]
    if not traded:
        raise MarketError(
            f"no session from {first} to {last}: {bars} has {market.first} to {market.last}; "
            "move --from or --to."
        )
    start_usd = Decimal(cash) if cash else loaded.fund.starting_cash_usd
    kept = _journal(journal)
    history = History(SYMBOLS)
    desk = _desk(loaded, history, strategy, tape_share)
    replay = Replay(market, desk, history, kept, traded[0].day, seed, start_usd)
    replay.warm_up([session for session in sessions if session.day < first])
    replay.begin()
    with Progress(console=Console(stderr=True), transient=True, disable=as_json) as progress:
        replay.walk_all(progress.track(traded, description="sessions"))
    result = summary(kept, start_usd)
    if as_json:
        say_json({name: _plain(value) for name, value in dataclasses.asdict(result).items()})
    else:
        _show(market, result, replay.kernel.state.switch)


LIMITED: Final = {
    Mode.REDUCING: "Past the soft cap: nothing may be opened until the fall recovers or OpA overrides;",
    Mode.HALTED_HARD: "Past the hard cap: everything was closed, and it takes both persons to start again;",
    Mode.HALTED_DEAD_MAN: "Closed by the dead-man's switch;",
}


def _journal(path: Path | None) -> MemoryJournal | SqliteJournal:
    if path is None:
        return MemoryJournal()
    if path.exists():
        raise ConfigError(f"{path} exists: name a new file, so that no journal is mixed with another.")
    return SqliteJournal(path)


def _desk(config: Config, history: History, names: list[str] | None, tape_share: float | None) -> Desk:
    wanted = names or list(config.strategies.enabled)
    if unknown := [name for name in wanted if name not in BY_NAME]:
        raise ConfigError(f"there is no strategy {unknown[0]}: there are {', '.join(BY_NAME)}.")
    return Desk(
        limits=config.limits,
        strategies=tuple(BY_NAME[name] for name in wanted),
        history=history,
        tape_share_frac=tape_share or float(config.feeds.ohlcv.tape_share_frac),
    )


def _show(market: RecordedMarket, result: ReplaySummary, switch: KillSwitch) -> None:
    console = Console(highlight=False)
    thin = [found for found in market.report() if found.missing or found.zero_volume]
    if thin:
        names = ", ".join(f"{found.symbol} {found.missing}" for found in thin)
        console.print(f"Sessions without a bar, left as holes: {names}\n", style="yellow")
    table = Table(show_header=False, box=None)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in dataclasses.asdict(result).items():
        if name != "head":
            table.add_row(name, _text(name, value))
    console.print(table)
    console.print(f" {'head':19}{result.head}", soft_wrap=True)  # in one piece, to be searched for
    if switch.mode is not Mode.ACTIVE:
        console.print(f"\n{LIMITED[switch.mode]} since {switch.since:%Y-%m-%d}.", style="yellow")


def _plain(value: object) -> object:
    return float(value) if isinstance(value, Decimal) else value  # whole cents: the float prints the same


def _text(name: str, value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{count} {check}" for check, count in value.items()) or "none"
    if value is None:
        return "not known"
    if name.endswith("_frac"):
        return f"{value:.2%}"
    if name.endswith("_usd"):
        return f"${value:,.2f}"
    return f"{value:.2f}" if isinstance(value, float) else str(value)
