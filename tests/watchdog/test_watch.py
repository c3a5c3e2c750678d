"""Silence as the watchdog counts it: never too long, never more than ten seconds late.

The expectation is not made from the kernel's own sums: the test knows when the daemon beat, and compares
moments.
"""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import settings as tries
from hypothesis import strategies as some

from qgtm.watchdog.deed import Alert, TakeLease
from qgtm.watchdog.fact import KillWord, Looked, Progress, Wish
from qgtm.watchdog.kernel import State, step
from qgtm.watchdog.setting import Settings
from tests.watchdog.driving import OPEN, progress

LIMITS = Settings(probe_s=1e9)
NEVER_PROBES = State(probe_s=1e9)


class Watching:
    """A watchdog that only looks, on a clock that the test moves; it remembers when it fired."""

    def __init__(self, settings: Settings = LIMITS, began_s: float = 50.0) -> None:
        self.settings = settings
        self.state = NEVER_PROBES
        self.now_s = began_s
        self.wall_at = OPEN
        self.beats_s: list[float] = []
        self.progress: Progress | None = None
        self.fired_s: float | None = None
        self.alerts: list[tuple[float, Alert]] = []

    def beat(self) -> None:
        self.beats_s.append(self.now_s)
        self.progress = progress(len(self.beats_s))

    def pass_s(self, seconds: float, wall_s: float | None = None) -> None:
        self.now_s += seconds
        self.wall_at += timedelta(seconds=seconds if wall_s is None else wall_s)

    def look(self, before_s: float = 0.0, after_s: float = 0.0, **seen: object) -> None:
        """Look once; the process may stand still before the read (after its clock was read) and after it."""
        asked_s, wall_at = self.now_s, self.wall_at
        self.pass_s(before_s)
        what = {"progress": self.progress, **seen}
        self.pass_s(after_s)
        event = Looked(asked_s=asked_s, wall_at=wall_at, **what)  # type: ignore[arg-type]
        self.state, actions = step(self.state, event, self.now_s, self.settings)
        self.alerts += [(self.now_s, action) for action in actions if isinstance(action, Alert)]
        if any(isinstance(action, TakeLease) for action in actions) and self.fired_s is None:
            self.fired_s = self.now_s

    @property
    def gap_s(self) -> float:
        """Return how long the daemon has truly been silent."""
        return self.now_s - self.beats_s[-1]

    def look_for(self, seconds: float, every_s: float = 0.5) -> None:
        until_s = self.now_s + seconds
        while self.now_s < until_s:
            self.pass_s(every_s)
            self.look()


# what happens between two looks: seconds of process time, a jump of the wall's clock, standing still within
# the look, and when the daemon beats
TURNS = some.lists(
    some.tuples(
        some.floats(0.1, 2.0) | some.floats(0.1, 1300.0),
        some.sampled_from([0.0, 0.0, 0.0, 3600.0, -3600.0, 86400.0, -1e7]),
        some.floats(0.0, 0.2) | some.floats(0.0, 1000.0),
        some.floats(0.0, 0.2) | some.floats(0.0, 1000.0),
        some.sampled_from(["none", "none", "before", "within", "after"]),
    ),
    max_size=60,
)


@pytest.mark.fault("F6", "F7")
@pytest.mark.invariant("V15")
@tries(max_examples=300, deadline=None)
@given(TURNS)
def test_never_fires_nor_warns_while_the_gap_is_shorter_than_the_limit(
    turns: list[tuple[float, float, float, float, str]],
) -> None:
    dog = Watching()
    dog.beat()
    dog.look()
    for passed_s, jump_s, before_s, after_s, beats in turns:
        dog.pass_s(passed_s, passed_s + jump_s)
        if beats == "before":
            dog.beat()
        asked_s = dog.now_s
        dog.pass_s(before_s)
        if beats == "within":
            dog.beat()
        seen = dog.progress
        dog.pass_s(after_s)
        if beats == "after":  # the daemon wakes up before the watchdog does, which has read the old counter
            dog.beat()
        event = Looked(asked_s=asked_s, wall_at=dog.wall_at, progress=seen)
        dog.state, actions = step(dog.state, event, dog.now_s, dog.settings)
        if any(isinstance(action, TakeLease) for action in actions):
            assert gap_at(dog, asked_s) >= 900.0
            return
        for action in actions:
            if isinstance(action, Alert) and "no progress" in action.text:
                assert gap_at(dog, asked_s) >= 300.0


