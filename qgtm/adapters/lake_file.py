"""The store's files: Parquet, each named after the rows it holds and its checksum, and never changed.

A file is written aside, synced, renamed and its folder synced; so there is a whole one or none. What is torn,
or is none of ours, is named by whoever reads and moved to `quarantine/` by the writer; nothing else is lost
with it. Many small files become one that covers their rows, and only then are they removed: whoever sees both
reads the one.
"""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qgtm.adapters.files import explained, sync_folder
from qgtm.adapters.vintage import Vintages
from qgtm.core.errors import FeedError
from qgtm.features.bars import FIELDS

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# Kind of rows -> what a row holds beside its number, its name and its two times.
TABLES: Final[dict[str, tuple[str, ...]]] = {"facts": ("value",), "bars": FIELDS, "actions": ("amount",)}
QUARANTINE: Final = "quarantine"
_NAME: Final = re.compile(r"([a-z]+)-(\d{12})-(\d{12})-([0-9a-f]{16})\.parquet")


@dataclass(frozen=True, slots=True)
class Segment:
    """A file of rows `first` to `last` of a kind."""

    path: Path
    first: int
    last: int
    digest: str


@dataclass(frozen=True, slots=True)
class Found:
    """The files of a kind that hold, in the order of their rows; and in words which do not."""

    segments: tuple[Segment, ...]
    covered: tuple[Path, ...]  # all of their rows are in another file
    bad: Mapping[Path, str]
    lost: tuple[tuple[int, int], ...]  # rows that are nowhere
    last: int  # of all rows that ever were, those of bad files included


class Folder:
    """The files of one kind of rows."""

    def __init__(self, root: Path, table: str) -> None:
        self.path = root / table
        self.quarantine = root / QUARANTINE
        self.table = table
        self._verified: set[str] = set()

    def found(self) -> Found:
        """Return which files hold. Raises FeedError when the folder cannot be read."""
        bad: dict[Path, str] = {}
        good: list[Segment] = []
        with explained(self.path, FeedError):
            paths = sorted(self.path.iterdir()) if self.path.is_dir() else []
            named = [
                (path, segment_from(path, self.table)) for path in paths if not path.name.startswith(".")
            ]
            for path, segment in named:
                if segment is None:
                    bad[path] = "it is none of the store's"
                elif self._holds(segment):
                    good.append(segment)
                elif path.exists():
                    bad[path] = "it is torn or was changed: its checksum does not hold"
        segments = _outermost(good)
        outermost = {each.path.name for each in segments}
        covered = tuple(each.path for each in good if each.path.name not in outermost)
        ever = [segment for _, segment in named if segment is not None] + self._put_aside()
        return Found(segments, covered, bad, _lost(segments), max((each.last for each in ever), default=0))

    def _holds(self, segment: Segment) -> bool:
        if segment.path.name in self._verified:
            return True
        try:
            content = segment.path.read_bytes()
        except FileNotFoundError:
            return False  # the writer has just put its rows into a larger file
        if sha256(content).hexdigest()[:16] != segment.digest:
            return False
        self._verified.add(segment.path.name)
        return True

    def _put_aside(self) -> list[Segment]:
        paths = self.quarantine.glob(f"{self.table}-*") if self.quarantine.is_dir() else ()
        return [segment for path in paths if (segment := segment_from(path, self.table)) is not None]

    def write(self, store: "Parquet", first: int, columns: Mapping[str, Any]) -> Segment:
        """Put rows numbered from `first` on the disk; they are there when this returns. Raises FeedError."""
        last = first + len(columns["name"]) - 1
        with explained(self.path, FeedError):
            self.path.mkdir(parents=True, exist_ok=True)
            aside = self.path / f".writing-{os.getpid()}.parquet"
            try:
                store.write(aside, {"seq": np.arange(first, last + 1), **columns})
                return self._named(aside, first, last)
            finally:
                aside.unlink(missing_ok=True)

    def compact(self, store: "Parquet", segments: Sequence[Segment]) -> Segment:
        """Put the rows of files that follow each other into one, and remove them. Raises FeedError."""
        with explained(self.path, FeedError):
            aside = self.path / f".writing-{os.getpid()}.parquet"
            try:
                store.copy([each.path for each in segments], aside)
                one = self._named(aside, segments[0].first, segments[-1].last)
            finally:
                aside.unlink(missing_ok=True)
            self.remove(each.path for each in segments)
        return one

    def remove(self, paths: Iterable[Path]) -> None:
        """Take files away whose rows are in another."""
        for path in paths:
            path.unlink(missing_ok=True)
        sync_folder(self.path)

    def put_aside(self, path: Path) -> Path:
        """Move a file that does not hold to the quarantine, and return where it is. Raises FeedError."""
        with explained(self.quarantine, FeedError):
            self.quarantine.mkdir(parents=True, exist_ok=True)
            to = self.quarantine / path.name
            number = 1
            while to.exists():
                number += 1
                to = self.quarantine / f"{path.name}.{number}"
            path.rename(to)
            sync_folder(self.quarantine)
            sync_folder(self.path)
        return to

    def _named(self, aside: Path, first: int, last: int) -> Segment:
        digest = sha256(aside.read_bytes()).hexdigest()[:16]
        path = self.path / f"{self.table}-{first:012}-{last:012}-{digest}.parquet"
        with aside.open("rb") as file:
            os.fsync(file.fileno())
        aside.rename(path)
        sync_folder(self.path)
        self._verified.add(path.name)
        return Segment(path, first, last, digest)


