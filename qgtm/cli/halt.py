"""`qgtm halt`: stop new orders."""

from typing import Annotated

import typer

from qgtm.adapters.clock import SystemClock
from qgtm.adapters.files import made_writable
from qgtm.adapters.inbox import Inbox
from qgtm.cli.options import AsJson, ConfigPath, configured, say, say_json, when_taken
from qgtm.core.commands import Halt
from qgtm.core.errors import ConfigError

Reason = Annotated[str, typer.Option("--reason", help="Why, in your words; it is written down.")]
By = Annotated[str, typer.Option("--by", help="Who you are.")]


def command(reason: Reason, by: By = "OpA", config: ConfigPath = None, as_json: AsJson = False) -> None:
    """Stop new orders and cancel those that rest; what is held stays. `qgtm ack operator_halt` ends it."""
    if not reason.strip():
        raise ConfigError("--reason is empty: say why, it is what the journal keeps.")
    _, state = configured(config)
    with Inbox(made_writable(state).inbox) as inbox:
        number = inbox.put(Halt(reason=reason, by=by), by, SystemClock().now())
    if as_json:
        say_json({"command_id": number, "kind": "Halt", "by": by})
    else:
        say(f"Command {number} stops new orders. {when_taken(state)}")
