"""The same crossover on the same bars in qgtm, backtrader and nautilus-trader, in one run.

Thirty symbols over some 740 sessions, of which twenty are traded: hold while the mean of 10 closes is above
that of 50; no costs. Each framework runs alone, several times, in a process of its own; the best run counts.
The time is the process's own, from reading the files to the last fill, without imports. qgtm's includes the
whole loop: step, risk, journal in memory, and the exchange's core. The peers live in an environment that
this script makes once. `orders` and the symbols `held` at the end show that the work was the same.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

import exchange_calendars

from benchmarks.made_up_bars import write_bars
from qgtm.core.universe import SYMBOLS, TRADED

HERE = Path(__file__).parent
PEERS_VENV = HERE / ".venv-peers"
# A book's value at risk is known after 120 returns, and without it the gate lets nothing out.
RULE = ("10", "50", "121", "100", ",".join(TRADED))  # fast, slow, first session, shares, symbols
SESSIONS = 740
FIRST_SESSION = date(2021, 1, 4)
LIMIT_S = 300
SIDES = ("qgtm", "backtrader", "nautilus")

Result = dict[str, Any]


def peers_python() -> Path:
    """Return the Python of the peers' environment, made on the first call."""
    python = PEERS_VENV / "bin/python"
    stamp = PEERS_VENV / "installed"
    wanted = (HERE / "peers.txt").read_text()
    if not stamp.exists() or stamp.read_text() != wanted:
        print("Making the peers' environment (once).", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(PEERS_VENV)], check=True)
        uv = Path(sys.executable).with_name("uv")
        install = [str(uv), "pip", "install", "--quiet", "--python", str(python)]
        if not uv.exists():
            install = [str(python), "-m", "pip", "install", "--quiet"]
        subprocess.run([*install, "-r", str(HERE / "peers.txt")], check=True, timeout=600)
        stamp.write_text(wanted)
    return python


def run_side(side: str, python: Path, folder: Path) -> Result:
    """Return what one run of one framework printed."""
    command = [str(python), "-m", f"benchmarks.sides.with_{side}", str(folder), *RULE]
    done = subprocess.run(command, cwd=HERE.parent, capture_output=True, text=True, timeout=LIMIT_S)
    if done.returncode:
        raise RuntimeError(f"{side} failed; run `{' '.join(command)}` to see why:\n{done.stderr[-2000:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def measure(sides: tuple[str, ...], rounds: int) -> dict[str, Result]:
    """Return the best of some runs of each framework; they take turns, so that a busy moment hits all."""
    pythons = {side: Path(sys.executable) if side == "qgtm" else peers_python() for side in sides}
    calendar = exchange_calendars.get_calendar("XNYS")
    sessions = [day.date() for day in calendar.sessions_window(str(FIRST_SESSION), SESSIONS)]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "bars"
        write_bars(folder, SYMBOLS, sessions)
        runs = [(side, run_side(side, pythons[side], folder)) for _ in range(rounds) for side in sides]
    best = {side: min((r for s, r in runs if s == side), key=lambda r: r["cpu_seconds"]) for side in sides}
    for result in best.values():
        result["symbol_bars_per_s"] = round(result["bars"] / result["cpu_seconds"])
    return best


def table(best: dict[str, Result]) -> str:
    """Return the results as text, each with its ratio to the faster of the two peers."""
    peers = [result["symbol_bars_per_s"] for side, result in best.items() if side != "qgtm"]
    lines = [f"{'':<12}{'symbol-bars/s':>15}{'ratio':>8}{'CPU s':>9}{'orders':>8}{'held':>6}"]
    for side, result in best.items():
        ratio = f"{result['symbol_bars_per_s'] / max(peers):.2f}" if peers else "-"
        lines.append(
            f"{side:<12}{result['symbol_bars_per_s']:>15,}{ratio:>8}{result['cpu_seconds']:>9.2f}"
            f"{result['orders']:>8}{len(result['held']):>6}"
        )
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> dict[str, Result]:
    """Run, print, and return the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each; the best counts")
    parser.add_argument("--side", action="append", choices=SIDES, help="only this one; may be repeated")
    chosen = parser.parse_args(arguments)
    best = measure(tuple(chosen.side or SIDES), chosen.rounds)
    print(json.dumps(best) if chosen.json else table(best))
    return best


if __name__ == "__main__":
    main()
