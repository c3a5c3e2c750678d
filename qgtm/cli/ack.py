"""`qgtm ack`: accept a break, or clear what stops trading, after looking."""

from typing import Annotated

import typer

from qgtm.adapters.clock import SystemClock
from qgtm.adapters.files import made_writable
from qgtm.adapters.inbox import Inbox
from qgtm.cli.options import AsJson, ConfigPath, configured, say, say_json, when_taken
from qgtm.core.commands import AcceptBreak, Acknowledge
from qgtm.core.errors import ConfigError
from qgtm.core.mode import Latch

What = Annotated[
    str | None,
    typer.Argument(help="What to clear: disconnected or operator_halt. Leave it out with --break."),
]
Subject = Annotated[
    str | None, typer.Option("--break", help="Accept this break: a symbol, cash, or an order's id.")
]
Reason = Annotated[str, typer.Option("--reason", help="Why, in your words; it is written down.")]
By = Annotated[str, typer.Option("--by", help="Who you are.")]


def command(
    reason: Reason,
    what: What = None,
    subject: Subject = None,
    by: By = "OpA",
    config: ConfigPath = None,
    as_json: AsJson = False,
) -> None:
    """Accept a break (the broker's number becomes ours), or clear a latch, with a written reason."""
    if (what is None) == (subject is None):
        raise ConfigError("name what to clear, or a break with --break SUBJECT: one of the two.")
    if not reason.strip():
        raise ConfigError("--reason is empty: say why, it is what the journal keeps.")
    clearable = [latch.value for latch in Latch if latch is not Latch.BREAK]
    if what is not None and what not in clearable:
        raise ConfigError(f"{what!r} cannot be cleared this way; there are {', '.join(clearable)}.")
    _, state = configured(config)
    wish = (
        AcceptBreak(subject=subject, reason=reason, by=by)
        if subject is not None
        else Acknowledge(latch=what or "", reason=reason, by=by)
    )
    with Inbox(made_writable(state).inbox) as inbox:
        number = inbox.put(wish, by, SystemClock().now())
    if as_json:
        say_json({"command_id": number, "kind": type(wish).__name__, "by": by})
    else:
        say(f"Command {number} lies in the inbox. {when_taken(state)}")
