"""What a rule reads, and what each of its inputs was worth."""

from typing import Any

import numpy as np

from qgtm.core.series import MINUTES, SERIES, FeedName
from qgtm.features.bars import FloatArray
from qgtm.features.seen import Seen
from qgtm.research.trials import Rule


def read_by(rule: Rule, params: Any, seen: Seen) -> frozenset[str]:
    """Return the series beside the bars that a rule asks for over `seen`."""
    asked: set[str] = set()

    class Asked(Seen):
        def known(self, *names: str) -> FloatArray:
            asked.update(names)
            return super().known(*names)

    rule(Asked(seen.bars, seen.panel), params)
    return frozenset(asked)


def worth(feeds: tuple[str, ...], read: frozenset[str], seen: Seen, recorded: str) -> dict[str, str]:
    """Return what each feed was: `recorded` when all that is read of it is known, else what it lacks."""
    return {feed: _worth(feed, read, seen, recorded) for feed in feeds}


def _worth(feed: str, read: frozenset[str], seen: Seen, recorded: str) -> str:
    if feed == FeedName.OHLCV:
        return recorded
    own = FeedName.OHLCV if feed == MINUTES else feed  # all that it has as series is of minutes
    asked = sorted(name for name in read if name in SERIES and SERIES[name].feed == own)
    lacking = [name for name in asked if not np.isfinite(seen.known(name)).any()]
    if not asked:  # it says that it reads the feed, and over so few sessions did not
        there = [name for name in seen.panel.names if name in SERIES and SERIES[name].feed == own]
        return recorded if there and np.isfinite(seen.known(*there)).any() else "lacking"
    if len(lacking) == len(asked):
        return "lacking"
    return f"lacking {', '.join(lacking)}" if lacking else recorded
