"""Kernels that are forked off a warm process, as jupyter_client asks for them.

The warm process is the one that `QGTM_WARM` names, or one of our own that starts with the first kernel.
"""

import asyncio
import atexit
import json
import logging
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty
from typing import Any, Final

from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from qgtm.adapters.clock import SystemClock

ADDRESS: Final = "QGTM_WARM"  # where a warm process listens that somebody else has started
LAUNCHER: Final = "ipykernel_launcher"
PATIENCE_S: Final = 120.0  # the imports, on a machine that has much else to do
LOOK_S: Final = 0.005
IMPORTS: Final = (
    "numpy",
    "pandas",
    "holoviews.plotting.mpl",
    "qgtm.research.history",
    "qgtm.research.card",
    "qgtm.research.evidence_page",
    "arch.bootstrap",
    "qgtm.research.warm:drawn",
)
LOG: Final = logging.getLogger("papermill")


def can_fork() -> bool:
    """Return whether kernels can be forked here. macOS' own libraries do not survive a fork."""
    return hasattr(os, "fork") and sys.platform != "darwin"


class Warm:
    """A warm process of our own, which ends with us."""

    def __init__(self, modules: Sequence[str] = IMPORTS) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="qgtm-warm-"))
        self.address = str(self._folder / "socket")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "qgtm.reporting.warm", self.address, *modules],
            stdin=subprocess.PIPE,
            process_group=0,
        )

    def end(self) -> None:
        """End it, with every kernel that it forked."""
        self._process.terminate()
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def pid(self) -> int:
        """Return its process id, which is that of every kernel's parent."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Return whether it runs."""
        return self._process.poll() is None


@contextmanager
def warmed(modules: Sequence[str] = IMPORTS) -> Iterator[dict[str, str]]:
    """Keep a warm process for the length of a block; give what its users need in their environment."""
    if not can_fork():
        yield {}
        return
    warm = Warm(modules)
    try:
        yield {ADDRESS: warm.address}
    finally:
        warm.end()


class _Own:
    """The warm process of this process, once somebody has asked for it."""

    def __init__(self) -> None:
        self._warm: Warm | None = None

    def address(self) -> str:
        if self._warm is None or not self._warm.is_alive:
            self._warm = Warm()
            atexit.register(self._warm.end)
        return self._warm.address


_own = _Own()


class Forked:
    """A forked kernel, with as much of `Popen` as jupyter_client asks for."""

    stdin = stdout = stderr = None

    def __init__(self, address: str, wanted: dict[str, Any]) -> None:
        self.returncode: int | None = None
        self.is_ready = False
        self._said = b""
        self._line = _connected(address)
        self._line.sendall(json.dumps(wanted).encode() + b"\n")
        self.pid = 0
        while not self.pid:
            self._hear(PATIENCE_S)
            if self.returncode is not None:
                raise OSError(f"the warm process at {address} ended before it forked a kernel")

    def _hear(self, patience_s: float) -> None:
        if self.returncode is not None or not select.select([self._line], [], [], patience_s)[0]:
            return
        heard = b""
        with suppress(ConnectionError):
            heard = self._line.recv(1 << 16)
        if not heard:  # the warm process was killed, and the kernel goes with it
            self._ended(-signal.SIGKILL)
            return
        *lines, self._said = (self._said + heard).split(b"\n")
        for line in lines:
            self._take(json.loads(line))

    def _take(self, said: dict[str, Any]) -> None:
        self.pid = said.get("pid", self.pid)
        self.is_ready = said.get("is_ready", self.is_ready)
        if "exit" in said:
            self._ended(int(said["exit"]))

    def _ended(self, code: int) -> None:
        self.returncode = code
        self.close()

    def close(self) -> None:
        """Let go of it: the warm process kills it if it still runs, and nothing more is heard of it."""
        if self.returncode is None:
            self.returncode = -signal.SIGKILL
        self._line.close()

    def poll(self) -> int | None:
        """Return the exit code, None while it runs."""
        self._hear(0)
        return self.returncode

    def wait(self) -> int:
        """Return the exit code once it has ended."""
        while self.returncode is None:
            self._hear(PATIENCE_S)
        return self.returncode

    async def told(self) -> None:
        """Return when there is something to hear of it."""
        loop, heard = asyncio.get_running_loop(), asyncio.Event()
        line = self._line.fileno()
        loop.add_reader(line, heard.set)
        try:
            await heard.wait()
        finally:
            loop.remove_reader(line)

    def send_signal(self, number: int) -> None:
        """Send a signal to the kernel and what it started."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    def kill(self) -> None:
        """Kill it."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)


