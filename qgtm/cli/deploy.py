"""`qgtm deploy`: ask the daemon to put the present prints, and the code that connects them, to work."""

from pathlib import Path
from typing import Annotated

import typer

import qgtm
from qgtm.adapters.clock import SystemClock
from qgtm.adapters.files import made_writable
from qgtm.adapters.inbox import Inbox
from qgtm.adapters.manifest import code_sha, load_manifest, manifest_sha, verify_prints
from qgtm.cli.options import AsJson, ConfigPath, configured, say, say_json
from qgtm.core.commands import Deploy
from qgtm.core.errors import ExportError

By = Annotated[str, typer.Option("--by", help="Who deploys.")]


def command(by: By = "OpA", config: ConfigPath = None, as_json: AsJson = False) -> None:
    """Put the present program to work: the daemon records its checksums and runs no other."""
    _, state = configured(config)
    package = Path(qgtm.__file__).parent
    manifest = load_manifest(package)
    if differences := verify_prints(package, manifest):
        raise ExportError("\n".join(difference.sentence for difference in differences))
    sha, rest = manifest_sha(manifest), code_sha(package)
    with Inbox(made_writable(state).inbox) as inbox:
        number = inbox.put(Deploy(manifest_sha=sha, by=by, code_sha=rest), by, SystemClock().now())
    if as_json:
        prints = len(manifest.prints)
        say_json({"command_id": number, "manifest_sha": sha, "code_sha": rest, "prints": prints, "by": by})
        return
    say(
        f"Command {number} asks for the deployment of {len(manifest.prints)} prints, manifest {sha[:12]},",
        f"and of the code that connects them, {rest[:12]}. A daemon that runs takes it at once but trades",
        "with it only after a restart; one that is stopped takes it at its next start. Both of you are told,",
        "and `qgtm audit tail --kind Deployed` shows when it is done.",
    )
