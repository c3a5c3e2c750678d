"""The dot: every combination of facts, its colour counted a second way, and the words that OpB reads."""

import math
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from itertools import combinations, product
from typing import Any

import pytest

from qgtm.core.mode import Dot, Latch, Mode, Trigger
from qgtm.risk.health import TABLE, Facts, Health, health
from tests.risk.making import D

CALM = Facts(
    mode=Mode.ACTIVE,
    cause=None,
    is_flat=True,
    latches=(),
    heartbeat_age_s=5.0,
    is_connected=True,
    is_account_blocked=False,
    journal_problem=None,
    deployment_problem=None,
    breaks=(),
    drawdown_frac=D("0.02"),
    soft_cap_frac=D("0.08"),
    stale_feeds=(),
    disabled=(),
    rejected_today=0,
    unknown_orders=0,
    is_clock_mismatch=False,
    equity_doubt=None,
    watchdog="watching",
    watchdog_age_s=1.0,
    notices=(),
    open_positions=3,
    notional_usd=D("98765.43"),
)
LATCH_SETS = [tuple(some) for size in range(4) for some in combinations(Latch, size)]
GRAVE: dict[str, list[Any]] = {
    "mode": list(Mode),
    "latches": LATCH_SETS,
    "heartbeat_age_s": [None, 0.0, 90.0, 90.1, float("nan")],
    "is_connected": [True, False],
    "is_account_blocked": [False, True],
    "journal_problem": [None, "the disk is full."],
    "deployment_problem": [None, "tsmom differs."],
    "breaks": [(), ("GLD",)],
}
LESSER: dict[str, list[Any]] = {
    "mode": [Mode.ACTIVE, Mode.REDUCING],
    "drawdown_frac": [None, *map(Decimal, ("NaN", "0", "0.06", "0.0601", "0.0799", "0.08", "0.5"))],
    "stale_feeds": [(), ("cot",), ("cot", "fred"), ("cot", "fred", "ohlcv")],
    "disabled": [(), ("tsmom",)],
    "rejected_today": [0, 2],
    "unknown_orders": [0, 1],
    "is_clock_mismatch": [False, True],
    "equity_doubt": [None, "the account's equity is None"],
    "watchdog": [None, "unarmed", "watching", "failed", "firing"],
    "watchdog_age_s": [None, 90.0, 90.1],
    "notices": [(), ("A looser limit waits.",)],
}
ALL_LESSER_BAD = {
    "drawdown_frac": D("0.09"),
    "stale_feeds": ("cot", "fred"),
    "disabled": ("tsmom",),
    "rejected_today": 2,
    "unknown_orders": 1,
    "is_clock_mismatch": True,
    "equity_doubt": "the account's equity is None",
    "watchdog": "failed",
    "notices": ("A looser limit waits.",),
}


def every(space: dict[str, list[Any]], **fixed: Any) -> Iterator[Facts]:
    """Return the facts for every combination in `space`."""
    for values in product(*space.values()):
        yield replace(CALM, **{**fixed, **dict(zip(space, values, strict=True))})


def troubles(facts: Facts) -> tuple[int, int, int]:
    """Count what is red, orange and yellow in the manual's words, without looking at the table."""
    silent = not (facts.heartbeat_age_s is not None and 0 <= facts.heartbeat_age_s <= 90)
    cut_off = not facts.is_connected or "disconnected" in facts.latches
    halted = facts.mode.value.startswith("halted_")
    differ = len(facts.breaks) > 0 or "break" in facts.latches
    stopped = "operator_halt" in facts.latches
    broken = [facts.journal_problem, facts.deployment_problem]
    red = sum([silent, cut_off, halted, differ, stopped, facts.is_account_blocked, *map(bool, broken)])

    fall = float("nan") if facts.drawdown_frac is None else float(facts.drawdown_frac)
    over_cap = facts.mode.value == "reducing" or (facts.mode.value == "active" and fall >= 0.08)
    is_heard = facts.watchdog_age_s is not None and facts.watchdog_age_s <= 90
    unguarded = facts.watchdog is None or not is_heard or facts.watchdog == "failed"
    orange = sum([over_cap, len(facts.stale_feeds) in (2, 3), facts.disabled != (), unguarded])

    near = facts.mode.value == "active" and 0.06 < fall < 0.08
    counts = [
        facts.rejected_today,
        facts.unknown_orders,
        facts.is_clock_mismatch,
        facts.equity_doubt,
        facts.notices,
        facts.watchdog == "unarmed" and is_heard,
    ]
    yellow = sum([near, math.isnan(fall), len(facts.stale_feeds) == 1, *map(bool, counts)])
    return red, orange, yellow


def colour_of(counted: tuple[int, int, int]) -> Dot:
    """Return the worst colour that was counted."""
    names = [name for name, count in zip(("red", "orange", "yellow"), counted, strict=True) if count]
    return Dot((*names, "green")[0])


def assert_as_counted(facts: Facts) -> None:
    """Hold the dot and the number of lines against the second count."""
    counted, told = troubles(facts), health(facts)
    assert told.dot is colour_of(counted), facts
    assert len(told.lines) == max(1, sum(counted)), facts
    assert told.sentence == told.lines[0]