def _connected(address: str) -> socket.socket:
    line, clock = socket.socket(socket.AF_UNIX), SystemClock()
    until_s = clock.monotonic() + PATIENCE_S
    while True:
        try:
            line.connect(address)
            return line
        except (FileNotFoundError, ConnectionRefusedError):
            if clock.monotonic() > until_s:
                line.close()
                raise
            clock.wait(LOOK_S)


class ForkProvisioner(LocalProvisioner):
    """Start a kernel by asking the warm process for a fork."""

    process: Any
    pid: Any
    pgid: Any
    _forked: Forked | None = None

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Fork a kernel, and return once it listens; without a warm process start one as ever."""
        wanted = {
            "argv": cmd[cmd.index(LAUNCHER) + 1 :],
            "env": dict(kwargs.get("env") or os.environ),
            "cwd": str(Path(kwargs.get("cwd") or ".").absolute()),
        }
        try:
            forked = Forked(os.environ.get(ADDRESS) or _own.address(), wanted)
        except OSError as problem:
            LOG.warning("No kernel could be forked (%s); one is started instead.", problem)
            return await super().launch_kernel(cmd, **kwargs)
        while forked.poll() is None and not forked.is_ready:
            await forked.told()
        self.process = self._forked = forked
        self.pid = self.pgid = forked.pid
        return self.connection_info

    async def ended(self) -> None:
        """Return at its end, which comes within milliseconds and not in tenths of a second."""
        while self._forked is not None and self._forked.poll() is None:
            await self._forked.told()

    async def wait(self) -> int | None:
        """Wait for its end, and let go of it."""
        await self.ended()
        return await super().wait()

    async def cleanup(self, restart: bool = False) -> None:
        """Let go of the kernel: one that is still there is killed by the warm process."""
        if self._forked is not None:
            self._forked.close()
        await super().cleanup(restart)


class ForkClient(AsyncKernelClient):
    """A client that is ready as soon as it hears both an answer and what the kernel says to all."""

    async def wait_for_ready(self, timeout: float | None = None) -> None:
        """Ask until it answers. Raises RuntimeError where it is dead, or silent for `timeout` seconds.

        The base then waits 0.2 s for silence, so that nobody hears old words. A fork has none.
        """
        try:
            async with asyncio.timeout(timeout):
                while not await self._is_heard():
                    if not await self.is_alive():
                        raise RuntimeError("the forked kernel died before it answered")
        except TimeoutError as problem:
            raise RuntimeError(f"the forked kernel did not answer for {timeout} seconds") from problem

    async def _is_heard(self) -> bool:
        self.kernel_info()
        with suppress(Empty):
            answer = await self.get_shell_msg(timeout=1.0)
            await self.get_iopub_msg(timeout=0.2)
            self._handle_kernel_info_reply(answer)
            return True
        return False


class ForkManager(AsyncKernelManager):
    """A kernel manager that forks; over files, since two that choose ports at once choose the same one."""

    def __init__(self, **kwargs: Any) -> None:
        self._folder = tempfile.mkdtemp(prefix="qgtm-fork-")
        ipc = str(Path(self._folder) / "ipc")
        super().__init__(transport="ipc", ip=ipc, client_factory=ForkClient, **kwargs)

    async def _async_pre_start_kernel(self, **kwargs: Any) -> Any:
        if self.provisioner is None:
            self.provisioner = ForkProvisioner(
                kernel_id=self.kernel_id, kernel_spec=self.kernel_spec, parent=self
            )
        return await super()._async_pre_start_kernel(**kwargs)

    async def _async_interrupt_kernel(self) -> None:
        if not self.shutting_down:  # else one that has just said its last word is struck in its loop
            await super()._async_interrupt_kernel()

    async def _async_wait(self, pollinterval: float = 0.1) -> None:
        if isinstance(self.provisioner, ForkProvisioner):
            await self.provisioner.ended()
        await super()._async_wait(pollinterval)

    async def _async_cleanup_resources(self, restart: bool = False) -> None:
        await super()._async_cleanup_resources(restart)
        if not restart:
            shutil.rmtree(self._folder, ignore_errors=True)


def is_forkable(kernel_name: str) -> bool:
    """Return whether a kernel is our own Python's, so that a fork of ours is the same."""
    spec = AsyncKernelManager(kernel_name=kernel_name).kernel_spec
    return spec is not None and LAUNCHER in spec.argv and Path(spec.argv[0]).name.startswith("python")
