"""The store of all that is known: each value with the time it describes and the time it became known.

Nothing is ever overwritten: a revision is another row. One process writes; any number read, and see what the
writer has put on the disk when they ask anew. Prices are kept raw, beside the corporate actions, and adjusted
on the way out as they were known at a moment.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from qgtm.adapters.adjusting import adjusted
from qgtm.adapters.lake_file import TABLES, Folder, Found, Parquet, Segment
from qgtm.adapters.lock import FileLock
from qgtm.adapters.vintage import Vintages, instant_of, ordinals, us_of, us_of_day
from qgtm.core.bar import BarSet
from qgtm.core.corporate_action import ActionKind, CorporateAction
from qgtm.core.errors import FeedError
from qgtm.core.fact import Fact
from qgtm.core.instant import new_york_day
from qgtm.core.series import SERIES
from qgtm.core.universe import SYMBOLS
from qgtm.features.bars import FIELDS, Bars, FloatArray, locked
from qgtm.features.panel import Panel

TimeArray = npt.NDArray[np.datetime64]
LOCK: Final = "writer.lock"
MOST_FILES: Final = 256  # of a kind; with more the writer puts them together by itself
CLOSE: Final = FIELDS.index("close")


@dataclass(frozen=True, eq=False, slots=True)
class Window:
    """What was known of one name, oldest first: (n,) values, and the UTC times described and known."""

    values: FloatArray
    described: TimeArray
    known_at: TimeArray


class Lake:
    """Read the store in `root`. `problems` says what of it is damaged; the rest is there all the same.

    Raises FeedError when the folder cannot be read.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.problems: tuple[str, ...] = ()
        self._folders = {table: Folder(root, table) for table in TABLES}
        self._parquet = Parquet()
        self._rows: dict[str, dict[str, Vintages]] = {table: {} for table in TABLES}
        self._until = dict.fromkeys(TABLES, 0)
        self._formless: dict[Path, str] = {}
        self.refresh()

    def refresh(self) -> None:
        """Take in what the writer has put on the disk since. Raises FeedError."""
        self.problems = tuple(said for table in TABLES for said in self._refreshed(table))

    def _refreshed(self, table: str) -> Iterable[str]:
        folder = self._folders[table]
        for _ in range(3):  # the writer may put files together while they are read
            found = folder.found()
            fresh = [each for each in found.segments if each.last > self._until[table]]
            if self._has_taken(table, [each.path for each in fresh if each.path not in self._formless]):
                self._until[table] = max([self._until[table], *(each.last for each in fresh)])
                return _said(table, found, self._formless)
        raise FeedError(f"{folder.path}: its files change faster than they can be read; ask again.")

    def _has_taken(self, table: str, paths: Sequence[Path]) -> bool:
        """Take rows in; False when a file went away meanwhile. One of another form is left out, and noted."""
        if not paths:
            return True
        try:
            fresh = self._parquet.read(paths, table, self._until[table])
        except FeedError as problem:
            if not all(path.exists() for path in paths):
                return False
            bad = [path for path in paths if not self._parquet.has_form(path, table)]
            if not bad:
                raise
            self._formless |= dict.fromkeys(bad, f"it has another form ({problem})")
            return self._has_taken(table, [path for path in paths if path not in bad])
        self._rows[table] |= {name: self._of(table, name).merged(rows) for name, rows in fresh.items()}
        return True

    def _of(self, table: str, name: str) -> Vintages:
        return self._rows[table].get(name) or Vintages.empty(len(TABLES[table]))

    def names(self) -> tuple[str, ...]:
        """Return the series of which anything is known."""
        return tuple(sorted(self._rows["facts"]))

    def symbols(self) -> tuple[str, ...]:
        """Return the symbols of which there are bars."""
        return tuple(sorted(self._rows["bars"]))

    def vintages(self, name: str) -> Vintages:
        """Return every row of a series or a symbol's bars, in the order in which they became known."""
        return self._of("bars" if name in SYMBOLS else "facts", name)

    def window(self, series: str, now: datetime, n: int) -> Window:
        """Return the newest `n` values that were known at `now`, revisions taken; a symbol gives its closes.

        Closes are adjusted by what was known of splits and dividends. Raises ValueError below 1.
        """
        if n < 1:
            raise ValueError(f"a window needs at least 1 value, got {n}")
        seen = self.vintages(series).newest(us_of(now))
        values = self._scaled(series, seen, now)[:, CLOSE] if series in SYMBOLS else seen.values[:, 0]
        return Window(locked(values[-n:]), _times(seen.described[-n:]), _times(seen.known[-n:]))

    def last(self, series: str, now: datetime) -> Fact | None:
        """Return what describes the latest time of all that was known at `now`, None when nothing was."""
        rows = self._of("facts", series)
        place = int(rows.as_of(np.array([us_of(now)]))[0])
        if place < 0:
            return None
        at, known_at = instant_of(rows.described[place]), instant_of(rows.known[place])
        return Fact(series, at, known_at, float(rows.values[place, 0]))

    def last_session(self, symbol: str, now: datetime) -> date | None:
        """Return the newest session of which a symbol's bar was known at `now`."""
        rows = self._of("bars", symbol)
        place = int(rows.as_of(np.array([us_of(now)]))[0])
        return None if place < 0 else instant_of(rows.described[place]).date()

    def panel(self, closes: Sequence[datetime], names: Sequence[str] = tuple(SERIES)) -> Panel:
        """Return one row a session: of each series the newest value that was known at the session's close."""
        moments = np.array([us_of(close) for close in closes], dtype=np.int64)
        values = np.full((len(moments), len(names)), np.nan)
        described = np.zeros((len(moments), len(names)), dtype=np.int64)
        for column, name in enumerate(names):
            rows = self._of("facts", name)
            place = rows.as_of(moments)
            is_known = place >= 0
            values[is_known, column] = rows.values[place[is_known], 0]
            described[is_known, column] = ordinals(rows.described[place[is_known]])
        return Panel(tuple(names), values, described)

    def bars(self, now: datetime, symbols: Sequence[str] = SYMBOLS, *, is_adjusted: bool = True) -> Bars:
        """Return the bars that were known at `now`, NaN where a symbol has none.

        They are on the scale of `now`: split and dividends up to that day, as far as they were known.
        """
        seen = {symbol: self._of("bars", symbol).newest(us_of(now)) for symbol in symbols}
        sessions = np.unique(np.concatenate([np.empty(0, np.int64), *(s.described for s in seen.values())]))
        values = np.full((len(FIELDS), len(sessions), len(symbols)), np.nan)
        for column, (symbol, rows) in enumerate(seen.items()):
            scaled = self._scaled(symbol, rows, now) if is_adjusted else rows.values
            values[:, np.searchsorted(sessions, rows.described), column] = scaled.T
        return Bars(ordinals(sessions), tuple(symbols), *values)

    def _scaled(self, symbol: str, rows: Vintages, now: datetime) -> FloatArray:
        splits, dividends = (self._actions(symbol, kind, now) for kind in ActionKind)
        return adjusted(rows.described, rows.values, splits, dividends)

    def _actions(self, symbol: str, kind: ActionKind, now: datetime) -> list[tuple[int, float]]:
        rows = self._of("actions", f"{symbol} {kind}").newest(us_of(now))
        today = us_of_day(new_york_day(now))
        pairs = zip(rows.described.tolist(), rows.values[:, 0].tolist(), strict=True)
        return [(ex_day, amount) for ex_day, amount in pairs if ex_day <= today]

    def actions(self, now: datetime, symbols: Collection[str] = SYMBOLS) -> tuple[CorporateAction, ...]:
        """Return the corporate actions that were known at `now`, those to come included, oldest first."""
        found = []
        for name in self._rows["actions"]:
            symbol, kind = name.split()
            rows = self._of("actions", name).newest(us_of(now))
            for ex_day, known, (amount,) in zip(rows.described, rows.known, rows.values, strict=True):
                action = CorporateAction(
                    symbol, ActionKind(kind), instant_of(ex_day).date(), instant_of(known), float(amount)
                )
                found += [action] if symbol in symbols else []
        return tuple(sorted(found, key=lambda each: (each.ex_day, each.symbol, each.kind)))


