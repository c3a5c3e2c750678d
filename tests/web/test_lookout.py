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
from qgtm.core.events import Event, FeedFailed, Stopped
from qgtm.core.mode import Dot
from qgtm.views.summary import Daemon
from qgtm.watchdog.folder import Folder
from qgtm.watchdog.kernel import State
from qgtm.watchdog.memory import fields_of
from qgtm.watchdog.setting import Settings, short
from qgtm.web.lookout import Lookout
from tests.views.told import LIMITS, MORNING, live, sample


class Fund:
    """A state folder with a journal, a heartbeat and a clock that the test moves."""

    def __init__(self, root: Path) -> None:
        self.folder = StateDir(root)
        self.clock = ManualClock(MORNING, monotonic=5000.0)
        self.lookout = Lookout(self.folder, LIMITS, self.clock)
        self.at = MORNING

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


def test_running_fund_is_green_and_its_heartbeat_ages_in_process_time(fund: Fund) -> None:
    fund.write(*live())
    fund.beat()
    assert fund.lookout.look().summary.dot is Dot.GREEN
    fund.clock.wait(89)
    assert (fund.lookout.look().summary.heartbeat_age_s, fund.lookout.look().summary.dot) == (89.0, Dot.GREEN)
    fund.clock.wait(2)
    assert fund.lookout.look().summary.dot is Dot.RED


def test_wall_clock_that_jumps_changes_no_age(fund: Fund) -> None:
    fund.write(*live())
    fund.beat()
    fund.clock.set_now(datetime(2031, 1, 1, tzinfo=MORNING.tzinfo))
    assert fund.lookout.look().summary.heartbeat_age_s == 0.0


def test_heartbeat_of_another_boot_has_no_age(fund: Fund) -> None:
    fund.write(*live())
    fund.beat(boot="another")
    told = fund.lookout.look().summary
    assert (told.heartbeat_age_s, told.daemon, told.dot) == (None, Daemon.UNKNOWN, Dot.RED)


def test_watchdogs_word_and_its_age_are_seen(fund: Fund) -> None:
    told = fund.lookout.look().summary
    assert (told.watchdog, told.watchdog_age_s, told.dead_man_s) == (None, None, None)
    fields = fields_of(
        State(),
        short(Settings(alerts_s=(7.0, 13.0), flatten_s=20.0)),
        beat=1,
        now_s=4990.0,
        wall_at=MORNING,
        boot_id=boot_id(),
        pid=1,
        log=[],
        broker="ok",
    )
    Folder(fund.folder.root).save(fields, is_durable=False)
    fund.clock.wait(1)
    told = fund.lookout.look().summary
    assert (told.watchdog, told.watchdog_age_s, told.dead_man_s) == ("unarmed", 11.0, 20.0)


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
