"""The regime is told after each session, from the columns that strategies read, and kept in the state."""

from dataclasses import replace

import numpy as np
import pytest

from qgtm.adapters.artefact import load_model
from qgtm.core.events import BarsClosed, RegimeSeen
from qgtm.core.universe import SYMBOLS
from qgtm.engine.mood import regime_after
from qgtm.engine.state import State
from qgtm.features.hidden_markov import STATES, odds_feature
from tests.engine.making import NOON, SESSION, always, desk, taken

ODDS = odds_feature(load_model().model)
BARS = BarsClosed(session=SESSION, known_at=NOON, bars=dict.fromkeys(SYMBOLS, (1.0, 1.0, 1.0, 1.0, 1.0)))


def told(sessions_seed: int = 3) -> RegimeSeen:
    at = replace(desk(always("a", GLD=0.5)), regime=ODDS)
    facts = taken(State(), BARS, at=at).events
    found = [fact for fact in facts if isinstance(fact, RegimeSeen)]
    assert len(found) == 1
    return found[0]


def test_regime_follows_each_bar_set_and_stays_in_the_state() -> None:
    at = replace(desk(always("a", GLD=0.5)), regime=ODDS)
    after = taken(State(), BARS, at=at).state
    assert after.regime is not None
    assert after.regime.session == SESSION


def test_odds_are_those_of_the_whole_history_at_once() -> None:
    seen = desk().history.seen()
    whole = ODDS.compute(seen)[-1].tolist()
    assert [told().odds[state] for state in STATES] == pytest.approx(whole, abs=0)
    assert sum(whole) == pytest.approx(1.0)


def test_without_a_model_nothing_is_told() -> None:
    assert not [f for f in taken(State(), BARS, at=desk()).events if isinstance(f, RegimeSeen)]


def test_what_is_not_known_is_none_and_never_a_number() -> None:
    seen = desk().history.seen().head(5)
    found = regime_after(SESSION, seen, ODDS)
    assert found.volatility is None
    assert found.thresholds == (None, None, None)
    assert np.isfinite([each for each in found.odds.values() if each is not None]).all()
