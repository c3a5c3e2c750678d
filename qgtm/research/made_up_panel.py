"""Made-up macro, positioning, options, sentiment and events beside made-up bars: a run needs no vendor.

Every number is a causal function of the bars and of draws that are made session by session, so that a longer
panel begins as a shorter one does. Published values come in steps, with the lags of the real ones.
"""

from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

from qgtm.adapters.calendar import xnys
from qgtm.core.series import SERIES, FeedName, Series
from qgtm.features.bars import Bars, FloatArray, IntArray
from qgtm.features.panel import Panel
from qgtm.features.seen import Seen
from qgtm.features.timetable import EVENTS, Dates, timetable
from qgtm.research.made_up import made_up_universe

TUESDAY, WEDNESDAY, FRIDAY = 1, 2, 4
ANNOUNCED_BEFORE = 300  # days between the announcement of a date and the date

# series: level, how far it strays, and what a session's gold and equity return (in percent) do to it
SHAPES: dict[str, tuple[float, float, float, float]] = {
    "DFII10": (0.8, 0.04, -0.03, 0.005),
    "DFII5": (0.6, 0.05, -0.03, 0.005),
    "T10YIE": (2.1, 0.02, 0.01, 0.01),
    "T5YIE": (2.0, 0.03, 0.01, 0.01),
    "DGS10": (2.9, 0.04, -0.02, 0.015),
    "DGS2": (2.4, 0.05, -0.02, 0.01),
    "T10Y2Y": (0.5, 0.04, 0.0, 0.005),
    "DTWEXBGS": (115.0, 0.3, -0.12, -0.05),
    "VIXCLS": (18.0, 0.8, 0.0, -0.9),
    "GVZCLS": (16.0, 0.6, -0.1, -0.2),
    "DFF": (2.3, 0.01, 0.0, 0.0),
    "SOFR": (2.3, 0.015, 0.0, 0.0),
    "WALCL": (7.5e6, 2e4, 0.0, 0.0),
    "BAMLH0A0HYM2": (4.2, 0.06, 0.0, -0.06),
}
OPTION_SHAPES = {
    "IV30": (0.17, 0.008, 0.0, -0.002),
    "IV90": (0.18, 0.004, 0.0, -0.001),
    "RR25": (0.01, 0.004, 0.002, 0.0),
    "CARRY": (0.024, 0.001, 0.0, 0.0),
}
MINUTE_SHAPE = (0.0, 0.002, 0.0005, 0.0)
SENTIMENT_SHAPES = {"SCORE": (0.08, 0.04, 0.02, 0.01), "COUNT": (60.0, 12.0, 2.0, 0.0)}
COT_SHAPE = (60_000.0, 4_000.0, 1_500.0, 0.0)
OPEN_INTEREST = (500_000.0, 5_000.0, 1_000.0, 0.0)
COMES_BACK = 0.98


def made_up_seen(sessions: int, seed: int) -> Seen:
    """Return made-up bars of the whole universe with everything that is known beside them."""
    bars = made_up_universe(sessions, seed)
    return Seen(bars, made_up_panel(bars, seed))


def made_up_panel(bars: Bars, seed: int) -> Panel:
    """Return all of `SERIES` and the timetable beside the bars, which must hold GLD and SPY.

    Macro series describe the session before, positioning the Tuesday before the Friday on which it comes out.
    """
    values = _truth(bars, seed)
    rows = {feed: _described_rows(bars.sessions, feed) for feed in FeedName}
    weekly = _weekly_rows(bars.sessions, WEDNESDAY, 1)
    columns, days = [], []
    for place, series in enumerate(SERIES.values()):
        at = weekly if series.name == "WALCL" else rows[series.feed]
        columns.append(np.where(at >= 0, values[np.maximum(at, 0), place], np.nan))
        days.append(np.where(at >= 0, bars.sessions[np.maximum(at, 0)], 0))
    panel = Panel(tuple(SERIES), np.stack(columns, axis=1), np.stack(days, axis=1))
    return panel.beside(made_up_timetable(bars.sessions))


