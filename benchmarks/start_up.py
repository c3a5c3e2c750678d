"""How long the daemon's own modules take to import, beyond what alpaca-py takes alone, and what that weighs.

Each measurement is a fresh interpreter and its own time; the least of some counts. Limits: 1.5 s beyond
alpaca-py, 250 MB.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

REPO = Path(__file__).parents[1]
ALPACA = "alpaca.trading.client, alpaca.trading.stream, alpaca.data.historical, alpaca.data.live"
PARTS = {
    "python": "sys",
    "alpaca-py": ALPACA,
    "daemon": "qgtm.live.daemon",
    "daemon, and alpaca-py": f"{ALPACA}, qgtm.live.daemon",
    "command line": "qgtm.cli",
    "watchdog": "qgtm.watchdog",
}
BEYOND_ALPACA_S = 1.5
MEMORY_MB = 250
PROBE = """
import json, sys, time
began = time.process_time()
import {modules}
elapsed = time.process_time() - began
import resource
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([elapsed, peak / (1024 if sys.platform != "darwin" else 1024 * 1024), len(sys.modules)]))
"""


def compiling_environment() -> dict[str, str]:
    """Return the environment in which Python keeps what it has compiled, as on anybody's machine."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def probe(modules: str) -> tuple[float, float, int]:
    """Return seconds, peak megabytes and the count of modules after importing `modules` afresh."""
    command = [sys.executable, "-c", PROBE.format(modules=modules)]
    done = subprocess.run(
        command,
        cwd=REPO,
        env=compiling_environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    seconds, megabytes, count = json.loads(done.stdout)
    return seconds, megabytes, count


def measure(rounds: int) -> dict[str, dict[str, float]]:
    """Return the least of each part: a busy machine only adds. The first round compiles and is dropped."""
    runs: dict[str, list[tuple[float, float, int]]] = {part: [] for part in PARTS}
    for _ in range(rounds + 1):  # the parts take turns, so that a busy moment hits all of them
        for part, modules in PARTS.items():
            runs[part].append(probe(modules))
    names = ("seconds", "memory_mb", "modules")
    return {
        part: {name: min(run[n] for run in taken[1:]) for n, name in enumerate(names)}
        for part, taken in runs.items()
    }


def verdict(found: dict[str, dict[str, float]]) -> dict[str, Any]:
    """Return the two numbers that have a limit, and whether they keep it."""
    beyond = found["daemon, and alpaca-py"]["seconds"] - found["alpaca-py"]["seconds"]
    memory = found["daemon, and alpaca-py"]["memory_mb"]
    return {
        "beyond_alpaca_s": beyond,
        "memory_mb": memory,
        "is_kept": beyond <= BEYOND_ALPACA_S and memory <= MEMORY_MB,
    }


def table(found: dict[str, dict[str, float]], judged: dict[str, Any]) -> str:
    """Return the results as text."""
    lines = [f"{'import of':<24}{'seconds':>9}{'MB':>8}{'modules':>9}"]
    lines += [f"{p:<24}{r['seconds']:>9.2f}{r['memory_mb']:>8.0f}{r['modules']:>9}" for p, r in found.items()]
    lines.append(
        f"beyond alpaca-py: {judged['beyond_alpaca_s']:.2f} s (limit {BEYOND_ALPACA_S}), "
        f"{judged['memory_mb']:.0f} MB (limit {MEMORY_MB}): {'kept' if judged['is_kept'] else 'NOT KEPT'}"
    )
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    """Run, print, and return the results."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.start_up", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each; the least counts")
    chosen = parser.parse_args(arguments)
    found = measure(chosen.rounds)
    judged = verdict(found)
    print(json.dumps({"parts": found, **judged}) if chosen.json else table(found, judged))
    return {"parts": found, **judged}


if __name__ == "__main__":
    main()
