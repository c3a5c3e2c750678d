"""Values that are off their scale wait here until a person has looked; what was released is kept beside.

The collector writes what is held; the daemon, which takes the operators' commands, writes what was released.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from qgtm.adapters.files import explained, write_atomic
from qgtm.core.errors import FeedError
from qgtm.core.fact import Fact
from qgtm.core.instant import instant_from_text, text_from_instant


def item_of(name: str, day: date, value: float) -> str:
    """Return what one value of one day is called: another value of that day is another item."""
    return f"{name}-{day}-{sha256(repr(value).encode()).hexdigest()[:4]}"


def item_of_fact(fact: Fact) -> str:
    """Return what a fact is called."""
    return item_of(fact.series, fact.at.date(), fact.value)


@dataclass(frozen=True, slots=True)
class Held:
    """A fact that waits, and why."""

    fact: Fact
    why: str

    @property
    def item(self) -> str:
        """Return its name, by which it is released."""
        return item_of_fact(self.fact)


class Quarantine:
    """The facts that wait, in a file. Raises FeedError when it cannot be read or written."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def held(self) -> tuple[Held, ...]:
        """Return what waits, oldest first."""
        return tuple(_held(row, self._path) for row in _rows(self._path))

    def keep(self, held: Iterable[Held]) -> None:
        """Let these wait, and no others."""
        body = [
            {
                "item": each.item,
                "series": each.fact.series,
                "at": text_from_instant(each.fact.at),
                "known_at": text_from_instant(each.fact.known_at),
                "value": each.fact.value,
                "why": each.why,
            }
            for each in held
        ]
        _write(self._path, body)


class Released:
    """Which items a person has released, who and why, in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def items(self) -> frozenset[str]:
        """Return the items. Raises FeedError when the file cannot be read."""
        return frozenset(str(row["item"]) for row in _rows(self._path))

    def add(self, item: str, by: str, reason: str, at: datetime) -> None:
        """Write a release down; on the disk after. Raises FeedError."""
        rows = [row for row in _rows(self._path) if row["item"] != item]
        _write(self._path, [*rows, {"item": item, "by": by, "reason": reason, "at": text_from_instant(at)}])


def _rows(path: Path) -> Sequence[Mapping[str, Any]]:
    try:
        rows = json.loads(path.read_text("utf-8"))
        if not all("item" in row for row in rows):
            raise TypeError("a row has no item")
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError) as problem:
        raise FeedError(f"{path} cannot be read ({problem}); move it away, it is written anew.") from None
    return list(rows)


def _write(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    with explained(path, FeedError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, (json.dumps(rows, indent=1) + "\n").encode())


def _held(row: Mapping[str, Any], path: Path) -> Held:
    try:
        at, known_at = instant_from_text(row["at"]), instant_from_text(row["known_at"])
        return Held(Fact(str(row["series"]), at, known_at, float(row["value"])), str(row["why"]))
    except (KeyError, ValueError, TypeError) as problem:
        raise FeedError(f"{path} cannot be read ({problem!r}); move it away, it is written anew.") from None
