"""The daemon's word about its kill switch, in a small file for the watchdog, which reads no journal."""

import json
from dataclasses import dataclass
from pathlib import Path

from qgtm.adapters.files import explained, write_atomic
from qgtm.core.errors import JournalError


@dataclass(frozen=True, slots=True, kw_only=True)
class KillWord:
    """What the kill switch says: its mode, the count of halts, since when (text), and the last command taken.

    A command in the inbox with a higher number is one that the daemon has not followed yet.
    """

    mode: str
    kill_epoch: int
    since: str | None
    command_id: int


def text_of(word: KillWord) -> bytes:
    """Return the word as the bytes of its file."""
    fields = {
        "mode": word.mode,
        "kill_epoch": word.kill_epoch,
        "since": word.since,
        "command_id": word.command_id,
    }
    return json.dumps(fields).encode() + b"\n"


class KillFile:
    """Write the word: on the disk before this returns when it has changed, else only as a sign of life."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last: KillWord | None = None

    def write(self, word: KillWord) -> None:
        """Write the word, whole or not at all. Raises JournalError when the disk refuses."""
        is_news = word != self._last
        with explained(self._path, JournalError):
            write_atomic(self._path, text_of(word), is_durable=is_news)
        self._last = word
