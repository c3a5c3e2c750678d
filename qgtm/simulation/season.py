"""Days of the calendar on which something special is, and worlds that live through them (F1, F2, F4)."""

from collections.abc import Sequence
from datetime import date
from random import Random
from typing import Final

SEASONS: Final[dict[str, tuple[str, tuple[date, ...]]]] = {  # rows of the catalogue, and the sessions
    "summer time": ("F1", (date(2023, 11, 6), date(2024, 3, 11))),  # the first session after it changed
    "half day": ("F2", (date(2023, 7, 3), date(2023, 11, 24))),
    "leap day": ("F4", (date(2024, 2, 29),)),
    "year end": ("F4", (date(2024, 1, 2),)),
}
SHARE: Final = 0.5  # of the worlds that begin for the sake of such a day


def start_of(chance: Random, sessions: Sequence[date], usual: Sequence[date], days: int) -> date:
    """Return a world's first session: any of the usual ones, or so that a special one is among its days."""
    if chance.random() >= SHARE:
        return usual[chance.randrange(len(usual))]
    special = chance.choice(SEASONS[chance.choice(sorted(SEASONS))][1])
    before = chance.randint(min(1, days - 1), days - 1)  # at least one, since the night counts too
    return sessions[sessions.index(special) - before]


def season_of(session: date) -> tuple[str, ...]:
    """Return what is special about a session."""
    return tuple(name for name, (_, special) in sorted(SEASONS.items()) if session in special)
