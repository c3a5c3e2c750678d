"""`qgtm signals`: what the strategies want, and what waits for orders."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from qgtm.cli.options import AsJson, ConfigPath, configured, say, say_json
from qgtm.core.errors import JournalError
from qgtm.core.instant import NEW_YORK, text_from_instant
from qgtm.risk.limits import Limits
from qgtm.views.chronicle import Chronicle
from qgtm.views.signals import pending
from qgtm.views.words import change, percent
from qgtm.web.lookout import Lookout

Waiting = Annotated[bool, typer.Option("--pending", help="Only what is wanted and not reached yet.")]
NUMBERS = ("strength", "earned", "wanted", "held")
Table = tuple[Sequence[str], Sequence[Sequence[str]]]


def command(waiting: Waiting = False, config: ConfigPath = None, as_json: AsJson = False) -> None:
    """List what the strategies want: every side they take now, or with --pending what waits for orders."""
    loaded, state_dir = configured(config)
    lookout = Lookout(state_dir, loaded.limits)
    look = lookout.look()
    lookout.close()
    if look.summary.problem:
        raise JournalError(look.summary.problem)  # an empty list would say that nothing is wanted
    if as_json:
        say_json(pending_fields(look.chronicle, loaded.limits) if waiting else active_fields(look.chronicle))
        return
    _print(pending_table(look.chronicle, loaded.limits) if waiting else active_table(look.chronicle))
    if look.summary.next_step:
        say(look.summary.next_step)


def active_fields(chronicle: Chronicle) -> list[dict[str, Any]]:
    """Return the open signals; `pnl_usd` is what the strategy's shares earned since the signal arose."""
    book, ledger = chronicle.signals, chronicle.ledger
    rows = []
    for signal in book.open.values():
        earned = book.live_usd(signal, ledger)
        rows.append(
            {
                "strategy": signal.strategy,
                "symbol": signal.symbol,
                "direction": signal.direction,
                "strength": signal.strength,
                "session": signal.session.isoformat(),
                "opened_at": text_from_instant(signal.opened_at),
                "pnl_usd": None if earned is None else round(float(earned), 2),
            }
        )
    return sorted(rows, key=lambda row: (row["strategy"], row["symbol"]))


def pending_fields(chronicle: Chronicle, limits: Limits) -> list[dict[str, Any]]:
    """Return what waits for orders; weights are signed shares of equity."""
    return [
        {
            "symbol": row.symbol,
            "side": row.side,
            "wanted_frac": row.wanted_frac,
            "held_frac": row.held_frac,
            "strategies": list(row.strategies),
            "session": row.session.isoformat() if row.session else None,
        }
        for row in pending(chronicle.state, limits.no_trade_band_frac)
    ]


def active_table(chronicle: Chronicle) -> Table:
    """Return the open signals as a table."""
    book, ledger = chronicle.signals, chronicle.ledger
    rows = [
        (
            signal.strategy,
            f"{signal.direction} {signal.symbol}",
            f"{signal.strength:.2f}",
            f"{signal.opened_at.astimezone(NEW_YORK):%Y-%m-%d}",
            change(book.live_usd(signal, ledger)),
        )
        for signal in sorted(book.open.values(), key=lambda each: (each.strategy, each.symbol))
    ]
    return ("strategy", "signal", "strength", "since", "earned"), rows


def pending_table(chronicle: Chronicle, limits: Limits) -> Table:
    """Return what waits for orders as a table."""
    rows = [
        (
            f"{row.side} {row.symbol}",
            percent(row.wanted_frac, 1),
            percent(row.held_frac, 1),
            ", ".join(row.strategies) or "none: it goes",
        )
        for row in pending(chronicle.state, limits.no_trade_band_frac)
    ]
    return ("pending", "wanted", "held", "strategies"), rows


def _print(table: Table) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table as Drawn

    titles, rows = table
    if not rows:
        say(f"No {'signal waits for orders' if titles[0] == 'pending' else 'strategy takes a side'} now.")
        return
    drawn = Drawn(box=None, pad_edge=False, header_style="bold")
    for title in titles:
        is_number = title in NUMBERS
        drawn.add_column(title, justify="right" if is_number else "left", no_wrap=is_number, overflow="fold")
    for row in rows:
        drawn.add_row(*map(escape, row))
    Console(highlight=False).print(drawn)
