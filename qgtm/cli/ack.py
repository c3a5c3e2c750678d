"""`qgtm ack`: clear what stops trading, after looking."""

from typing import Annotated

import typer

from qgtm.cli.options import AsJson, By, ConfigPath, Reason, configured, need_reason
from qgtm.cli.wish import give, tell
from qgtm.core.commands import Acknowledge
from qgtm.core.errors import ConfigError
from qgtm.core.mode import DEAD_MAN, Latch

CLEARABLE = (*(latch.value for latch in Latch if latch is not Latch.BREAK), DEAD_MAN)
What = Annotated[str, typer.Argument(help=f"What to clear: {', '.join(CLEARABLE)}.")]


def command(
    what: What, reason: Reason, by: By = "OpA", config: ConfigPath = None, as_json: AsJson = False
) -> None:
    """Clear a latch, or the dead man's halt once the daemon was restarted and both books agree.

    A break is accepted with `qgtm reconcile --accept`, a hard halt ended with `qgtm killswitch`.
    """
    need_reason(reason)
    if what == Latch.BREAK:
        raise ConfigError("a break is accepted by its ticket: `qgtm reconcile --accept TICKET --reason ...`.")
    if what not in CLEARABLE:
        raise ConfigError(f"{what!r} cannot be cleared this way; there are {', '.join(CLEARABLE)}.")
    _, state = configured(config)
    given = give(Acknowledge(latch=what, reason=reason, by=by), by, state)
    tell(given, state, f"{what} is cleared.", as_json=as_json)
