"""Start `qgtm serve` on a free port over a state folder, and stop it."""

import contextlib
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REPO = Path(__file__).parents[1]
PATIENCE_S = 40.0


@dataclass(frozen=True)
class Served:
    """A running server: its address and its process."""

    address: str
    process: subprocess.Popen[bytes]


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def serving(state: Path, *options: str) -> Iterator[Served]:
    """Serve `state`; the configuration is the repository's on another port."""
    port = free_port()
    text = (REPO / "qgtm_config.toml").read_text()
    config = state / "qgtm_config.toml"
    config.write_text(re.sub(r"port = 8700", f"port = {port}", text))
    command = [
        sys.executable,
        "-c",
        "import qgtm.cli as c; c.main()",
        "serve",
        "--config",
        str(config),
        *options,
    ]
    process = subprocess.Popen(
        command, cwd=REPO, env={**os.environ, "QGTM_STATE_DIR": str(state)}, stdout=subprocess.DEVNULL
    )
    try:
        _wait(f"http://127.0.0.1:{port}/api/health", process)
        yield Served(f"http://127.0.0.1:{port}", process)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(address: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}")
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(address, timeout=5),
        ):
            return
        time.sleep(0.1)
    raise RuntimeError("the server does not answer")
