"""Run every benchmark: `make bench`. Arguments name some of them; all together write docs/benchmarks.md."""

import importlib
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ALL = (
    "start_up",
    "boot",
    "phone_paint",
    "step",
    "lake",
    "features",
    "arrival",
    "alerts",
    "pipeline",
    "sweep",
    "book",
    "peers",
)
REPO = Path(__file__).parents[1]
PAGE = REPO / "docs/benchmarks.md"
AIM_PER_S = 100_000
AIM_RATIO = 5.0
Row = tuple[str, str, str, bool]  # what, the figure, its limit or aim, whether that is kept
Found = dict[str, Any]


def start_up_rows(found: Found) -> list[Row]:
    """Return what importing the daemon takes."""
    beyond = found["beyond_alpaca_s"]
    return [("import of the daemon beyond alpaca-py's own", f"{beyond:.2f} s", "1.5 s", beyond <= 1.5)]


def boot_rows(found: Found) -> list[Row]:
    """Return what a start takes and weighs."""
    boot, memory = found["warm_boot_s"], found["memory_mb"]
    return [
        ("daemon to live, warm cache", f"{boot:.1f} s", "5 s", boot <= 5),
        ("memory of a live daemon", f"{memory:.0f} MB", "250 MB", memory <= 250),
    ]


def phone_paint_rows(found: Found | None) -> list[Row]:
    """Return when the phone's page stands on slow 4G, and what it weighs."""
    if found is None:
        return []
    painted, page_kb = found["painted_s"], found["page_bytes"] / 1000
    return [
        ("dot painted on slow 4G, the live view behind it", f"{painted:.2f} s", "1 s (aim)", painted <= 1),
        ("first page on the wire, one request", f"{page_kb:.1f} kB", "30 kB", page_kb <= 30),
    ]


def step_rows(found: Found) -> list[Row]:
    """Return what a daily bar set takes."""
    p99 = f"{found['p99_ms']:.1f} ms (median {found['p50_ms']:.1f} ms)"
    said = f"`step` on a daily bar set, 30 symbols, {found['strategies']} strategies, p99"
    return [(said, p99, "5 ms", found["is_kept"])]


def lake_rows(found: Found) -> list[Row]:
    """Return what the store takes to load and to append to."""
    load, append, wall = found["load_s"], found["append_own_p99_ms"], found["append_wall_p50_ms"]
    much = f"{found['rows']:,} values, {found['bars']:,} bars"
    return [
        (f"cold load of ten years ({much})", f"{load:.2f} s", "1 s", load < 1),
        ("panel of all series at every close of them", f"{found['panel_s'] * 1000:.0f} ms", "", True),
        (
            "a day's append to the store, durable, p99",
            f"{append:.0f} ms (median by the wall {wall:.0f} ms)",
            "50 ms",
            append < 50,
        ),
    ]


def alerts_rows(found: Found) -> list[Row]:
    """Return how long an alert takes to be kept for delivery, and to reach a mail server."""
    kept, last, p99 = found["enqueued_max_s"], found["delivered_max_s"], found["delivered_p99_s"]
    number = f"{found['alerts']} alerts"
    return [
        (f"alert in the outbox, durably, the slowest of {number}", f"{kept:.2f} s", "1 s", kept <= 1),
        ("alert at the mail server, p99", f"{p99:.2f} s", "10 s", p99 <= 10),
        ("alert at the mail server, the slowest", f"{last:.2f} s", "60 s", last <= 60),
    ]


def arrival_rows(found: Found) -> list[Row]:
    """Return what a decision and its orders take."""
    limit = f"{found['limit_ms']:.0f} ms"
    said = f"from a session's bars to the last of {found['orders']} orders acknowledged over loopback, p99"
    p99 = f"{found['p99_ms']:.1f} ms (median {found['p50_ms']:.1f} ms)"
    return [(said, p99, limit, found["p99_ms"] <= found["limit_ms"])]


def features_rows(found: Found) -> list[Row]:
    """Return what a new session takes to every strategy's view, and to all features."""
    rows: list[Row] = []
    for years, sides in found["years"].items():
        figures = {
            side: f"{each['p99_ms']:.1f} ms (median {each['p50_ms']:.1f} ms)" for side, each in sides.items()
        }
        many, every = found["strategies"], found["features"]
        said = f"a new session of 30 symbols to the views of {many} strategies, {years} years of history, p99"
        rows.append((said, figures["views"], "5 ms", sides["views"]["p99_ms"] < 5))
        is_kept = sides["all"]["p99_ms"] < 5
        rows.append(
            (
                f"the same to all {every} features; pandas windows take {figures['pandas']}",
                figures["all"],
                "5 ms (aim)",
                is_kept,
            )
        )
    return rows


