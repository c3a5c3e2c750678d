# A print of notebooks/engine/mood.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Mood.

What the regime is after a session, written down once for all who read it.
"""

# cell 4 of notebooks/engine/mood.ipynb
import math
from datetime import date

from qgtm.core.events import RegimeSeen
from qgtm.features.change_point import FEATURES as CHANGE
from qgtm.features.feature import Feature
from qgtm.features.hidden_markov import STATES
from qgtm.features.regime import FEATURES as VOLATILITY
from qgtm.features.regime import LEVELS, verdict
from qgtm.features.seen import Seen

THRESHOLDS, LEVEL = VOLATILITY
CHANGE_PROBABILITY, RUN_LENGTH = CHANGE


# cell 5 of notebooks/engine/mood.ipynb
def regime_after(session: date, seen: Seen, odds: Feature) -> RegimeSeen:
    """Return the regime after `session`, the newest row of `seen`; `odds` is the fitted model's feature.

    Raises KeyError when a symbol that it reads has no column.
    """
    states = dict(zip(STATES, seen.get(odds)[-1].tolist(), strict=True))
    change = float(seen.get(CHANGE_PROBABILITY)[-1])
    level = float(seen.get(LEVEL)[-1])
    return RegimeSeen(
        session=session,
        state=verdict(states, change),
        odds={state: _known(p) for state, p in states.items()},
        change=_known(change),
        run_length=_known(float(seen.get(RUN_LENGTH)[-1])),
        volatility=None if math.isnan(level) else LEVELS[int(level)],
        thresholds=tuple(_known(each) for each in seen.get(THRESHOLDS)[-1].tolist()),
    )


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


__all__ = [
    "CHANGE_PROBABILITY",
    "LEVEL",
    "RUN_LENGTH",
    "THRESHOLDS",
    "regime_after",
]
