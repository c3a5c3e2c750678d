"""What was known beside recorded bars: series and reports from files, each from its publication on.

A folder `fred` with NAME.csv (date,value) and a folder `cot` with the CFTC's yearly zips are looked for in
the bars' folder and beside it. A value that should have been followed by a newer one is no longer known: what
a fund would have paused for is no view here.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np

from qgtm.adapters.agenda import agenda
from qgtm.adapters.calendar import xnys
from qgtm.adapters.feed_cot import facts_of, weeks_from_zip
from qgtm.adapters.fomc import DECISIONS
from qgtm.adapters.publication import RELEASES, fresh_until, published_at
from qgtm.core.errors import MarketError
from qgtm.core.fact import Fact
from qgtm.core.instant import aware_utc
from qgtm.core.series import SERIES
from qgtm.features.bars import FloatArray, IntArray
from qgtm.features.panel import Panel
from qgtm.features.seen import Seen

NO_VALUE: Final = ("", ".", "NA")
BEFORE: Final = timedelta(days=60)  # the first session may lean on a value that is as old
Known = tuple[datetime, date, float]  # known at, described, value


def beside(folder: Path, sessions: IntArray) -> Panel:
    """Return what files beside the bars of `folder` tell at each session's close, and the calendar's events.

    A file of no series of ours is passed over. Raises MarketError naming the file for what cannot be read.
    """
    days = [date.fromordinal(int(each)) for each in sessions]
    closes = [_close(day) for day in days]
    told = {**_fred(_folder(folder, "fred"), days[0] - BEFORE), **_cot(_folder(folder, "cot"), closes[-1])}
    columns = [_column(name, rows, closes) for name, rows in told.items()]
    shape = (len(days), 0)
    values = np.stack([value for value, _ in columns], axis=1) if columns else np.empty(shape)
    described = np.stack([day for _, day in columns], axis=1) if columns else np.empty(shape, np.int64)
    return Panel(tuple(told), values, described).beside(agenda(days, {"FOMC": DECISIONS}, xnys()))


def covered(seen: Seen, read: Iterable[str]) -> Seen:
    """Return the sessions up to the last on which all series that were `read`, and are there, were known."""
    there = [name for name in read if name in SERIES and np.isfinite(seen.known(name)).any()]
    if not there:
        return seen
    known = np.isfinite(seen.known(*there)).all(axis=0)
    return seen.upto(int(np.flatnonzero(known)[-1]) + 1) if known.any() else seen


def _close(day: date) -> datetime:
    session = xnys().session_on(day)
    if session is None:
        raise MarketError(f"{day} is no session of the exchange: take its bar out of the files")
    return session.close_at


def _folder(folder: Path, name: str) -> Path | None:
    found = [each / name for each in (folder, folder.parent) if (each / name).is_dir()]
    return found[0] if found else None


def _fred(folder: Path | None, since: date) -> dict[str, list[Known]]:
    paths = [] if folder is None else sorted(folder.glob("*.csv"))
    return {path.stem: list(_observations(path, since)) for path in paths if path.stem in RELEASES}


def _observations(path: Path, since: date) -> Iterator[Known]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                day = date.fromisoformat(row["date"])
                if day >= since and row["value"].strip() not in NO_VALUE:
                    yield published_at(path.stem, day), day, float(row["value"])
    except (OSError, KeyError, ValueError, TypeError, AttributeError) as problem:
        raise MarketError(f"{path} cannot be read as date,value ({problem}): correct or move it") from problem


def _cot(folder: Path | None, now: datetime) -> dict[str, list[Known]]:
    paths = [] if folder is None else sorted(folder.glob("*.zip"))
    told: dict[str, list[Known]] = {}
    for path in paths:
        for fact in facts_of(weeks_from_zip(path.read_bytes()), _cot_published, now):
            told.setdefault(fact.series, []).append(_known(fact))
    return told


def _cot_published(day: date) -> datetime:
    return published_at("COT_GOLD_OI", day)


def _known(fact: Fact) -> Known:
    return fact.known_at, fact.at.date(), float(fact.value)


def _column(name: str, rows: Sequence[Known], closes: Sequence[datetime]) -> tuple[FloatArray, IntArray]:
    """Return the newest value known at each close and the day it describes; NaN and 0 where none is fresh."""
    ordered = sorted(rows)
    values, described = np.full(len(closes), np.nan), np.zeros(len(closes), dtype=np.int64)
    newest: Known | None = None
    place, until = 0, None
    for i, close in enumerate(closes):
        while place < len(ordered) and ordered[place][0] <= close:
            if newest is None or ordered[place][1] >= newest[1]:
                newest, until = ordered[place], None
            place += 1
        if newest is None:
            continue
        until = until or fresh_until(name, _noon(newest[1]))
        if until is None or close <= until:
            values[i], described[i] = newest[2], newest[1].toordinal()
    return values, described


def _noon(day: date) -> datetime:
    return aware_utc(datetime.fromisoformat(f"{day}T12:00:00+00:00"))


def lacking(panel: Panel) -> Mapping[str, int]:
    """Return how many sessions each series has no fresh value for."""
    return {name: int(np.isnan(panel.column(name)).sum()) for name in panel.names if name in SERIES}
