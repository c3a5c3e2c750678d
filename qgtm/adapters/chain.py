"""The journal's chain: what a row is, how its hash follows from the row before, and who broke it."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final, NamedTuple

from qgtm.core.codec import canonical, decode
from qgtm.core.errors import EventError, JournalCorrupt
from qgtm.core.events import Event, type_registry
from qgtm.core.instant import instant_from_text, text_from_instant
from qgtm.ports import Entry, Head

GENESIS: Final = Head(0, "0" * 64)


class Row(NamedTuple):
    """One row as it is stored; the columns of the table, in order."""

    seq: int
    at: str
    kind: str
    body: str
    prev_hash: str
    hash: str


@dataclass(frozen=True, slots=True)
class BadRow:
    """The first row that cannot be believed: where it stands and what is wrong with it."""

    seq: int
    kind: str
    what: str


def link(prev_hash: str, seq: int, at: str, kind: str, body: str) -> str:
    """Return a row's hash: sha256 in hex over the hash before it and the row, a line each.

    No column but the last can hold a line's end, so two different rows never give the same text.
    """
    return sha256(f"{prev_hash}\n{seq}\n{at}\n{kind}\n{body}".encode("utf-8", "surrogatepass")).hexdigest()


def chained(head: Head, events: Sequence[Event], at: str) -> list[Row]:
    """Return the rows that put `events` behind `head`, leaving out those that are never journaled.

    Raises EventError for what cannot be written.
    """
    rows = []
    seq, before = head.seq, head.hash
    for event in events:
        if not event.is_journaled:
            continue
        seq += 1
        kind, body = type(event).__name__, canonical(event)
        after = link(before, seq, at, kind, body)
        rows.append(Row(seq, at, kind, body, before, after))
        before = after
    return rows


def later_text(last: str, at: datetime) -> str:
    """Return `at` as text, or `last` when the clock went back: journal time never decreases."""
    return max(last, text_from_instant(at))


def event_of(row: Row) -> Event:
    """Return a row's event; raise EventError for an unknown kind or a body that does not fit it."""
    kind = type_registry.get(row.kind)
    if kind is None:
        raise EventError(f"{row.kind!r} is no kind of event that this version knows")
    try:
        body = json.loads(row.body)
    except (ValueError, RecursionError) as problem:
        raise EventError(f"the body is no JSON: {problem}") from problem
    event: Event = decode(kind, body)
    return event


def entry_of(row: Row) -> Entry:
    """Return a row as readers see it; raise JournalCorrupt when it cannot be read."""
    try:
        return Entry(seq=row.seq, at=instant_from_text(row.at), event=event_of(row), hash=row.hash)
    except (EventError, ValueError) as problem:
        raise JournalCorrupt(
            f"journal row {row.seq} ({row.kind}) cannot be read: {problem}. "
            "Run `qgtm audit verify`; if it names this row too, restore the last backup"
        ) from problem


def walk(rows: Iterable[Row], since: Head = GENESIS) -> Iterator[tuple[Row, str | None]]:
    """Yield each row after `since` with what is wrong with it (None: nothing); end at the first bad one."""
    seq, before, at = since.seq, since.hash, ""
    for row in rows:
        problem = _problem(row, seq, before, at)
        yield row, problem
        if problem:
            return
        seq, before, at = row.seq, row.hash, row.at


def _problem(row: Row, seq: int, before: str, at: str) -> str | None:
    if tuple(map(type, row)) != (int, str, str, str, str, str):
        return "a column holds another type than it was written with"
    if row.seq != seq + 1:
        return f"rows {seq + 1} to {row.seq - 1} are missing" if row.seq > seq else "no row has this number"
    if row.prev_hash != before:
        return "the hash of the row before it is not the one it was chained to"
    if link(before, row.seq, row.at, row.kind, row.body) != row.hash:
        return "its hash does not follow from what it says"
    if row.at < at:
        return f"it is dated {row.at}, before the row above it"
    return _unreadable(row)


def _unreadable(row: Row) -> str | None:
    try:
        entry_of(row)
    except JournalCorrupt as problem:
        return f"its body cannot be read: {problem.__cause__}"
    return None
