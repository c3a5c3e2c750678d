"""`qgtm reconcile`: where our books and the broker's differ, and how a difference is accepted."""

from typing import Annotated, Any

import typer

from qgtm.cli.options import AsJson, By, ConfigPath, Reason, configured, need_reason, say, say_json
from qgtm.cli.wish import give, tell
from qgtm.core.commands import AcceptBreak
from qgtm.engine.state import State
from qgtm.web.lookout import Lookout

Subject = Annotated[
    str | None,
    typer.Option("--accept", help="Take the broker's number for ours: a symbol, cash, or an order's id."),
]


def command(
    accept: Subject = None,
    reason: Reason = "",
    by: By = "OpA",
    config: ConfigPath = None,
    as_json: AsJson = False,
) -> None:
    """Show the open breaks, or accept one. Nothing here changes anything at the broker."""
    loaded, state_dir = configured(config)
    if accept is not None:
        need_reason(reason)
        given = give(AcceptBreak(subject=accept, reason=reason, by=by), by, state_dir)
        tell(given, state_dir, f"the broker's number for {accept} is ours now.", as_json=as_json)
        return
    lookout = Lookout(state_dir, loaded.limits)
    state = lookout.look().chronicle.state
    lookout.close()
    if as_json:
        say_json(fields(state))
    else:
        _print(state)


def fields(state: State) -> dict[str, Any]:
    """Return every ticket with both sides; `compared` is the last session in which both were compared."""
    return {
        "compared": None if state.reconciled is None else state.reconciled.isoformat(),
        "is_clean": state.is_clean,
        "tickets": [
            {
                "subject": subject,
                "ours": found.ours,
                "brokers": found.brokers,
                "difference": found.brokers - found.ours,
                "detail": found.detail,
            }
            for subject, found in sorted(state.breaks.items())
        ],
    }


def _print(state: State) -> None:
    told = fields(state)
    when = f"last compared in session {told['compared']}" if told["compared"] else "not compared yet"
    if not told["tickets"]:
        say(f"No break is open ({when}).")
        return
    from rich.console import Console
    from rich.table import Table

    drawn = Table("ticket", "ours", "broker's", "difference", "detail", box=None)
    for each in told["tickets"]:
        numbers = (f"{each[name]:,f}" for name in ("ours", "brokers", "difference"))
        drawn.add_row(each["subject"], *numbers, each["detail"])
    Console(highlight=False).print(drawn)
    say("No new order goes out. `qgtm reconcile --accept TICKET --reason ...` takes the broker's number.")
