"""The kill switch: every cell of both tables, the ramp, the latches and the caps."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import combinations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qgtm.core.codec import canonical, decode
from qgtm.core.mode import Latch, Mode, Trigger
from qgtm.risk.kill_switch import (
    CoolOff,
    KillSwitch,
    counted,
    counted_anew,
    halved,
    latched,
    may_grow,
    may_reduce,
    moved,
    must_flatten,
    override_ended,
    session_opened,
    size_frac,
    trigger_for,
    unlatched,
)
from tests.risk.making import LIMITS, NOON, D

LATCH_SETS = [tuple(sorted(some)) for size in range(4) for some in combinations(Latch, size)]

# The table a second time, as text, by hand: rows are modes, columns triggers; "." means that nothing happens.
BY_HAND = """
                soft_cap hard_cap    heartbeat_lost  overridden recovered operator    reset_confirmed resumed
active          reducing halted_hard halted_dead_man .          .         halted_hard .               .
reducing        .        halted_hard halted_dead_man active     active    halted_hard .               .
halted_hard     .        .           .               .          .         .           active          .
halted_dead_man .        halted_hard .               .          .         halted_hard .               active
"""
HEADER, *ROWS = [line.split() for line in BY_HAND.strip().splitlines()]
CELLS = [
    (Mode(row[0]), Trigger(name), cell) for row in ROWS for name, cell in zip(HEADER, row[1:], strict=True)
]


@pytest.mark.fault("D14")
@pytest.mark.invariant("V12")
def test_table_by_hand_has_every_cell() -> None:
    assert {(mode, trigger) for mode, trigger, _ in CELLS} == set(product(Mode, Trigger))


@pytest.mark.fault("D14")
@pytest.mark.parametrize(("mode", "trigger", "cell"), CELLS)
def test_trigger_moves_the_mode_as_the_table_by_hand_says(mode: Mode, trigger: Trigger, cell: str) -> None:
    before = KillSwitch(mode=mode)
    after = moved(before, trigger, NOON, D("0.085"))
    assert after.mode == (mode if cell == "." else Mode(cell))
    if cell == ".":
        assert after == before


@pytest.mark.parametrize(("mode", "step", "latches"), list(product(Mode, range(6), LATCH_SETS)))
def test_size_is_the_least_that_mode_ramp_and_latches_allow(
    mode: Mode, step: int, latches: tuple[Latch, ...]
) -> None:
    percent = 50 + 10 * step
    if mode is Mode.REDUCING:
        percent = min(percent, 50)
    if mode in (Mode.HALTED_HARD, Mode.HALTED_DEAD_MAN) or latches:
        percent = 0
    switch = KillSwitch(mode=mode, ramp_step=step, latches=latches)
    assert 100 * size_frac(switch) == percent
    assert may_grow(switch) is (mode is Mode.ACTIVE and not latches)
    assert may_grow(switch) <= (size_frac(switch) > 0)
    assert must_flatten(switch) is mode.startswith("halted")
    assert may_reduce(switch) is not (Latch.BREAK in latches or Latch.DISCONNECTED in latches)
    assert may_reduce(switch, is_flattening=True)


@pytest.mark.fault("D11")
@pytest.mark.parametrize(
    ("drawdown", "expected"),
    [
        ("0", None),
        ("0.0799", None),
        ("0.08", Trigger.SOFT_CAP),
        ("0.1199", Trigger.SOFT_CAP),
        ("0.12", Trigger.HARD_CAP),
        ("0.15", Trigger.HARD_CAP),
        ("1", Trigger.HARD_CAP),
        ("NaN", None),
    ],
)
def test_fall_from_active_triggers_the_cap_it_reaches_and_a_gap_goes_to_hard_at_once(
    drawdown: str, expected: Trigger | None
) -> None:
    assert trigger_for(KillSwitch(), D(drawdown), LIMITS) is expected


@pytest.mark.parametrize(
    ("drawdown", "expected"),
    [
        ("0.0599", Trigger.RECOVERED),
        ("0.06", None),
        ("0.0799", None),
        ("0.09", None),
        ("0.12", Trigger.HARD_CAP),
    ],
)
def test_soft_cap_ends_only_above_three_quarters_of_it(drawdown: str, expected: Trigger | None) -> None:
    assert trigger_for(KillSwitch(mode=Mode.REDUCING), D(drawdown), LIMITS) is expected


def test_unknown_fall_triggers_nothing() -> None:
    assert all(trigger_for(KillSwitch(mode=mode), None, LIMITS) is None for mode in Mode)


def test_hard_halt_is_left_by_no_fall_and_the_dead_mans_only_downwards() -> None:
    hard, dead = KillSwitch(mode=Mode.HALTED_HARD), KillSwitch(mode=Mode.HALTED_DEAD_MAN)
    assert {trigger_for(hard, D(n) / 100, LIMITS) for n in range(101)} == {None}
    assert {trigger_for(dead, D(n) / 100, LIMITS) for n in range(101)} == {None, Trigger.HARD_CAP}


@pytest.mark.invariant("V6")
def test_episode_is_counted_once_however_long_the_fall_lasts() -> None:
    switch = KillSwitch()
    for drawdown in ("0.081", "0.085", "0.079", "0.082", "0.110"):
        trigger = trigger_for(switch, D(drawdown), LIMITS)
        switch = moved(switch, trigger, NOON) if trigger else switch
    assert switch.episode == 1
    again = moved(moved(switch, Trigger.RECOVERED, NOON), Trigger.SOFT_CAP, NOON)
    assert again.episode == 2


def test_override_holds_until_the_fall_deepens_by_a_point_and_stays_in_its_episode() -> None:
    halving = moved(KillSwitch(), Trigger.SOFT_CAP, NOON)
    bold = moved(halving, Trigger.OVERRIDDEN, NOON, D("0.085"))
    assert bold.mode is Mode.ACTIVE
    assert trigger_for(bold, D("0.085"), LIMITS) is None
    assert trigger_for(bold, D("0.0949"), LIMITS) is None
    assert trigger_for(bold, D("0.095"), LIMITS) is Trigger.SOFT_CAP
    assert trigger_for(bold, D("0.12"), LIMITS) is Trigger.HARD_CAP
    back = moved(bold, Trigger.SOFT_CAP, NOON)
    assert (back.mode, back.episode, back.override_floor_frac) == (Mode.REDUCING, 1, None)


def test_override_that_ends_brings_the_soft_cap_back_unless_the_fall_has_recovered() -> None:
    bold = moved(moved(KillSwitch(), Trigger.SOFT_CAP, NOON), Trigger.OVERRIDDEN, NOON, D("0.085"))
    ended = override_ended(bold)
    assert trigger_for(ended, D("0.07"), LIMITS) is Trigger.SOFT_CAP
    assert trigger_for(ended, D("0.05"), LIMITS) is Trigger.RECOVERED
    healed = moved(ended, Trigger.RECOVERED, NOON)
    assert healed.override_floor_frac is None
    assert trigger_for(healed, D("0.05"), LIMITS) is None
    assert override_ended(KillSwitch()) == KillSwitch()


def test_override_without_a_known_fall_does_not_move() -> None:
    halving = moved(KillSwitch(), Trigger.SOFT_CAP, NOON)
    assert moved(halving, Trigger.OVERRIDDEN, NOON) == halving


def test_override_never_survives_a_halt() -> None:
    bold = moved(moved(KillSwitch(), Trigger.SOFT_CAP, NOON), Trigger.OVERRIDDEN, NOON, D("0.085"))
    for trigger in (Trigger.HARD_CAP, Trigger.HEARTBEAT_LOST):
        assert moved(bold, trigger, NOON).override_floor_frac is None


def after_reset(now: datetime = NOON) -> KillSwitch:
    """Return a switch that both persons have just reset."""
    return moved(moved(KillSwitch(), Trigger.HARD_CAP, NOON), Trigger.RESET_CONFIRMED, now)


@pytest.mark.mistake(2)
@pytest.mark.invariant("V20")
def test_ramp_climbs_one_step_a_session_and_counts_none_twice() -> None:
    switch, sizes = after_reset(), []
    for day in (2, 3, 3, 4, 4, 5, 6, 9, 10):  # the reset was made during the session of 2 March
        switch = session_opened(switch, date(2026, 3, day))
        sizes.append(int(100 * size_frac(switch)))
    assert sizes == [50, 60, 60, 70, 70, 80, 90, 100, 100]


@pytest.mark.fault("F6")
@pytest.mark.invariant("V20")
def test_ramp_does_not_climb_earlier_for_a_clock_that_goes_back() -> None:
    switch = session_opened(after_reset(), date(2026, 3, 3))
    assert session_opened(switch, date(2026, 3, 2)) == switch
    assert session_opened(switch, date(2025, 3, 4)) == switch


def test_reset_late_in_the_evening_counts_new_yorks_day() -> None:
    late = after_reset(datetime(2026, 3, 3, 2, 0, tzinfo=UTC))  # 21:00 of 2 March in New York
    assert size_frac(session_opened(late, date(2026, 3, 2))) == D("0.5")
    assert size_frac(session_opened(late, date(2026, 3, 3))) == D("0.6")


def test_soft_cap_in_the_ramp_never_skips_the_rest_of_it() -> None:
    switch = session_opened(after_reset(), date(2026, 3, 3))
    switch = moved(switch, Trigger.SOFT_CAP, NOON)
    for day in range(4, 14):
        switch = session_opened(switch, date(2026, 3, day))
    assert size_frac(switch) == D("0.5")
    switch = moved(switch, Trigger.RECOVERED, NOON)
    assert size_frac(switch) == D("0.6")
    assert size_frac(session_opened(switch, date(2026, 3, 16))) == D("0.7")


def test_session_that_opens_under_a_latch_or_a_halt_is_no_step() -> None:
    for held_back in (
        latched(after_reset(), Latch.BREAK),
        moved(after_reset(), Trigger.HEARTBEAT_LOST, NOON),
    ):
        assert session_opened(held_back, date(2026, 3, 3)) == held_back


def test_second_hard_cap_starts_the_ramp_anew() -> None:
    switch = session_opened(after_reset(), date(2026, 3, 3))
    again = moved(moved(switch, Trigger.HARD_CAP, NOON), Trigger.RESET_CONFIRMED, NOON)
    assert size_frac(again) == D("0.5")


@pytest.mark.mistake(2)
def test_fund_that_was_never_reset_runs_at_full_size() -> None:
    assert size_frac(session_opened(KillSwitch(), date(2026, 3, 3))) == 1


def test_halt_keeps_the_moment_it_began_however_often_the_cap_is_hit() -> None:
    halted = moved(KillSwitch(), Trigger.HARD_CAP, NOON)
    later = moved(halted, Trigger.HARD_CAP, NOON + timedelta(hours=3))
    assert later.since == NOON


def test_latch_goes_on_once_and_off_by_name() -> None:
    switch = latched(latched(latched(KillSwitch(), Latch.OPERATOR_HALT), Latch.BREAK), Latch.BREAK)
    assert switch.latches == (Latch.BREAK, Latch.OPERATOR_HALT)
    assert unlatched(switch, Latch.BREAK).latches == (Latch.OPERATOR_HALT,)
    assert unlatched(switch, Latch.DISCONNECTED) == switch


@given(st.lists(st.sampled_from(Trigger), max_size=12), st.sampled_from(LATCH_SETS))
def test_no_trigger_ever_clears_a_latch(triggers: list[Trigger], latches: tuple[Latch, ...]) -> None:
    switch = KillSwitch(latches=latches)
    for trigger in triggers:
        switch = moved(switch, trigger, NOON, D("0.085"))
        assert switch.latches == latches
        assert not (latches and may_grow(switch))


@pytest.mark.fault("D14")
@pytest.mark.invariant("V19")
@given(st.lists(st.sampled_from([t for t in Trigger if t is not Trigger.RESET_CONFIRMED]), max_size=12))
def test_nothing_but_the_reset_of_both_leaves_the_hard_halt(triggers: list[Trigger]) -> None:
    switch = moved(KillSwitch(), Trigger.HARD_CAP, NOON)
    for trigger in triggers:
        switch = moved(switch, trigger, NOON, D("0.085"))
    assert switch.mode is Mode.HALTED_HARD


@pytest.mark.invariant("V12")
@given(
    st.lists(
        st.one_of(st.decimals("0", "0.2", places=3), st.sampled_from(Trigger)),
        max_size=20,
    )
)
def test_asking_again_after_a_move_settles_and_a_fall_never_makes_the_switch_riskier(
    happened: list[Decimal | Trigger],
) -> None:
    switch = KillSwitch()
    for what in happened:
        if isinstance(what, Trigger):
            switch = moved(switch, what, NOON, D("0.085"))
            continue
        trigger = trigger_for(switch, what, LIMITS)
        if trigger is None:
            continue
        before, switch = switch, moved(switch, trigger, NOON)
        assert trigger_for(switch, what, LIMITS) is None
        if trigger is not Trigger.RECOVERED:
            assert size_frac(switch) <= size_frac(before)


DAY_S = 24 * 3600.0


def read(cool_off: CoolOff, journal_s: float, wall_s: float, broker_s: float) -> CoolOff:
    return counted(cool_off, journal_s, NOON + timedelta(seconds=wall_s), NOON + timedelta(seconds=broker_s))


@pytest.mark.fault("D13", "F6", "F7")
@pytest.mark.mistake(1)
def test_cool_off_is_counted_by_the_slowest_clock() -> None:
    begun = read(CoolOff(kill_epoch=1, began_at=NOON), 0.0, 0.0, 0.0)
    assert read(begun, DAY_S, DAY_S, DAY_S).left_s == 0.0
    for slow in range(3):
        clocks = [DAY_S + 5.0, DAY_S + 5.0, DAY_S + 5.0]
        clocks[slow] = DAY_S - 1.0
        assert read(begun, *clocks).left_s == 1.0


@pytest.mark.fault("D13", "F7")
@pytest.mark.mistake(1)
def test_cool_off_is_not_shortened_by_a_clock_put_forward_or_a_restart() -> None:
    cool_off = read(CoolOff(kill_epoch=1, began_at=NOON), 100.0, 0.0, 0.0)
    cool_off = read(cool_off, 160.0, DAY_S + 60, 60.0)  # the wall jumps a day
    assert cool_off.left_s == DAY_S - 60
    cool_off = read(counted_anew(cool_off), 7.0, 2 * DAY_S, 2 * DAY_S)  # down for two days
    assert cool_off.left_s == DAY_S - 60
    assert read(cool_off, 3.0, 2 * DAY_S, 2 * DAY_S).left_s == DAY_S - 60  # process time that goes back
    assert read(cool_off, 7.0 + DAY_S, 2 * DAY_S, 2 * DAY_S).left_s == 0.0


def test_every_halt_has_a_number_of_its_own_and_carries_its_cause() -> None:
    first = moved(KillSwitch(), Trigger.HARD_CAP, NOON)
    assert (first.kill_epoch, first.cause) == (1, Trigger.HARD_CAP)
    assert moved(first, Trigger.OPERATOR, NOON) == first
    back = moved(first, Trigger.RESET_CONFIRMED, NOON)
    assert (back.kill_epoch, back.cause) == (1, None)
    by_watchdog = moved(back, Trigger.HEARTBEAT_LOST, NOON, kill_epoch=7)
    assert (by_watchdog.kill_epoch, by_watchdog.cause) == (7, Trigger.HEARTBEAT_LOST)
    assert moved(by_watchdog, Trigger.OPERATOR, NOON).kill_epoch == 8
    assert moved(back, Trigger.HEARTBEAT_LOST, NOON, kill_epoch=1).kill_epoch == 2


@pytest.mark.invariant("V6")
def test_half_of_a_position_is_whole_and_never_more_than_half() -> None:
    held = {"GLD": D(101), "SLV": D(1), "GDX": D(-7), "SIL": D("2.5"), "IAU": D(0)}
    assert halved(held) == {"GLD": 50, "SLV": 0, "GDX": -3, "SIL": 1, "IAU": 0}
    assert all(abs(halved(held)[name]) <= abs(count) / 2 for name, count in held.items())


def test_switch_survives_the_journal_to_the_last_field() -> None:
    switch = replace(
        after_reset(),
        latches=(Latch.BREAK, Latch.OPERATOR_HALT),
        episode=3,
        override_floor_frac=D("0.095"),
    )
    assert decode(KillSwitch, json.loads(canonical(switch))) == switch
