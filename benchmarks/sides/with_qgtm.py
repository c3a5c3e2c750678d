"""The crossover in qgtm's full loop. Arguments: bars' folder, fast, slow, first session, shares, symbols.

Prints JSON. The loop sizes by weight of equity and not by a count of shares; the no-trade band is so wide
that only a crossing makes an order. Every decision goes through `step`, the gate, the journal and the
exchange, whose quotes have a depth: some orders fill in parts.
"""

import json
import sys
import time
from datetime import date
from pathlib import Path

from benchmarks.desks import CASH_USD, ONLY_CROSSINGS, Crossover, begun_replay
from qgtm.adapters.calendar import xnys
from qgtm.simulation.summary import summary


def main(
    folder: Path, fast: int, slow: int, first: int, _shares: int, traded: list[str]
) -> dict[str, object]:
    """Run once over every file of the folder; the time is from reading them to the last fill."""
    bars = sum(len(path.read_text().splitlines()) - 1 for path in folder.glob("*.csv"))
    xnys().session_on(date(2021, 1, 4))  # imports and makes the calendar: the peers' imports are not timed
    began, began_cpu = time.perf_counter(), time.process_time()
    crossover = Crossover(fast, slow, first, symbols=tuple(traded))
    replay, sessions = begun_replay(folder, (crossover,), ONLY_CROSSINGS)
    replay.walk_all(sessions)
    ended, ended_cpu = time.perf_counter(), time.process_time()
    result = summary(replay.journal, CASH_USD)
    return {
        "bars": bars,
        "seconds": ended - began,
        "cpu_seconds": ended_cpu - began_cpu,
        "orders": result.orders,  # each is filled, some in two parts
        "denied": sum(result.denied.values()),
        "held": sorted(s for s, position in replay.kernel.state.positions.items() if position.quantity),
        "journal_rows": replay.journal.head().seq,
        "head": result.head,
    }


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), *map(int, sys.argv[2:6]), sys.argv[6].split(","))))
