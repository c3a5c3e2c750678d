"""Check the whole journal, and name the first row that cannot be believed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from qgtm.adapters.chain import GENESIS, BadRow, walk
from qgtm.adapters.journal import JournalReader
from qgtm.core.errors import JournalCorrupt
from qgtm.ports import Head

FIRST: Final = -(2**63)  # a row smuggled in below the first is seen too


@dataclass(frozen=True, slots=True)
class Audit:
    """What a check found: how many rows hold, up to which head, and the first that does not."""

    rows: int
    head: Head
    bad: BadRow | None

    @property
    def is_ok(self) -> bool:
        """Return whether every row holds."""
        return self.bad is None


def verify(
    path: Path, *, since: Head = GENESIS, anchors: Sequence[Head] = (), vfs: str | None = None
) -> Audit:
    """Walk the chain after `since` and return what holds and the first row that does not.

    `anchors` are heads known from elsewhere (a snapshot, a mail): each must be in the journal, so that
    cut rows are missed. Raises JournalError when there is no journal or it cannot be opened.
    """
    with JournalReader(path, vfs=vfs) as reader:
        return _verified(reader, since, anchors)


def _verified(reader: JournalReader, since: Head, anchors: Sequence[Head]) -> Audit:
    if lacking := reader.lacking_guards():
        return Audit(0, since, BadRow(0, "schema", f"the guards {', '.join(lacking)} are gone"))
    if bad := _astray(reader, (since,)):
        return Audit(0, since, bad)
    rows, head, bad = _walked(reader, since)
    bad = bad or _astray(reader, anchors) or _damaged(reader, head)
    return Audit(rows, head, bad)


def _walked(reader: JournalReader, since: Head) -> tuple[int, Head, BadRow | None]:
    rows, head = 0, since
    steps = walk(reader.rows(since.seq if since.seq else FIRST), since)
    try:
        for row, problem in steps:
            if problem:
                return rows, head, BadRow(row.seq, str(row.kind), problem)
            rows, head = rows + 1, Head(row.seq, row.hash)
    except JournalCorrupt as problem:
        return rows, head, BadRow(head.seq + 1, "unreadable", str(problem))
    return rows, head, None


def _astray(reader: JournalReader, anchors: Sequence[Head]) -> BadRow | None:
    for anchor in sorted(anchors, key=lambda each: each.seq):
        found = reader.hash_at(anchor.seq)
        if found is None:
            last = reader.head().seq
            return BadRow(
                last + 1, "cut", f"the journal ends at row {last}, and row {anchor.seq} was there before"
            )
        if found != anchor.hash:
            return BadRow(anchor.seq, "anchor", f"row {anchor.seq} is not the row that was there before")
    return None


def _damaged(reader: JournalReader, head: Head) -> BadRow | None:
    complaint = reader.damage()
    return BadRow(head.seq + 1, "file", f"the file is damaged: {complaint}") if complaint else None
