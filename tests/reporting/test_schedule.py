"""Once a week, and once only: over restarts, jumps of venue time, and Sundays on which the clock changes."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qgtm.adapters.clock import ManualClock, VenueClock
from qgtm.core.errors import BrokerError, ConfigError
from qgtm.core.instant import NEW_YORK
from qgtm.reporting.schedule import Due, Job, JobLedger, Scheduler, Work

EIGHT = time(20)
SUNDAY = date(2026, 4, 12)


def new_york(day: date, at: time = EIGHT) -> datetime:
    return datetime.combine(day, at, NEW_YORK).astimezone(UTC)


@dataclass
class Done:
    """Work that takes some looks and ends with a code."""

    code: int | None = 0
    looks: int = 2
    stopped: int = 0

    def poll(self) -> int | None:
        self.looks -= 1
        return self.code if self.looks < 0 else None

    def stop(self) -> None:
        self.stopped += 1


@dataclass
class Bench:
    """A scheduler over a folder, and all that it did."""

    path: Path
    clock: ManualClock
    at_et: time = EIGHT
    work: Callable[[], Work] = Done
    begun: list[Due] = field(default_factory=list)
    late: list[Due] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    held: list[str] = field(default_factory=list)
    is_stopped: bool = False

    def start(self) -> Scheduler:
        job = Job(
            name="review",
            at_et=self.at_et,
            begin=self._begin,
            late=self.late.append,
            lost=lambda due, why: self.lost.append(why),
            limit_s=60.0,
        )
        ledger = JobLedger(self.path / "scheduler.json")
        return Scheduler([job], ledger, self.clock, self.said.append, lambda: self.is_stopped, self)

    def _begin(self, due: Due) -> Work:
        self.begun.append(due)
        return self.work()

    def hold(self, name: str, ttl_s: float) -> None:
        self.held.append("hold")

    def release(self, name: str) -> None:
        self.held.append("release")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Return a bench on Saturday noon, whose scheduler has looked once."""
    made = Bench(tmp_path, ManualClock(new_york(SUNDAY - timedelta(days=1), time(12))))
    made.start().look()
    return made


def test_review_runs_at_eight_in_new_york_and_not_before(bench: Bench) -> None:
    scheduler = bench.start()
    bench.clock.set_now(new_york(SUNDAY) - timedelta(seconds=1))
    scheduler.look()
    assert bench.begun == []
    bench.clock.set_now(new_york(SUNDAY))
    scheduler.look()
    assert bench.begun == [Due("2026-W15", new_york(SUNDAY))]


@pytest.mark.fault("F10")
def test_review_runs_once_however_often_one_looks_and_restarts(bench: Bench) -> None:
    bench.clock.set_now(new_york(SUNDAY))
    for _ in range(4):
        scheduler = bench.start()
        scheduler.look()
        scheduler.look()
        bench.clock.set_now(bench.clock.now() + timedelta(hours=3))
    assert len(bench.begun) == 1


@pytest.mark.fault("F1", "F10")
@pytest.mark.parametrize("sunday", [date(2026, 3, 8), date(2026, 11, 1)], ids=["spring", "autumn"])
@pytest.mark.parametrize("at_et", [EIGHT, time(1, 30), time(2, 30)], ids=str)
def test_review_runs_once_on_the_sunday_on_which_the_clock_changes(
    tmp_path: Path, sunday: date, at_et: time
) -> None:
    bench = Bench(tmp_path, ManualClock(new_york(sunday, time(0))), at_et)
    scheduler = bench.start()
    for _ in range(4 * 26):
        scheduler.look()
        bench.clock.set_now(bench.clock.now() + timedelta(minutes=15))
    assert [due.at for due in bench.begun] == [new_york(sunday, at_et)]
    assert bench.late == []


@pytest.mark.fault("F4", "F10")
@pytest.mark.parametrize(
    ("first", "days", "weeks"),
    [
        # 2026 has 53 weeks by ISO 8601, and the last of them ends in January
        (date(2026, 12, 19), 30, ["2026-W51", "2026-W52", "2026-W53", "2027-W01", "2027-W02"]),
        (date(2028, 2, 19), 23, ["2028-W07", "2028-W08", "2028-W09", "2028-W10"]),  # over a leap day
    ],
    ids=["turn of the year", "leap day"],
)
def test_each_week_is_reviewed_once_over_leap_days_and_the_turn_of_the_year(
    tmp_path: Path, first: date, days: int, weeks: list[str]
) -> None:
    bench = Bench(tmp_path, ManualClock(new_york(first, time(12))))
    scheduler = bench.start()
    for _ in range(4 * 24 * days):
        scheduler.look()
        bench.clock.set_now(bench.clock.now() + timedelta(minutes=15))
    assert [due.week for due in bench.begun] == weeks
    assert bench.late == []


@pytest.mark.fault("F1", "F10")
def test_eight_in_the_evening_is_another_hour_of_utc_in_summer() -> None:
    job = Job(name="review", at_et=EIGHT, begin=lambda due: Done())
    assert job.last_due(datetime(2026, 1, 14, tzinfo=UTC)).at == datetime(2026, 1, 12, 1, tzinfo=UTC)
    assert job.last_due(datetime(2026, 7, 15, tzinfo=UTC)).at == datetime(2026, 7, 13, 0, tzinfo=UTC)


def test_missed_review_is_caught_up_late_and_once(bench: Bench) -> None:
    bench.clock.set_now(new_york(SUNDAY) + timedelta(hours=14))
    bench.start().look()
    bench.start().look()
    assert [due.week for due in bench.begun] == ["2026-W15"]
    assert [due.week for due in bench.late] == ["2026-W15"]


