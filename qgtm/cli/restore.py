"""`qgtm restore`: check a backup, or put it back."""

from pathlib import Path
from typing import Annotated

import typer

from qgtm.adapters.backup import verified
from qgtm.adapters.clock import SystemClock
from qgtm.adapters.files import made_writable
from qgtm.adapters.restoring import restore
from qgtm.cli.options import AsJson, ConfigPath, configured, say, say_json

Backup = Annotated[Path, typer.Argument(help="The backup's folder.", metavar="BACKUP")]
Verify = Annotated[
    bool, typer.Option("--verify", help="Only check it: files, chain, and the state that comes out.")
]


Another = Annotated[
    bool, typer.Option("--another", help="Also when the backup is of another record than the present one.")
]


def command(
    backup: Backup,
    verify: Verify = False,
    another: Another = False,
    config: ConfigPath = None,
    as_json: AsJson = False,
) -> None:
    """Put a backup in the place of the present record, which is moved aside; no daemon may run meanwhile.

    The fund comes back halted: whatever happened since the backup was made, the journal does not know it. The
    daemon compares both books when it starts, and `qgtm ack operator_halt --reason ...` lets it trade. A
    restore that was cut off in the middle is finished by the next.
    """
    done = None
    if not verify:
        _, state = configured(config)
        done = restore(backup, made_writable(state), SystemClock().now(), is_another=another)
    sheet, aside = (done.sheet, done.aside) if done else (verified(backup), None)
    if as_json:
        told = {"rows": sheet.seq, "head": sheet.head, "state_sha": sheet.state_sha, "mode": sheet.mode}
        forgotten = list(done.forgotten) if done else []
        say_json(
            {
                **told,
                "latches": list(sheet.latches),
                "aside": str(aside) if aside else None,
                "forgotten": forgotten,
            }
        )
        return
    latches = ", ".join(sheet.latches) or "no latch"
    say(f"{sheet.seq} rows up to {sheet.head[:12]}, state {sheet.state_sha[:12]}: {sheet.mode}, {latches}.")
    if done:
        for each in done.forgotten:
            say(f"The backup does not know of it: {each}.")
        if done.is_flattening:
            say("Everything was being closed, and that goes on: it takes both of you to trade again.")
        say(
            f"It is in place; what was there lies in {aside}.",
            "Next: start the daemon, look at its reconciliation, then `qgtm ack operator_halt --reason ...`.",
        )
