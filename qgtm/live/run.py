"""Start a daemon, and end it well."""

import signal
from collections.abc import Callable, Mapping

from qgtm.adapters.files import StateDir
from qgtm.config import Config
from qgtm.core.effects import Effect
from qgtm.core.events import BootStepFinished
from qgtm.live.boot import boot
from qgtm.live.daemon import Loop
from qgtm.live.rig import Rig


def run(
    config: Config, state_dir: StateDir, environ: Mapping[str, str], say: Callable[[BootStepFinished], None]
) -> None:
    """Boot and run until SIGTERM or SIGINT.

    Raises QgtmError when the boot is refused or the journal fails.
    """
    rig = Rig(config, state_dir, environ)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: _stop(rig))
    try:
        if boot(rig, say):
            loop = Loop(rig)
            rig.kernel.perform = lambda effect: _start(rig, loop, effect)
            loop.run()
    finally:
        rig.close()


def _stop(rig: Rig) -> None:
    rig.stop.set()
    rig.wake.set()


def _start(rig: Rig, loop: Loop, effect: Effect) -> None:
    if loop.may_start(effect):
        rig.hands.start(effect)
