"""docs/durability.md from what was done, and from nothing else."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date

from tests.durability.book import Row
from tests.durability.size import TRIALS

NOTE = "note"  # a row that says what the figures do not: what was thrown away, changed or not measured
WEAKER = "weaker syncing"  # must lose rows: the others would not see it else


def page(rows: Sequence[Row], commit: str, on: date) -> str:
    """Return the page."""
    parts = {name: [row for row in rows if row["what"] == name] for name in TRIALS}
    lines = [
        "# Durability",
        "",
        "Written by `make durable`; nobody edits it. Real daemons are killed, real files lose power or are",
        "edited, orders are sent into doubt through the real client, and the simulation is timed by the",
        "exchange's own truth. `make durable` goes on where the last run at the same commit ended; with",
        "`ARGS='--only kills --jobs 4'` it runs one kind alone. What the CI runs is the small size of each.",
        "",
        f"Commit {commit[:20]}, {on:%Y-%m-%d}, on two cores that had other work as well.",
        "",
        "| what | wanted | ran | broken | CPU s | hours |",
        "|---|---|---|---|---|---|",
        *(_row(name, part) for name, part in parts.items()),
        "",
    ]
    for name, part in parts.items():
        if part:
            lines += [f"## {name.capitalize()}", "", *_SAID[name](part), ""]
    broken = [
        f"- {row['what']}, seed {row['seed']}: {text}"
        for row in rows
        for text in row["broken"]
        if row["what"] != WEAKER
    ]
    lines += ["## What was broken", "", *(broken or ["Nothing."]), ""]
    notes = [f"- {row['text']}" for row in rows if row["what"] == NOTE]
    lines += ["## What else is to be known of this run", "", *(notes or ["Nothing was noted."]), ""]
    return "\n".join(lines)


def done(name: str, part: Sequence[Row]) -> int:
    """Return how many of a kind came to an end."""
    if name == "failing disks":
        return sum(row["size"] for row in part)
    return sum(row.get(_COUNTED.get(name, "drills"), 0) for row in part)


def _row(name: str, part: Sequence[Row]) -> str:
    cpu_s, hours = sum(row["cpu_s"] for row in part), sum(row["took_s"] for row in part) / 3600
    broken = sum(len(row["broken"]) for row in part)
    told = f"{broken}, as it must" if name == WEAKER and broken else f"{broken}"
    return f"| {name} | {TRIALS[name].whole:,} | {done(name, part):,} | {told} | {cpu_s:.0f} | {hours:.2f} |"


def _of(part: Sequence[Row], key: str) -> int:
    return sum(row.get(key, 0) for row in part)


def _counts(part: Sequence[Row], key: str) -> str:
    added: Counter[str] = Counter()
    for row in part:
        added.update(row.get(key, {}))
    return ", ".join(f"{name} {count:,}" for name, count in sorted(added.items()))


def percentile(values: Sequence[float], part: float) -> float:
    """Return the value below which `part` of all lie, the worse of two neighbours."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def spread(values: Sequence[float], unit: str = "s") -> str:
    """Return how many values there are, their median, 99th percentile and the largest."""
    if not values:
        return "none"
    half, most, worst = percentile(values, 0.5), percentile(values, 0.99), max(values)
    return f"{len(values):,}: median {half:.2f} {unit}, p99 {most:.2f} {unit}, largest {worst:.2f} {unit}"


def _all(part: Sequence[Row], key: str) -> list[float]:
    return [value for row in part for value in row.get(key, [])]


