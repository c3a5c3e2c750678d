"""`qgtm limits`: the limits in force, and how they change: tighter at once, looser with both."""

from typing import Annotated, Any

import typer

from qgtm.cli.options import AsJson, By, ConfigPath, Reason, configured, need_reason, say, say_json
from qgtm.cli.wish import give, tell
from qgtm.core.commands import SetLimits
from qgtm.core.errors import ConfigError
from qgtm.engine.state import State
from qgtm.risk.limits import Limits, numbers, outer_bound, texts
from qgtm.web.lookout import Lookout

Set = Annotated[
    list[str] | None, typer.Option("--set", help="A limit's new value, as gross_frac=1.6; may be repeated.")
]


def command(
    wanted: Set = None,
    reason: Reason = "",
    by: By = "OpA",
    config: ConfigPath = None,
    as_json: AsJson = False,
) -> None:
    """Show the limits in force, or change some. A looser one waits for OpB's approval."""
    loaded, state_dir = configured(config)
    if wanted:
        need_reason(reason)
        given = give(SetLimits(limits=dict(map(_pair, wanted)), reason=reason, by=by), by, state_dir)
        tell(given, state_dir, "tighter limits hold now, looser ones wait for OpB.", as_json=as_json)
        return
    lookout = Lookout(state_dir, loaded.limits)
    state = lookout.look().chronicle.state
    lookout.close()
    rows = fields(state, loaded.limits)
    if as_json:
        say_json(rows)
    else:
        _print(rows)


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not (name.strip() and sign and value.strip()):
        raise ConfigError(f"{text!r} sets nothing: write NAME=VALUE, as gross_frac=1.6.")
    return name.strip(), value.strip()


def fields(state: State, file: Limits) -> list[dict[str, Any]]:
    """Return a row for each limit: what is in force, what the file says, and the bound in the code.

    `waits` is the value for which an approval is asked for, None for none.
    """
    in_force, there = texts(state.limits or file), texts(file)
    waits = {
        name: value
        for waiting in state.authority.standing.values()
        for name, value in waiting.request.detail.items()
        if name in numbers(file) or name in in_force
    }
    return [
        {
            "name": name,
            "in_force": in_force.get(name),
            "file": there.get(name),
            "outer_bound": outer_bound(name),
            "waits": waits.get(name),
        }
        for name in sorted({*in_force, *there, *waits})
    ]


def _print(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    drawn = Table("limit", "in force", "file", "outer bound", "waits for OpB", box=None)
    for row in rows:
        cells = ("in_force", "file", "outer_bound", "waits")
        drawn.add_row(row["name"], *("" if row[cell] is None else str(row[cell]) for cell in cells))
    Console(highlight=False).print(drawn)
    if any(row["file"] and row["in_force"] != row["file"] for row in rows):
        say("Where the two differ, what is in force runs.")
