"""What happened in a world, word for word: every effect, request and row, and one hash over it all."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any, NamedTuple


class Mark(NamedTuple):
    """One thing that happened: when by both times, what it was, and what there is to know of it."""

    number: int
    process_s: float
    venue_at: datetime
    what: str
    about: tuple[Any, ...]


@dataclass
class Trace:
    """Count and chain what happens, and hand each mark to whoever listens (the checker)."""

    is_kept: bool = False
    marks: list[Mark] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    _hash: Any = field(default_factory=sha256)
    _number: int = 0

    def note(self, process_s: float, venue_at: datetime, what: str, *about: Any) -> Mark:
        """Write one mark down and return it."""
        self._number += 1
        mark = Mark(self._number, process_s, venue_at, what, about)
        self.counts[what] += 1
        self._hash.update(f"{process_s:.6f}|{venue_at.isoformat()}|{what}|{about!r}\n".encode())
        if self.is_kept:
            self.marks.append(mark)
        return mark

    @property
    def hash(self) -> str:
        """Return the hash over all marks so far: same seed and code, same hash."""
        return str(self._hash.copy().hexdigest())
