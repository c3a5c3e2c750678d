"""The inbox: many write, one takes, each command once and in order."""

import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import apsw
import pytest

from qgtm.adapters.inbox import Inbox
from qgtm.adapters.journal import SqliteJournal
from qgtm.core.commands import Acknowledge, Deploy, Halt
from qgtm.core.errors import JournalError
from qgtm.core.events import CommandTaken, Deployed

AT = datetime(2024, 3, 1, 21, 0, tzinfo=UTC)
HALT = Halt(reason="I do not like this", by="OpB")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "inbox.db"


def test_command_is_read_as_it_was_given(path: Path) -> None:
    with Inbox(path) as inbox:
        number = inbox.put(HALT, "OpB", AT)
    with Inbox(path) as inbox:
        (wish,) = inbox.wishes(after=0)
    assert (wish.command_id, wish.at, wish.by, wish.kind, wish.command) == (number, AT, "OpB", "Halt", HALT)
    assert wish.problem == ""


def test_commands_come_in_the_order_in_which_they_were_given_and_only_new_ones(path: Path) -> None:
    with Inbox(path) as web, Inbox(path) as shell, Inbox(path) as daemon:
        first = web.put(HALT, "OpB", AT)
        second = shell.put(Deploy(manifest_sha="f" * 64, by="OpA"), "OpA", AT)
        third = web.put(Acknowledge(latch="break", reason="looked at it", by="OpA"), "OpA", AT)
        assert first < second < third
        assert [wish.command_id for wish in daemon.wishes(after=0)] == [first, second, third]
        assert [wish.kind for wish in daemon.wishes(after=first)] == ["Deploy", "Acknowledge"]
        assert daemon.wishes(after=third) == ()


def test_commands_of_many_processes_at_once_are_all_kept(path: Path) -> None:
    code = (
        "import sys; from datetime import UTC, datetime; from pathlib import Path\n"
        "from qgtm.adapters.inbox import Inbox; from qgtm.core.commands import Halt\n"
        "inbox = Inbox(Path(sys.argv[1]))\n"
        "for n in range(10): inbox.put(Halt(reason=str(n), by=sys.argv[2]), sys.argv[2], datetime.now(UTC))"
    )
    Inbox(path).close()
    started = [subprocess.Popen([sys.executable, "-c", code, str(path), str(who)]) for who in range(4)]
    assert [process.wait(timeout=60) for process in started] == [0, 0, 0, 0]
    with Inbox(path) as inbox:
        found = inbox.wishes(after=0)
    assert [wish.command_id for wish in found] == list(range(1, 41))
    for who in map(str, range(4)):
        given = [wish.command for wish in found if wish.by == who]
        assert given == [Halt(reason=str(n), by=who) for n in range(10)]


def test_opening_waits_until_a_program_that_holds_the_file_alone_lets_go(path: Path) -> None:
    with Inbox(path) as inbox:
        inbox.put(HALT, "OpB", AT)
    other = apsw.Connection(str(path))
    other.pragma("locking_mode", "exclusive")
    other.execute("BEGIN EXCLUSIVE")
    timer = threading.Timer(0.2, other.close, [True])
    timer.start()
    with Inbox(path) as inbox:
        assert [wish.command for wish in inbox.wishes(after=0)] == [HALT]
    timer.join()


@pytest.mark.parametrize("statement", ["UPDATE command SET body = '{}'", "DELETE FROM command"])
def test_command_cannot_be_changed_or_withdrawn(path: Path, statement: str) -> None:
    with Inbox(path) as inbox:
        inbox.put(HALT, "OpB", AT)
        with pytest.raises(apsw.ConstraintError, match="a command is never"):
            inbox._connection.execute(statement)


@pytest.mark.parametrize(
    ("kind", "body", "said"),
    [
        ("SelfDestruct", "{}", "no command that this version knows"),
        ("Halt", "{", "cannot be read"),
        ("Halt", '{"reason":"x"}', "this is no Halt"),
    ],
)
def test_command_that_cannot_be_read_is_handed_on_with_the_reason_and_jams_nothing(
    path: Path, kind: str, body: str, said: str
) -> None:
    with Inbox(path) as inbox:
        inbox._connection.execute(
            "INSERT INTO command (at, by, kind, body) VALUES ('2024-03-01T21:00:00.000000Z', 'x', ?, ?)",
            (kind, body),
        )
        inbox.put(HALT, "OpB", AT)
        bad, good = inbox.wishes(after=0)
    assert bad.command is None
    assert said in bad.problem
    assert bad.problem.endswith("Give it again.")
    assert good.command == HALT


def last_taken(journal: SqliteJournal) -> int:
    return max((e.event.command_id for e in journal.read() if isinstance(e.event, CommandTaken)), default=0)


@pytest.mark.fault("G1", "G2")
@pytest.mark.parametrize("crash_before_append", [True, False])
def test_command_acts_once_wherever_the_daemon_dies(path: Path, crash_before_append: bool) -> None:
    deploy = Deploy(manifest_sha="f" * 64, by="OpA")
    with Inbox(path) as inbox:
        inbox.put(deploy, "OpA", AT)
    for is_dying in (True, False):  # the first daemon dies around its append, the second goes on
        with Inbox(path) as inbox, SqliteJournal(path.with_name("journal.db")) as journal:
            for wish in inbox.wishes(after=last_taken(journal)):
                if is_dying and crash_before_append:
                    break
                taken = CommandTaken(command_id=wish.command_id, kind=wish.kind, by=wish.by)
                journal.append([taken, Deployed(manifest_sha="f" * 64, modules={}, by="OpA")], AT)
    with SqliteJournal(path.with_name("journal.db")) as journal:
        assert sum(isinstance(entry.event, Deployed) for entry in journal.read()) == 1


def test_inbox_that_was_lost_goes_on_counting_where_the_journal_stands(path: Path) -> None:
    with Inbox(path) as inbox:
        assert inbox.go_on_after(57) == ()
        assert inbox.put(HALT, "OpB", AT) == 58
        assert [wish.command_id for wish in inbox.wishes(after=57)] == [58]
        assert inbox.go_on_after(57) == ()
        assert inbox.put(HALT, "OpB", AT) == 59


def test_commands_that_a_lost_inbox_would_swallow_are_told(path: Path) -> None:
    with Inbox(path) as inbox:
        inbox.put(HALT, "OpB", AT)
        (swallowed,) = inbox.go_on_after(57)
        assert swallowed.command == HALT
        assert inbox.put(HALT, "OpB", AT) == 58


def test_inbox_where_no_folder_is_names_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="check that its folder exists"):
        Inbox(tmp_path / "nowhere" / "inbox.db")
