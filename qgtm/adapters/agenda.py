"""The days of events that are announced ahead: for the counts of sessions to them and since.

The Federal Reserve's, the prices' and the employment's days come from FRED and are kept in a file; expiries,
rolls and month ends follow from the exchange's calendar.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np

from qgtm.adapters.calendar import LAST_YEAR, Calendar
from qgtm.adapters.expiry import expiries, notices
from qgtm.adapters.files import write_atomic
from qgtm.features.panel import Panel
from qgtm.features.timetable import Dates, timetable

AGENDA: Final = "agenda.json"
ANNOUNCED: Final = timedelta(days=90)  # before its day; the agencies tell a year's days in the year before
AROUND: Final = timedelta(days=130)  # before the first session and after the last: a quarter and its roll

Days = dict[str, tuple[date, ...]]


def load_agenda(path: Path) -> Days:
    """Return the days by event that were kept; none where there is no file that can be read."""
    try:
        body = json.loads(path.read_text("utf-8"))
        return {event: tuple(map(date.fromisoformat, days)) for event, days in body.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}  # FRED is asked for them at the next look


def save_agenda(path: Path, days: Days) -> None:
    """Keep the days by event. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    body = {event: [day.isoformat() for day in found] for event, found in sorted(days.items())}
    write_atomic(path, (json.dumps(body, indent=1) + "\n").encode(), is_durable=False)


def agenda(sessions: Sequence[date], told: Mapping[str, Sequence[date]], calendar: Calendar) -> Panel:
    """Return the counts of sessions to and since each event, a row for each of `sessions`.

    `told` holds the days by event that FRED gave. Raises KeyError for an event that is none.
    """
    if not sessions:
        return timetable(np.empty(0, np.int64), np.empty(0, np.int64), {})
    first = min(sessions) - AROUND
    last = min(max(sessions) + AROUND, date(LAST_YEAR, 12, 31))
    every = [session.day for session in calendar.sessions(first, last)]
    ends = [day for day, after in pairwise(every) if day.month != after.month]
    dates = {
        **{event: _announced(days) for event, days in told.items()},
        "EXPIRY": _announced(expiries(first, last)),
        "ROLL": _announced(notices("gold", first, last)),
        "MONTH_END": _announced(ends),
    }
    return timetable(_ordinals(sessions), _ordinals(every), dates)


def _announced(days: Iterable[date]) -> Dates:
    rows = [(day.toordinal(), (day - ANNOUNCED).toordinal()) for day in days]
    return np.array(rows, dtype=np.int64).reshape(-1, 2)


def _ordinals(days: Sequence[date]) -> Dates:
    return np.array([day.toordinal() for day in days], dtype=np.int64)
