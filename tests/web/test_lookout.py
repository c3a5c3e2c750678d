"""Looking at a state folder: only new rows are folded, and whatever is wrong with it is said, not raised."""

import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import apsw
import pytest

from qgtm.adapters.clock import Anchor, ManualClock, boot_id
from qgtm.adapters.files import StateDir
from qgtm.adapters.heartbeat import Heartbeat, HeartbeatFile
from qgtm.adapters.journal import SqliteJournal
from qgtm.core.errors import JournalError
from qgtm.core.events import Event, FeedFailed, ModeChanged, Stopped
from qgtm.core.mode import Dot, Mode, Trigger
from qgtm.views.matter import Undelivered
from qgtm.views.summary import Daemon
from qgtm.watchdog.fact import Progress
from qgtm.watchdog.folder import Folder
from qgtm.watchdog.kernel import State
from qgtm.watchdog.memory import fields_of
from qgtm.watchdog.setting import Settings, short
from qgtm.watchdog.watch import Watch
from qgtm.web.lookout import Beside, Lookout
from tests.views.told import LIMITS, MORNING, live, sample


class Fund:
    """A state folder with a journal, a heartbeat and a clock that the test moves."""

    def __init__(self, root: Path) -> None:
        self.folder = StateDir(root)
        self.clock = ManualClock(MORNING, monotonic=5000.0)
        self.lookout = Lookout(self.folder, LIMITS, self.clock)
        self.at = MORNING
        self.watch()

    def write(self, *events: Event) -> None:
        with SqliteJournal(self.folder.journal) as journal:
            for event in events:
                self.at += timedelta(seconds=1)
                journal.append([event], self.at)

    def beat(self, age_s: float = 0.0, boot: str | None = None, epoch: int = 1) -> None:
        HeartbeatFile(self.folder.heartbeat).write(
            Heartbeat(
                counter=1,
                epoch=epoch,
                pid=1,
                boot_id=boot_id() if boot is None else boot,
                monotonic_s=self.clock.monotonic() - age_s,
                wall_at=MORNING,
                venue_at=MORNING,
                what="live",
            )
        )

    def watch(self, at_s: float = 5000.0, state: State | None = None) -> None:
        armed = (
            State(watch=Watch(progress=Progress(boot_id="b", pid=1, epoch=1, counter=1)))
            if state is None
            else state
        )
        settings = short(Settings(alerts_s=(7.0, 13.0), flatten_s=20.0))
        fields = fields_of(
            armed,
            settings,
            beat=1,
            now_s=at_s,
            wall_at=MORNING,
            boot_id=boot_id(),
            pid=1,
            log=[],
            broker="ok",
        )
        Folder(self.folder.root).save(fields, is_durable=False)

    def anchor(self, held_by: tuple[str, ...] = ()) -> None:
        self.folder.exchange.mkdir()
        anchor = Anchor(
            venue_at=MORNING,
            monotonic_at=5000.0,
            wall_at=MORNING,
            boot_id=boot_id(),
            speed=390.0,
            held_by=held_by,
            mode="accelerated",
        )
        (self.folder.exchange / "venue.json").write_text(anchor.text())


@pytest.fixture
def fund(tmp_path: Path) -> Iterator[Fund]:
    made = Fund(tmp_path)
    yield made
    made.lookout.close()


def test_empty_folder_is_a_fund_that_never_ran(fund: Fund) -> None:
    told = fund.lookout.look().summary
    assert (told.daemon, told.dot, told.problem) == (Daemon.STOPPED, Dot.RED, None)


@pytest.mark.fault("K8")
@pytest.mark.invariant("V24")
def test_running_fund_is_green_and_its_heartbeat_ages_in_process_time(fund: Fund) -> None:
    fund.write(*live())
    fund.beat()
    assert fund.lookout.look().summary.dot is Dot.GREEN
    fund.clock.wait(89)
    assert (fund.lookout.look().summary.heartbeat_age_s, fund.lookout.look().summary.dot) == (89.0, Dot.GREEN)
    fund.clock.wait(2)
    assert fund.lookout.look().summary.dot is Dot.RED


@pytest.mark.fault("F6", "F7")
@pytest.mark.invariant("V24")
def test_wall_clock_that_jumps_changes_no_age(fund: Fund) -> None:
    fund.write(*live())
    fund.beat()
    fund.clock.set_now(datetime(2031, 1, 1, tzinfo=MORNING.tzinfo))
    assert fund.lookout.look().summary.heartbeat_age_s == 0.0


@pytest.mark.invariant("V24")
def test_heartbeat_of_another_boot_has_no_age(fund: Fund) -> None:
    fund.write(*live())
    fund.beat(boot="another")
    told = fund.lookout.look().summary
    assert (told.heartbeat_age_s, told.daemon, told.dot) == (None, Daemon.UNKNOWN, Dot.RED)


def test_watchdogs_word_and_its_age_are_seen(fund: Fund) -> None:
    (fund.folder.root / "watchdog.json").unlink()
    assert fund.lookout.look().summary.watchdog is None
    fund.watch(at_s=4990.0, state=State())
    fund.clock.wait(1)
    dog = fund.lookout.look().summary.watchdog
    assert dog is not None
    assert (dog.state, dog.age_s, dog.alerts_s, dog.flatten_s) == ("unarmed", 11.0, (7.0, 13.0), 20.0)


