"""A world that died ends where one that did not die could have ended; all else is said."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

import pytest

from qgtm.simulation.ending import Ending, unlike

PEAK = Decimal("1.1")


def ending(held: Mapping[str, int], mode: str = "active", acts: int = 3) -> Ending:
    return Ending(
        held={symbol: Decimal(shares) for symbol, shares in held.items()},
        buys={},
        sells={},
        marks=dict.fromkeys(held, Decimal(100)),
        equity=Decimal(250_000),
        mode=mode,
        peak_usd=PEAK,
        acts=acts,
    )


BEGUN = ending({"GLD": 100})
ALIVE = ending({"GLD": 300})


@pytest.mark.invariant("V12")
@pytest.mark.parametrize("shares", [74, 75, 100, 200, 300, 325, 326])
def test_position_between_what_was_held_and_the_others_end_is_reachable(shares: int) -> None:
    assert list(unlike(BEGUN, ending({"GLD": shares}), ALIVE)) == []


@pytest.mark.invariant("V12")
@pytest.mark.parametrize(("shares", "is_like"), [(500, True), (526, True), (527, False)])
def test_who_had_more_time_may_be_nearer_to_what_is_wanted_and_not_beyond_it(
    shares: int, is_like: bool
) -> None:
    dead = replace(ending({"GLD": shares}), wanted={"GLD": Decimal(500)})
    assert (list(unlike(BEGUN, dead, ALIVE)) == []) is is_like


@pytest.mark.invariant("V12")
@pytest.mark.parametrize("shares", [-1, 73, 327])
def test_position_beyond_both_is_not(shares: int) -> None:
    (text,) = unlike(BEGUN, ending({"GLD": shares}), ALIVE)
    assert text == f"{shares} GLD after the crash, where 100 were held and 300 are without it"


def test_what_was_on_its_way_at_the_crash_may_have_filled() -> None:
    assert list(unlike(replace(BEGUN, sells={"GLD": Decimal(90)}), ending({"GLD": 10}), ALIVE)) == []


def test_what_rests_at_the_end_may_still_fill() -> None:
    late = replace(ending({"GLD": 400}), sells={"GLD": Decimal(100)})
    assert list(unlike(BEGUN, late, ALIVE)) == []


@pytest.mark.invariant("V12")
def test_lower_peak_and_a_mode_that_nobody_has_eased_are_said() -> None:
    halted = replace(BEGUN, mode="halted_hard")
    eased = replace(BEGUN, peak_usd=Decimal(1))
    told = list(unlike(halted, eased, replace(ALIVE, mode="halted_hard")))
    assert told == [
        "the peak of 1.1 is 1 after the crash",
        "halted_hard is active after the crash, and nobody has done anything",
    ]
    by_hand = replace(BEGUN, acts=4)
    assert list(unlike(halted, by_hand, replace(ALIVE, mode="halted_hard"))) == []
