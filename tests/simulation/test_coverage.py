"""A run says what it did not meet often enough, and what is held elsewhere is really there."""

import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pytest

from qgtm.config import load_config
from qgtm.simulation.coverage import gaps, strikes, wanted_edges
from qgtm.simulation.elsewhere import EDGES, FAULTS, INVARIANTS
from qgtm.simulation.sizes import SAID, Tally, report

REPO = Path(__file__).resolve().parents[2]


@dataclass
class Told:
    """What the seeds of a kind came to, as a test wants it."""

    days: int = 10_000
    fired: Counter[str] = field(default_factory=Counter)
    edges: Counter[str] = field(default_factory=Counter)
    reached: Counter[str] = field(default_factory=Counter)


def whole() -> Told:
    """Return a run that met everything, just."""
    return Told(
        fired=Counter(dict.fromkeys(strikes().values(), 100)),
        edges=Counter(dict.fromkeys(wanted_edges() - set(EDGES), 1)),
        reached=Counter(dict.fromkeys(("soft_cap", "hard_cap", "heartbeat_lost"), 1_000)),
    )


def test_run_that_met_everything_has_no_gap() -> None:
    assert gaps({"days": whole()}) == []


@pytest.mark.parametrize("name", sorted(strikes()))
def test_fault_that_struck_ninety_nine_times_is_a_gap(name: str) -> None:
    told = whole()
    told.fired[strikes()[name]] = 99
    assert f"{name} struck 99 times in 10000 days, and 100 are wanted." in gaps({"days": told})


def test_smaller_run_is_asked_for_its_share() -> None:
    told = whole()
    told.days, told.fired["refused"] = 1_000, 10
    told.reached = Counter(dict.fromkeys(told.reached, 100))
    assert gaps({"days": told}) == []
    told.fired["refused"] = 9
    assert gaps({"days": told}) == ["down struck 9 times in 1000 days, and 10 are wanted."]


@pytest.mark.parametrize("cap", ["soft_cap", "hard_cap", "heartbeat_lost"])
def test_cap_on_too_few_days_is_a_gap(cap: str) -> None:
    told = whole()
    told.reached[cap] = 999
    (gap,) = gaps({"days": told})
    assert gap.startswith("On 10.0% of the days")


def test_edge_that_was_never_taken_is_a_gap_unless_another_kind_of_run_took_it() -> None:
    told, other = whole(), Told()
    del told.edges["active soft_cap reducing"]
    assert gaps({"days": told}) == ["The edge active soft_cap reducing was not taken."]
    other.edges["active soft_cap reducing"] = 1
    assert gaps({"days": told, "ramp": other}) == []


def test_edges_are_those_that_a_person_counts() -> None:
    edges = wanted_edges()
    assert len([edge for edge in edges if "latched" in edge]) == 6
    assert {"order formed unknown", "order unknown working", "order working filled"} <= edges
    assert {"halted_hard reset_confirmed active", "reducing recovered active"} <= edges
    assert set(EDGES) <= edges


@pytest.mark.parametrize("text", sorted({**FAULTS, **INVARIANTS, **EDGES}.values()))
def test_test_that_stands_in_is_there(text: str) -> None:
    named = re.findall(r"(tests/[\w/]+\.py)(?:::(\w+))?", text)
    assert named
    for path, name in named:
        assert f"def {name}(" in (REPO / path).read_text("utf-8") or not name, (path, name)


def test_page_says_that_files_differ_from_the_commit() -> None:
    config = load_config(REPO / "qgtm_config.toml", {})
    page = report({kind: Tally() for kind in SAID}, f"{'a' * 40}+changes", date(2026, 1, 2), config)
    assert "Commit aaaaaaaaaaaa+changes, configuration" in page
    assert "No day was lived through." in page
