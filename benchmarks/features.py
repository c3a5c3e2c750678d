"""How long one new session takes, for thirty symbols, to all features and to every strategy's view.

A history that holds 1, 5 and 10 years is grown by one session at a time: once until every strategy that is
printed has been asked as the daemon asks it (`views`, which computes what they read and nothing else), once
with all features read. The naive side computes what many notebooks do: each of its numbers for each symbol
from the whole history, anew every session, by pandas. All in one process, by its own time.
"""

import gc
import json
import sys
import time
from collections.abc import Callable, Iterable
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.serving import REPO
from qgtm.config import load_config
from qgtm.core.events import SignalsComputed
from qgtm.core.record import renewed
from qgtm.engine.desk import Desk
from qgtm.engine.state import State
from qgtm.engine.wanted import viewed
from qgtm.features.bars import FIELDS
from qgtm.features.catalogue import CATALOGUE
from qgtm.features.feature import Feature
from qgtm.features.history import History, Known, Row
from qgtm.features.seen import Seen, Shelf
from qgtm.research.made_up_panel import made_up_seen
from qgtm.strategies import BY_NAME

YEARS = (1, 5, 10)
SESSIONS_A_YEAR = 252
GROWN = 200  # sessions that are measured
NAIVE = 10  # of which the naive side does as many: it takes as long as a session does
LIMIT_MS, AIM_MS = 5.0, 1.0


def grown(whole: Seen, end: int, shelf: Shelf | None = None) -> Seen:
    return Seen(whole.bars.head(end), whole.panel.rows(slice(0, end)), shelf)


def read(seen: Seen, features: Iterable[Feature]) -> None:
    for feature in features:
        seen.get(feature)


def durations_ms(whole: Seen, first: int, features: tuple[Feature, ...]) -> list[float]:
    """Return how long each new session took on a warm shelf."""
    shelf, taken = Shelf(), []
    read(grown(whole, first, shelf), features)
    gc.collect()
    for end in range(first + 1, len(whole) + 1):
        began = time.process_time()
        read(grown(whole, end, shelf), features)
        taken.append((time.process_time() - began) * 1000)
    return taken[len(taken) // 10 :]  # the caches of the machine warm up too


def session_of(whole: Seen, i: int) -> tuple[date, dict[str, Row], dict[str, Known]]:
    """Return a session as the daemon gets it: bars by symbol, and what was known by series."""
    fields = np.array([getattr(whole.bars, field)[i] for field in FIELDS]).T.tolist()
    panel = whole.panel
    values, days = panel.values[i].tolist(), panel.described[i].tolist()
    return (
        date.fromordinal(int(whole.bars.sessions[i])),
        dict(zip(whole.bars.symbols, map(tuple, fields), strict=True)),
        {
            name: (value, day)
            for name, value, day in zip(panel.names, values, days, strict=True)
            if value == value
        },
    )


def views_ms(whole: Seen, first: int) -> list[float]:
    """Return how long each new session took until every strategy had been asked. Raises ValueError."""
    history = History(whole.bars.symbols, whole.panel.names)
    for i in range(first):
        history.append(*session_of(whole, i))
    config = load_config(REPO / "qgtm_config.toml", {})
    desk = Desk(config.limits, tuple(BY_NAME.values()), history)
    state, taken = State(), list[float]()
    state = _asked(state, desk, session_of(whole, first - 1)[0])
    gc.collect()
    for i in range(first, len(whole)):
        session = session_of(whole, i)
        began = time.process_time()
        history.append(*session)
        state = _asked(state, desk, session[0])
        taken.append((time.process_time() - began) * 1000)
    return taken[len(taken) // 10 :]


def _asked(state: State, desk: Desk, session: date) -> State:
    *failed, told = viewed(state, session, desk)
    if failed or not isinstance(told, SignalsComputed) or len(told.signals) < len(BY_NAME):
        raise ValueError(f"not every strategy had its say: {failed or told}")
    return renewed(state, signals=told.signals, carried=told.carried)


def naive(close: pd.Series, volume: pd.Series) -> tuple[float, ...]:
    """Return some thirty of the features' newest values of one symbol, each from the whole history."""
    logs = np.log(close)
    daily = logs.diff()
    found = [float((logs - logs.shift(n)).iloc[-1]) for n in (1, 2, 5, 10, 21, 42, 63, 126, 252)]
    for n in (21, 63, 126):
        found.append(float(np.sqrt(252 * (daily**2).rolling(n).mean()).iloc[-1]))
        found.append(float((daily > 0).rolling(n).mean().iloc[-1]))
        found.append(float(np.log(volume / volume.rolling(n).mean().shift()).iloc[-1]))
        found.append(float(daily.rolling(n).skew().iloc[-1]))
    for n in (63, 252):
        found.append(float(((logs - logs.rolling(n).mean()) / logs.rolling(n).std()).iloc[-1]))
        found.append(float(logs.rolling(n).rank(pct=True).iloc[-1]))
        found.append(float((1 - close / close.rolling(n).max()).iloc[-1]))
    found.append(float(daily.ewm(com=60).std().iloc[-1]))
    return tuple(found)


def naive_ms(whole: Seen, first: int) -> list[float]:
    taken = []
    for end in range(first + 1, first + NAIVE + 1):
        close, volume = (
            pd.DataFrame(getattr(whole.bars, name)[:end], columns=list(whole.bars.symbols))
            for name in ("close", "volume")
        )
        began = time.process_time()
        for symbol in whole.bars.symbols:
            naive(close[symbol], volume[symbol])
        taken.append((time.process_time() - began) * 1000)
    return taken


def _percentiles(taken: list[float]) -> dict[str, float]:
    p50, p99 = np.percentile(taken, [50, 99])
    return {"p50_ms": round(float(p50), 3), "p99_ms": round(float(p99), 3)}


def measure() -> dict[str, Any]:
    """Return p50 and p99 of each side at each length of history, and whether the limit is kept."""
    every = tuple(CATALOGUE.values())
    sides: dict[str, Callable[[Seen, int], list[float]]] = {
        "views": views_ms,
        "all": lambda whole, first: durations_ms(whole, first, every),
        "pandas": naive_ms,
    }
    found: dict[str, Any] = {"features": len(every), "strategies": len(BY_NAME), "years": {}}
    for years in YEARS:
        first = years * SESSIONS_A_YEAR
        whole = made_up_seen(first + GROWN, 7)
        found["years"][years] = {side: _percentiles(of(whole, first)) for side, of in sides.items()}
    worst = max(each["views"]["p99_ms"] for each in found["years"].values())
    return {**found, "views_p99_ms": worst, "is_kept": worst < LIMIT_MS}


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    """Measure, print and return it."""
    found = measure()
    print(json.dumps(found, indent=1))
    return found


if __name__ == "__main__":
    sys.exit(0 if main()["is_kept"] else 1)
