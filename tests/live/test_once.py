"""The one week of `qgtm up --once`, from a journal made by hand."""

from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from qgtm.adapters.files import StateDir
from qgtm.adapters.journal import SqliteJournal
from qgtm.core.errors import JournalError
from qgtm.core.events import Event, SessionClosed
from qgtm.live.once import Diary, last_whole_week, week_told
from tests.views.told import MORNING, closed, live, opened, traded

TUESDAY = date(2026, 3, 3)


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    """Return a state folder whose journal is still to be written."""
    return StateDir(tmp_path)


def written(state: StateDir, events: list[Event], at: datetime = MORNING) -> None:
    with SqliteJournal(state.journal) as journal:
        for minute, event in enumerate(events):
            journal.append([event], at + timedelta(minutes=minute))


def monday() -> list[Event]:
    return [*live(), opened(), *traded("GLD", 10, "100"), *closed(GLD=103.0)]


@pytest.mark.parametrize(
    ("today", "first"),
    [
        (date(2026, 3, 2), date(2026, 2, 23)),
        (date(2026, 3, 8), date(2026, 2, 23)),
    ],
)
def test_last_whole_week_was_over_before_this_one_began(today: date, first: date) -> None:
    assert last_whole_week(today) == first


def test_diary_tells_each_session_once_as_it_ends(state: StateDir) -> None:
    written(state, monday())
    diary = Diary(state.journal)
    assert diary.news() == ["Mon 02 Mar   $100,030.00 at the close, 1 fill, 1 open"]
    assert diary.news() == []
    written(state, [opened(TUESDAY), *closed(TUESDAY, GLD=101.0)], MORNING + timedelta(days=1))
    assert diary.news() == ["Tue 03 Mar   $100,010.00 at the close, 0 fills, 1 open"]


def test_diary_says_nothing_of_bars_that_came_before_the_first_session(state: StateDir) -> None:
    written(state, [*live(), *closed(date(2026, 2, 27), GLD=99.0)])
    assert Diary(state.journal).news() == []


def test_week_is_summed_up_to_the_cent(state: StateDir) -> None:
    written(state, monday())
    lines = week_told(state)
    assert lines[0].split()[1:] == ["1,", "2026-03-02", "to", "2026-03-02"]
    assert lines[1].split()[1:] == ["1,", "slippage", "$0.00"]
    assert lines[2].split() == ["equity", "$100,030.00"]
    assert lines[3].split() == ["profit", "$30.00"]
    assert lines[-1].startswith("journal")


def test_week_in_which_no_session_ended_names_where_to_look(state: StateDir) -> None:
    written(state, [e for e in monday() if not isinstance(e, SessionClosed)])
    with pytest.raises(JournalError, match="see what the processes said"):
        week_told(state)
