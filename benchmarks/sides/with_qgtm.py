"""The crossover in qgtm's full loop. Arguments: the folder of bars, fast, slow, shares. Prints JSON.

The loop sizes by weight of equity under the config's limits, rebalances through its no-trade band, and
its exchange fills over the course of a session: it does more, and trades more often, than a rule that
holds a fixed number of shares. Every decision goes through `step`, risk, the journal and the exchange.
"""

import json
import sys
import time
from pathlib import Path

from benchmarks.desks import CASH_USD, ONLY_CROSSINGS, Crossover, begun_replay
from qgtm.simulation.summary import summary


def main(folder: Path, fast: int, slow: int, _shares: int) -> dict[str, float | int | str]:
    """Run once over every file of the folder; the time is from reading them to the last fill."""
    bars = sum(len(path.read_text().splitlines()) - 1 for path in folder.glob("*.csv"))
    began = time.perf_counter()
    replay, sessions = begun_replay(folder, (Crossover(fast, slow),), ONLY_CROSSINGS)
    ready = time.perf_counter()
    for session in sessions:
        replay.walk(session)
    ended = time.perf_counter()
    result = summary(replay.journal, CASH_USD)
    return {
        "bars": bars,
        "seconds": ended - began,
        "loop_seconds": ended - ready,
        "fills": result.fills,
        "equity_usd": float(result.final_equity_usd),
        "head": result.head,
    }


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), *map(int, sys.argv[2:5]))))
