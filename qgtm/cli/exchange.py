"""`qgtm exchange`: serve the paper exchange by itself."""

import os
import sys
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Literal, cast

import typer

from qgtm.cli.options import Bars, ConfigPath, Day
from qgtm.config import Config, load_config
from qgtm.core.errors import ConfigError

Market = Literal["synthetic", "recorded"]


def command(
    port: Annotated[
        int | None, typer.Option(help="Where to listen on this machine; 0 takes any.", min=0, max=65535)
    ] = None,
    market: Annotated[
        str | None, typer.Option(help="synthetic, or recorded with --bars.", metavar="KIND")
    ] = None,
    bars: Bars = None,
    seed: Annotated[
        int | None, typer.Option(help="What prices, ids and partial fills follow from.", min=0)
    ] = None,
    speed: Annotated[
        float | None,
        typer.Option(
            help="1 is real time; more skips closed hours; 0 moves by the control port only.", min=0
        ),
    ] = None,
    start: Annotated[Day, typer.Option(help="First session of a new state.", formats=["%Y-%m-%d"])] = None,
    cash: Annotated[
        str | None, typer.Option(help="Opening cash of a new state, in dollars.", metavar="USD")
    ] = None,
    state: Annotated[
        Path | None, typer.Option(help="Folder of orders, positions and venue time.", metavar="DIR")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget the state and begin anew.")] = False,
    config: ConfigPath = None,
) -> None:
    """Serve a paper exchange that speaks Alpaca's protocol; stop it with Ctrl-C.

    What is not said here is as the configuration says under exchange, and the state lies where the daemon
    looks for it. Point alpaca-py with url_override at http://127.0.0.1:PORT for REST, and its streams at
    ws://127.0.0.1:PORT/stream for orders and ws://127.0.0.1:PORT/v2/iex for data.
    """
    from qgtm.exchange.run import Options, serve

    loaded = load_config(config, os.environ)
    section = loaded.exchange
    kind, folder = _market(loaded, market, bars)
    options = Options(
        state=state or loaded.state_dir(os.environ).exchange,
        market=kind,
        bars=folder,
        seed=section.seed if seed is None else seed,
        speed=float(section.speed) if speed is None else speed,
        start=_first(start),
        cash_usd=loaded.fund.starting_cash_usd if cash is None else _cash(cash),
        port=section.port if port is None else port,
        is_fresh=fresh,
    )
    serve(options, lambda line: print(line, file=sys.stderr, flush=True))


def _market(config: Config, market: str | None, bars: Path | None) -> tuple[Market, Path | None]:
    """Return the market that is asked for: `--bars` alone means a recorded one."""
    section = config.exchange
    kind = market or ("recorded" if bars else section.market)
    if kind not in ("synthetic", "recorded"):
        raise ConfigError(f"--market is {kind!r}: write synthetic or recorded.")
    if kind == "synthetic" and bars:
        raise ConfigError("--bars is a recorded market: leave --market synthetic out, or --bars.")
    beside = config.path.parent / section.bars_dir if section.bars_dir else None
    return cast("Market", kind), (bars or beside) if kind == "recorded" else None


def _first(start: datetime | None) -> date | None:
    return None if start is None else start.date()


def _cash(text: str) -> Decimal:
    try:
        cash = Decimal(text)
    except InvalidOperation:
        cash = Decimal(0)
    if not (cash.is_finite() and cash > 0):
        raise ConfigError(f"--cash is {text!r}: write dollars above zero, as 250000.")
    return cash
