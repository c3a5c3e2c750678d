"""The dead man's switch as a process: `python -m qgtm.watchdog`, which imports nothing of the rest."""

import argparse
import os
import signal
import sys
from collections.abc import MutableMapping, Sequence
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Final

from qgtm.core.errors import ConfigError
from qgtm.watchdog.folder import Folder
from qgtm.watchdog.place import place_from
from qgtm.watchdog.shell import Shell

LEASH: Final = "QGTM_LEASH_S"  # set by `qgtm up`, whose end is the end of the embedded exchange as well
STDIN: Final = 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Watch until SIGTERM or SIGINT; return 0 then, 1 when it cannot watch at all."""
    options = _options(arguments)
    told: SimpleQueue[None] = SimpleQueue()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told.put(None))
    try:
        place = place_from(options.config, os.environ, options.dead_man)
        folder = Folder(place.state)
        folder.lock()
        shell = Shell(place, folder, told)
    except ConfigError as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    _take_leash(os.environ, told, is_embedded=place.is_embedded)
    shell.run()
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="qgtm watchdog", description=__doc__)
    parser.add_argument("--config", type=Path, metavar="PATH", help="the configuration; else QGTM_CONFIG")
    parser.add_argument(
        "--dead-man", default="", metavar="7,13,20", help="seconds, for an embedded exchange that runs fast"
    )
    return parser.parse_args(arguments)


def _take_leash(environ: MutableMapping[str, str], told: "SimpleQueue[None]", *, is_embedded: bool) -> None:
    """End with the process that started this one, where the exchange ends with it.

    With a real broker what is held stays when `qgtm up` is killed, so the watchdog stays as well.
    """
    if environ.pop(LEASH, None) is not None and is_embedded:
        Thread(target=_follow, args=(told,), name="leash", daemon=True).start()


def _follow(told: "SimpleQueue[None]") -> None:
    with suppress(OSError):
        while os.read(STDIN, 4096):
            pass
    told.put(None)


if __name__ == "__main__":
    sys.exit(main())