@pytest.mark.fault("K8")
@pytest.mark.invariant("V24")
def test_dot_is_as_counted_for_every_combination_of_grave_facts() -> None:
    seen = 0
    for facts in every(GRAVE):
        assert_as_counted(facts)
        seen += 1
    assert seen == 4 * 8 * 5 * 2**5


@pytest.mark.fault("E11", "K8")
@pytest.mark.invariant("V24")
def test_dot_is_as_counted_for_every_combination_of_lesser_facts() -> None:
    dots = set()
    for facts in every(LESSER):
        assert_as_counted(facts)
        dots.add(health(facts).dot)
    assert dots == {Dot.GREEN, Dot.YELLOW, Dot.ORANGE}


def test_grave_facts_stay_red_among_all_lesser_troubles() -> None:
    for facts in every(GRAVE, **ALL_LESSER_BAD):
        expected = Dot.RED if troubles(facts)[0] else Dot.ORANGE
        assert health(facts).dot is expected


def test_all_lines_of_the_table_can_be_reached_and_each_has_its_own_words() -> None:
    said = {line for facts in (*every(LESSER), *every(GRAVE)) for line in health(facts).lines}
    texts = [line.text for lines in TABLE.values() for line in lines]
    assert len(set(texts)) == len(texts)
    for text in texts:
        start = text.split("{")[0]
        assert not start or any(line.startswith(start) for line in said), text


def red_facts() -> Iterator[Facts]:
    """Return one set of facts for each way to be red."""
    for name, values in GRAVE.items():
        for value in values:
            facts = replace(CALM, **{name: value})
            if health(facts).dot is Dot.RED:
                yield facts


@pytest.mark.parametrize(
    ("positions", "notional", "words"),
    [
        (3, D("98765.43"), "3 positions worth $98,765"),
        (1, D("1000"), "1 position worth $1,000"),
        (2, None, "2 positions."),
        (0, D(0), "No position is open"),
        (None, None, "not known what is open"),
    ],
)
def test_red_always_says_what_is_open_whom_to_call_and_that_no_answer_needs_nothing(
    positions: int | None, notional: Decimal | None, words: str
) -> None:
    for facts in red_facts():
        sentence = health(replace(facts, open_positions=positions, notional_usd=notional)).sentence
        assert words in sentence
        assert "Call OpA" in sentence
        assert "need not do anything" in sentence


@pytest.mark.parametrize("mode", [Mode.HALTED_HARD, Mode.HALTED_DEAD_MAN])
def test_halt_that_nobody_has_confirmed_flat_does_not_say_that_nothing_is_open(mode: Mode) -> None:
    closing = replace(CALM, mode=mode, open_positions=0, is_flat=False)
    assert "No position is open" not in health(closing).sentence
    assert "the broker has not confirmed" in health(closing).sentence
    assert "No position is open" in health(replace(closing, is_flat=True)).sentence
    left = health(replace(closing, is_flat=True, open_positions=2)).sentence
    assert "Still open" in left
    assert "has closed" not in left


def test_halt_has_closed_everything_only_once_nothing_is_open_by_both_counts() -> None:
    closing = replace(CALM, mode=Mode.HALTED_HARD, open_positions=0)
    assert "has closed everything" in health(closing).sentence
    for more in ({"is_flat": False}, {"open_positions": 1}, {"open_positions": None}):
        assert "closes everything" in health(replace(closing, **more)).sentence


@pytest.mark.parametrize(
    ("cause", "said"),
    [
        (Trigger.OPERATOR, "One of you stopped the fund by hand"),
        (Trigger.HARD_CAP, "now 2.0% below its peak"),
        (None, "now 2.0% below its peak"),
    ],
)
def test_halt_says_who_stopped_the_fund(cause: Trigger | None, said: str) -> None:
    assert said in health(replace(CALM, mode=Mode.HALTED_HARD, cause=cause)).sentence


def every_line() -> set[str]:
    """Return every sentence that any of the combinations gives."""
    return {line for facts in (*every(LESSER), *every(GRAVE)) for line in health(facts).lines}


def test_no_sentence_says_that_no_money_is_at_risk() -> None:
    for line in every_line():
        assert "risk" not in line.lower()
        assert "safe" not in line.lower()


def test_every_sentence_says_what_to_do_and_leaves_no_gap() -> None:
    for line in every_line():
        assert any(word in line for word in ("Call OpA", "Text OpA", "tell OpA", "Nothing to do"))
        assert "{" not in line
        assert "  " not in line
        assert "None" not in line.replace("equity is None", "")


def test_falls_are_told_in_percent() -> None:
    assert (
        "8.3% below its peak" in health(replace(CALM, mode=Mode.REDUCING, drawdown_frac=D("0.083"))).sentence
    )
    assert "at 8.0% it halves" in health(replace(CALM, drawdown_frac=D("0.065"))).sentence


def test_text_from_outside_is_shown_as_it_is_and_not_filled_in() -> None:
    told = health(replace(CALM, journal_problem="{open} {0} {call.__class__}"))
    assert "{open} {0} {call.__class__}" in told.sentence


def test_quiet_day_is_green_with_one_line() -> None:
    told = health(CALM)
    assert told == Health(Dot.GREEN, told.sentence, (told.sentence,))
    assert "Nothing to do" in told.sentence