def pipeline_rows(found: Found) -> list[Row]:
    """Return what the pipeline takes, and what of that is the notebooks' own work."""
    wall = {kind: found[kind]["wall_s"] for kind in ("plain", "forked", "no_change", "one_knob", "bare")}
    whole = sum(found["by_cell"].values())
    work = ", ".join(f"{kind} {seconds / whole:.0%}" for kind, seconds in found["by_cell"].items())
    plain, forked, bare = (wall[kind] for kind in ("plain", "forked", "bare"))
    said = f"pipeline of {found['notebooks']} notebooks, clean; plain Ploomber with kernels {plain:.0f} s"
    return [
        (said, f"{forked:.0f} s", "300 s", forked <= 300),
        ("the same without a change", f"{wall['no_change']:.1f} s", "10 s", wall["no_change"] <= 10),
        (
            "the same with one knob changed",
            f"{wall['one_knob']:.1f} s",
            "less than all",
            wall["one_knob"] < forked,
        ),
        ("these notebooks with nothing but their imports", f"{bare:.1f} s", "15 s", bare <= 15),
        ("of the notebooks' time", work, "", True),
    ]


def sweep_rows(found: Found) -> list[Row]:
    """Return what a sweep takes beside others."""
    sides, accounts = found["sides"], f"{found['accounts']:,} accounts over 2,520 sessions"
    mine, bare = sides["qgtm"]["cpu_s"], sides["bare"]["cpu_s"]
    said = f"sweep of {accounts}, {mine:.2f} s CPU; a bare numba loop {bare:.2f} s"
    rows = [(said, f"{mine / bare:.1f} times", "3 times", mine <= 3 * bare)]
    for side in (each for each in sides if each.startswith("vectorbt")):
        theirs, peak_mb = sides[side]["cpu_s"], sides[side]["peak_mb"]
        said = f"the same by {side} {theirs:.2f} s, {peak_mb:,.0f} MB"
        rows.append((said, f"{theirs / mine:.0f} times faster", "20 times", theirs >= 20 * mine))
    peak_mb = sides["qgtm"]["peak_mb"]
    rows.append(("memory of that sweep", f"{peak_mb:.0f} MB", "300 MB", peak_mb <= 300))
    away_usd = 100_000 * max(each["largest_difference"] for each in sides.values())
    rows.append(
        ("largest difference among 100,000-dollar accounts", f"{away_usd:.0e} $", "0.005 $", away_usd < 0.005)
    )
    return rows


def book_rows(found: Found) -> list[Row]:
    """Return what one account over twenty symbols takes beside others, and whether all agree."""
    sides = found["sides"]
    mine = sides["qgtm"]["cpu_s"]
    others = {side: each["cpu_s"] for side, each in sides.items() if side != "qgtm"}
    said = ", ".join(f"{side} {seconds:.2f} s" for side, seconds in others.items())
    away_usd = max(each["largest_difference_usd"] for each in sides.values())
    return [
        (
            f"back-test of one rule, 20 symbols over 2,520 sessions, {mine:.2f} s CPU, beside {said}",
            f"{mine / min(others.values()):.1f} times the fastest",
            "3 times (aim)",
            mine <= 3 * min(others.values()),
        ),
        (
            "largest difference of that equity, of 100,000 dollars",
            f"{away_usd:.0e} $",
            "0.005 $",
            away_usd < 0.005,
        ),
    ]


def peers_rows(found: Found) -> list[Row]:
    """Return how fast a replay is, alone and beside the others."""
    rates = {side: result["symbol_bars_per_s"] for side, result in found.items()}
    mine = rates.pop("qgtm")
    ratio = mine / max(rates.values())
    others = ", ".join(f"{side} {rate:,}" for side, rate in rates.items())
    orders = ", ".join(f"{side} {result['orders']}" for side, result in found.items())
    return [
        ("replay, symbol-bars a second", f"{mine:,}", f"{AIM_PER_S:,} (aim)", mine >= AIM_PER_S),
        (
            f"the same against the better of {others}",
            f"{ratio:.2f} times",
            f"{AIM_RATIO:.0f} times (aim)",
            ratio >= AIM_RATIO,
        ),
        ("orders in that work", orders, "alike", is_alike(found)),
    ]


