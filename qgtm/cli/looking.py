"""A lookout as the command line opens it: with the reports and the outbox beside the state folder."""

from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final

from qgtm.adapters.files import StateDir
from qgtm.config import Config
from qgtm.views.matter import Undelivered
from qgtm.web.lookout import Beside, Lookout

OUTBOX: Final = "outbox.db"


def lookout_of(config: Config, state: StateDir) -> Lookout:
    """Return a lookout that sees everything there is to see; close it in the end."""
    beside = Beside(config.path.parent / "reports", partial(_undelivered, state.root / OUTBOX))
    return Lookout(state, config.limits, beside=beside)


def _undelivered(path: Path, wall_at: datetime) -> Undelivered:
    from qgtm.reporting.outbox import waiting

    found = waiting(path, wall_at)
    return Undelivered(number=found.number, failing=found.failing, since=found.since, problem=found.problem)