class Parquet:
    """Rows to and from Parquet, through DuckDB; opened when it is first needed."""

    @cached_property
    def _connection(self) -> "DuckDBPyConnection":
        import duckdb  # here, not above: only who opens the store waits for it

        return duckdb.connect(config={"threads": 2, "autoinstall_known_extensions": False})

    def write(self, path: Path, columns: Mapping[str, Any]) -> None:
        """Write columns of equal length, which become those of the file; times are microseconds."""
        self._connection.register("given", dict(columns))
        try:
            self._write(
                "COPY (SELECT * REPLACE (make_timestamp(described) AS described, make_timestamp(known_at) AS "
                f"known_at) FROM given ORDER BY seq) TO {_quoted(path)} (FORMAT parquet, COMPRESSION zstd)"
            )
        finally:
            self._connection.unregister("given")

    def copy(self, paths: Sequence[Path], to: Path) -> None:
        """Write the rows of several files into one."""
        self._write(
            f"COPY (SELECT * FROM read_parquet(?) ORDER BY seq) TO {_quoted(to)} "
            "(FORMAT parquet, COMPRESSION zstd)",
            [str(path) for path in paths],
        )

    def _write(self, sql: str, *paths: list[str]) -> None:
        import duckdb

        try:
            self._connection.execute(sql, paths)
        except duckdb.Error as problem:
            raise FeedError(f"the store cannot be written: {problem}. Look at the disk.") from None

    def read(self, paths: Sequence[Path], table: str, after: int) -> dict[str, Vintages]:
        """Return the rows later than number `after`, by name. Raises FeedError for files of another form."""
        import duckdb

        fields = TABLES[table]
        try:
            self._connection.execute(
                "CREATE OR REPLACE TEMP TABLE found AS SELECT seq, name, epoch_us(described) AS described, "
                f"epoch_us(known_at) AS known_at, {', '.join(fields)} FROM read_parquet(?) WHERE seq > ?",
                [[str(path) for path in paths], after],
            )
            counts = self._connection.execute("SELECT name, count(*) FROM found GROUP BY name ORDER BY name")
            named = counts.fetchall()
            rows = self._connection.execute(
                f"SELECT described, known_at, {', '.join(fields)} FROM found ORDER BY name, known_at, seq"
            ).fetchnumpy()
        except duckdb.Error as problem:
            raise FeedError(
                f"{paths[0].parent}: {problem}. Compare its files with the store's form."
            ) from None
        values = np.column_stack([np.asarray(rows[field], dtype=np.float64) for field in fields])
        every = Vintages(np.asarray(rows["described"]), np.asarray(rows["known_at"]), values)
        ends = np.cumsum([count for _, count in named]).tolist()
        starts = [0, *ends]
        return {
            name: every.taken(slice(start, end))
            for (name, _), start, end in zip(named, starts, ends, strict=False)
        }

    def has_form(self, path: Path, table: str) -> bool:
        """Return whether a file can be read as rows of a kind."""
        try:
            self.read([path], table, 2**62)
        except FeedError:
            return False
        return True


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


def segment_from(path: Path, table: str) -> Segment | None:
    """Return what a file's name says of its rows, None where it is no file of this kind."""
    match = _NAME.match(path.name)
    if match is None or match[1] != table or int(match[2]) > int(match[3]):
        return None
    return Segment(path, int(match[2]), int(match[3]), match[4])


def _outermost(segments: Iterable[Segment]) -> tuple[Segment, ...]:
    kept: list[Segment] = []
    for segment in sorted(segments, key=lambda each: (each.first, -each.last)):
        if not kept or segment.last > kept[-1].last:
            kept.append(segment)
    return tuple(kept)


def _lost(segments: Sequence[Segment]) -> tuple[tuple[int, int], ...]:
    ends = [0, *(each.last for each in segments)]
    return tuple(
        (end + 1, each.first - 1) for end, each in zip(ends, segments, strict=False) if each.first > end + 1
    )
