"""`qgtm daemon`: the live loop."""

import os
from typing import TYPE_CHECKING

from qgtm.cli.options import ConfigPath, configured

if TYPE_CHECKING:
    from qgtm.core.events import BootStepFinished


def command(config: ConfigPath = None) -> None:
    """Boot in eight steps and trade until told to stop (SIGTERM or Ctrl-C, at most ten seconds)."""
    from rich.console import Console

    from qgtm.live.run import run  # with the broker's library: not for `qgtm daemon --help`

    loaded, state_dir = configured(config)
    console = Console(highlight=False, soft_wrap=True)

    def say(step: "BootStepFinished") -> None:
        is_final = not (step.is_ok or step.detail.endswith("asking again"))
        mark = "[green]ok[/]  " if step.is_ok else "[red]no[/]  "
        console.print(f"{mark}{step.number}/8 {step.name:<26}{step.took_s:6.2f} s  ", end="")
        console.print("refused:" if is_final else step.detail, markup=False)

    run(loaded, state_dir, os.environ, say)
    console.print("stopped")
