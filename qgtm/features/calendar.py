# A print of notebooks/features/calendar.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Calendar.

Where today lies among the days that are known in advance: months, decisions, releases, expiries, rolls.
"""

# cell 4 of notebooks/features/calendar.ipynb
from functools import partial

import numpy as np

from qgtm.features.bars import FloatArray
from qgtm.features.feature import Feature
from qgtm.features.seen import Seen
from qgtm.features.timetable import EVENTS, SINCE, TO

UNIX_DAY_ONE = 719163  # the ordinal of 1 January 1970
SOURCES = {
    "FOMC": "Lucca and Moench 2015",
    "CPI": "Savor and Wilson 2013",
    "EMPLOYMENT": "Savor and Wilson 2013",
    "EXPIRY": "Ni, Pearson and Poteshman 2005",
    "ROLL": "Mou 2011, on the roll of commodity indices",
    "MONTH_END": "Lakonishok and Smidt 1988",
}
_of_days = partial(Feature, family="calendar", warm_up=1)
_events = partial(_of_days, missing="not known where no date is, nor before one is announced")


def _to(event: str) -> Feature:
    return _events(
        name=f"sessions_to_{event.lower()}",
        formula=f"sessions until the next: {EVENTS[event]}",
        unit="sessions, 0 on the day",
        source=SOURCES[event],
        reads=(TO[event],),
        compute=lambda seen: seen.known(TO[event])[0],
    )


def _since(event: str) -> Feature:
    return _events(
        name=f"sessions_since_{event.lower()}",
        formula=f"sessions since the last: {EVENTS[event]}",
        unit="sessions, 0 on the day",
        source=SOURCES[event],
        reads=(SINCE[event],),
        compute=lambda seen: seen.known(SINCE[event])[0],
    )


def _month(seen: Seen) -> FloatArray:
    days = (seen.bars.sessions - UNIX_DAY_ONE).astype("datetime64[D]")
    return np.asarray(days.astype("datetime64[M]").astype(np.int64) % 12 + 1, dtype=np.float64)


def _weekday(seen: Seen) -> FloatArray:
    return np.asarray((seen.bars.sessions - 1) % 7 + 0.0)


def _turn(seen: Seen) -> FloatArray:
    to, since = seen.known(TO["MONTH_END"], SINCE["MONTH_END"])
    return np.where(np.isnan(to), np.nan, ((to == 0) | (since <= 3)).astype(np.float64))


def _eve(seen: Seen) -> FloatArray:
    to = seen.known(TO["FOMC"])[0]
    return np.where(np.isnan(to), np.nan, ((to == 0) | (to == 1)).astype(np.float64))


# cell 5 of notebooks/features/calendar.ipynb
FEATURES: tuple[Feature, ...] = (
    _of_days(
        name="month",
        formula="month of the session",
        unit="1 January to 12 December",
        source="Baur 2013",
        reads=("sessions",),
        missing="never missing",
        compute=_month,
    ),
    _of_days(
        name="weekday",
        formula="day of the week",
        unit="0 Monday to 4 Friday",
        source="French 1980",
        reads=("sessions",),
        missing="never missing",
        compute=_weekday,
    ),
    _events(
        name="turn_of_month",
        formula="1 on the last session of a month and the three after it, else 0",
        unit="0 or 1",
        source=SOURCES["MONTH_END"],
        reads=(TO["MONTH_END"], SINCE["MONTH_END"]),
        compute=_turn,
    ),
    _events(
        name="fomc_eve",
        formula="1 on the day of the decision and the session before it, else 0",
        unit="0 or 1",
        source=SOURCES["FOMC"],
        reads=(TO["FOMC"],),
        compute=_eve,
    ),
    *(_to(event) for event in EVENTS),
    *(_since(event) for event in ("FOMC", "CPI", "EMPLOYMENT", "MONTH_END")),
)


__all__ = [
    "FEATURES",
    "SOURCES",
    "UNIX_DAY_ONE",
]