def is_alike(found: Found) -> bool:
    """Return whether all did the same work: orders within a twentieth, as many held, and none denied."""
    orders, held = [r["orders"] for r in found.values()], [len(r["held"]) for r in found.values()]
    is_near = max(orders) <= 1.05 * min(orders) and max(held) <= min(held) + 2
    return is_near and not found["qgtm"]["denied"]


ROWS: dict[str, Callable[..., list[Row]]] = {
    "start_up": start_up_rows,
    "boot": boot_rows,
    "phone_paint": phone_paint_rows,
    "step": step_rows,
    "lake": lake_rows,
    "features": features_rows,
    "arrival": arrival_rows,
    "alerts": alerts_rows,
    "pipeline": pipeline_rows,
    "sweep": sweep_rows,
    "book": book_rows,
    "peers": peers_rows,
}

TEXT = """# Benchmarks

`make bench` measures and writes this page; `.venv/bin/python -m benchmarks NAME` runs one of
{names}.

{table}

Measured {day} at commit {commit}, Python {python}, {machine}, {cores} cores, which other work
may have shared: times are the process's own, but for the start to live and the pipeline.

## What is compared

Thirty symbols over 740 sessions, twenty of them traded from the 121st on: hold while the mean of 10
closes is above that of 50. All three read the same CSV files and send nearly the same orders; the few that
differ are gold or silver held in another wrapper, which qgtm nets, and weights that change while few
symbols are held. None is denied and no cap acts, or the work would not be the same.

- backtrader, in Python, holds a fixed count of shares and fills market orders whole at the next open. It
  keeps no record and checks nothing but the cash.
- nautilus-trader, a compiled core under a Python strategy, does the same through its own checks before the
  trade and its order book, and fills at the bar's own close. It keeps no record on disk.
- qgtm runs what it runs live: each bar set, view, target, sample of the account, quote and order goes
  through `step`, each order through the 26 checks of the gate with a value at risk of its own, the targets
  through a covariance of their own each session, each fact into a hash-chained journal (some 13 a session,
  in memory), and each order to an exchange with hours, spreads, depth and fills in parts.

That is what the time goes to, and no part of it takes more than a sixth.

The pipeline runs every strategy's notebook, without the weekly review, into an empty folder: once by Ploomber
as it comes, parallel, with a kernel of Jupyter's each, and once with kernels forked off one warm process. The
sweep is a crossover of means, 1,000 pairs over 20 symbols with an account each: qgtm and the bare loop tell
six figures of every account, vectorbt is asked only what it became. docs/sweeps.md has more.
"""


def table(rows: list[Row]) -> str:
    """Return the rows as Markdown."""
    lines = ["| what | measured | limit | |", "|---|---|---|---|"]
    for what, figure, limit, is_kept in rows:
        verdict = ("kept" if is_kept else "not kept") if limit else ""
        lines.append(f"| {what} | {figure} | {limit} | {verdict} |")
    return "\n".join(lines)


def page(rows: list[Row]) -> str:
    """Return docs/benchmarks.md."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=REPO, capture_output=True, text=True)
    return TEXT.format(
        names=", ".join(f"`{name}`" for name in ALL),
        table=table(rows),
        day=f"{datetime.now(UTC):%Y-%m-%d}",
        commit=commit.stdout.strip() or "not known",
        python=platform.python_version(),
        machine=f"{platform.system()} {platform.machine()}",
        cores=os.cpu_count(),
    )


def main() -> int:
    """Run what was asked for and return 0, or 2 for a name that is none."""
    wanted = sys.argv[1:] or ALL
    if {"-h", "--help"} & set(wanted):
        print(f"{__doc__}\n\n{', '.join(ALL)}")
        return 0
    unknown = sorted(set(wanted) - set(ALL))
    if unknown:
        print(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(ALL)}", file=sys.stderr)
        return 2
    rows: list[Row] = []
    for name in wanted:
        print(f"\n== {name}", flush=True)
        rows += ROWS[name](importlib.import_module(f"benchmarks.{name}").main([]))
    print(f"\n{table(rows)}")
    if set(wanted) == set(ALL):
        PAGE.write_text(page(rows))
        print(f"\nwritten to {PAGE.relative_to(REPO)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