def _kills(part: Sequence[Row]) -> list[str]:
    boots = [boot for row in part for boot in row.get("boots", [])]
    keys = ("kills", "working", "booting", "pauses", "fenced", "orders")
    kills, working, booting, pauses, fenced, orders = (f"{_of(part, key):,}" for key in keys)
    return [
        f"{kills} daemons killed by SIGKILL in {len(part)} fleets: {working} with orders at work,",
        f"{booting} while they booted. {pauses} short stops (SIGSTOP, SIGCONT) after which it went on;",
        f"{fenced} long ones that ended in the watchdog's flatten, after which the woken daemon and the next",
        f"one formed no order. {orders} orders. After each kill the chain was verified and every order held",
        "against its intent; after each boot both books, to the cent.",
        "",
        "Boots that came to their end (goal: p99 30 s), and reconciliation alone (goal: p99 3 s). Daemons",
        "that are killed every other second use up the calls that the broker takes in a minute, and the",
        "next one waits for them; that is told apart.",
        "",
        *(
            f"- {what}: boot {spread([boot[0] for boot in boots if boot[2] is waited])};"
            f" reconciliation {spread([boot[1] for boot in boots if boot[2] is waited])}."
            for waited, what in ((False, "With calls left"), (True, "Until the broker took calls again"))
        ),
    ]


def _power(part: Sequence[Row]) -> list[str]:
    return [
        f"{_of(part, 'cuts'):,} cuts at random operations of the disk, each booted:",
        f"{_of(part, 'whole_append_kept'):,} in the middle of an append that was then kept whole.",
    ]


def _weaker(part: Sequence[Row]) -> list[str]:
    lost = sum(len(row["broken"]) for row in part)
    return [
        "The same with `synchronous = NORMAL`, to see that a loss would be seen:",
        f"{lost:,} of {_of(part, 'cuts'):,}.",
    ]


def _failing(part: Sequence[Row]) -> list[str]:
    return [
        f"Each n-th write and sync of {done('failing disks', part)} appends: {_counts(part, 'failures')}."
    ]


def _edits(part: Sequence[Row]) -> list[str]:
    return [f"One character of one cell: {_counts(part, 'columns')}. Each was named by its row."]


def _flips(part: Sequence[Row]) -> list[str]:
    found, harmless = _of(part, "found"), _of(part, "without_effect")
    return [f"One bit of the file: {found:,} found, {harmless:,} where no row reads otherwise than before."]


def _ambiguous(part: Sequence[Row]) -> list[str]:
    return [
        f"{_of(part, 'doubts'):,} of {_of(part, 'sendings'):,} sendings ended in doubt, of",
        f"{_of(part, 'intents'):,} orders, {_of(part, 'accepted'):,} of which the exchange took in the end:",
        f"{_counts(part, 'manners')}.",
        f"Doubled {_of(part, 'doubled'):,}, forgotten {_of(part, 'forgotten'):,}.",
    ]


def _timed(what: str) -> Callable[[Sequence[Row]], list[str]]:
    return lambda part: [
        f"{what}: {spread(_all(part, 'took'))}.",
        f"Days lived: {_of(part, 'tried'):,}; one without a book to begin with counts as no drill.",
    ]


def _reconnects(part: Sequence[Row]) -> list[str]:
    return [
        f"From the stream's return to both books compared: {spread(_all(part, 'took'))}.",
        f"From a fill at the exchange to the journal: {spread(_all(part, 'fills'))}. Calls take 0.03 s here.",
    ]


_COUNTED = {
    "kills": "kills",
    "power cuts": "cuts",
    WEAKER: "cuts",
    "edits": "edits",
    "flipped bits": "flips",
    "ambiguous submits": "doubts",
}
_SAID: dict[str, Callable[[Sequence[Row]], list[str]]] = {
    "kills": _kills,
    "power cuts": _power,
    WEAKER: _weaker,
    "failing disks": _failing,
    "edits": _edits,
    "flipped bits": _flips,
    "ambiguous submits": _ambiguous,
    "hard caps": _timed("Virtual seconds from the halt in the journal to the last share sold"),
    "dead man": _timed("Virtual seconds from the last heartbeat to the last share sold"),
    "drifts": _timed("Virtual seconds from another hand's trade to the break in the journal"),
    "reconnects": _reconnects,
}