def gap_at(dog: Watching, at_s: float) -> float:
    """Return how long the silence was that lasted at `at_s`."""
    began_s = max(beat_s for beat_s in dog.beats_s if beat_s < at_s)
    ended_s = min((beat_s for beat_s in dog.beats_s if beat_s >= at_s), default=dog.now_s)
    return ended_s - began_s


@pytest.mark.fault("D18", "F6", "F7")
@pytest.mark.invariant("V15")
@tries(deadline=None)
@given(
    some.lists(some.tuples(some.floats(0.2, 1.0), some.sampled_from([0.0, 0.0, 5.0, -7200.0])), max_size=40),
    some.floats(0.0, 80.0),
    some.floats(0.0, 200.0),
)
def test_fires_within_ten_seconds_of_the_limit_whatever_the_clocks_did(
    turns: list[tuple[float, float]], quiet_s: float, pause_s: float
) -> None:
    limit_s = 90.0
    dog = Watching(replace(LIMITS, alerts_s=(30.0, 60.0), flatten_s=limit_s))
    dog.beat()
    dog.look_for(1.0)
    dog.beat()
    died_s = dog.now_s
    dog.look_for(0.5 + quiet_s)
    for passed_s, jump_s in turns:
        dog.pass_s(passed_s, passed_s + jump_s)
        dog.look()
    dog.pass_s(pause_s)  # asleep; awake again it looks twice a second
    awake_s = dog.now_s
    while dog.fired_s is None:
        dog.look()
        assert dog.now_s <= max(died_s + limit_s, awake_s) + 10.0
        dog.pass_s(0.5)
    assert dog.fired_s - died_s >= limit_s


@tries(deadline=None)
@given(some.floats(0.2, 1.0), some.lists(some.sampled_from([-3600.0, 3600.0, 0.0]), min_size=1, max_size=5))
def test_clock_that_jumps_at_every_look_does_not_keep_it_from_firing(
    every_s: float, jumps: list[float]
) -> None:
    dog = Watching(replace(LIMITS, alerts_s=(7.0, 13.0), flatten_s=20.0))
    dog.beat()
    dog.look()
    number = 0
    while dog.fired_s is None:
        dog.pass_s(every_s, every_s + jumps[number % len(jumps)])
        dog.look()
        number += 1
        assert dog.gap_s <= 30.0
    assert dog.fired_s - dog.beats_s[-1] >= 20.0


@pytest.mark.fault("D18", "K9")
def test_alerts_come_once_each_at_five_and_ten_minutes() -> None:
    dog = Watching()
    dog.beat()
    dog.look()
    dog.look_for(890.0)
    moments = [round(at_s - dog.beats_s[-1]) for at_s, _ in dog.alerts]
    assert moments == [300, 600]
    assert [alert.level for _, alert in dog.alerts] == ["orange", "red"]
    assert dog.fired_s is None
    dog.look_for(15.0)
    assert dog.fired_s is not None
    assert 900.0 <= dog.fired_s - dog.beats_s[-1] <= 910.0


def test_progress_after_an_alert_is_told_and_begins_the_count_anew() -> None:
    dog = Watching()
    dog.beat()
    dog.look()
    dog.look_for(320.0)
    dog.beat()
    dog.look()
    assert [alert.level for _, alert in dog.alerts] == ["orange", "info"]
    dog.look_for(299.0)
    assert len(dog.alerts) == 2
    assert dog.state.word == "watching"


def test_without_any_heartbeat_it_stays_unarmed_for_ever() -> None:
    dog = Watching()
    dog.look_for(5000.0, every_s=5.0)
    assert dog.state.word == "unarmed"
    assert (dog.alerts, dog.fired_s) == ([], None)


def test_file_that_vanishes_or_cannot_be_read_is_no_progress() -> None:
    dog = Watching()
    dog.beat()
    dog.look()
    for _ in range(1810):
        dog.pass_s(0.5)
        dog.look(progress=None if int(dog.now_s) % 2 else dog.progress)
    assert dog.fired_s is not None
    assert 900.0 <= dog.fired_s - dog.beats_s[-1] <= 910.0


@pytest.mark.fault("F8")
@pytest.mark.invariant("V15")
def test_after_a_pause_of_its_own_it_reads_twice_before_it_acts() -> None:
    dog = Watching()
    dog.beat()
    dog.look()
    dog.pass_s(1200.0)  # both were stopped
    dog.look()
    assert dog.fired_s is None
    dog.pass_s(0.6)
    dog.look()  # too soon after the wake to count
    dog.pass_s(0.6)
    dog.look()
    assert dog.fired_s is None
    dog.beat()  # the daemon wakes up as well
    dog.pass_s(0.6)
    dog.look()
    dog.look_for(60.0)
    assert (dog.fired_s, dog.alerts) == (None, [])