def test_review_in_time_is_not_late(bench: Bench) -> None:
    bench.clock.set_now(new_york(SUNDAY) + timedelta(minutes=2))
    bench.start().look()
    assert (len(bench.begun), bench.late) == (1, [])


def test_of_several_missed_weeks_the_newest_is_made_and_the_others_are_said(bench: Bench) -> None:
    bench.clock.set_now(new_york(SUNDAY))
    bench.start().look()
    bench.clock.set_now(new_york(SUNDAY + timedelta(days=21)) + timedelta(hours=1))
    bench.start().look()
    assert [due.week for due in bench.begun] == ["2026-W15", "2026-W18"]
    assert [line.split()[2] for line in bench.said if "was missed" in line] == ["2026-W17", "2026-W16"]


def test_first_start_makes_no_review_of_the_time_before_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ManualClock(new_york(SUNDAY) + timedelta(days=2)))
    bench.start().look()
    assert (bench.begun, bench.late) == ([], [])


def test_first_start_right_at_the_time_makes_the_review(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ManualClock(new_york(SUNDAY)))
    bench.start().look()
    assert len(bench.begun) == 1


@pytest.mark.fault("F6", "F10")
def test_venue_time_that_went_back_makes_nothing_twice(bench: Bench) -> None:
    bench.clock.set_now(new_york(SUNDAY))
    bench.start().look()
    bench.clock.set_now(new_york(SUNDAY) - timedelta(days=14))
    bench.start().look()
    assert len(bench.begun) == 1


def test_stop_ends_the_work_at_once_and_the_next_start_does_it_again(bench: Bench) -> None:
    endless = Done(looks=10**9)
    bench.work = lambda: endless
    bench.clock.set_now(new_york(SUNDAY))
    scheduler = bench.start()
    bench.is_stopped = True
    before_s = bench.clock.monotonic()
    scheduler.look()
    assert endless.stopped >= 1
    assert bench.clock.monotonic() - before_s < 3.0
    bench.is_stopped, bench.work = False, Done
    bench.start().look()
    bench.start().look()
    assert len(bench.begun) == 2
    assert bench.lost == []


@pytest.mark.fault("K5")
def test_work_that_never_ends_is_ended_and_lost(bench: Bench) -> None:
    endless = Done(looks=10**9)
    bench.work = lambda: endless
    bench.clock.set_now(new_york(SUNDAY))
    bench.start().look()
    assert endless.stopped >= 1
    assert bench.lost == ["review took more than 60 s"]
    bench.start().look()
    assert len(bench.begun) == 1


def test_work_that_fails_is_lost_and_not_tried_again(bench: Bench) -> None:
    bench.work = lambda: Done(code=1)
    bench.clock.set_now(new_york(SUNDAY))
    bench.start().look()
    bench.start().look()
    assert (len(bench.begun), bench.lost) == (1, ["review ended with exit code 1"])


class Killed(Exception):
    """The scheduler's own process goes down in the middle of the work."""


class Deadly(Done):
    def poll(self) -> int | None:
        raise Killed


def test_scheduler_that_dies_with_its_work_tries_three_times_and_then_says_so(bench: Bench) -> None:
    bench.work = Deadly
    bench.clock.set_now(new_york(SUNDAY))
    for _ in range(3):
        with pytest.raises(Killed):
            bench.start().look()
    bench.start().look()
    bench.start().look()
    assert len(bench.begun) == 3
    assert bench.lost == ["review was begun 3 times and never ended"]


def test_venue_time_is_held_while_the_work_runs_and_let_go_after(bench: Bench) -> None:
    bench.work = lambda: Done(looks=250)
    bench.clock.set_now(new_york(SUNDAY))
    bench.start().look()
    assert bench.held[0] == "hold"
    assert bench.held[-1] == "release"
    assert bench.held.count("hold") >= 3  # 25 s of work: taken once and renewed every 10 s


def test_exchange_that_cannot_hold_stops_no_review(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise BrokerError("no answer")

    monkeypatch.setattr(bench, "hold", refuse)
    monkeypatch.setattr(bench, "release", refuse)
    bench.clock.set_now(new_york(SUNDAY))
    bench.start().look()
    assert len(bench.begun) == 1


def test_scheduler_waits_for_an_exchange_that_is_not_there_yet(tmp_path: Path) -> None:
    said: list[str] = []
    clock = VenueClock(tmp_path / "venue.json")
    scheduler = Scheduler([], JobLedger(tmp_path / "scheduler.json"), clock, said.append, lambda: True)
    scheduler.look()
    scheduler.look()
    assert len(said) == 1
    assert "qgtm up" in said[0]


@pytest.mark.parametrize(
    "text", ["", "{half", "[1]", "null", '{"review": [1]}', '{"review": {"2026-W01": 1}}']
)
def test_ledger_that_cannot_be_read_is_refused_with_the_next_step(tmp_path: Path, text: str) -> None:
    (tmp_path / "scheduler.json").write_text(text)
    with pytest.raises(ConfigError, match="Move it away"):
        JobLedger(tmp_path / "scheduler.json")


@given(
    st.lists(st.tuples(st.integers(1, 60 * 24 * 9), st.booleans()), min_size=1, max_size=40),
)
def test_no_week_is_ever_made_twice(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, bool]]
) -> None:
    bench = Bench(tmp_path_factory.mktemp("weeks"), ManualClock(new_york(date(2026, 2, 7))))
    scheduler = bench.start()
    for minutes, is_restart in steps:
        scheduler = bench.start() if is_restart else scheduler
        scheduler.look()
        bench.clock.set_now(bench.clock.now() + timedelta(minutes=minutes))
    weeks = [due.week for due in bench.begun]
    assert weeks == sorted(set(weeks))
