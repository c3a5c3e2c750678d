"""What the evidence says of every strategy, and whether it can be believed itself: docs/evidence.md.

Three parts. Real: every strategy over folders of recorded bars. Power: on a made-up market in which a
strategy's own effect was planted, its gates must open. Placebo: over many made-up markets without any effect
the gates must open no more often than chance. What is done is kept, so that a run that was stopped goes on.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from scipy import stats

from qgtm.adapters.files import write_atomic
from qgtm.adapters.manifest import load_manifest
from qgtm.cli.evidence import card_of
from qgtm.core.gate import LEAST_DEFLATED, LEAST_SHARPE, MOST_OVERFIT, SMALL, Standing
from qgtm.research.evidence import as_json, found
from qgtm.research.evidence_page import dollars, number
from qgtm.research.made_up_panel import made_up_seen
from qgtm.research.planted import STRENGTH, planted, without_effect
from qgtm.research.story import world
from qgtm.strategies import STRATEGIES

REPO: Final = Path(__file__).parents[1]
PAGE: Final = REPO / "docs" / "evidence.md"
KEPT: Final = REPO / "var" / "evidence"
SESSIONS: Final = 1000
RECORDED: Final = 760  # sessions of a market without an effect: about as many as there are real ones
SEED: Final = 4
COST_BPS: Final = 3.0
NOMINAL: Final = 1 - LEAST_DEFLATED
SURE: Final = 0.999  # that a rate which is nominal stays within the bound
# Rules that follow what they have moved: a strong effect leaves nothing to choose between.
GENTLE: Final = dict.fromkeys(("cross_sectional_momentum", "donchian_breakout", "tsmom"), 0.2)
# A rule that has to notice an effect before it trades: it needs longer.
LONGER: Final = {"seasonality": 1500}

# They take as long as all others together.
SLOW: Final = ("seasonality", "gold_silver_ratio", "gold_platinum_ratio")
PARTS: Final = ("quick", "slow")

Row = dict[str, Any]


# -- the controls ------------------------------------------------------------------------------------


def power(module: ModuleType, seed: int = SEED) -> Row:
    """Return what the evidence says of a strategy on a market in which its effect was planted."""
    name, sessions = module.NAME, LONGER.get(module.NAME, SESSIONS)
    market = made_up_seen(sessions, seed)
    strength = GENTLE.get(name, STRENGTH)
    with_it = planted(module.signal, module.PARAMS, market, module.symbols, strength)
    return told(module, with_it, seed) | {
        "strength": strength,
        "without": told(module, market, seed)["sharpe"],
    }


def placebo(seed: int, modules: Sequence[ModuleType] = STRATEGIES, sessions: int = RECORDED) -> list[Row]:
    """Return what the evidence says of strategies on one market without any effect."""
    market = without_effect(sessions, seed)
    return [told(module, market, seed) for module in modules]


def told(module: ModuleType, market: Any, seed: int) -> Row:
    """Return a strategy's three figures as if the market had been recorded, and whether its gates open."""
    card = as_json(found(module, market, "recorded", COST_BPS, seed, draws=0))
    figures = {name: card["proof"][name] for name in ("sharpe", "overfit", "deflated", "sessions")}
    return {"name": module.NAME, "is_open": card["state"] == Standing.PROVEN, **figures}


def most(markets: int, rate: float = NOMINAL, sure: float = SURE) -> int:
    """Return the most times that gates which open at `rate` open over `markets`, with odds of `sure`."""
    return int(stats.binom.ppf(sure, markets, rate))


# -- the page ----------------------------------------------------------------------------------------


def real_table(cards: Sequence[Row]) -> Iterator[str]:
    """Yield the lines of a table of cards over one folder of bars."""
    names = "strategy inputs sessions Sharpe 90% overfit deflated capacity gates".split()
    yield f"| {' | '.join(names)} |"
    yield "|---" * len(names) + "|"
    for card in cards:
        proof = card["proof"]
        span = "-" if proof["low"] is None else f"{number(proof['low'])} to {number(proof['high'])}"
        figures = [_figure(proof[each]) for each in ("sharpe", "overfit", "deflated")]
        inputs = "; ".join(f"{feed} {worth}" for feed, worth in card["inputs"].items())
        size = _size(proof.get("capacity_usd"))
        cells = [card["name"], inputs, str(proof["sessions"]), figures[0], span, *figures[1:], size]
        yield f"| {' | '.join(cells)} | {card['evidence']} |"


