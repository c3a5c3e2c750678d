"""A crash at every effect of one world: at each, the process is split, and one half dies there and recovers.

So each crash pays for its healing alone. "Before" and "after" an effect are two effects here: the row that is
about to be written and the row that is, the request that leaves and the request that has arrived.
"""

import os
import pickle
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

from qgtm.simulation.checker import Violation
from qgtm.simulation.ending import Ending, ending_of, unlike
from qgtm.simulation.process import Crashed
from qgtm.simulation.story import Story

NESTED: Final = 0.25  # of the halves that die once more while they recover
MOST_EFFECTS: Final = 20
TWINS: Final = 4  # each so manieth crash is held against a copy that did not die


@dataclass
class Sweep:
    """What came of a sweep: how many crashes, and what was broken by which of them."""

    seed: int
    crashes: int = 0
    twins: int = 0  # crashes that were held against a copy that did not die
    broken: list[tuple[int, str, list[Violation]]] = field(default_factory=list)
    trace_hash: str = ""


def sweep(make: Callable[[], Story], *, every: int = 1, first: int = 0) -> Sweep:
    """Live through one world, and let a copy of it die at every `every`-th effect from `first` on."""
    story = make()
    found = Sweep(story.seed)

    def split(number: int, what: str) -> None:
        if story.is_healing or number % every != first % every:
            return
        found.crashes += 1
        begun = ending_of(story)
        violations, dead = _child(story, number, dies=True)
        if found.crashes % TWINS == 0 and dead is not None:
            found.twins += 1
            alive = _child(story, number, dies=False)[1]
            violations += [Violation("V12", 0, "", text) for text in unlike(begun, dead, alive)]
        if violations:
            found.broken.append((number, what, violations))

    story.on_effect = split
    story.run()
    found.broken += [(0, "the world itself", story.checker.violations)] if story.checker.violations else []
    found.trace_hash = story.trace.hash
    return found


class _Split(Crashed):
    """The copy dies here, and lives on as the one that recovers."""


def _child(story: Story, number: int, *, dies: bool) -> tuple[list[Violation], Ending | None]:
    """Return what a copy that dies here, or lives on, finds broken by the end of its healing, and its end."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            told = pipe.read()
        os.waitpid(pid, 0)
        found: tuple[list[Violation], Ending | None] = pickle.loads(told) if told else ([LOST], None)
        return found
    os.close(reading)
    story.move_to(Path(tempfile.mkdtemp(prefix="copy-", dir=story.folder.parent)))
    story.end_of_copy = lambda: _told(story, writing)
    again = Random(f"{story.seed} {number}")
    story.on_effect = story.count_down
    story.heal_now()
    if not dies:
        return [], None  # what comes of it is told at its end
    story.crash_in = again.randint(1, MOST_EFFECTS) if again.random() < NESTED else None
    raise _Split


def _told(story: Story, writing: int) -> None:
    with os.fdopen(writing, "wb") as pipe:
        pickle.dump((story.checker.violations, ending_of(story)), pipe)
    shutil.rmtree(story.folder, ignore_errors=True)
    os._exit(0)


LOST: Final = Violation("V12", 0, "", "the copy ended without a word")


def seeds_of(text: str) -> Iterator[int]:
    """Yield the seeds of `A:B` (B not among them) or of one number."""
    first, colon, last = text.partition(":")
    yield from range(int(first), int(last) if colon else int(first) + 1)
