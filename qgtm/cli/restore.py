"""`qgtm restore`: check a backup, or put it back."""

from pathlib import Path
from typing import Annotated

import typer

from qgtm.adapters.backup import Backup, verified
from qgtm.adapters.clock import SystemClock
from qgtm.adapters.files import made_writable
from qgtm.adapters.restoring import restore
from qgtm.cli.options import AsJson, ConfigPath, configured, say, say_json

Folder = Annotated[Path, typer.Argument(help="The backup's folder.", metavar="BACKUP")]
Verify = Annotated[
    bool, typer.Option("--verify", help="Only check it: files, chain, and the state that comes out.")
]


Another = Annotated[
    bool, typer.Option("--another", help="Also when the backup is of another record than the present one.")
]
KeepStore = Annotated[
    bool,
    typer.Option("--keep-store", help="Leave the store of values as it is, and the backup's unlooked at."),
]


def command(
    backup: Folder,
    verify: Verify = False,
    another: Another = False,
    keep_store: KeepStore = False,
    config: ConfigPath = None,
    as_json: AsJson = False,
) -> None:
    """Put a backup in the place of the present record, which is moved aside; nothing may run meanwhile.

    The fund comes back halted: whatever happened since the backup was made, the journal does not know it. The
    daemon compares both books when it starts, and `qgtm ack operator_halt --reason ...` lets it trade. A
    restore that was cut off in the middle is finished by the next. The store of values is put back with it;
    `qgtm feeds` fetches what came since then.
    """
    done = None
    if not verify:
        _, state = configured(config)
        done = restore(
            backup, made_writable(state), SystemClock().now(), is_another=another, is_keeping_store=keep_store
        )
    sheet = done.sheet if done else verified(backup, is_keeping_store=keep_store)
    aside = done.aside if done else None
    if as_json:
        told = {"rows": sheet.seq, "head": sheet.head, "state_sha": sheet.state_sha, "mode": sheet.mode}
        forgotten = list(done.forgotten) if done else []
        say_json(
            {
                **told,
                "latches": list(sheet.latches),
                "aside": str(aside) if aside else None,
                "forgotten": forgotten,
                "store_files": len(sheet.stored),
                "left_out": list(sheet.left_out),
            }
        )
        return
    latches = ", ".join(sheet.latches) or "no latch"
    say(f"{sheet.seq} rows up to {sheet.head[:12]}, state {sheet.state_sha[:12]}: {sheet.mode}, {latches}.")
    say(_store_words(sheet, is_kept=keep_store), *(f"{each}." for each in sheet.left_out))
    if done:
        for each in done.forgotten:
            say(f"The backup does not know of it: {each}.")
        if done.is_flattening:
            say("Everything was being closed, and that goes on: it takes both of you to trade again.")
        say(
            f"It is in place; what was there lies in {aside}.",
            "Next: start the daemon, look at its reconciliation, then `qgtm ack operator_halt --reason ...`.",
        )


def _store_words(sheet: Backup, *, is_kept: bool) -> str:
    if is_kept:
        return "The store of values was not looked at, and stays as it is."
    files = len(sheet.stored)
    return f"{files} files of the store of values." if files else "It holds no store of values."
