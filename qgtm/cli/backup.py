"""`qgtm backup`: copy the fund's record while it runs."""

from pathlib import Path
from typing import Annotated

import typer

from qgtm.adapters.backup import backups, make_backup, verified
from qgtm.adapters.clock import SystemClock
from qgtm.cli.options import AsJson, ConfigPath, configured, say, say_json

To = Annotated[
    Path | None,
    typer.Option("--to", help="Where backups lie; else `backups` in the state folder.", metavar="DIR"),
]
Listed = Annotated[bool, typer.Option("--list", help="Only list the backups that are there.")]


def command(
    to: To = None, listed: Listed = False, config: ConfigPath = None, as_json: AsJson = False
) -> None:
    """Copy journal, inbox, bars and the store of values as they are now, check them, and say what they hold.

    The last of each of 30 days and of each of 12 months are kept. Keep them on another disk as well.
    """
    _, state = configured(config)
    folder = to or state.root / "backups"
    if listed:
        found = [path.name for path in backups(folder)]
        if as_json:
            say_json({"folder": str(folder), "backups": found})
        else:
            say(*(found or [f"There is no backup in {folder}; `qgtm backup` makes one."]))
        return
    path = make_backup(state, folder, SystemClock().now())
    sheet = verified(path)
    if as_json:
        say_json(
            {
                "path": str(path),
                "rows": sheet.seq,
                "head": sheet.head,
                "state_sha": sheet.state_sha,
                "store_files": len(sheet.stored),
                "left_out": list(sheet.left_out),
            }
        )
        return
    say(
        f"{path}: {sheet.seq} rows up to {sheet.head[:12]}, state {sheet.state_sha[:12]}, {sheet.mode}, "
        f"{len(sheet.stored)} files of the store.",
        *(f"{each}." for each in sheet.left_out),
        f"`qgtm restore {path} --verify` checks it again at any time.",
    )
