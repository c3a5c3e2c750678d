"""The nightly copy of the record, at three in the morning of New York's wall clock, once a night."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Final

from qgtm.adapters.backup import NAMED, backups, make_backup
from qgtm.adapters.files import StateDir
from qgtm.core.instant import NEW_YORK

AT_ET: Final = time(3)


@dataclass
class Nightly:
    """Copy the record once a night; a night that was slept through is made up for at once."""

    state: StateDir
    folder: Path

    def look(self, wall_at: datetime) -> Path | None:
        """Return the copy that was due and is made now, None when none is. Raises JournalError."""
        # One that a clock gone wrong dated into the future keeps no night from being copied.
        made = [path for path in backups(self.folder) if path.name <= f"{wall_at:{NAMED}}"]
        is_due = not made or made[-1].name < f"{last_due(wall_at):{NAMED}}"
        return (
            make_backup(self.state, self.folder, wall_at) if is_due and self.state.journal.exists() else None
        )


def last_due(wall_at: datetime, at_et: time = AT_ET) -> datetime:
    """Return the last moment, in UTC, at which it was `at_et` by New York's wall clock."""
    day = wall_at.astimezone(NEW_YORK).date()
    at = datetime.combine(day, at_et, NEW_YORK).astimezone(UTC)
    if at > wall_at:
        at = datetime.combine(day - timedelta(days=1), at_et, NEW_YORK).astimezone(UTC)
    return at
