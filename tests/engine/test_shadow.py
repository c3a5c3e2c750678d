"""A strategy that has not passed its gates has its say and no weight; on paper it may have a little."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from qgtm.config import load_config
from qgtm.core.codec import canonical, decode, fields_of
from qgtm.core.events import BarsClosed, Booted
from qgtm.core.universe import SYMBOLS
from qgtm.engine.desk import Desk
from qgtm.engine.state import State
from tests.engine.making import OPENS, always, begun, booted, desk, past, taken

AT = desk(always("a", GLD=0.2), always("b", SLV=0.3, GDX=-1.0))
BARS = BarsClosed(
    session=date(2026, 1, 5), known_at=OPENS, bars=dict.fromkeys(SYMBOLS, (100.0, 101.0, 99.0, 100.0, 1e7))
)


def after(*, at: Desk = AT, shadow_frac: float = 0.0, **shadows: str) -> State:
    """Return the state after a session of which the boot named some as shadows."""
    boot = replace(booted(), shadows=shadows, shadow_frac=shadow_frac)
    return taken(begun(boot), BARS, at=at).state


def test_shadow_makes_signals_and_carries_no_weight() -> None:
    state = after(a="shadow: no card")
    assert state.signals["a"] == {"GLD": 0.2}
    assert set(state.weights) == {"SLV", "GDX"}
    assert "a" not in state.by_strategy


def test_shadow_takes_no_part_of_the_budget_from_those_that_trade() -> None:
    alone = taken(begun(), BARS, at=desk(always("b", SLV=0.3, GDX=-1.0))).state
    assert after(a="shadow: no card").weights == alone.weights


def test_fund_of_shadows_alone_wants_nothing() -> None:
    assert after(a="shadow: no card", b="shadow: no card").weights == {}


def test_shadow_that_may_trade_a_little_trades_that_share_of_its_size() -> None:
    """The share is of what its view would be allowed, and that never adds up to more than the budget."""
    wild = desk(always("a", GLD=0.2), always("b", SLV=1.0, GDX=-1.0), history=past(volatility=0.08))
    whole = after(at=wild)
    small = after(at=wild, shadow_frac=0.25, b="shadow: no card")
    assert small.weights["GLD"] == whole.weights["GLD"]
    for symbol in ("SLV", "GDX"):
        assert small.weights[symbol] == pytest.approx(whole.weights[symbol] / 4, abs=1e-6)
        assert abs(whole.weights[symbol]) > 0.004


def test_next_boot_that_finds_it_proven_lets_it_trade() -> None:
    state = after(a="shadow: no card")
    again = taken(state, booted(2), BARS, at=AT).state
    assert again.shadows == {}
    assert again.weights == after().weights


def test_boot_written_before_there_were_gates_is_read_as_one_without_shadows() -> None:
    old = {name: value for name, value in fields_of(booted()).items() if not name.startswith("shadow")}
    assert decode(Booted, old) == booted()
    assert "shadow" in canonical(replace(booted(), shadows={"a": "shadow: no card"}))


def test_default_configuration_lets_shadows_trade_on_paper_only() -> None:
    config = load_config(Path(__file__).resolve().parents[2] / "qgtm_config.toml", {})
    assert (config.fund.mode, config.gates.enforce) == ("paper", False)
