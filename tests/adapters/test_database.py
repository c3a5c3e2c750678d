"""A damaged database: the cure fits what was in it."""

import contextlib
import os
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import apsw
import pytest

from qgtm.adapters.inbox import Inbox
from qgtm.adapters.journal import JournalReader, SqliteJournal
from qgtm.adapters.store import BarStore
from qgtm.core.errors import JournalCorrupt, JournalError
from qgtm.core.events import CashMoved
from qgtm.exchange.store import Store
from qgtm.reporting.outbox import waiting
from qgtm.web.visitor import Visitors

AT = datetime(2026, 3, 1, tzinfo=UTC)


def test_empty_file_is_told_as_empty_to_who_only_reads(tmp_path: Path) -> None:
    (tmp_path / "journal.db").touch()
    with pytest.raises(JournalError, match=r"journal\.db is empty: .*restore the last backup"):
        JournalReader(tmp_path / "journal.db")
    assert (tmp_path / "journal.db").stat().st_size == 0


@pytest.mark.parametrize(
    ("opened", "name", "cure"),
    [
        (SqliteJournal, "journal.db", "restore the last backup"),
        (SqliteJournal, "another.db", "restore the last backup"),
        (BarStore, "bars.db", "Move it away and start again: the bars are fetched anew"),
        (Inbox, "inbox.db", "give the commands again that nobody took"),
        (Store, "exchange.db", "begin anew with `qgtm up --fresh`"),
        (lambda path: waiting(path, AT), "outbox.db", "it is made anew from the journal"),
        (lambda path: Visitors(path, lambda: AT), "web.db", "everybody signs in anew"),
    ],
)
def test_damaged_file_is_told_with_the_cure_for_what_was_in_it(
    tmp_path: Path, opened: Callable[[Path], object], name: str, cure: str
) -> None:
    path = tmp_path / name
    path.write_bytes(b"these are not the rows you are looking for" * 100)
    before = path.read_bytes()
    with pytest.raises(JournalCorrupt) as caught:
        opened(path)
    assert str(path) in str(caught.value)
    assert cure in str(caught.value)
    assert ("restore" in str(caught.value)) == ("restore" in cure)
    assert path.read_bytes() == before


def test_disk_that_is_mounted_read_only_shows_what_was_closed_on_it_without_a_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal.db"
    with SqliteJournal(path) as journal:
        journal.append([CashMoved(activity_id="a", kind="CSD", amount_usd=Decimal(1))], AT)
    real = os.statvfs(path)
    asked: list[str] = []

    def read_only(at: object) -> object:
        return SimpleNamespace(f_flag=real.f_flag | os.ST_RDONLY)

    class Watched(apsw.Connection):
        def __init__(self, name: str, **more: Any) -> None:
            asked.append(name)
            super().__init__(name, **more)

    monkeypatch.setattr("qgtm.adapters.database.os.statvfs", read_only)
    monkeypatch.setattr("qgtm.adapters.database.apsw.Connection", Watched)
    with JournalReader(path) as reader:
        assert reader.head().seq == 1
    (tmp_path / "journal.db-wal").touch()  # somebody writes, or was cut off: then its lock is there as well
    with contextlib.suppress(JournalError):
        JournalReader(path).close()
    assert ["immutable" in each for each in asked] == [True, False]