def _figure(value: float | None) -> str:
    return "-" if value is None else number(value)


def _size(value: float | None) -> str:
    return "-" if value is None else dollars(value)


def power_table(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the lines of the table of planted effects."""
    yield "| strategy | strength | Sharpe without it | Sharpe | overfit | deflated | the gates |"
    yield "|---|---|---|---|---|---|---|"
    for row in rows:
        figures = [_figure(row[each]) for each in ("without", "sharpe", "overfit", "deflated")]
        yield f"| {row['name']} | {row['strength']:g} | {' | '.join(figures)} | {_open(row['is_open'])} |"


def _open(is_open: bool) -> str:
    return "open" if is_open else "shut"


def placebo_table(found: Mapping[str, Sequence[Row]]) -> Iterator[str]:
    """Yield the lines of the table of markets without an effect: how often each gate opened, and all."""
    yield "| strategy | markets | Sharpe | overfit | deflated | all gates | at most |"
    yield "|---|---|---|---|---|---|---|"
    for name, rows in found.items():
        counts = [sum(_passes(row)[gate] for row in rows) for gate in range(3)]
        cells = [name, len(rows), *counts, opened(rows), most(len(rows))]
        yield f"| {' | '.join(map(str, cells))} |"


def by_strategy(markets: Iterable[Sequence[Row]]) -> dict[str, list[Row]]:
    """Return the rows of all markets by strategy, in the order of the strategies."""
    every = [row for rows in markets for row in rows]
    names = [module.NAME for module in STRATEGIES if any(row["name"] == module.NAME for row in every)]
    return {name: [row for row in every if row["name"] == name] for name in names}


def _passes(row: Row) -> tuple[bool, bool, bool]:
    ratio, overfit, deflated = (row[each] for each in ("sharpe", "overfit", "deflated"))
    if ratio is None:
        return (False, False, False)
    return (ratio > LEAST_SHARPE, overfit < MOST_OVERFIT, deflated >= LEAST_DEFLATED)


def opened(rows: Sequence[Row]) -> int:
    """Return how often all gates opened."""
    return sum(row["is_open"] for row in rows)


def page(folders: Mapping[str, list[Row]], powers: Sequence[Row], markets: Iterable[Sequence[Row]]) -> str:
    """Return docs/evidence.md."""
    lines = [HEAD]
    for name, cards in folders.items():
        proven = sum(card["state"] == Standing.PROVEN for card in cards)
        lines += [f"\n### {name}\n", f"{proven} of {len(cards)} are proven.\n", *real_table(cards)]
    lines += [POWER, *power_table(powers), f"\n{opened(powers)} of {len(powers)} are found."]
    found = by_strategy(markets)
    every = [row for rows in found.values() for row in rows]
    over = ", ".join(name for name, rows in found.items() if opened(rows) > most(len(rows))) or "none"
    said = (
        f"\nOver markets of {RECORDED} sessions all gates opened {opened(every)} times of {len(every)} "
        f"({opened(every) / max(1, len(every)):.2%}), where {NOMINAL:.0%} are nominal. At the nominal rate a "
        f"strategy passes more than `at most` times with odds of one in a thousand: {over} did."
    )
    return "\n".join([*lines, PLACEBO, *placebo_table(found), said]) + "\n"


HEAD: Final = f"""# Evidence

Written by `python -m benchmarks.evidence --bars DIR` (`make evidence`); do not edit it.

Every strategy is judged on sessions that its parameters were not chosen on. Its record begins with its
first view and ends where a series that it reads ends. The first year chooses the best of up to sixteen sets
of its first two knobs; a gap follows that is as long as a position is usually held (a week to a quarter) and
a week more; the next quarter is judged; then the choice is made anew with all of the past. Fills are at the
next open, with {COST_BPS:g} basis points on all that is traded. The gates: a Sharpe ratio out of sample above
{LEAST_SHARPE}, a probability of overfitting (combinatorially symmetric cross-validation, Bailey et al. 2017)
below {MOST_OVERFIT}, and a deflated Sharpe probability (Bailey and Lopez de Prado 2014, all sets counted as
trials) of at least {LEAST_DEFLATED}. What cannot be judged is denied, and so is what reads an input that
nobody recorded. Who fails is a shadow: it makes signals and has no weight with live money, and on paper,
where `gates.enforce` is false, {SMALL:.0%} of its size.

`qgtm evidence --bars DIR` makes the cards of a folder of bars and keeps them in `reports/evidence`, where the
daemon reads them when it starts. A card holds for the print of which it was made and all prints that it leans
on: an edit shuts the gates until the evidence is made anew. Series of FRED (`fred/NAME.csv`) and yearly
reports of the CFTC (`cot/*.zip`) are looked for in the folder of bars and beside it, and are known from their
publication on. Who reads what nobody has recorded (option chains, minutes, talk) is a shadow.

Three years are a short record: with a year to choose on and up to a year of warm-up little is left to judge,
and a true Sharpe ratio of 1 rarely passes the deflated gate. That these are shadows is all that the data
allow to say, and no word against the strategies. Capacity is of the volume that the bars have: where the feed
saw a hundredth of the tape, the market carries about a hundred times as much.

## Real bars
"""
POWER: Final = f"""
## Power: is an effect found that is there?

A made-up market of {SESSIONS} sessions (longer for a rule that has to notice its effect first). Whatever the
strategy wants at a close moves in the next session, from open to close, by `strength` of a day's volatility
in that direction. Rules that feed on what they move get less: where all sets are equally good, none of them
is above the others, and the probability of overfitting rises.
"""
PLACEBO: Final = """
## Placebo: is an effect found that is not there?

Made-up markets whose prices are martingales, with series that move with them and tell nothing of tomorrow.
Counted is how often each gate would have opened alone, and how often all did. A rule whose warm-up leaves too
few sessions to judge stays shut.
"""


# -- the run -----------------------------------------------------------------------------------------


def kept(path: Path, make: Callable[[], Any]) -> Any:
    """Return what was kept, or what is made now, and keep it."""
    if path.is_file():
        return json.loads(path.read_text(encoding="utf-8"))
    made = make()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, json.dumps(made).encode())
    return made


def parts(markets: int) -> list[tuple[str, int]]:
    """Return what is run of the placebo: of each market the quick rules first, then the slow ones of all."""
    return [(part, seed) for part in PARTS for seed in range(markets)]


def place(folder: Path, part: tuple[str, int]) -> Path:
    """Return where a part of the placebo is kept."""
    return folder / f"placebo-{part[0]}-{part[1]:04d}.json"


def ran(folder: Path, part: tuple[str, int]) -> list[Row]:
    """Return a part of the placebo that was kept, or that is run now."""
    chosen = [module for module in STRATEGIES if (module.NAME in SLOW) == (part[0] == "slow")]
    return list(kept(place(folder, part), partial(placebo, part[1], chosen)))


def cards_over(folder: Path) -> list[Row]:
    """Return the cards of all strategies over a folder of recorded bars."""
    there, manifest = world(str(folder), 5000, SEED), load_manifest(REPO / "qgtm")
    return [card_of(module, there, "recorded", COST_BPS, SEED, manifest) for module in STRATEGIES]


def main(arguments: Sequence[str]) -> None:
    """Run what is not kept, and write the page."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.evidence", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--bars", type=Path, action="append", default=[], help="a folder of recorded bars")
    parser.add_argument("--markets", type=int, default=200, help="without an effect")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--kept", type=Path, default=KEPT, help="where what is done is kept")
    parser.add_argument("--page", type=Path, default=PAGE)
    parser.add_argument("--as-kept", action="store_true", help="tell of the markets that were run so far")
    chosen = parser.parse_args(arguments)
    left = parts(chosen.markets)
    if chosen.as_kept:
        left = [part for part in left if place(chosen.kept, part).is_file()]
    with ProcessPoolExecutor(chosen.processes) as pool:
        markets = list(pool.map(partial(ran, chosen.kept), left))
    powers = [kept(chosen.kept / f"power-{each.NAME}.json", partial(power, each)) for each in STRATEGIES]
    folders = {folder.name: cards_over(folder) for folder in chosen.bars}
    write_atomic(chosen.page, page(folders, powers, markets).encode())
    sys.stdout.write(f"{chosen.page}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
