"""Venue time: fast sessions, skipped nights, Sunday's stops, holds; and the clock that reads it."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from qgtm.adapters.clock import Anchor, ManualClock, SystemClock, VenueClock, anchor_from_text, boot_id
from qgtm.core.errors import ConfigError
from qgtm.exchange.hours import NEW_YORK, Calendar, new_york
from qgtm.exchange.venue import Instant, VenueTime, next_stop
from tests.exchange.tiny import TinyMarket

FRIDAY_CLOSE = datetime(2024, 3, 8, 21, 0, tzinfo=UTC)  # winter time; clocks change on Sunday the 10th
MONDAY_OPEN = datetime(2024, 3, 11, 13, 30, tzinfo=UTC)
WALL = datetime(2026, 1, 1, tzinfo=UTC)


class Machine:
    """Venue time on a process clock that is moved by hand, and the anchors that it published."""

    def __init__(self, venue_at: datetime, speed: float = 390.0, mode: Any = "accelerated") -> None:
        self.calendar = Calendar(TinyMarket())
        self.process_s = 100.0
        self.published: list[Anchor] = []
        self.venue = VenueTime(
            self.calendar,
            venue_at=venue_at,
            at=self.at(),
            speed=speed,
            mode=mode,
            boot_id="boot",
            publish=self.published.append,
        )

    def at(self) -> Instant:
        return Instant(self.process_s, WALL + timedelta(seconds=self.process_s))

    def run(self, seconds: float, step_s: float = 0.02) -> datetime:
        """Tick for so many process seconds."""
        for _ in range(round(seconds / step_s)):
            self.process_s += step_s
            self.venue.tick(self.at())
        return self.venue.now(self.process_s)

    def run_until_still(self) -> datetime:
        """Tick until venue time stands."""
        for _ in range(20_000):
            self.run(0.02)
            if self.venue.anchor.held_by:
                return self.venue.now(self.process_s)
        raise AssertionError("venue time never stood")


def near(found: datetime, expected: datetime, within_s: float = 30) -> bool:
    return abs((found - expected).total_seconds()) <= within_s


def test_session_passes_in_about_a_minute() -> None:
    machine = Machine(MONDAY_OPEN)
    before = machine.process_s
    assert near(machine.run_until_still(), datetime(2024, 3, 11, 20, 5, tzinfo=UTC))
    assert 60 <= machine.process_s - before <= 62


def test_weekend_visits_sunday_s_stops_and_the_minutes_before_the_bell_for_three_seconds_each() -> None:
    machine = Machine(FRIDAY_CLOSE + timedelta(minutes=4))
    stops = []
    machine.run_until_still()
    for _ in range(5):
        began_s, stop = machine.process_s, machine.venue.now(machine.process_s)
        stops.append(stop)
        while machine.venue.now(machine.process_s) == stop:
            machine.run(0.02)
        assert 2.9 <= machine.process_s - began_s <= 3.2
    sunday = date(2024, 3, 10)
    expected = [
        FRIDAY_CLOSE + timedelta(minutes=5),
        new_york(sunday, 18),
        new_york(sunday, 20),
        new_york(sunday, 21),
        MONDAY_OPEN - timedelta(minutes=5),
    ]
    assert all(near(found, stop) for found, stop in zip(stops, expected, strict=True))
    assert machine.run(2) > MONDAY_OPEN


def test_sunday_s_stops_follow_new_york_through_the_change_of_clocks() -> None:
    stop = next_stop(Calendar(TinyMarket()), FRIDAY_CLOSE + timedelta(hours=6))
    assert stop.astimezone(NEW_YORK).hour == 18
    assert stop == datetime(2024, 3, 10, 22, 0, tzinfo=UTC)  # summer time since that morning


def test_venue_time_never_goes_back_and_steps_over_no_stop() -> None:
    machine = Machine(FRIDAY_CLOSE - timedelta(hours=1))
    last = machine.venue.now(machine.process_s)
    for _ in range(2500):
        now = machine.run(0.02)
        assert now >= last
        last = now
    assert last > MONDAY_OPEN


def test_holds_are_named_run_out_by_themselves_and_the_last_one_counts() -> None:
    machine = Machine(MONDAY_OPEN + timedelta(hours=1))
    machine.venue.hold("boot", 5.0, machine.at())
    machine.venue.hold("report", 9.0, machine.at())
    stood = machine.venue.now(machine.process_s)
    assert machine.run(6) == stood
    assert machine.venue.anchor.held_by == ("report",)
    assert machine.venue.release("report", machine.at())
    assert not machine.venue.release("report", machine.at())
    assert machine.run(1) > stood + timedelta(minutes=5)
    machine.venue.hold("boot", 1.0, machine.at())
    stood = machine.venue.now(machine.process_s)
    assert machine.run(2) > stood


def test_hold_during_a_stop_keeps_the_stop_until_it_is_released() -> None:
    machine = Machine(FRIDAY_CLOSE + timedelta(minutes=4))
    stop = machine.run_until_still()
    machine.venue.hold("job", 60.0, machine.at())
    assert machine.run(10) == stop
    machine.venue.release("job", machine.at())
    assert machine.run(1) == new_york(date(2024, 3, 10), 18)


def test_real_time_skips_nothing_and_stepped_time_moves_by_jumps_only() -> None:
    real = Machine(FRIDAY_CLOSE, speed=1.0, mode="real")
    assert near(real.run(20), FRIDAY_CLOSE + timedelta(seconds=20), within_s=0.01)
    stepped = Machine(FRIDAY_CLOSE, speed=0.0, mode="stepped")
    assert stepped.run(20) == FRIDAY_CLOSE
    stepped.venue.jump(MONDAY_OPEN, stepped.at())
    assert stepped.run(1) == MONDAY_OPEN
    with pytest.raises(ValueError, match="past"):
        stepped.venue.jump(FRIDAY_CLOSE, stepped.at())


def test_every_move_of_the_anchor_is_published() -> None:
    machine = Machine(MONDAY_OPEN)
    machine.venue.hold("boot", 5.0, machine.at())
    machine.venue.release("boot", machine.at())
    assert [anchor.held_by for anchor in machine.published] == [(), ("boot",), ()]


def test_anchor_survives_its_text() -> None:
    anchor = Machine(MONDAY_OPEN).venue.anchor
    assert anchor_from_text(anchor.text()) == anchor
    assert set(json.loads(anchor.text())) == {
        "venue_at", "monotonic_at", "wall_at", "boot_id", "speed", "held_by", "mode",
    }  # fmt: skip


def written(path: Path, **change: Any) -> Path:
    body = {
        "venue_at": "2024-03-11T13:30:00+00:00",
        "monotonic_at": SystemClock().monotonic() - 2.0,
        "wall_at": "2026-01-01T00:00:00+00:00",
        "boot_id": boot_id(),
        "speed": 100.0,
        "held_by": [],
        "mode": "accelerated",
        **change,
    }
    beside = path.with_suffix(".new")
    beside.write_text(json.dumps(body), encoding="utf-8")
    beside.replace(path)
    return path


def test_venue_clock_runs_by_the_anchor_and_reads_a_new_one(tmp_path: Path) -> None:
    clock = VenueClock(written(tmp_path / "venue.json"))
    passed_s = (clock.now() - MONDAY_OPEN).total_seconds()
    assert 200 <= passed_s < 1000
    written(tmp_path / "venue.json", held_by=["boot"], venue_at="2024-03-12T13:30:00+00:00")
    assert clock.now() == MONDAY_OPEN + timedelta(days=1)


def test_venue_clock_stands_at_the_anchor_of_another_boot(tmp_path: Path) -> None:
    clock = VenueClock(written(tmp_path / "venue.json", boot_id="another"))
    assert clock.now() == MONDAY_OPEN


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"venue_at": "yesterday"}'])
def test_venue_clock_without_a_readable_anchor_says_what_to_start(tmp_path: Path, content: str) -> None:
    path = tmp_path / "venue.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match="start `qgtm exchange`"):
        VenueClock(path).now()
    with pytest.raises(ConfigError):
        VenueClock(tmp_path / "nowhere.json").now()


def test_manual_clock_moves_both_times_when_it_waits() -> None:
    clock = ManualClock(MONDAY_OPEN, monotonic=5.0, speed=60.0)
    clock.wait(2.0)
    assert (clock.monotonic(), clock.now()) == (7.0, MONDAY_OPEN + timedelta(minutes=2))
    clock.set_now(MONDAY_OPEN)
    assert (clock.monotonic(), clock.now()) == (7.0, MONDAY_OPEN)


def test_system_clock_is_aware_and_never_goes_back() -> None:
    clock = SystemClock()
    before = clock.monotonic()
    clock.wait(0.001)
    assert clock.now().tzinfo is UTC
    assert clock.monotonic() - before >= 0.001
