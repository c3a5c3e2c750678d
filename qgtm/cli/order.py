"""`qgtm order`: the order of the first day."""

from typing import Annotated

import typer

from qgtm.cli.options import AsJson, By, ConfigPath, configured
from qgtm.cli.wish import give, tell
from qgtm.core.commands import SendTestOrder
from qgtm.core.errors import ConfigError

Test = Annotated[bool, typer.Option("--test", help="One share of GLD far below the market, then cancelled.")]


def command(test: Test = False, by: By = "OpA", config: ConfigPath = None, as_json: AsJson = False) -> None:
    """Send one share of GLD at a limit far below the market, see it at the broker, and cancel it.

    What became of it is an alert: `qgtm audit tail --kind TrialOrderFinished` shows it.
    """
    if not test:
        raise ConfigError("orders come from the strategies; by hand there is --test alone.")
    _, state_dir = configured(config)
    given = give(SendTestOrder(by=by), by, state_dir)
    tell(given, state_dir, "the test order goes out; its end is told in an alert.", as_json=as_json)