def test_report_of_the_present_halt_is_named_once_it_lies_there(fund: Fund, tmp_path: Path) -> None:
    reports = tmp_path / "reports"
    reports.mkdir()
    lookout = Lookout(fund.folder, LIMITS, fund.clock, Beside(reports))
    fund.write(*live(), halted())
    (reports / "incident-2.html").touch()
    assert "made five minutes after" in said(lookout)
    (reports / "incident-1.html").touch()
    fund.clock.wait(1)
    assert "Incident report: incident-1.html." in said(lookout)
    lookout.close()


def said(lookout: Lookout) -> str:
    return " ".join(line for matter in lookout.look().summary.matters for line in matter.lines)


def halted() -> ModeChanged:
    return ModeChanged(
        trigger=Trigger.HARD_CAP,
        before=Mode.ACTIVE,
        after=Mode.HALTED_HARD,
        reason="the fall is 12.1%",
        at=MORNING,
    )


def test_alerts_that_a_channel_failed_with_are_yellow_and_an_outbox_that_is_none_too(fund: Fund) -> None:
    def broken(wall_at: datetime) -> Undelivered:
        raise JournalError("outbox.db is no database")

    fund.write(*live())
    fund.beat()
    none = Undelivered(number=2, failing=0, since=MORNING, problem="no channel is set")
    for found, dot in ((lambda at: none, Dot.GREEN), (broken, Dot.YELLOW)):
        lookout = Lookout(fund.folder, LIMITS, fund.clock, Beside(undelivered=found))
        assert lookout.look().summary.dot is dot
        lookout.close()


def test_new_rows_alone_are_folded(fund: Fund) -> None:
    fund.write(*live())
    first = fund.lookout.look().chronicle
    fund.write(FeedFailed(feed="ohlcv", reason=""))
    fund.clock.wait(1)
    second = fund.lookout.look()
    assert second.chronicle is first
    assert list(second.chronicle.state.feeds_failed) == ["ohlcv"]


def test_looks_within_a_quarter_of_a_second_are_one_look(fund: Fund) -> None:
    fund.write(*live())
    first = fund.lookout.look()
    fund.write(FeedFailed(feed="ohlcv", reason=""))
    fund.clock.wait(0.2)
    assert fund.lookout.look() is first


def test_journal_that_is_put_anew_is_folded_from_its_start(fund: Fund) -> None:
    fund.write(*live(), FeedFailed(feed="ohlcv", reason=""))
    fund.lookout.look()
    for path in fund.folder.root.glob("journal.db*"):
        path.unlink()
    fund.write(*live())
    fund.clock.wait(1)
    chronicle = fund.lookout.look().chronicle
    assert (dict(chronicle.state.feeds_failed), chronicle.state.epoch) == ({}, 1)


def test_journal_that_goes_away_is_a_fund_that_never_ran(fund: Fund) -> None:
    fund.write(*live())
    fund.lookout.look()
    for path in fund.folder.root.glob("journal.db*"):
        path.unlink()
    fund.clock.wait(1)
    assert fund.lookout.look().summary.strategies_loaded is None


@pytest.mark.fault("H3", "K8")
def test_journal_that_is_none_is_red_with_the_next_step(fund: Fund) -> None:
    fund.folder.journal.write_bytes(b"no database at all" * 500)
    fund.beat()
    told = fund.lookout.look().summary
    assert (told.dot, told.positions) == (Dot.RED, None)
    assert "damaged" in (told.problem or "")


def test_row_that_cannot_be_read_keeps_what_came_before_and_says_so(fund: Fund) -> None:
    fund.write(*live(), sample("100100", "100000"))
    connection = apsw.Connection(str(fund.folder.journal))
    connection.execute("DROP TRIGGER journal_never_updated")
    connection.execute("UPDATE journal SET kind = 'Nonsense' WHERE seq = 5")
    connection.close()
    fund.beat()
    told = fund.lookout.look().summary
    assert (told.dot, told.strategies_loaded, told.equity_usd) == (Dot.RED, 2, 100_000)
    assert "Nonsense" in (told.problem or "")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_journal_without_the_right_to_read_is_told(fund: Fund) -> None:
    fund.write(*live())
    fund.folder.journal.chmod(0)
    assert fund.lookout.look().summary.problem


@pytest.mark.fault("H2")
def test_looking_changes_nothing_on_the_disk(fund: Fund) -> None:
    fund.write(*live())
    before = fund.folder.journal.read_bytes()
    fund.lookout.look()
    fund.lookout.close()
    assert fund.folder.journal.read_bytes() == before


def test_venue_time_runs_with_the_embedded_exchange(fund: Fund) -> None:
    fund.write(*live())
    fund.anchor()
    fund.clock.wait(10)
    told = fund.lookout.look().summary
    assert (told.venue_at, told.speed) == (MORNING + timedelta(seconds=3900), 390.0)


def test_held_venue_time_names_who_holds_it(fund: Fund) -> None:
    fund.write(*live())
    fund.anchor(("boot",))
    fund.clock.wait(10)
    told = fund.lookout.look().summary
    assert (told.venue_at, told.held_by) == (MORNING, ("boot",))


def test_stop_that_was_written_down_is_a_stop(fund: Fund) -> None:
    fund.write(*live(), Stopped(reason="told to"))
    fund.beat()
    assert fund.lookout.look().summary.daemon is Daemon.STOPPED
