"""Is the checker awake? Each planted bug must be noticed, by the seed that is known to bring it out."""

import json
from pathlib import Path

import pytest

from qgtm.config import load_config
from qgtm.simulation.run import lived
from tests.simulation.planted import FOCUS, PLANTED

REPO = Path(__file__).resolve().parents[2]
CONFIG = load_config(REPO / "qgtm_config.toml", {})
FOUND = json.loads(Path(__file__).with_name("planted.json").read_text("utf-8"))
MOST_SEEDS, DAYS = 500, 4


def test_there_are_forty_planted_bugs_and_a_seed_for_each() -> None:
    assert len(PLANTED) >= 40
    assert set(FOUND) == set(PLANTED)
    assert all(0 <= seed < MOST_SEEDS for seed in FOUND.values())


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", sorted(PLANTED))
def test_planted_bug_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The known seed comes first; others follow, since a change elsewhere gives every seed another day."""
    plant, invariants = PLANTED[name]
    plant(monkeypatch)
    broken: set[str] = set()
    for seed in (FOUND[name], *range(MOST_SEEDS)):
        found = lived(seed, DAYS, CONFIG, forced=FOCUS.get(name))
        broken = {violation.invariant for violation in found.violations}
        if broken & set(invariants.split()):
            return
    pytest.fail(f"{name}: {invariants} was never broken, the last was {broken or 'nothing'}")
