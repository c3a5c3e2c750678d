"""A disk that can lose power: what was written and not yet synced survives in part, torn at 512 bytes."""

import random
from collections.abc import Callable
from pathlib import Path

import apsw

SECTOR = 512
Write = tuple[int, bytes]  # where, and what; a cut to a length is (length, b"")


class Disk:
    """Keep, beside the real files, what of them would be there after a power cut right now."""

    def __init__(self) -> None:
        self.synced: dict[str, bytes] = {}
        self.pending: dict[str, list[Write]] = {}
        self.operations = 0
        self.before: Callable[[str], None] = lambda operation: None

    def note(self, operation: str) -> None:
        self.operations += 1
        self.before(operation)

    def sync(self, name: str) -> None:
        self.synced[name] = Path(name).read_bytes()
        self.pending[name] = []

    def image(self, draw: random.Random) -> dict[str, bytes]:
        """Return every file as it would be found: synced content, and a random part of the rest."""
        found = {}
        for name in {*self.synced, *self.pending}:
            content = bytearray(self.synced.get(name, b""))
            for offset, data in self.pending.get(name, []):
                survive(content, offset, data, draw)
            found[name] = bytes(content)
        return found


def survive(content: bytearray, offset: int, data: bytes, draw: random.Random) -> None:
    if not data:
        if draw.random() < 0.5:
            del content[offset:]
        return
    for start in range(0, len(data), SECTOR):
        if draw.random() < 0.5:
            part = data[start : start + SECTOR]
            content.extend(b"\0" * (offset + start - len(content)))
            content[offset + start : offset + start + len(part)] = part


class CutFile(apsw.VFSFile):
    def __init__(self, disk: Disk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        self._disk = disk
        self._name = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
        self._disk.pending.setdefault(self._name, [])
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:
        self._disk.note("write")
        super().xWrite(data, offset)
        self._disk.pending[self._name].append((offset, bytes(data)))

    def xTruncate(self, newsize: int) -> None:
        self._disk.note("truncate")
        super().xTruncate(newsize)
        self._disk.pending[self._name].append((newsize, b""))

    def xSync(self, flags: int) -> None:
        self._disk.note("sync")
        super().xSync(flags)
        self._disk.sync(self._name)


class CutVFS(apsw.VFS):
    def __init__(self, name: str, disk: Disk) -> None:
        self._disk = disk
        super().__init__(name, "")

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> CutFile:
        return CutFile(self._disk, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        self._disk.note("delete")
        super().xDelete(filename, syncdir)
        self._disk.synced.pop(filename, None)
        self._disk.pending.pop(filename, None)