@pytest.mark.parametrize("stands_s", [0.0, 950.0])
def test_read_that_stood_still_in_its_middle_counts_no_silence_for_it(stands_s: float) -> None:
    dog = Watching()
    dog.beat()
    dog.look()
    dog.look_for(10.0)
    dog.look(before_s=stands_s)  # its clock was read, then it slept, then the old counter was read
    assert dog.state.watch.silence_s <= 11.0


def test_beat_that_came_while_a_look_stood_still_counts_from_its_end() -> None:
    dog = Watching()
    dog.beat()
    dog.look()
    asked_s = dog.now_s
    dog.pass_s(950.0)  # its clock was read, then it slept, and the daemon beat just before the file was read
    dog.beat()
    dog.state, _ = step(
        dog.state, Looked(asked_s=asked_s, wall_at=dog.wall_at, progress=dog.progress), dog.now_s, LIMITS
    )
    dog.look_for(200.0)
    assert (dog.fired_s, dog.alerts) == (None, [])


def test_grace_is_given_to_a_daemon_that_is_just_starting_and_to_no_other() -> None:
    short_one = Settings(alerts_s=(7.0, 13.0), flatten_s=20.0, grace_s=60.0, probe_s=1e9)
    dog = Watching(short_one)
    dog.beat()  # an old heartbeat: the daemon is still on its way up
    dog.pass_s(100.0)
    dog.look_for(75.0)
    assert dog.fired_s is None
    dog.look_for(10.0)
    assert dog.fired_s is not None
    dog = Watching(short_one)
    dog.beat()
    dog.look()
    dog.look_for(5.0)
    dog.beat()
    dog.look_for(25.0)
    assert dog.fired_s is not None
    assert dog.fired_s - dog.beats_s[-1] <= 25.0


# --- commands that nobody takes -----------------------------------------------------------------

HALT = Wish(command_id=4, kind="Halt", by="OpB")
CLOSE = Wish(command_id=5, kind="Flatten", by="OpA")
TAKEN_3 = KillWord(mode="active", kill_epoch=0, command_id=3)


def looks_at(dog: Watching, seconds: float, kill: KillWord | None, *wishes: Wish, beats: bool = True) -> None:
    for _ in range(int(seconds * 2)):
        dog.pass_s(0.5)
        if beats:
            dog.beat()
        dog.look(kill=kill, wishes=wishes)


def test_halt_that_the_daemon_leaves_lying_is_obeyed_after_thirty_seconds() -> None:
    dog = Watching()
    looks_at(dog, 5, TAKEN_3)
    looks_at(dog, 29, TAKEN_3, HALT)
    assert dog.fired_s is None
    looks_at(dog, 2, TAKEN_3, HALT)
    assert dog.fired_s is not None
    assert dog.state.out is not None
    assert dog.state.out.act == "halt"


def test_flatten_beats_a_halt_given_with_it() -> None:
    dog = Watching()
    looks_at(dog, 40, TAKEN_3, CLOSE, HALT)
    assert dog.state.out is not None
    assert dog.state.out.act == "flatten"


def test_command_that_was_taken_in_time_is_left_to_the_daemon() -> None:
    dog = Watching()
    looks_at(dog, 29, TAKEN_3, HALT, CLOSE)
    looks_at(dog, 100, replace(TAKEN_3, command_id=5), HALT, CLOSE)
    assert dog.fired_s is None


@pytest.mark.parametrize("beats", [True, False])
def test_old_commands_are_not_obeyed_by_a_watchdog_that_starts_anew(beats: bool) -> None:
    dog = Watching()
    dog.beat()
    looks_at(dog, 100, None, HALT, CLOSE, beats=beats)
    assert dog.fired_s is None


def test_without_the_daemons_word_a_new_command_counts_as_taken_while_it_makes_progress() -> None:
    dog = Watching()
    looks_at(dog, 100, None, HALT)
    newer = replace(CLOSE, command_id=9)
    looks_at(dog, 100, None, HALT, newer)
    assert dog.fired_s is None
    looks_at(dog, 31, None, HALT, newer, beats=False)
    assert dog.fired_s is not None


def test_wall_clock_of_the_command_does_not_matter() -> None:
    dog = Watching()
    dog.wall_at = datetime.fromisoformat("2031-01-01T00:00:00+00:00")
    looks_at(dog, 20, TAKEN_3, HALT)
    assert dog.fired_s is None
