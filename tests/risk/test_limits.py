"""Limits from the configuration: what is refused, in which words, and what is tighter."""

import dataclasses
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qgtm.core.errors import ConfigError
from qgtm.risk.limits import (
    DECIDED,
    Limits,
    contradictions,
    limits_from,
    loosened,
    numbers,
    outer_bound,
    tighter_of,
)
from tests.risk.making import LIMITS, TABLE, D


def with_value(name: str, value: object) -> dict[str, object]:
    """Return the table with one value replaced, dotted inside a table."""
    table, _, inner = name.partition(".")
    if not inner:
        return {**TABLE, name: value}
    before = TABLE[table]
    assert isinstance(before, Mapping)
    return {**TABLE, table: {**before, inner: value}}


def said(table: Mapping[str, object]) -> str:
    """Return the sentence with which these limits are refused."""
    with pytest.raises(ConfigError) as caught:
        limits_from(table)
    return str(caught.value)


def test_decided_limits_are_taken_as_they_are_written() -> None:
    assert LIMITS.gross_frac == D("2.0")
    assert LIMITS.order_shares == 50_000
    assert LIMITS.single_name("GLD") == D("0.50")
    assert LIMITS.single_name("SLV") == D("0.35")
    assert LIMITS.single_name("GDX") == D("0.25")
    assert LIMITS.factor_share_frac["curve"] == D("0.15")


def test_committed_configuration_holds_the_decided_limits(repo: Path) -> None:
    text = (repo / "qgtm_config.toml").read_text(encoding="utf-8")
    assert limits_from(tomllib.loads(text, parse_float=Decimal)["limits"]) == LIMITS


@pytest.mark.fault("I3")
def test_every_field_has_an_outer_bound_of_twice_its_decided_value() -> None:
    assert set(numbers(LIMITS)) == set(DECIDED)
    assert {name: outer_bound(name) for name in DECIDED} == {n: 2 * v for n, v in numbers(LIMITS).items()}


@pytest.mark.parametrize("name", DECIDED)
def test_missing_limit_is_refused_by_name(name: str) -> None:
    table, _, inner = name.partition(".")
    held = TABLE[table]
    if inner:
        assert isinstance(held, Mapping)
        rest = {**TABLE, table: {key: value for key, value in held.items() if key != inner}}
    else:
        rest = {key: value for key, value in TABLE.items() if key != name}
    assert f"limits.{name} is missing" in said(rest)


@pytest.mark.fault("I3")
@pytest.mark.parametrize("name", DECIDED)
def test_value_past_its_outer_bound_is_refused_by_name(name: str) -> None:
    past = outer_bound(name) + (1 if "." not in str(numbers(LIMITS)[name]) else D("0.0001"))
    words = said(with_value(name, past))
    assert f"limits.{name} is {past}" in words
    assert "bound" in words


@pytest.mark.fault("I2")
@pytest.mark.parametrize("value", [True, "0.08", None, 0.08, [D("0.08")], {"a": 1}])
def test_value_that_is_no_number_is_refused(value: object) -> None:
    assert "limits.soft_cap_frac" in said({**TABLE, "soft_cap_frac": value})


@pytest.mark.fault("I2")
@pytest.mark.parametrize("value", [D("NaN"), D("Infinity"), D("-Infinity"), D(0), D("-0.08"), -8])
def test_number_that_is_no_limit_is_refused(value: object) -> None:
    assert "above zero" in said({**TABLE, "soft_cap_frac": value})


@pytest.mark.fault("I2")
@pytest.mark.parametrize(
    ("name", "wrong", "meant"),
    [
        ("soft_cap_frac", 8, "0.08"),
        ("hard_cap_frac", D("12.0"), "0.12"),
        ("single_name_override_frac.GLD", 50, "0.5"),
        ("gross_frac", 200, "2"),
        ("spread_bps", D("0.0025"), "25"),
    ],
)
def test_wrong_unit_is_refused_with_the_value_that_was_meant(name: str, wrong: object, meant: str) -> None:
    assert f"did you mean {meant}?" in said(with_value(name, wrong))


