"""`qgtm watchdog`: the dead man's switch."""

import os
import sys
from typing import Annotated

import typer

from qgtm.cli.options import ConfigPath

DeadMan = Annotated[
    str,
    typer.Option(
        "--dead-man",
        help="Seconds to both alerts and to the flatten, for an embedded exchange that runs fast.",
        metavar="7,13,20",
    ),
]


def command(dead_man: DeadMan = "", config: ConfigPath = None) -> None:
    """Watch the daemon with a broker session and a clock of its own, and close everything when it is silent.

    Alerts go out after 5 and 10 minutes without progress; after 15 the daemon is fenced, its orders are
    cancelled and every position is closed. A halt that the daemon has not taken within 30 seconds is obeyed.
    """
    # a process of its own, with nothing of this one in it: what breaks the rest must not break it
    words = [sys.executable, "-m", "qgtm.watchdog"]
    words += ["--config", str(config)] if config else []
    words += ["--dead-man", dead_man] if dead_man else []
    sys.stdout.flush()
    os.execv(sys.executable, words)
