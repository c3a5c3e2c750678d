"""State snapshots: a short cut to the journal's end, believed only where the journal bears them out."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Final, Generic, TypeVar

from qgtm.adapters.chain import GENESIS
from qgtm.adapters.files import explained, write_atomic
from qgtm.core.codec import canonical, decode
from qgtm.core.errors import EventError, JournalError
from qgtm.core.instant import text_from_instant
from qgtm.ports import Head

S = TypeVar("S")
KEPT: Final = 3


@dataclass(frozen=True, slots=True)
class Restored(Generic[S]):
    """The newest state that holds (None: fold from the start), up to which row, and what was passed over."""

    state: S | None
    head: Head
    refused: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Page:
    head: Head
    code: str
    state: object


class Snapshots:
    """Keep the last three states in `folder`; `code` names the fold that makes them (the manifest's sha).

    A snapshot of other code is passed over: the same rows may fold to another state now.
    """

    def __init__(self, folder: Path, code: str) -> None:
        self._folder = folder
        self._code = code

    def write(self, state: object, head: Head, at: datetime) -> None:
        """Write the state that the journal folds to at `head`. Raises JournalError when the disk refuses."""
        body = canonical(
            {
                "seq": head.seq,
                "hash": head.hash,
                "at": text_from_instant(at),
                "code": self._code,
                "state": state,
            }
        ).encode("ascii")
        with explained(self._folder, JournalError):
            self._folder.mkdir(parents=True, exist_ok=True)
            write_atomic(self._folder / f"state-{head.seq:012}.json", _seal(body) + b"\n" + body)
            for old in _files(self._folder)[KEPT:]:
                old.unlink(missing_ok=True)

    def load(self, kind: type[S], hash_at: Callable[[int], str | None]) -> Restored[S]:
        """Return the newest state, as a `kind`, whose head the journal holds; go on after its head.

        `hash_at` is the journal's: the hash of a row, None where there is none.
        """
        refused: list[str] = []
        for path in _files(self._folder):
            try:
                page = _page(path)
                self._refuse(page, hash_at)
                return Restored(decode(kind, page.state), page.head, tuple(refused))
            except (OSError, EventError) as problem:
                refused.append(f"{path.name} is passed over: {problem}")
        return Restored(None, GENESIS, tuple(refused))

    def _refuse(self, page: _Page, hash_at: Callable[[int], str | None]) -> None:
        if page.code != self._code:
            raise EventError(f"it was made by other code ({page.code[:8]}, and this is {self._code[:8]})")
        if hash_at(page.head.seq) != page.head.hash:
            raise EventError(f"the journal does not hold its row {page.head.seq}")


def known_heads(folder: Path) -> tuple[Head, ...]:
    """Return the heads of the journal that the readable snapshots of `folder` speak of, newest first."""
    found = []
    for path in _files(folder):
        try:
            found.append(_page(path).head)
        except (OSError, EventError):
            continue  # a bad snapshot says nothing about the journal
    return tuple(found)


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("state-*.json"), reverse=True)


def _seal(body: bytes) -> bytes:
    return sha256(body).hexdigest().encode()


def _page(path: Path) -> _Page:
    seal, _, body = path.read_bytes().partition(b"\n")
    if _seal(body) != seal:
        raise EventError("its checksum does not hold")
    try:
        fields = json.loads(body)
        return _Page(Head(int(fields["seq"]), str(fields["hash"])), str(fields["code"]), fields["state"])
    except (ValueError, KeyError, TypeError) as problem:
        raise EventError(f"it cannot be read ({problem!r})") from problem
