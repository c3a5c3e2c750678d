"""`qgtm status`: how the fund is doing, in one box."""

from typing import TYPE_CHECKING, Annotated

import typer

from qgtm.cli.looking import lookout_of
from qgtm.cli.options import AsJson, ConfigPath, configured, say_json
from qgtm.core.instant import NEW_YORK
from qgtm.core.mode import Dot
from qgtm.views.matter import Kind, Matter, watchdog_said
from qgtm.views.summary import Daemon, Line, Summary, status_fields
from qgtm.views.words import bound, change, dollars, percent, span
from qgtm.web.lookout import Look

if TYPE_CHECKING:
    from rich.panel import Panel

COLOUR = {Dot.GREEN: "green", Dot.YELLOW: "yellow", Dot.ORANGE: "dark_orange", Dot.RED: "bold red"}
Short = Annotated[bool, typer.Option("--summary", help="The box alone, without what colours the dot.")]
WITH_SOURCES = 76  # columns; a narrower terminal shows the values alone
Row = tuple[str, str, str]
LABEL = {
    Kind.ASK: "Waits",
    Kind.OVERRIDE: "Override",
    Kind.HALT: "Halted",
    Kind.RAMP: "Ramp",
    Kind.WATCHDOG: "Dead man",
}
SOURCE = {kind: "its own file" if kind is Kind.WATCHDOG else "journal" for kind in Kind}


def command(short: Short = False, config: ConfigPath = None, as_json: AsJson = False) -> None:
    """Say how the fund is doing; what is not known is called unknown. Works with the daemon stopped."""
    loaded, state_dir = configured(config)
    lookout = lookout_of(loaded, state_dir)
    look = lookout.look()
    lookout.close()
    if as_json:
        say_json(status_fields(look.summary))
    else:
        _print(look, is_short=short)


def _print(look: Look, *, is_short: bool) -> None:
    from rich.console import Console
    from rich.markup import escape

    told, console = look.summary, Console(highlight=False)
    console.print(_box(look, console.width))
    more = told.notes if is_short else (*told.lines[1:], *told.notes)
    for line in (*more, *(each for each in (told.problem, told.next_step) if each)):
        console.print(f"• {escape(line)}")


def _box(look: Look, width: int) -> "Panel":
    from rich import box
    from rich.console import Group
    from rich.markup import escape
    from rich.panel import Panel
    from rich.table import Table

    told = look.summary
    grid = Table.grid(padding=(0, 2), expand=True)
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(ratio=7, overflow="fold")
    if width >= WITH_SOURCES:
        grid.add_column(style="dim", no_wrap=True)
    for label, value, source in rows(told):
        grid.add_row(label, escape(value), *((source,) if width >= WITH_SOURCES else ()))
    colour = COLOUR[told.dot]
    dot = f"[{colour}]●  {told.dot.value.upper()}[/]  {escape(told.sentence)}"
    title = f" QGTM STATUS, {look.wall_at.astimezone(NEW_YORK):%Y-%m-%d %H:%M} New York "
    return Panel(Group(dot, "", grid), box=box.DOUBLE, title=title, width=88, border_style=colour)


def rows(told: Summary) -> tuple[Row, ...]:
    """Return the box's lines: what, how it stands, and where that was read."""
    return (
        ("Daemon", _daemon(told), "heartbeat, journal"),
        ("Heartbeat", _heartbeat(told), "heartbeat"),
        ("Strategies", _strategies(told), "last boot"),
        ("Broker", _broker(told), "journal"),
        ("Positions", _positions(told), "fills and marks"),
        ("Account", dollars(told.equity_usd, cents=True), "broker's sample"),
        ("P&L (1d)", _pnl(told), "since last close"),
        ("Drawdown", _drawdown(told), "confirmed samples"),
        ("Signals", _signals(told), "targets"),
        ("Risk", _risk(told), "kill switch"),
        ("Market", _market(told), "venue time"),
        ("Watchdog", watchdog_said(told.watchdog), "its own file"),
        ("Code", told.code, "deployments"),
        *((LABEL[each.kind], _matter(each), SOURCE[each.kind]) for each in told.matters),
    )


def _matter(each: Matter) -> str:
    return " ".join((f"{each.title}.", *each.lines))


def _daemon(told: Summary) -> str:
    if told.uptime_s is not None:
        return f"{told.daemon.value.upper()} (uptime {span(told.uptime_s)})"
    return (
        f"{told.daemon.value.upper()} ({told.daemon_note})" if told.daemon_note else told.daemon.value.upper()
    )


def _heartbeat(told: Summary) -> str:
    return "unknown" if told.heartbeat_age_s is None else f"{span(told.heartbeat_age_s)} ago"


def _strategies(told: Summary) -> str:
    if told.strategies_loaded is None:
        return "unknown: no boot in the journal"
    loaded = f"{told.strategies_loaded}/{told.strategies_total} loaded"
    loaded += f", {len(told.shadows)} in the shadow" if told.shadows else ""
    return f"{loaded}, switched off: {', '.join(told.disabled)}" if told.disabled else loaded


def _broker(told: Summary) -> str:
    where = {"embedded": "embedded paper exchange", "paper": "Alpaca, paper", "live": "Alpaca, LIVE"}
    said = told.broker.value.upper()
    if told.broker is Line.CONNECTED:
        return f"{said} ({where.get(told.venue or '', told.venue)})"
    return f"{said} ({told.broker_note})"


def _positions(told: Summary) -> str:
    if told.positions is None:
        return "unknown"
    return f"{told.positions} open, {dollars(told.notional_usd)} notional"


def _pnl(told: Summary) -> str:
    if told.pnl_day_usd is None:
        return "unknown: no sample of the account yet"
    return f"{change(told.pnl_day_usd)} ({percent(told.pnl_day_frac, signed=True)})"


def _drawdown(told: Summary) -> str:
    if told.drawdown_frac is None:
        return "unknown: not measured yet"
    caps = f"caps {bound(told.soft_cap_frac)} and {bound(told.hard_cap_frac)}"
    return f"{percent(told.drawdown_frac, 1)} below the peak ({caps})"


def _signals(told: Summary) -> str:
    if told.pending is None:
        return "unknown: no boot in the journal"
    names = f" ({', '.join(told.pending)})" if told.pending else ""
    return f"{len(told.pending)} pending{names}"


def _risk(told: Summary) -> str:
    said = told.risk.upper() if told.risk == "all clear" else told.risk
    is_heard = told.daemon is Daemon.RUNNING or told.risk == "unknown"
    return said if is_heard else f"{said} (when last heard)"


def _market(told: Summary) -> str:
    if told.venue_at is None or told.is_open is None:
        return "unknown"
    at = f"{told.venue_at.astimezone(NEW_YORK):%Y-%m-%d %H:%M} New York"
    fast = f", running {told.speed:g} times as fast" if told.speed and told.speed != 1 else ""
    held = f", held for {', '.join(told.held_by)}" if told.held_by else ""
    return f"{'open' if told.is_open else 'closed'}, {at}{fast}{held}"
