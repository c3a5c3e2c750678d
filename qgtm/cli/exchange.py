"""`qgtm exchange`: serve the paper exchange by itself."""

import sys
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Literal, cast

import typer

from qgtm.core.errors import ConfigError
from qgtm.exchange.run import PORT, Options, serve
from qgtm.exchange.venue import SESSION_SPEED


def exchange(
    port: Annotated[int, typer.Option(help="Where to listen on this machine; 0 takes any.")] = PORT,
    market: Annotated[str, typer.Option(help="synthetic, or recorded with --bars.")] = "synthetic",
    bars: Annotated[Path | None, typer.Option(help="Folder of daily bars, one file a symbol.")] = None,
    seed: Annotated[int, typer.Option(help="What prices, ids and partial fills follow from.")] = 7,
    speed: Annotated[
        float, typer.Option(help="1 is real time; more skips closed hours; 0 moves by the control port only.")
    ] = SESSION_SPEED,
    start: Annotated[str | None, typer.Option(help="First session to trade, as 2024-01-31.")] = None,
    cash: Annotated[str, typer.Option(help="Opening cash in dollars.")] = "250000",
    state: Annotated[Path, typer.Option(help="Folder that keeps orders, positions and venue time.")] = Path(
        "var/exchange"
    ),
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget the state and begin anew.")] = False,
) -> None:
    """Serve a paper exchange that speaks Alpaca's protocol; stop it with Ctrl-C.

    Point alpaca-py at it with url_override: http://127.0.0.1:8701 for REST,
    ws://127.0.0.1:8701/stream for trade updates and ws://127.0.0.1:8701/v2/iex for data.
    """
    if speed < 0:
        raise ConfigError(f"--speed is {speed}; it must be 0 (stepped), 1 (real time) or more")
    options = Options(
        state=state,
        market=cast("Literal['synthetic', 'recorded']", market),
        bars=bars,
        seed=seed,
        speed=speed,
        start=_day(start),
        cash_usd=_cash(cash),
        port=port,
        is_fresh=fresh,
    )
    serve(options, lambda line: print(line, file=sys.stderr, flush=True))


def _day(text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"--start is {text!r}; write a day as 2024-01-31") from None


def _cash(text: str) -> Decimal:
    try:
        cash = Decimal(text)
    except InvalidOperation:
        cash = Decimal(0)
    if not (cash.is_finite() and cash > 0):
        raise ConfigError(f"--cash is {text!r}; write dollars above zero, as 250000")
    return cash


command = exchange
