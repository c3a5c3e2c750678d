"""`qgtm new`: begin something from its template."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from qgtm.cli.options import AsJson, say, say_json
from qgtm.core.errors import ConfigError
from qgtm.export.press import find_root
from qgtm.workbench.new import new_strategy

Name = Annotated[
    str | None,
    typer.Argument(metavar="[NAME]", help="Small letters, digits, underscores; asked for when left out."),
]

command = typer.Typer(add_completion=False, help="Begin something from its template.")


@command.callback()
def _begin() -> None:
    """Begin something from its template."""


@command.command()
def strategy(name: Name = None, as_json: AsJson = False) -> None:
    """Write the notebook of a new strategy, print it, and list it; nothing that is there is overwritten."""
    made = new_strategy(find_root(Path.cwd()), name or _asked())
    following = (f"qgtm test {made.name}", f"qgtm diff {made.name}", f"qgtm export {made.name}")
    if as_json:
        say_json({**asdict(made), "next": list(following)})
        return
    say(
        f"{made.notebook} holds an example that passes every check; put your idea in its place.",
        f"It is printed into {made.module} and listed in {' and '.join(made.listed_in)}.",
        "After an edit: `" + "`, `".join(following) + "`. docs/workbench.md tells the way to deployment.",
    )


def _asked() -> str:
    if not sys.stdin.isatty():
        raise ConfigError("a new strategy needs a name: `qgtm new strategy silver_week`.")
    return str(typer.prompt("What shall the strategy be called (such as silver_week)")).strip()
