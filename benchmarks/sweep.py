"""One grid in qgtm, in a bare numba loop and in vectorbt, in one run; then on one worker, two, and a cluster.

A thousand pairs of means over twenty symbols and 2,520 sessions, each symbol with an account of its own: hold
half of it while the fast mean is above the slow one, decided at a close and filled at the next open, with
costs. qgtm and the bare loop tell six figures of each account; vectorbt is only asked what each became. Every
side runs in processes of its own, in turn; the CPU seconds of the best run count, of all its threads.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.sides.sweep_market import PAIRS, SYMBOLS
from benchmarks.sides.sweep_qgtm import job
from qgtm.research.sweep import Cluster, Job, cluster, forget, swept

HERE = Path(__file__).parent
RUST_VENV = HERE / ".venv-peers" / "vectorbt-rust"
RUST = "vectorbt[rust]==1.2.0"
LIMIT_S = 600
SIDES = ("bare", "qgtm", "vectorbt numba", "vectorbt rust")
MANY = (tuple(range(5, 55)), tuple(range(60, 220, 2)))  # 4,000 pairs, so that there is something to share
CENT = 0.005 / 100_000  # of an account of 100,000 dollars

Result = dict[str, Any]


def rust_python() -> Path | None:
    """Return the Python of an environment with vectorbt's Rust engine, made once; None where it has none."""
    python = RUST_VENV / "bin/python"
    if (RUST_VENV / "installed").exists():
        return python
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(RUST_VENV)], check=True)
    uv = str(Path(sys.executable).with_name("uv"))
    done = subprocess.run([uv, "pip", "install", "--quiet", "--python", str(python), RUST], timeout=LIMIT_S)
    if done.returncode:
        return None
    (RUST_VENV / "installed").touch()
    return python


def run_side(side: str, finals: Path) -> Result | None:
    """Return what one process of a side said, None where it cannot be installed."""
    name, _, engine = side.partition(" ")
    python = rust_python() if engine == "rust" else Path(sys.executable)
    if python is None:
        return None
    command = [
        str(python),
        "-m",
        f"benchmarks.sides.sweep_{name}",
        str(finals),
        *([engine] if engine else []),
    ]
    done = subprocess.run(command, cwd=HERE.parent, capture_output=True, text=True, timeout=LIMIT_S)
    if done.returncode:
        raise RuntimeError(f"{side} failed; run `{' '.join(command)}` to see why:\n{done.stderr[-2000:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def beside(rounds: int) -> dict[str, Result]:
    """Return the best run of each side, and how far what an account became is from qgtm's."""
    best: dict[str, Result] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for _ in range(rounds):
            for side in SIDES:
                found = run_side(side, Path(scratch) / f"{side}.npy")
                if found is not None:
                    best[side] = min(found, best.get(side, found), key=lambda each: each["cpu_s"])
        mine = np.load(Path(scratch) / "qgtm.npy")
        for side, result in best.items():
            theirs = np.load(Path(scratch) / f"{side}.npy")
            grown = theirs[..., 0] + 1.0 if theirs.ndim == 3 else theirs
            result["largest_difference"] = float(np.abs(grown - 1.0 - mine[..., 0]).max())
    return best


# -- on workers ---------------------------------------------------------------------------------------


def on_workers() -> dict[str, float]:
    """Return what the same bigger grid takes on one process, on two, and on a scheduler's two workers.

    Beside the wall's seconds stand the CPU seconds of the busiest worker: what the wall would say if the
    machine had nothing else to do.
    """
    many = job(*MANY)
    found = {"accounts": float(many.cells), "chunks": float(many.chunks)}
    for workers in (1, 2):
        began = time.perf_counter()
        with cluster("", workers) as there:
            found[f"start_{workers}_s"] = time.perf_counter() - began
            found |= _seconds(many, there, f"workers_{workers}")
    with _elsewhere(2) as address, cluster(address, 0) as there:
        found |= _seconds(many, there, "elsewhere_2")
        found["a_task_s"] = _a_task(there)
    return found


def _seconds(many: Job, there: Cluster, name: str) -> dict[str, float]:
    swept(job(), None, there)  # every worker has loaded what it needs
    runs = []
    for bps in range(3):  # another key, so that nothing is remembered
        again = replace(many, cost_bps=float(bps))
        before, began = there.client.run(time.process_time), time.perf_counter()
        swept(again, None, there)
        wall = time.perf_counter() - began
        after = there.client.run(time.process_time)
        runs.append((max(after[each] - before[each] for each in after), wall))
    busiest, wall = (min(each) for each in zip(*runs, strict=True))
    return {f"{name}_wall_s": wall, f"{name}_busiest_cpu_s": busiest}


def _a_task(there: Cluster) -> float:
    client, n = there.client, 500
    began = time.perf_counter()
    client.gather([client.submit(pow, i, 2, pure=False) for i in range(n)])
    return (time.perf_counter() - began) / n


@contextlib.contextmanager
def _elsewhere(workers: int) -> Iterator[str]:
    dask = str(Path(sys.executable).with_name("dask"))
    with tempfile.TemporaryDirectory() as scratch:
        told = Path(scratch) / "scheduler.json"
        quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        quiet["env"] = os.environ | {"PYTHONPATH": str(HERE.parent)}
        serving = [dask, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-show"]
        working = [dask, "worker", "--nthreads", "1", "--no-dashboard", "--no-nanny"]
        running = [subprocess.Popen([*serving, "--scheduler-file", str(told)], **quiet)]
        try:
            while not told.exists():
                time.sleep(0.05)
            running += [
                subprocess.Popen([*working, "--scheduler-file", str(told)], **quiet) for _ in range(workers)
            ]
            address = str(json.loads(told.read_text())["address"])
            with cluster(address, 0) as there:
                there.client.wait_for_workers(workers, timeout=60)
            yield address
        finally:
            for each in running:
                each.terminate()
                each.wait()


def table(found: dict[str, Any]) -> str:
    """Return what was measured as text."""
    mine = found["sides"]["qgtm"]["cpu_s"]
    lines = [
        f"{'':<16}{'CPU s':>8}{'wall s':>8}{'MB':>7}{'to qgtm':>9}  largest difference on 100,000 dollars"
    ]
    for side, each in found["sides"].items():
        away = f"{each['largest_difference'] * 100_000:.1e}"
        lines.append(
            f"{side:<16}{each['cpu_s']:>8.2f}{each['wall_s']:>8.2f}{each['peak_mb']:>7.0f}"
            f"{each['cpu_s'] / mine:>9.2f}  {away}"
        )
    lines += [f"{name:<28}{value:>12.4f}" for name, value in found["workers"].items()]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    """Run, print, and return the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sweep", description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--rounds", type=int, default=3, help="processes of each side; the best counts")
    chosen = parser.parse_args(arguments)
    forget()
    found = {"accounts": len(PAIRS) * SYMBOLS, "sides": beside(chosen.rounds), "workers": on_workers()}
    print(json.dumps(found) if chosen.json else table(found))
    return found


if __name__ == "__main__":
    main()
