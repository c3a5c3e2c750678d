"""How long the daemon takes to "live" on the embedded exchange with a warm cache, and what it weighs then.

An exchange and a daemon start over a state folder of their own; the daemon is stopped and started again some
times, and the fastest of these starts counts. Limits: 5 s from the command to live, 250 MB.
"""

import argparse
import contextlib
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.serving import REPO, free_port
from benchmarks.start_up import compiling_environment
from qgtm.adapters.files import StateDir
from qgtm.adapters.heartbeat import load_heartbeat
from qgtm.adapters.venue_control import VenueControl

BOOT_S = 5.0
MEMORY_MB = 250
WARM_BOOTS = 3
PATIENCE_S = 120.0
SETTLED_S = 5.0  # for which a live daemon is watched before it is weighed


@contextlib.contextmanager
def running(verb: str, state: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run `qgtm VERB` over a state folder, and end it."""
    command = [sys.executable, "-c", "import qgtm.cli as c; c.main()", verb]
    process = subprocess.Popen(
        [*command, "--config", str(state / "qgtm_config.toml"), *options],
        cwd=REPO,
        env={**compiling_environment(), "QGTM_STATE_DIR": str(state)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def boot_s(state: Path) -> tuple[float, float]:
    """Start a daemon, wait until it is live, and return the seconds that took and its megabytes then."""
    began = time.monotonic()
    with running("daemon", state) as daemon:
        while not _is_live(state, began):
            if daemon.poll() is not None or time.monotonic() - began > PATIENCE_S:
                raise RuntimeError("the daemon did not get live; run `qgtm up --once` to see why")
            time.sleep(0.02)
        took = time.monotonic() - began
        time.sleep(SETTLED_S)
        return took, memory_mb(daemon.pid)


def _is_live(state: Path, since_s: float) -> bool:
    beat = load_heartbeat(StateDir(state).heartbeat)
    return beat is not None and beat.monotonic_s > since_s and beat.what == "live"


def memory_mb(pid: int) -> float:
    """Return what a process holds of the machine's memory."""
    told = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=True)
    return int(told.stdout) / 1024


def measure() -> dict[str, Any]:
    """Return the cold and the warm boot in seconds, the memory, and whether the limits are kept."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        state, port = Path(scratch), free_port()
        text = (REPO / "qgtm_config.toml").read_text()
        (state / "qgtm_config.toml").write_text(re.sub(r"port = 8701", f"port = {port}", text))
        with running("exchange", state, "--speed", "1"):
            _wait_for(VenueControl(port))
            cold_s, _ = boot_s(state)
            warm = [boot_s(state) for _ in range(WARM_BOOTS)]
    warm_s, megabytes = min(took for took, _ in warm), max(weighs for _, weighs in warm)
    is_kept = warm_s <= BOOT_S and megabytes <= MEMORY_MB
    return {"cold_boot_s": cold_s, "warm_boot_s": warm_s, "memory_mb": megabytes, "is_kept": is_kept}


def _wait_for(control: VenueControl) -> None:
    until = time.monotonic() + PATIENCE_S
    while not control.is_there():
        if time.monotonic() > until:
            raise RuntimeError("the exchange does not answer")
        time.sleep(0.1)


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    """Run, print, and return the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.boot", description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    chosen = parser.parse_args(arguments)
    found = measure()
    if chosen.json:
        print(json.dumps(found))
    else:
        kept = "kept" if found["is_kept"] else "NOT KEPT"
        print(
            f"live after {found['cold_boot_s']:.2f} s the first time, {found['warm_boot_s']:.2f} s with a "
            f"warm cache (limit {BOOT_S:.0f}), {found['memory_mb']:.0f} MB (limit {MEMORY_MB}): {kept}"
        )
    return found


if __name__ == "__main__":
    main()
