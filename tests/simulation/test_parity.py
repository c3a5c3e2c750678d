"""The daemon's way against the notebooks' own figures: nothing differs, and what is planted is named."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qgtm.config import load_config
from qgtm.core.fact import Fact
from qgtm.features.bars import FloatArray
from qgtm.features.seen import Seen
from qgtm.research.made_up_panel import made_up_seen
from qgtm.simulation import live_path, parity
from qgtm.simulation.live_path import LivePath, bar_sets, facts_of, whole
from qgtm.simulation.parity import Agreement, Difference, agreement
from qgtm.strategies import BY_NAME, Strategy, curve_steepening, donchian_breakout, miners_vs_metal
from qgtm.workbench.working import working_copy

REPO = Path(__file__).resolve().parents[2]
LIMITS = load_config(REPO / "qgtm_config.toml", {}).limits
NAMES = ("curve_steepening", "donchian_breakout", "miners_vs_metal", "vol_skew")
LENGTH = 150  # the slowest of the four is warm by then


@pytest.fixture(scope="module")
def market() -> Seen:
    return made_up_seen(LENGTH, 12)


@pytest.fixture(scope="module")
def notebooks() -> dict[str, Strategy]:
    """Return the rules as the notebooks have them, loaded beside the prints that the daemon runs."""
    return {name: working_copy(REPO, name).strategy for name in NAMES}


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parity, "CHECKPOINT_EVERY", 40)


def compared(market: Seen, notebooks: dict[str, Strategy], folder: Path, *names: str) -> Agreement:
    return agreement(market, [BY_NAME[name] for name in names], notebooks, LIMITS, folder)


def session(market: Seen, row: int) -> date:
    return date.fromordinal(int(market.bars.sessions[row]))


def said(notebooks: dict[str, Strategy], market: Seen, name: str) -> FloatArray:
    strategy = notebooks[name]
    found: FloatArray = strategy.module.signal(market.select(strategy.symbols))
    return found


def test_no_decision_differs_over_checkpoints_and_a_restart(
    market: Seen, notebooks: dict[str, Strategy], tmp_path: Path
) -> None:
    found = compared(market, notebooks, tmp_path, *NAMES)
    views = [~np.isnan(said(notebooks, market, name)).all(axis=1) for name in NAMES]
    assert found.decisions == sum(int(each.sum()) for each in views) > 200
    assert (found.differing, found.differences) == (0, ())
    assert (found.checkpoints, found.restarted_on) == (3, session(market, 74))


def test_one_line_planted_in_a_rule_is_named_with_strategy_bar_and_no_input(
    market: Seen, notebooks: dict[str, Strategy], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    update = donchian_breakout.update

    def turned(*given: Any) -> Any:
        state, targets = update(*given)
        return state, targets * [1.0, 1.0, 1.0, -1.0]

    monkeypatch.setattr(donchian_breakout, "update", turned)
    short = market.head(90)
    found = compared(short, notebooks, tmp_path, "donchian_breakout", "curve_steepening")
    wanted = said(notebooks, short, "donchian_breakout")[:, 3]
    rows = np.flatnonzero(np.nan_to_num(wanted))
    assert found.differing == len(rows) > 0
    value = float(wanted[rows[0]])
    assert found.differences == (
        Difference("donchian_breakout", session(market, rows[0]), "GDXJ", "none: the rule", -value, value),
    )


@pytest.fixture
def shortened() -> Iterator[str]:
    """Plant a feature that is one session short of what it needs where it grows by a row."""
    feature = curve_steepening.TWO_YEARS
    before = feature.window
    object.__setattr__(feature, "window", 63)
    yield feature.name
    object.__setattr__(feature, "window", before)


def test_one_line_planted_in_a_feature_is_named_as_the_input(
    market: Seen, notebooks: dict[str, Strategy], tmp_path: Path, shortened: str
) -> None:
    found = compared(market.head(90), notebooks, tmp_path, "curve_steepening")
    (first,) = found.differences
    assert (first.input, first.symbol) == (shortened, "GLD")
    assert first.session == session(market, curve_steepening.warm_up - 1)
    assert first.live is None
    assert found.differing > 20


def test_value_that_the_store_has_otherwise_is_named_before_what_is_made_of_it(
    market: Seen, notebooks: dict[str, Strategy], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = int(np.flatnonzero(said(notebooks, market, "curve_steepening")[:, 0] == 1.0)[0])

    def spoilt(seen: Seen) -> list[Fact]:
        close = bar_sets(seen.bars)[row].known_at
        return [
            replace(fact, value=fact.value + 5) if (fact.series, fact.known_at) == ("DGS2", close) else fact
            for fact in facts_of(seen)
        ]

    monkeypatch.setattr(live_path, "facts_of", spoilt)
    found = compared(market.head(row + 1), notebooks, tmp_path, "curve_steepening")
    assert found.differences == (
        Difference("curve_steepening", session(market, row), "GLD", "DGS2", 0.0, 1.0),
    )


def test_strategy_that_fails_says_so_and_has_no_decision_from_then_on(
    market: Seen, notebooks: dict[str, Strategy], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = miners_vs_metal.view

    def failing(seen: Seen, *given: Any) -> FloatArray:
        if len(seen.bars) and int(seen.bars.sessions[-1]) == int(market.bars.sessions[140]):
            raise RuntimeError("planted")
        return view(seen, *given)

    monkeypatch.setattr(miners_vs_metal, "view", failing)
    found = compared(market, notebooks, tmp_path, "miners_vs_metal")
    (first,) = found.differences
    assert (first.session, first.live) == (session(market, 140), None)
    assert first.input == "none: it failed (RuntimeError: planted)"
    assert found.differing == LENGTH - 140


def test_fresh_start_folds_the_journal_to_the_same_state_and_remembers_the_same_market(
    market: Seen, tmp_path: Path
) -> None:
    there = whole(market)
    path = LivePath(tmp_path, (BY_NAME["donchian_breakout"],), LIMITS, there)
    sets = bar_sets(there.bars)
    for row, bars in enumerate(sets[:70]):
        path.live(bars)
        if row == 64:
            path.checkpoint(bars.known_at)
    state, history = path.kernel.state, path.history
    path.restart()
    assert path.history is not history
    assert path.kernel.state == state
    for one, other in ((path.history, history), (path.history, None)):
        seen, was = one.seen(), (other.seen() if other else there.head(70))
        np.testing.assert_array_equal(seen.bars.close, was.bars.close)
        np.testing.assert_array_equal(seen.panel.values, was.panel.values)
        np.testing.assert_array_equal(seen.panel.described, was.panel.described)
    path.close()


def test_facts_are_known_at_a_close_and_not_before(market: Seen, tmp_path: Path) -> None:
    there = whole(market)
    path = LivePath(tmp_path, (), LIMITS, there)
    sets = bar_sets(there.bars)
    path.live(sets[0])
    path.close()
    seen = path.history.seen()
    np.testing.assert_array_equal(seen.panel.values, there.panel.values[:1])
    assert np.isnan(seen.panel.column("WALCL")[0]) == np.isnan(there.panel.column("WALCL")[0])
