"""The judge of look-ahead: every planted leak is caught on any market, no honest twin is suspected."""

import json
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from qgtm.cli import main
from qgtm.features.bars import FloatArray
from qgtm.research.leaks import Kind, Suspect, World, another, cuts_of, judged
from qgtm.research.zoo import Pair, gold, moves, pairs, world

PAIRS = pairs()


@pytest.fixture(scope="module", params=[5, 6])
def there(request: pytest.FixtureRequest) -> World:
    return world(seed=request.param)


def test_thirty_pairs_each_of_another_kind() -> None:
    assert len(PAIRS) == len({pair.planted.name for pair in PAIRS}) == 30
    assert {pair.planted.kind for pair in PAIRS} == set(Kind)


@pytest.mark.mistake(17)
@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.planted.name)
def test_planted_leak_is_caught_and_its_twin_is_not(pair: Pair, there: World) -> None:
    assert judged(pair.planted, there) is not None
    assert judged(pair.clean, there) is None


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.planted.name)
def test_twins_differ_and_neither_is_silent(pair: Pair, there: World) -> None:
    """A twin that said nothing would pass for honest."""
    planted, clean = pair.planted.ask(there), pair.clean.ask(there)
    row = len(there) - 40
    assert planted.shape == clean.shape
    assert np.isfinite(clean[row - 9 : row]).any()
    assert not np.array_equal(planted, clean, equal_nan=True)


def test_a_leak_of_a_single_bit_in_a_single_row_is_caught(there: World) -> None:
    row = cuts_of(there)[3]

    def ask(seen: World) -> FloatArray:
        values = gold(seen).copy()
        if len(seen) > row + 1:
            values[row] = np.nextafter(values[row], np.inf)
        return values

    found = judged(Suspect("one bit", "", ask), there)
    assert found is not None
    assert found.session == date.fromordinal(int(there.bars.sessions[row]))


def test_the_future_that_goes_another_way_leaves_the_past(there: World) -> None:
    changed = another(there, 200)
    assert np.array_equal(changed.bars.close[:200], there.bars.close[:200], equal_nan=True)
    assert not np.isclose(changed.bars.close[210:], there.bars.close[210:]).any()
    since = there.closes[199]
    for fact, other in zip(there.facts, changed.facts, strict=True):
        assert (fact.value == other.value) == (fact.known_at <= since)


def test_known_world_holds_nothing_later(there: World) -> None:
    now = there.known(100)
    assert len(now) == len(now.closes) == 101
    assert max(fact.known_at for fact in now.facts) <= there.closes[100]
    assert not now.delisted
    assert there.known(len(there) - 1).delisted == there.delisted


def test_a_rule_that_knows_only_when_it_is_live_is_caught_by_the_other_way(there: World) -> None:
    """It answers honestly whenever the history ends at the cut, and leaks when there is more."""

    def ask(seen: World) -> FloatArray:
        later = moves(gold(seen))
        return np.append(np.sign(later[1:]), 0.0)

    assert judged(Suspect("knows its end", "", ask), there) is not None


def test_command_says_what_was_caught(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["leaks", "--json"])
    assert ended.value.code == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["planted"], said["caught"], said["clean"], said["false_alarms"]) == (30, 30, 30, 0)


def test_command_fails_when_the_judge_sleeps(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import qgtm.cli.leaks as verb

    asleep = replace(PAIRS[0], planted=PAIRS[0].clean)
    monkeypatch.setattr(verb, "pairs", lambda: (asleep, *PAIRS[1:]))
    with pytest.raises(SystemExit) as ended:
        main(["leaks"])
    assert ended.value.code == 1
    assert "29 of 30 planted leaks caught; 0 of 30 honest twins suspected." in capsys.readouterr().out
