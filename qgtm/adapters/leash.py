"""A leash: what `qgtm up` starts ends with it, also when `qgtm up` itself is killed.

The child's stdin is a pipe of which only the parent holds the other end. The system closes it with
the parent, whatever ended that, and the child then tells itself to stop.
"""

import os
import signal
from collections.abc import MutableMapping
from contextlib import suppress
from threading import Thread
from typing import Final

from qgtm.adapters.clock import SystemClock

LEASH: Final = "QGTM_LEASH_S"
STDIN: Final = 0
PATIENCE_S: Final = 20.0


def take_leash(environ: MutableMapping[str, str]) -> None:
    """Stop this process (as SIGTERM does) once the one that started it is gone, if that asked for it.

    The value in `environ` is how many seconds it waits before; it is taken out, since no child of this
    process hangs on the same leash.
    """
    grace_s = environ.pop(LEASH, None)
    if grace_s is not None:
        Thread(target=_follow, args=(float(grace_s),), name="leash", daemon=True).start()


def _follow(grace_s: float) -> None:
    clock = SystemClock()
    with suppress(OSError):
        while os.read(STDIN, 4096):
            pass
    clock.wait(grace_s)
    os.kill(os.getpid(), signal.SIGTERM)
    clock.wait(PATIENCE_S)
    os.kill(os.getpid(), signal.SIGKILL)
