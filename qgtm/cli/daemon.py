"""`qgtm daemon`: the live loop."""

import os

from rich.console import Console

from qgtm.cli.options import ConfigPath, configured
from qgtm.core.events import BootStepFinished
from qgtm.live.run import run


def command(config: ConfigPath = None) -> None:
    """Boot in eight steps and trade until told to stop (SIGTERM or Ctrl-C, at most ten seconds)."""
    loaded, state_dir = configured(config)
    console = Console(highlight=False)

    def say(step: BootStepFinished) -> None:
        mark = "[green]ok[/]  " if step.is_ok else "[red]no[/]  "
        console.print(f"{mark}{step.number}/8 {step.name:<26}{step.took_s:6.2f} s  ", end="")
        console.print(step.detail, markup=False)

    run(loaded, state_dir, os.environ, say)
    console.print("stopped")
