"""The store of values in a backup: what is new in it is copied, what the backup before has too is linked.

A segment never changes and its name holds its checksum, so one of the same name holds the same rows. What the
collector puts together while it is copied is looked for again, under its new name.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Final

from qgtm.adapters.files import StateDir, sync_folder, write_atomic
from qgtm.adapters.lake_file import TABLES, Segment, segment_from
from qgtm.core.errors import JournalError

STORE: Final = "store"
# What was released, the days of events, what waits, and sums by the hour: small files, each written whole.
BESIDE: Final = ("released.json", "feeds/agenda.json", "feeds/held.json", "feeds/reddit.json")
TRIES: Final = 5


def copy_store(state: StateDir, path: Path, earlier: Path | None) -> tuple[str, ...]:
    """Put the store, and the small files beside it, into the backup `path`; return what does not hold.

    A segment that does not hold is left out, unless the backup `earlier` has it whole. Raises OSError, and
    JournalError when the store changes faster than it can be copied.
    """
    left_out = tuple(said for table in TABLES for said in _copied(state.store, table, path, earlier))
    for name in BESIDE:
        with suppress(FileNotFoundError):
            content = (state.root / name).read_bytes()
            (path / name).parent.mkdir(mode=0o700, exist_ok=True)
            write_atomic(path / name, content)
    sync_folder(path)
    return left_out


def stored(path: Path) -> tuple[str, ...]:
    """Return what a backup holds of the store and beside it, as names within the backup."""
    segments = (each.path for table in TABLES for each in _segments(path / STORE / table, table))
    beside = (path / name for name in BESIDE if (path / name).exists())
    return tuple(each.relative_to(path).as_posix() for each in (*segments, *beside))


def is_of_store(name: str) -> bool:
    """Return whether a name within a backup is one that `stored` gives."""
    parts = PurePosixPath(name).parts
    is_segment = len(parts) == 3 and parts[0] == STORE and parts[1] in TABLES
    return name in BESIDE or (is_segment and segment_from(Path(parts[2]), parts[1]) is not None)


def _copied(store: Path, table: str, path: Path, earlier: Path | None) -> tuple[str, ...]:
    target = path / STORE / table
    for _ in range(TRIES):
        with suppress(FileNotFoundError):  # the collector has just put it together with others: look again
            left_out = tuple(_taken(store / table, table, target, earlier))
            if target.exists():
                sync_folder(target)
                sync_folder(target.parent)
            return left_out
    raise JournalError(f"{store / table}: its files change faster than they can be copied; try again.")


def _taken(source: Path, table: str, target: Path, earlier: Path | None) -> Iterator[str]:
    for segment in _segments(source, table):
        new = target / segment.path.name
        if new.exists():
            continue
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        before = None if earlier is None else earlier / STORE / table / new.name
        content = None if before is None else _whole(before, segment)
        if before is None or content is None or not _is_linked(before, new):
            content = content or _whole(segment.path, segment)
            if content is None:
                yield f"{segment.path} does not hold and is left out"
                continue
            write_atomic(new, content)


def _segments(folder: Path, table: str) -> list[Segment]:
    found = (segment_from(path, table) for path in sorted(folder.iterdir())) if folder.is_dir() else ()
    return [segment for segment in found if segment is not None]


def _whole(path: Path, segment: Segment) -> bytes | None:
    """Return what a file holds, None when its checksum does not; raise when it is the store's and gone."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        if path == segment.path:
            raise
        return None
    return content if sha256(content).hexdigest()[:16] == segment.digest else None


def _is_linked(old: Path, new: Path) -> bool:
    with suppress(OSError):  # another disk, or one that knows no second name of a file
        os.link(old, new)
        return True
    return False
