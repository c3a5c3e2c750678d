"""Read what a review is made from: the journal, without changing it, and the strategies' cards."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from qgtm.adapters.calendar import xnys
from qgtm.adapters.chain import GENESIS, Row, entry_of
from qgtm.adapters.journal import JournalReader
from qgtm.core.errors import ReportError
from qgtm.core.events import BarsClosed
from qgtm.core.instant import instant_from_text, new_york_day, text_from_instant
from qgtm.views.week import DAYS_A_WEEK, Diary, Week, begin_of, monday_from, monday_of

BARS: Final = BarsClosed.__name__


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What a journal holds: its rows and head, its first row's hash (which tells one journal from another).

    `last_session` is that of the last closing bars, `last_at` the moment of the last row.
    """

    rows: int
    head: str
    first: str
    last_session: date | None
    last_at: datetime | None

    def newest_week(self) -> date | None:
        """Return the Monday of the newest week with a finished session, else of the last row."""
        if self.last_session is not None:
            return monday_of(self.last_session)
        return None if self.last_at is None else monday_of(new_york_day(self.last_at))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewed:
    """A week, its sessions that were due by its last event, and the rows of the journal it was read from.

    `rows` and `head` are of the last row that belongs to the week or to the time before it.
    """

    week: Week
    expected: tuple[date, ...]
    rows: int
    head: str


def survey(journal: Path) -> Survey:
    """Return what a journal holds. Raises JournalError with the next step when it cannot be read."""
    first, last, bars = GENESIS.hash, None, None
    with JournalReader(journal) as reader:
        for last in reader.rows():
            first = last.hash if last.seq == 1 else first
            bars = last if last.kind == BARS else bars
    return Survey(
        rows=last.seq if last else 0,
        head=last.hash if last else GENESIS.hash,
        first=first,
        last_session=_session_of(bars),
        last_at=instant_from_text(last.at) if last else None,
    )


def _session_of(row: Row | None) -> date | None:
    event = entry_of(row).event if row else None
    return event.session if isinstance(event, BarsClosed) else None


def head_at(journal: Path, monday: date) -> tuple[int, str]:
    """Return number and hash of the last row before the end of a week: what `load_week` reads up to."""
    end = text_from_instant(begin_of(monday + timedelta(days=DAYS_A_WEEK)))
    seq, head = GENESIS.seq, GENESIS.hash
    with JournalReader(journal) as reader:
        for row in reader.rows():
            if row.at >= end:
                break
            seq, head = row.seq, row.hash
    return seq, head


def load_week(journal: str | Path, week: str = "", rows: int = 0) -> Reviewed:
    """Return a week of the journal: by name or day, or the newest one with a finished session.

    `rows` above zero passes over later ones. Raises JournalError when the journal cannot be read and
    ReportError when `week` is none.
    """
    path = Path(journal)
    monday = _monday(week) or survey(path).newest_week() or monday_of(date(1970, 1, 5))
    diary, last = Diary(monday), GENESIS
    end_at = begin_of(monday + timedelta(days=DAYS_A_WEEK))
    seq, head = last.seq, last.hash
    with JournalReader(path) as reader:
        for entry in reader.read():
            if (rows and entry.seq > rows) or entry.at >= end_at:
                break
            diary.take(entry.event, entry.at)
            seq, head = entry.seq, entry.hash
    told = diary.week()
    return Reviewed(week=told, expected=_expected(told), rows=seq, head=head)


def _monday(week: str) -> date | None:
    try:
        return monday_from(week) if week else None
    except ValueError as problem:
        raise ReportError(f"{week!r} is no week: write it as 2026-W15, or one of its days.") from problem


def _expected(week: Week) -> tuple[date, ...]:
    """Return the sessions of the week that were over, with their bars due, at its last event."""
    if week.last_at is None:
        return ()
    days = xnys().sessions(week.monday, week.monday + timedelta(days=DAYS_A_WEEK - 1))
    begun = week.record[0].session if week.record else date.max
    due = timedelta(hours=1)
    return tuple(s.day for s in days if s.close_at + due <= week.last_at and s.day >= begun)


def load_cards(upstream: Mapping[str, Any] | Sequence[str] | None) -> tuple[dict[str, Any], ...]:
    """Return the strategies' cards that the pipeline made, by name; none without a pipeline."""
    if not isinstance(upstream, Mapping):
        return ()
    paths = [products["card"] for products in upstream.values() if "card" in products]
    cards = [json.loads(Path(str(path)).read_text(encoding="utf-8")) for path in paths]
    return tuple(sorted(cards, key=lambda card: str(card["name"])))
