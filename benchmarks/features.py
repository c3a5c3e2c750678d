"""How long one new session's features take, for thirty symbols, beside a loop over pandas windows.

A shelf that holds 1, 5 and 10 years is grown by one session at a time: once with all features read, once with
those alone that the 29 strategies read. The naive side computes what many notebooks do: each of its numbers
for each symbol from the whole history, anew every session, by pandas. All in one process, by its own time.
"""

import gc
import json
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd

from qgtm.features.catalogue import CATALOGUE
from qgtm.features.feature import Feature
from qgtm.features.seen import Seen, Shelf
from qgtm.research.made_up_panel import made_up_seen

YEARS = (1, 5, 10)
SESSIONS_A_YEAR = 252
GROWN = 200  # sessions that are measured
NAIVE = 10  # of which the naive side does as many: it takes as long as a session does
LIMIT_MS, AIM_MS = 5.0, 1.0
# What the rules of the 29 strategies name as their inputs, each once.
LIVE: tuple[str, ...] = (
    *("real_yield_rank_252", "real_yield_change_z_126", "broad_dollar_momentum_z_252"),  # A1
    *("dollar_beta_126", "dollar_correlation_126", "dollar_residual_z_126"),  # A2
    *("macro_z_252", "fear_z_63", "drawdown_252", "policy_gap", "two_year_change_21"),  # A3 to A5
    *("holding_cost_z_252", "curve_slope_change_63", "two_year_change_63", "lease_rate_z_252"),  # B6 to B8
    *("hedge_ratio", "spread_z_252", "spread_half_life_252"),  # C9, C10
    *("miners_betas_126", "miners_residual_z_126", "miners_half_life_126", "volatility_rank"),  # C11 to C13
    *("managed_money_z_52", "producer_z_52", "managed_money_change_4", "crowd_heat_63"),  # D14 to D17
    *("volatility_premium_rank_252", "put_skew_z_126", "put_skew_change_5", "term_slope"),  # E18 to E20
    *("gvz_vix_z_252", "gvz_vix_change_21"),  # E21
    *("event_half_hour", "average_true_range_20", "sessions_since_fomc", "sessions_since_cpi"),  # F22
    *("sessions_since_employment", "pre_fix", "post_fix_mean_63", "overnight_edge_63"),  # F22 to F24
    *("month", "turn_of_month", "log_return_21", "log_return_63", "log_return_252"),  # F25, G26
    *("exponential_volatility", "channel_place_55", "channel_place_20", "momentum_126_5"),  # G26 to G28
    *("stress_252", "credit_z_252", "drawdown_63"),  # H29
)


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
    every, live = tuple(CATALOGUE.values()), tuple(CATALOGUE[name] for name in LIVE)
    sides: dict[str, Callable[[Seen, int], list[float]]] = {
        "all": lambda whole, first: durations_ms(whole, first, every),
        "live": lambda whole, first: durations_ms(whole, first, live),
        "pandas": naive_ms,
    }
    found: dict[str, Any] = {"features": len(every), "live_features": len(live), "years": {}}
    for years in YEARS:
        first = years * SESSIONS_A_YEAR
        whole = made_up_seen(first + GROWN, 7)
        found["years"][years] = {side: _percentiles(of(whole, first)) for side, of in sides.items()}
    worst = max(each["live"]["p99_ms"] for each in found["years"].values())
    return {**found, "live_p99_ms": worst, "is_kept": worst < LIMIT_MS}


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    """Measure, print and return it."""
    found = measure()
    print(json.dumps(found, indent=1))
    return found


if __name__ == "__main__":
    sys.exit(0 if main()["is_kept"] else 1)