def _truth(bars: Bars, seed: int) -> FloatArray:
    shapes = np.array([_shape(series) for series in SERIES.values()])
    draws = np.random.default_rng([seed, 1]).standard_normal((len(bars), len(SERIES)))
    close = bars.select(("GLD", "SPY")).close
    moves = np.vstack([np.zeros(2), 100 * np.diff(np.log(close), axis=0)])
    moves = np.where(np.isnan(moves), 0.0, moves)
    away, out = np.zeros(len(SERIES)), np.empty((len(bars), len(SERIES)))
    for i in range(len(bars)):
        away = COMES_BACK * away + shapes[:, 1] * draws[i] + shapes[:, 2] * moves[i, 0]
        away = away + shapes[:, 3] * moves[i, 1]
        out[i] = shapes[:, 0] + away
    return np.where(_is_positive(), np.maximum(out, 0.02 * np.abs(shapes[:, 0])), out)


def _shape(series: Series) -> tuple[float, float, float, float]:
    field = series.name.partition("_")[0]
    if series.name in SHAPES:
        return SHAPES[series.name]
    if series.feed is FeedName.COT:
        return OPEN_INTEREST if series.name.endswith("_OI") else COT_SHAPE
    if series.feed is FeedName.OPTIONS_VOL:
        return OPTION_SHAPES[field]
    if series.feed is FeedName.SENTIMENT:
        return SENTIMENT_SHAPES[series.name.rpartition("_")[2]]
    return MINUTE_SHAPE


def _is_positive() -> npt.NDArray[np.bool_]:
    signed = ("RR25", "CARRY", "REDDIT", "FIRST30", "PRE", "POST", "EVENT30", "T10Y2Y", "DFII10", "DFII5")
    return np.array([name.endswith("_COUNT") or name.partition("_")[0] not in signed for name in SERIES])


def _described_rows(sessions: IntArray, feed: FeedName) -> IntArray:
    here = np.arange(len(sessions))
    if feed is FeedName.FRED:
        return here - 1
    return _weekly_rows(sessions, TUESDAY, 3) if feed is FeedName.COT else here


def _weekly_rows(sessions: IntArray, weekday: int, lag: int) -> IntArray:
    """Return, for each session, the row of the last session on or before the weekday published by then."""
    published = sessions - lag
    described = published - (published - weekday - 1) % 7  # ordinal 1 is a Monday
    return np.searchsorted(sessions, described, side="right") - 1


def made_up_timetable(sessions: IntArray) -> Panel:
    """Return the timetable of made-up events, each announced most of a year before."""
    first = date.fromordinal(int(sessions[0])) - timedelta(days=120)
    last = date.fromordinal(int(sessions[-1])) + timedelta(days=120)
    calendar = np.array([each.day.toordinal() for each in xnys().sessions(first, last)])
    dates = {event: _announced(_event_days(event, first, last, calendar)) for event in EVENTS}
    return timetable(sessions, calendar, dates)


def _announced(days: IntArray) -> Dates:
    return np.stack([days, days - ANNOUNCED_BEFORE], axis=1)


def _event_days(event: str, first: date, last: date, calendar: IntArray) -> IntArray:
    months = [(year, month) for year in range(first.year, last.year + 1) for month in range(1, 13)]
    if event == "MONTH_END":
        starts = np.array([date(year + month // 12, month % 12 + 1, 1).toordinal() for year, month in months])
        ends = calendar[np.searchsorted(calendar, starts[starts > calendar[0]]) - 1]
        return np.unique(ends)
    nth = {"FOMC": (WEDNESDAY, 3), "CPI": (WEDNESDAY, 2), "EMPLOYMENT": (FRIDAY, 1), "EXPIRY": (FRIDAY, 3)}
    weekday, number = nth.get(event, (FRIDAY, 4))
    every = {"FOMC": (1, 3, 5, 6, 7, 9, 11, 12), "ROLL": (1, 3, 5, 7, 9, 11)}.get(event, tuple(range(1, 13)))
    chosen = [_nth_weekday(year, month, weekday, number) for year, month in months if month in every]
    return np.array(chosen, dtype=np.int64)


def _nth_weekday(year: int, month: int, weekday: int, number: int) -> int:
    first = date(year, month, 1)
    return first.toordinal() + (weekday - first.weekday()) % 7 + 7 * (number - 1)
