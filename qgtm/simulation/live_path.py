"""The daemon's way from its stores to its decisions, without a broker: one folder, one market, bar by bar.

Bars go into the store, facts into the lake, what was known at each close into the history, and the kernel's
step into the journal. Checkpoints and a fresh start are those of a daemon that fell.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from qgtm.adapters.calendar import xnys
from qgtm.adapters.journal import SqliteJournal
from qgtm.adapters.lake import Lake, LakeWriter
from qgtm.adapters.snapshot import Snapshots
from qgtm.adapters.store import BarStore
from qgtm.core.bar import Bar, BarSet
from qgtm.core.effects import Effect
from qgtm.core.events import SignalsComputed, StrategyDisabled
from qgtm.core.fact import Fact
from qgtm.core.series import SERIES
from qgtm.core.universe import SYMBOLS
from qgtm.engine.desk import Desk
from qgtm.engine.state import State, folded
from qgtm.features.bars import FIELDS, Bars, FloatArray
from qgtm.features.history import History, Known
from qgtm.features.panel import Panel
from qgtm.features.seen import Seen
from qgtm.features.timetable import TIMETABLE
from qgtm.live.kernel import Kernel
from qgtm.live.perform import closed
from qgtm.risk.limits import Limits
from qgtm.strategies import Strategy

FOLD: Final = "parity"  # the name of the fold that made a checkpoint

View = Mapping[str, float | None]


def whole(seen: Seen) -> Seen:
    """Return what is seen with a column for every symbol and series that the daemon's history has."""
    fields = [np.ascontiguousarray(seen.field(name, SYMBOLS).T) for name in FIELDS]
    names = (*SERIES, *TIMETABLE)
    values, days = seen.known(*names).T, seen.days(*names).T.astype(np.int64)
    panel = Panel(names, np.ascontiguousarray(values), np.ascontiguousarray(days))
    return Seen(Bars(seen.bars.sessions, SYMBOLS, *fields), panel)


def bar_sets(bars: Bars) -> list[BarSet]:
    """Return the bars session by session, as a feed brings them. Raises BarError for nonsense."""
    closes = _closes(bars)
    columns = np.stack([getattr(bars, name) for name in FIELDS], axis=2)
    return [_bar_set(bars.symbols, closes[row], columns[row]) for row in range(len(bars))]


def _closes(bars: Bars) -> list[datetime]:
    first, last = (date.fromordinal(int(bars.sessions[at])) for at in (0, -1))
    closes = {session.day: session.close_at for session in xnys().sessions(first, last)}
    return [closes[date.fromordinal(int(session))] for session in bars.sessions]


def _bar_set(symbols: tuple[str, ...], close: datetime, rows: FloatArray) -> BarSet:
    made = partial(Bar, session=close.date(), known_at=close)
    bars = {
        symbol: made(symbol=symbol, open=row[0], high=row[1], low=row[2], close=row[3], volume=row[4])
        for symbol, row in zip(symbols, rows.tolist(), strict=True)
        if row[3] == row[3]
    }
    return BarSet(session=close.date(), known_at=close, bars=bars)


def facts_of(seen: Seen) -> list[Fact]:
    """Return what the feeds brought: a fact for each value of a series that was new at a close."""
    closes = _closes(seen.bars)
    found = []
    for name in (each for each in SERIES if each in seen.panel.names):
        values, days = seen.panel.column(name), seen.panel.days(name)
        before = np.concatenate([[np.nan], values[:-1]]), np.concatenate([[0], days[:-1]])
        is_new = np.isfinite(values) & ((values != before[0]) | (days != before[1]))
        found += [
            Fact(name, _midnight(int(days[row])), closes[row], float(values[row]))
            for row in np.flatnonzero(is_new).tolist()
        ]
    return found


def _midnight(day: int) -> datetime:
    return datetime.combine(date.fromordinal(day), time(), UTC)


@dataclass
class LivePath:
    """The daemon's way from its stores to decisions, over a folder of its own.

    `there` is the market: its facts lie in the lake from the beginning, and come out when they were known.
    """

    folder: Path
    strategies: tuple[Strategy, ...]
    limits: Limits
    there: Seen
    checkpoints: int = 0
    history: History = field(init=False)
    kernel: Kernel = field(init=False)

    def __post_init__(self) -> None:
        with LakeWriter(self.folder / "lake") as lake:
            lake.append(facts_of(self.there))
        self._row_of = {int(session): row for row, session in enumerate(self.there.bars.sessions)}
        self._open()

    def _open(self) -> None:
        """Open what lies on the disk and go on from there, as a boot does."""
        self._store = BarStore(self.folder / "bars.db")
        self._lake = Lake(self.folder / "lake")
        self._journal = SqliteJournal(self.folder / "journal.db")
        self._snapshots = Snapshots(self.folder / "snapshots", FOLD)
        kept = self._snapshots.load(State, self._journal.hash_at)
        state = folded((entry.event for entry in self._journal.read(kept.head.seq)), kept.state)
        self.history = History(SYMBOLS, (*SERIES, *TIMETABLE))
        desk = Desk(limits=self.limits, strategies=self.strategies, history=self.history)
        self.kernel = Kernel(desk, self.history, self._journal, perform=_nothing, state=state)
        sets = self._store.load()
        for bars, known in zip(sets, self._known([each.known_at for each in sets]), strict=True):
            fact = closed(bars, bars.known_at, known)
            self.history.append(fact.session, fact.bars, fact.known)

    def _known(self, closes: Sequence[datetime]) -> list[Mapping[str, Known]]:
        """Return what was known at each close: the lake's series, and the timetable as it had been told."""
        if not closes:
            return []
        panel = self._lake.panel(closes)
        rows = [self._row_of[close.date().toordinal()] for close in closes]
        told = self.there.panel.select(TIMETABLE)
        values = np.concatenate([panel.values, told.values[rows]], axis=1)
        days = np.concatenate([panel.described, told.described[rows]], axis=1)
        names = (*panel.names, *told.names)
        return [
            {name: (value, day) for name, value, day in zip(names, *row, strict=True) if value == value}
            for row in zip(values.tolist(), days.tolist(), strict=True)
        ]

    def live(self, bars: BarSet) -> tuple[Mapping[str, View], Mapping[str, str]]:
        """Take a session in; return the views that the journal holds of it, and why a strategy failed."""
        before = self._journal.head().seq
        self._store.append(bars)
        (known,) = self._known([bars.known_at])
        fact = closed(bars, bars.known_at, known)
        self.kernel.take(fact, bars.known_at)
        events = [entry.event for entry in self._journal.read(before)]
        views = [event.signals for event in events if isinstance(event, SignalsComputed)]
        failed = {e.strategy: e.reason for e in events if isinstance(e, StrategyDisabled)}
        return (views[0] if views else {}), failed

    def checkpoint(self, at: datetime) -> None:
        """Write the state down beside the journal."""
        self._snapshots.write(self.kernel.state, self._journal.head(), at)
        self.checkpoints += 1

    def restart(self) -> None:
        """Let go of everything, and open it anew."""
        self.close()
        self._open()

    def close(self) -> None:
        """Let go of the files."""
        self._store.close()
        self._journal.close()


def _nothing(effect: Effect) -> None:
    """Send no order: decisions are compared, not deeds."""
