"""Start a daemon, and end it well."""

import signal
from collections.abc import Callable, Mapping
from queue import SimpleQueue
from threading import Thread

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
    _stop_when_told(rig)
    try:
        live(rig, say)
    finally:
        rig.close()


def live(rig: Rig, say: Callable[[BootStepFinished], None]) -> None:
    """Boot and run until `rig.stop` is set. Raises QgtmError as `run` does; the rig stays open."""
    if boot(rig, say):
        loop = Loop(rig)
        rig.kernel.perform = lambda effect: _start(rig, loop, effect)
        loop.run()


def _stop_when_told(rig: Rig) -> None:
    """Let a signal stop the loop. The handler only queues a word.

    It runs between any two steps of the main thread, which may just then hold the lock of the very flag
    that is to be set; `SimpleQueue.put` is made for that place.
    """
    told: SimpleQueue[None] = SimpleQueue()

    def stop() -> None:
        told.get()
        rig.stop.set()
        rig.wake.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told.put(None))
    Thread(target=stop, name="stop", daemon=True).start()


def _start(rig: Rig, loop: Loop, effect: Effect) -> None:
    if loop.may_start(effect):
        rig.hands.start(effect)
