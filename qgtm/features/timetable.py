"""Events whose day is known before it comes, as columns of a panel: how many sessions to it, and since.

The dates are handed in, each with the day from which on it was announced: a meeting that nobody had announced
is never counted down to.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from qgtm.features.bars import FloatArray, IntArray
from qgtm.features.panel import Panel

# Event -> what it is. A panel carries `TO_<event>` and `SINCE_<event>`, in sessions; 0 on the day itself.
EVENTS: Final[dict[str, str]] = {
    "FOMC": "the Federal Reserve's decision",
    "CPI": "release of consumer prices",
    "EMPLOYMENT": "release of the employment situation",
    "EXPIRY": "expiry of monthly options",
    "ROLL": "roll of the gold futures",
    "MONTH_END": "last session of the month",
}
TO: Final[dict[str, str]] = {event: f"TO_{event}" for event in EVENTS}
SINCE: Final[dict[str, str]] = {event: f"SINCE_{event}" for event in EVENTS}
TIMETABLE: Final[tuple[str, ...]] = (*TO.values(), *SINCE.values())

# (event day, day from which on it was known), both ordinals
Dates = npt.NDArray[np.int64]


def timetable(sessions: IntArray, calendar: IntArray, dates: Mapping[str, Dates]) -> Panel:
    """Return a panel with `TIMETABLE` for `sessions`: counts of sessions, NaN where no date is known.

    `calendar` holds the ordinals of all sessions from before the first date to after the last, those to come
    among them; `dates` has (m, 2) for each event. An event on a day without a session counts for the next
    one. Raises KeyError for an event that is none of `EVENTS`.
    """
    if unknown := sorted(set(dates) - set(EVENTS)):
        raise KeyError(f"no event {', '.join(unknown)}; there are {', '.join(EVENTS)}")
    counted = {event: _counted(sessions, calendar, each) for event, each in dates.items()}
    unknown_days = np.full(len(sessions), np.nan)
    columns = [counted.get(event, (unknown_days, unknown_days))[way] for way in (0, 1) for event in EVENTS]
    days = np.repeat(sessions[:, None], len(TIMETABLE), axis=1)
    return Panel(TIMETABLE, np.stack(columns, axis=1), days)


def _counted(sessions: IntArray, calendar: IntArray, dates: Dates) -> tuple[FloatArray, FloatArray]:
    if not len(dates):
        return np.full(len(sessions), np.nan), np.full(len(sessions), np.nan)
    here = np.searchsorted(calendar, sessions)
    there = np.searchsorted(calendar, dates[:, 0])
    away = (there[None, :] - here[:, None]).astype(np.float64)
    is_known = dates[None, :, 1] <= sessions[:, None]
    return _least(np.where(is_known & (away >= 0), away, np.inf)), _least(
        np.where(is_known & (away <= 0), -away, np.inf)
    )


def _least(away: FloatArray) -> FloatArray:
    least = away.min(axis=1)
    return np.where(np.isfinite(least), least, np.nan)
