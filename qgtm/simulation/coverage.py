"""Whether a run has met what it is run for: each fault often, each cap on enough days, each edge at all."""

from collections.abc import Iterator, Mapping
from typing import Final, Protocol

from qgtm.core.mode import Latch
from qgtm.core.order import ALLOWED
from qgtm.risk.kill_switch import NEXT
from qgtm.simulation.elsewhere import EDGES
from qgtm.simulation.fault import CLASSES
from qgtm.simulation.season import SEASONS

BIG_DAYS: Final = 10_000
LEAST: Final = 100  # times that each fault must strike in so many days
LEAST_FRAC: Final = 0.1  # of the days on which each cap must act
CAPS: Final = {"soft_cap": "the soft cap", "hard_cap": "the hard cap", "heartbeat_lost": "the dead man"}


class Tallied(Protocol):
    """What the seeds of one kind of run came to."""

    @property
    def days(self) -> int: ...  # noqa: D102
    @property
    def fired(self) -> Mapping[str, int]: ...  # noqa: D102
    @property
    def edges(self) -> Mapping[str, int]: ...  # noqa: D102
    @property
    def reached(self) -> Mapping[str, int]: ...  # noqa: D102


def gaps(found: Mapping[str, Tallied]) -> list[str]:
    """Return what the days of faults did not meet often enough, each as a sentence; `found` is by kind."""
    days = found["days"]
    if not days.days:
        return ["No day was lived through."]
    edges = {edge for tally in found.values() for edge in tally.edges}
    return [*_rare(days), *_seldom(days), *(f"The edge {edge} was not taken." for edge in _missed(edges))]


def strikes() -> dict[str, str]:
    """Return each class of fault and each season, and the name under which it is counted."""
    return {name: each.told or name for name, each in CLASSES.items()} | {name: name for name in SEASONS}


def _rare(days: Tallied) -> Iterator[str]:
    least = LEAST * min(1.0, days.days / BIG_DAYS)  # a smaller run is asked for its share
    for name, told in sorted(strikes().items()):
        struck = days.fired.get(told, 0)
        if struck < least:
            yield f"{name} struck {struck} times in {days.days} days, and {least:.0f} are wanted."


def _seldom(days: Tallied) -> Iterator[str]:
    for trigger, name in CAPS.items():
        share = days.reached.get(trigger, 0) / days.days
        if share < LEAST_FRAC:
            yield f"On {share:.1%} of the days {name} acted, and {LEAST_FRAC:.0%} are wanted."


def _missed(edges: set[str]) -> list[str]:
    return sorted(wanted_edges() - edges - set(EDGES))


def wanted_edges() -> set[str]:
    """Return the edges of the switch, the latches and the orders, by the tables of the product."""
    moves = {f"{before} {trigger} {after}" for (before, trigger), after in NEXT.items()}
    latches = {f"{what} {latch}" for latch in Latch for what in ("latched", "unlatched")}
    orders = {f"order {before} {after}" for before, allowed in ALLOWED.items() for after in allowed}
    return moves | latches | orders