def test_huge_count_is_refused_with_its_bound() -> None:
    assert "write at most 100000" in said({**TABLE, "order_shares": 10**12})


def test_count_with_a_fraction_is_refused() -> None:
    assert "whole number" in said({**TABLE, "orders_per_day": D("299.5")})


@pytest.mark.fault("I3", "L1")
@pytest.mark.parametrize("huge", ["1e308", "1E+5000"])
@pytest.mark.parametrize("name", DECIDED)
def test_astronomic_number_is_refused_and_never_crashes(name: str, huge: str) -> None:
    assert f"limits.{name} is" in said(with_value(name, D(huge)))


@pytest.mark.fault("I1")
def test_unknown_key_is_refused_with_the_nearest_known_one() -> None:
    assert "did you mean soft_cap_frac?" in said({**TABLE, "softcap_frac": D("0.08")})
    assert "delete the key" in said({**TABLE, "zzzz": 1})
    assert "single_name_override_frac.GLD" in said(with_value("single_name_override_frac.GLDD", D("0.3")))


def test_all_problems_are_told_at_once() -> None:
    words = said({**TABLE, "soft_cap_frac": 8, "order_shares": "many", "colour": 1})
    assert len(words.splitlines()) == 3


@pytest.mark.fault("I2")
@pytest.mark.mistake(6)
@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"soft_cap_frac": D("0.12")}, "the soft cap would never act"),
        ({"soft_cap_frac": D("0.13")}, "the soft cap would never act"),
        ({"net_frac": D("2.5")}, "net exposure"),
        ({"sector_frac": D("0.40")}, "single_name_override_frac.GLD"),
        ({"gross_frac": D("0.55"), "net_frac": D("0.5")}, "sector_frac"),
        ({"daily_loss_frac": D("0.06")}, "weekly_loss_frac"),
        ({"weekly_loss_frac": D("0.10"), "hard_cap_frac": D("0.09")}, "hard cap"),
        ({"orders_per_minute": 1}, "same_order_per_minute"),
        ({"orders_per_day": 20}, "orders_per_minute"),
        ({"no_trade_band_frac": D("0.01"), "order_frac": D("0.01")}, "too small or too large"),
        ({"volatility_target_frac": D("0.24")}, "value_at_risk_frac"),
    ],
)
def test_two_limits_that_contradict_each_other_are_refused(changed: dict[str, object], why: str) -> None:
    assert why in said({**TABLE, **changed})


def test_symbol_gains_a_limit_of_its_own_within_twice_every_symbols() -> None:
    taken = limits_from(with_value("single_name_override_frac.GDX", D("0.50")))
    assert taken.single_name("GDX") == D("0.50")
    assert "outer bound 0.5" in said(with_value("single_name_override_frac.GDX", D("0.51")))


def test_own_limit_counts_as_looser_when_it_is_added_and_when_it_is_taken_away() -> None:
    wide = limits_from(with_value("single_name_override_frac.GDX", D("0.40")))
    narrow = limits_from(with_value("single_name_override_frac.GDX", D("0.10")))
    assert loosened(wide, LIMITS) == ("single_name_override_frac.GDX",)
    assert loosened(LIMITS, narrow) == ("single_name_override_frac.GDX",)
    assert loosened(narrow, LIMITS) == ()


shrinking = st.fixed_dictionaries(
    {
        name: st.sampled_from([D("1"), D("0.9"), D("0.8")])
        for name in ("gross_frac", "order_frac", "daily_loss_frac")
    }
)


@given(shrinking, shrinking)
def test_tighter_of_two_is_looser_than_neither_and_sound(
    one: dict[str, Decimal], two: dict[str, Decimal]
) -> None:
    first, second = (
        dataclasses.replace(LIMITS, **{name: getattr(LIMITS, name) * share for name, share in shares.items()})
        for shares in (one, two)
    )
    both = tighter_of(first, second)
    assert loosened(both, first) == loosened(both, second) == ()
    assert both == tighter_of(second, first)
    assert contradictions(both) == ()


def test_limits_cannot_be_changed_in_place() -> None:
    name = "gross_frac"
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(LIMITS, name, D(9))
    assert isinstance(LIMITS, Limits)