class LakeWriter(Lake):
    """Write the store in `root`, as the only process that does.

    Files that do not hold are moved to `quarantine/` first, and `problems` names them. Raises JournalLocked
    when another process writes, and FeedError when the disk refuses.
    """

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(root / LOCK, f"the store {root}")
        try:
            super().__init__(root)
            aside = [said for table in TABLES for said in self._tidied(table)]
            self._formless.clear()
            self.refresh()
        except BaseException:
            self._lock.release()
            raise
        self.problems = (*aside, *self.problems)

    def _tidied(self, table: str) -> Iterable[str]:
        folder = self._folders[table]
        found = folder.found()
        if found.covered:
            folder.remove(found.covered)
        for leftover in folder.path.glob(".writing-*"):
            leftover.unlink(missing_ok=True)
        formless = {path: why for path, why in self._formless.items() if path.parent == folder.path}
        for path, why in {**found.bad, **formless}.items():
            to = folder.put_aside(path)
            yield f"{path.name} was moved to {to}: {why}. Fetch its rows again with a back-fill."

    def append(self, facts: Sequence[Fact]) -> int:
        """Keep the facts that say something new, and return how many did; on the disk after.

        A revision is kept beside what it revises; what was known already is left out. Raises FeedError.
        """
        stranger = next((fact.series for fact in facts if fact.series not in SERIES), None)
        if stranger is not None:
            raise FeedError(f"{stranger} is no series of this store: name it in core/series.py first.")
        return self._append("facts", [(f.series, us_of(f.at), us_of(f.known_at), (f.value,)) for f in facts])

    def append_bars(self, sets: Sequence[BarSet], now: datetime | None = None) -> int:
        """Keep raw bars that say something new, and return how many did. Raises FeedError.

        With `now`, a bar that corrects one which is there is known from then on: what a decision saw stays.
        """
        rows = []
        for bars in sets:
            day_us, known = us_of_day(bars.session), us_of(bars.known_at)
            later = known if now is None else max(known, us_of(now))
            rows += [
                (
                    symbol,
                    day_us,
                    later if self._holds(symbol, day_us) else known,
                    (bar.open, bar.high, bar.low, bar.close, bar.volume),
                )
                for symbol, bar in bars.bars.items()
            ]
        return self._append("bars", rows)

    def _holds(self, symbol: str, day_us: int) -> bool:
        return bool((self._of("bars", symbol).described == day_us).any())

    def append_actions(self, actions: Sequence[CorporateAction]) -> int:
        """Keep splits and dividends that say something new, and return how many did. Raises FeedError."""
        return self._append(
            "actions",
            [(f"{a.symbol} {a.kind}", us_of_day(a.ex_day), us_of(a.known_at), (a.amount,)) for a in actions],
        )

    def _append(self, table: str, rows: Sequence[tuple[str, int, int, tuple[float, ...]]]) -> int:
        fresh = self._news(table, rows)
        if fresh:
            folder = self._folders[table]
            names = [name for name, given in fresh.items() for _ in range(len(given))]
            every = _stacked(list(fresh.values()))
            columns = {
                "name": np.array(names),
                "described": every.described,
                "known_at": every.known,
                **{field: every.values[:, place] for place, field in enumerate(TABLES[table])},
            }
            found = folder.found()
            written = folder.write(self._parquet, found.last + 1, columns)
            self._rows[table] |= {name: self._of(table, name).merged(given) for name, given in fresh.items()}
            self._until[table] = written.last
            if len(found.segments) >= MOST_FILES:
                self.compact()
        return sum(map(len, fresh.values()))

    def _news(
        self, table: str, rows: Sequence[tuple[str, int, int, tuple[float, ...]]]
    ) -> dict[str, Vintages]:
        by_name: dict[str, list[tuple[int, int, tuple[float, ...]]]] = {}
        for name, described, known, values in rows:
            by_name.setdefault(name, []).append((described, known, values))
        fresh: dict[str, Vintages] = {}
        for name, given in by_name.items():
            days, moments, values = zip(*sorted(given, key=lambda row: row[1]), strict=True)
            all_of = Vintages(np.array(days), np.array(moments), np.array(values, dtype=np.float64))
            new = all_of.taken(self._of(table, name).news(all_of))
            if len(new):
                fresh[name] = new
        return fresh

    def compact(self) -> None:
        """Put small files together. A crash in it leaves the small ones, or both. Raises FeedError."""
        for folder in self._folders.values():
            found = folder.found()
            for run in _runs(found):
                if len(run) > 1:
                    folder.compact(self._parquet, run)

    def close(self) -> None:
        """Let the next writer in; twice does no harm."""
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _times(us: npt.NDArray[np.int64]) -> TimeArray:
    return locked(us.astype("datetime64[us]"))


def _stacked(parts: Sequence[Vintages]) -> Vintages:
    described, known, values = zip(*((p.described, p.known, p.values) for p in parts), strict=True)
    return Vintages(np.concatenate(described), np.concatenate(known), np.concatenate(values))


def _said(table: str, found: Found, formless: Mapping[Path, str]) -> list[str]:
    bad = {**found.bad, **{path: why for path, why in formless.items() if path.parent.name == table}}
    said = [
        f"{path} is left out: {why}. The writer moves it away when it starts." for path, why in bad.items()
    ]
    for first, last in found.lost:
        said.append(f"{table}: rows {first} to {last} are not there. Fetch that time again with a back-fill.")
    return said


def _runs(found: Found) -> list[list[Segment]]:
    """Return files that follow each other without a gap, which alone may be put together."""
    runs: list[list[Segment]] = []
    for segment in found.segments:
        if runs and runs[-1][-1].last + 1 == segment.first:
            runs[-1].append(segment)
        else:
            runs.append([segment])
    return runs
