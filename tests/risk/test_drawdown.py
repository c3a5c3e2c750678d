"""The fall from the peak: by hand, under flows, and never on one sample."""

import json
from decimal import Decimal
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qgtm.core.codec import canonical, decode
from qgtm.risk.drawdown import (
    Drawdown,
    booted,
    fall_frac,
    flowed,
    is_flow,
    restarted,
    sampled,
    started,
    why_not_believed,
)
from tests.risk.making import D


def fed(
    state: Drawdown, *equities: object, first_s: float = 0.0, every_s: float = 15.0, is_regular: bool = True
) -> Drawdown:
    """Return the state after samples on which both sources agree."""
    for number, equity in enumerate(equities):
        usd = D(str(equity))
        state = sampled(state, usd, usd, first_s + every_s * number, is_regular=is_regular)
    return state


def test_rise_and_fall_by_hand() -> None:
    # 100 -> 125 -> 100: a fall of 25 from 125, which is a fifth.
    up = fed(started(D(100)), 125, 125, 125)
    assert (up.high_water_mark_usd, up.drawdown_frac) == (D("1.25"), 0)
    down = fed(up, 100, 100, 100, first_s=100)
    assert down.drawdown_frac == D("0.2")
    assert down.high_water_mark_usd == D("1.25")


@pytest.mark.fault("C11")
def test_deposit_and_withdrawal_by_hand_move_units_and_no_drawdown() -> None:
    # A fund of 100 has fallen to 90. 45 come in: 50 units. 150 units fall to 120: 0.80, a fall of a fifth.
    fallen = fed(started(D(100)), 90, 90, 90)
    assert fallen.drawdown_frac == D("0.1")
    funded = flowed(fallen, D(45))
    assert (funded.units, funded.drawdown_frac) == (150, D("0.1"))
    lower = fed(funded, 120, 120, 120, first_s=100)
    assert lower.drawdown_frac == D("0.2")
    # Half is withdrawn: 60 of 120, at 0.80 a unit 75 units.
    halved = flowed(lower, D(-60))
    assert (halved.units, halved.drawdown_frac) == (75, D("0.2"))


@pytest.mark.fault("C11")
def test_deposit_at_night_is_bought_at_the_value_last_seen_and_hides_no_loss() -> None:
    # 100 by day, 80 after hours; 80 come in. True value of a unit: 0.80, before and after.
    night = fed(fed(started(D(100)), 100, 100, 100), 80, first_s=100, is_regular=False)
    assert night.drawdown_frac == 0
    funded = flowed(night, D(80))
    assert funded.units == 200
    assert fed(funded, 160, 160, 160, first_s=5000).drawdown_frac == D("0.2")


@pytest.mark.fault("L4")
def test_flow_that_leaves_no_unit_changes_nothing_and_says_so() -> None:
    state = started(D(100))
    for amount in (-100, -101):
        after = flowed(state, D(amount))
        assert after.units == 100
        assert "leaves no unit" in str(after.doubt)
    ruined = fed(state, 0, 0, 0)
    assert ruined.drawdown_frac == 1
    assert flowed(ruined, D(50)).units == 100


@pytest.mark.parametrize("kind", ["CSD", "CSW", "JNLC", "ACATC", "TRANS"])
def test_owners_money_is_a_flow(kind: str) -> None:
    assert is_flow(kind)


@pytest.mark.fault("C11", "C17")
@pytest.mark.parametrize("kind", ["DIV", "INT", "FEE", "FILL", "DIVNRA", "CFEE", ""])
def test_income_and_costs_are_no_flow(kind: str) -> None:
    assert not is_flow(kind)


@pytest.mark.fault("A17", "D10")
def test_two_samples_confirm_nothing_and_the_third_does() -> None:
    state = fed(started(D(100)), 100, 100, 100)
    two = fed(state, 85, 85, first_s=100)
    assert two.drawdown_frac == 0
    assert two.seen_frac == D("0.15")
    assert fed(two, 85, first_s=130).drawdown_frac == D("0.15")


def test_fall_is_believed_only_as_far_as_all_three_agree() -> None:
    state = fed(started(D(100)), 100, 100, 100)
    assert fed(state, 90, 85, 80, first_s=100).drawdown_frac == D("0.1")
    assert fed(state, 80, 100, 80, first_s=100).drawdown_frac == 0


@pytest.mark.fault("A17", "D10")
def test_one_bad_print_never_raises_the_peak() -> None:
    state = fed(started(D(100)), 100, 100, 150, 100, 100, 100)
    assert state.high_water_mark_usd == 1


@pytest.mark.fault("D10")
def test_samples_closer_than_ten_seconds_count_as_one() -> None:
    state = started(D(100))
    assert fed(state, 80, 80, 80, every_s=3.0).drawdown_frac == 0
    assert fed(state, 80, 80, 80, every_s=9.999).drawdown_frac == 0
    assert fed(state, 80, 80, 80, every_s=10.0).drawdown_frac == D("0.2")


def test_samples_too_far_apart_never_meet() -> None:
    assert fed(started(D(100)), 80, 80, 80, 80, every_s=181.0).drawdown_frac == 0
    assert fed(started(D(100)), 80, 80, 80, every_s=90.0).drawdown_frac == D("0.2")


