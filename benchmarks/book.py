"""One account over twenty symbols and 2,520 sessions in qgtm, vectorbt, bt and backtrader, in one run.

Hold each symbol while the mean of 10 closes is above that of 50, decided at a close and filled at the next
open, with costs. Each side computes the rule and the sizes by itself, in a process of its own; the CPU
seconds of the best of three runs count, without imports. The equity at every close must be the same.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers import HERE, LIMIT_S, peers_python
from benchmarks.sides.book_rule import COST_BPS

OURS = ("qgtm", "vectorbt")
PEERS = ("bt", "backtrader")
CENT = 0.005


def run_side(side: str, python: Path, equity: Path) -> dict[str, Any]:
    """Return what one process of a side said."""
    command = [str(python), "-m", f"benchmarks.sides.book_{side}", str(equity)]
    done = subprocess.run(command, cwd=HERE.parent, capture_output=True, text=True, timeout=LIMIT_S)
    if done.returncode:
        raise RuntimeError(f"{side} failed; run `{' '.join(command)}` to see why:\n{done.stderr[-2000:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def measure() -> dict[str, Any]:
    """Return seconds and memory of each side, and how far in dollars its equity ever was from qgtm's."""
    peers, found = peers_python(), dict[str, dict[str, Any]]()
    with tempfile.TemporaryDirectory() as scratch:
        for side in (*OURS, *PEERS):
            equity = Path(scratch) / f"{side}.npy"
            found[side] = run_side(side, peers if side in PEERS else Path(sys.executable), equity)
            theirs, mine = np.load(equity), np.load(Path(scratch) / "qgtm.npy")
            found[side]["largest_difference_usd"] = float(np.abs(theirs - mine).max())
    return {"sides": found, "cost_bps": COST_BPS}


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    """Run, print, and return the figures."""
    argparse.ArgumentParser(prog="python -m benchmarks.book", description=__doc__.splitlines()[0]).parse_args(
        arguments
    )
    found = measure()
    print(json.dumps(found, indent=1))
    return found


if __name__ == "__main__":
    sides = main()["sides"].values()
    sys.exit(int(max(each["largest_difference_usd"] for each in sides) > CENT))
