"""A damaged database: the cure fits what was in it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from qgtm.adapters.inbox import Inbox
from qgtm.adapters.journal import JournalReader, SqliteJournal
from qgtm.adapters.store import BarStore
from qgtm.core.errors import JournalCorrupt, JournalError
from qgtm.exchange.store import Store


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