def test_clock_that_began_anew_drops_the_samples_before_it() -> None:
    two = fed(started(D(100)), 80, 80, first_s=1000.0)
    assert fed(two, 80, first_s=5.0).drawdown_frac == 0
    assert booted(two).samples == ()


def test_samples_after_hours_are_seen_and_confirm_nothing() -> None:
    night = fed(started(D(100)), 80, 80, 80, 80, is_regular=False)
    assert (night.drawdown_frac, night.seen_frac, night.samples) == (0, D("0.2"), ())


@pytest.mark.fault("A17", "L4")
@pytest.mark.parametrize(
    ("account", "own"),
    [
        ("0", "100"),
        ("NaN", "100"),
        ("Infinity", "100"),
        ("150", "100"),
        ("100", "98.9"),
        ("-100", "100"),
        ("100", "NaN"),
    ],
)
def test_equity_on_which_the_sources_differ_is_not_believed(account: str, own: str) -> None:
    state = started(D(100))
    for second in (0, 15, 30, 45):
        state = sampled(state, D(account), D(own), float(second), is_regular=True)
    assert (state.drawdown_frac, state.high_water_mark_usd) == (0, 1)
    assert state.doubt is not None


@pytest.mark.fault("A17")
@pytest.mark.parametrize(("account", "own"), [(None, D(100)), (D(100), None), (None, None)])
def test_missing_equity_is_not_believed_and_says_which(account: Decimal | None, own: Decimal | None) -> None:
    state = sampled(started(D(100)), account, own, 0.0, is_regular=True)
    assert state.doubt == why_not_believed(account, own)
    assert state.samples == ()


def test_sources_within_a_percent_agree_and_the_smaller_counts() -> None:
    state = started(D(100))
    for second in (0.0, 15.0, 30.0):
        state = sampled(state, D(90), D("89.1"), second, is_regular=True)
    assert state.doubt is None
    assert state.drawdown_frac == D("0.109")


@pytest.mark.fault("C11")
def test_deposit_not_heard_of_never_raises_the_peak() -> None:
    state = fed(started(D(100)), 100, 100, 100)
    for second in (100.0, 115.0, 130.0):  # half a percent came in, and our books do not know
        state = sampled(state, D("100.5"), D(100), second, is_regular=True)
    assert (state.high_water_mark_usd, state.drawdown_frac) == (1, 0)


@pytest.mark.mistake(2)
def test_reset_restarts_the_peak_and_keeps_the_lifetimes() -> None:
    fallen = fed(started(D(100)), 85, 85, 85)
    fresh = restarted(fallen)
    assert (fresh.drawdown_frac, fresh.lifetime_frac) == (0, D("0.15"))
    assert fed(fresh, 100, 100, 100, first_s=500).lifetime_frac == 0


@pytest.mark.fault("L4")
@pytest.mark.parametrize("equity", ["0", "-1", "NaN", "Infinity"])
def test_fund_without_money_does_not_start(equity: str) -> None:
    with pytest.raises(ValueError, match="starts with money"):
        started(D(equity))


equities = st.lists(st.integers(50, 200), min_size=1, max_size=25)


@given(equities)
def test_confirmed_value_follows_the_rule_of_three_written_another_way(values: list[int]) -> None:
    """The rule as a median of the last value, the least and the most of three."""
    believed, peak = 1.0, 1.0
    for end in range(3, len(values) + 1):
        three = [value / 100 for value in values[end - 3 : end]]
        believed = median([believed, min(three), max(three)])
        peak = max(peak, believed)
    state = fed(started(D(100)), *values)
    assert float(state.unit_value_usd) == pytest.approx(believed)
    assert float(state.high_water_mark_usd) == pytest.approx(peak)
    assert float(state.drawdown_frac) == pytest.approx(1 - believed / peak)


@pytest.mark.fault("C11")
@given(equities, st.integers(1, 400), st.integers(0, 25))
def test_deposit_known_in_time_changes_no_drawdown_anywhere(values: list[int], amount: int, at: int) -> None:
    plain, funded, share = started(D(100)), started(D(100)), D(1)
    for number, value in enumerate(values):
        if number == at:
            before = funded.units
            funded = flowed(funded, D(amount))
            share = share * funded.units / before
        plain = fed(plain, value, first_s=15.0 * number)
        own = D(value) * share
        funded = sampled(funded, own, own, 15.0 * number, is_regular=True)
        assert float(funded.drawdown_frac) == pytest.approx(float(plain.drawdown_frac))


@pytest.mark.fault("D12")
@given(equities)
def test_drawdown_is_a_fraction_and_the_peak_never_falls(values: list[int]) -> None:
    state, peak = started(D(100)), D(0)
    for number, value in enumerate(values):
        state = fed(state, value, first_s=15.0 * number)
        assert 0 <= state.drawdown_frac <= 1
        assert state.high_water_mark_usd >= peak
        peak = state.high_water_mark_usd


def test_fall_is_zero_at_and_above_the_peak() -> None:
    assert fall_frac(D("1.1"), D(1)) == fall_frac(D(1), D(1)) == 0
    assert fall_frac(D("0.88"), D(1)) == D("0.12")


@pytest.mark.fault("D12")
def test_state_survives_the_journal_to_the_last_digit() -> None:
    state = flowed(fed(started(D("250000.37")), 251000, "249876.11", 250123), D("777.77"))
    assert decode(Drawdown, json.loads(canonical(state))) == state
