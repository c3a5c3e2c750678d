"""A warm process: it has done the imports once, and forks a notebook's kernel whenever one is wanted.

`python -m qgtm.reporting.warm SOCKET [MODULE ...]` listens on a Unix socket until its stdin ends, so that it
does not outlive who started it. Each connection is one kernel: a line of JSON asks for it, lines of JSON say
its process id, that it listens, and how it ended. Whoever closes the connection kills the kernel.
"""

import atexit
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

STDIN: Final = 0
LINE: Final = 1 << 20
PATIENCE_S: Final = 5.0
# What a kernel imports after its start, so that no fork has to.
KERNEL: Final = (
    "ipykernel.kernelapp",
    "ipykernel.debugger",
    "ipykernel.control",
    "ipykernel.heartbeat",
    "IPython.core.completerlib",
    "IPython.core.debugger",
    "IPython.core.oinspect",
    "IPython.extensions.storemagic",
    "matplotlib_inline.backend_inline",
    "sqlite3",
    "tornado.platform.asyncio",
)


def main(arguments: Sequence[str]) -> None:
    """Import, and fork until stdin ends."""
    place, *modules = arguments
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(place)
    listener.listen(64)  # who asks before the imports are done waits here
    os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"  # the debugger's advice, which nobody asked for
    gc.disable()
    for name in (*KERNEL, *modules):
        load(name)
    gc.enable()
    gc.freeze()  # what the imports made is garbage to no kernel, and looking at it copies it into each
    _Forks(listener).serve()


def load(name: str) -> None:
    """Import a module, or call `module:function`; pass over one that this installation lacks."""
    module, _, function = name.partition(":")
    with suppress(ImportError):
        found = importlib.import_module(module)
        if function:
            getattr(found, function)()


class _Forks:
    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._selector = selectors.DefaultSelector()
        self._asking: dict[int, socket.socket] = {}  # by the kernel's process id
        self._woken, self._wakes = os.pipe()

    def serve(self) -> None:
        os.set_blocking(self._wakes, False)
        signal.set_wakeup_fd(self._wakes)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who started us
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())
        for each in (self._listener, self._woken, STDIN):
            self._selector.register(each, selectors.EVENT_READ)
        try:
            while self._turn():
                pass
        finally:
            for pid in tuple(self._asking):
                _kill(pid)

    def _turn(self) -> bool:
        for key, _ in self._selector.select():
            if key.fileobj is self._listener:
                self._fork(self._listener.accept()[0])
            elif key.fileobj == self._woken:
                os.read(self._woken, LINE)
                self._reap()
            elif key.fileobj == STDIN:
                if not os.read(STDIN, LINE):
                    return False
            elif key.data in self._asking and not _heard(self._asking[key.data]):
                _kill(key.data)
                self._forget(key.data)
        return True

    def _fork(self, asking: socket.socket) -> None:
        asking.settimeout(PATIENCE_S)
        try:
            wanted = json.loads(asking.makefile("rb").readline(LINE))
        except (OSError, ValueError):
            asking.close()
            return
        pid = os.fork()
        if pid == 0:
            self._leave()
            _become_kernel(wanted, asking)
        asking.setblocking(False)
        self._asking[pid] = asking
        self._selector.register(asking, selectors.EVENT_READ, pid)
        _tell(asking, {"pid": pid})

    def _leave(self) -> None:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        self._selector.close()
        for each in (*self._asking.values(), self._listener):
            each.close()
        for number in (self._woken, self._wakes):
            os.close(number)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, STDIN)
        os.close(nothing)

    def _reap(self) -> None:
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                pid, status = ended
                if pid in self._asking:
                    _tell(self._asking[pid], {"exit": os.waitstatus_to_exitcode(status)})
                    self._forget(pid)

    def _forget(self, pid: int) -> None:
        asking = self._asking.pop(pid)
        self._selector.unregister(asking)
        asking.close()


def _heard(asking: socket.socket) -> bool:
    try:
        return bool(asking.recv(LINE))
    except BlockingIOError:
        return True
    except OSError:
        return False


def _tell(asking: socket.socket, said: dict[str, Any]) -> None:
    with suppress(OSError):  # who asked is gone, which the selector says next
        asking.sendall(json.dumps(said).encode() + b"\n")


def _kill(pid: int) -> None:
    # Before its first own line the child is in our group, so the group of its own may not be there yet.
    for kill in (os.killpg, os.kill):
        with suppress(ProcessLookupError):
            kill(pid, signal.SIGKILL)


def _become_kernel(wanted: dict[str, Any], asking: socket.socket) -> None:
    """Be the kernel, and do not return."""
    code = 1
    try:
        os.setsid()
        os.environ.clear()
        os.environ.update(wanted["env"])
        os.chdir(wanted["cwd"])
        app = _opened([*wanted["argv"], f"--IPKernelApp.parent_handle={os.getppid()}"])  # it ends with us
        asking.setblocking(True)
        _tell(asking, {"is_ready": True})
        asking.close()
        app.start()
        # It still writes its last words through a thread that ipykernel's exit functions end first.
        app.control_thread.stop()
        app.control_thread.join(PATIENCE_S)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001  a fork never goes back into the server's loop
        sys.excepthook(*sys.exc_info())
    atexit._run_exitfuncs()
    os._exit(code)


def _opened(argv: list[str]) -> Any:
    from ipykernel.kernelapp import IPKernelApp

    sys.argv = ["ipykernel_launcher", *argv]
    app: Any = IPKernelApp.instance()
    app.initialize(argv)
    # What a module took from the environment or drew from chance at its import is ours, not the notebook's.
    if "matplotlib" in sys.modules:
        _show_in_place()
    if "numpy" in sys.modules:
        importlib.import_module("numpy").random.seed()
    return app


def _show_in_place() -> None:
    import matplotlib

    matplotlib.use(os.environ["MPLBACKEND"])  # the kernel has set it, where nobody else has
    inline = importlib.import_module("matplotlib_inline.backend_inline")
    inline._enable_matplotlib_integration()  # at its import it found no kernel


if __name__ == "__main__":
    with suppress(FileNotFoundError):
        main(sys.argv[1:])
    with suppress(OSError, IndexError):
        Path(sys.argv[1]).unlink()
