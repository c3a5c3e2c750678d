"""Days in which everything goes wrong, and what must hold all the same; small sizes of `make simulate`."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from qgtm.config import load_config
from qgtm.simulation import crash
from qgtm.simulation.checker import Checker
from qgtm.simulation.crash import Sweep
from qgtm.simulation.fault import CLASSES, RAMP_DAYS
from qgtm.simulation.run import Lived, empty_folder, lived, swept
from qgtm.simulation.season import SEASONS, season_of
from qgtm.simulation.story import Story

REPO = Path(__file__).resolve().parents[2]
CONFIG = load_config(REPO / "qgtm_config.toml", {})
SEEDS = Path(__file__).with_name("seeds")
DAYS = 5
# the checker holds these over every day; the others have tests of their own
HELD = "V1 V2 V3 V4 V5 V6 V7 V8 V9 V11 V12 V13 V14 V15 V16 V17 V18 V19 V20 V21 V22 V25 V26".split()


def sentences(found: Lived) -> list[str]:
    return [f"{violation.invariant}: {violation.text}" for violation in found.violations]


@pytest.mark.invariant(*HELD)
@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", range(0, 60, 10))
def test_fifty_days_of_faults_break_nothing(first: int) -> None:
    for seed in range(first, first + 10):
        assert (seed, sentences(lived(seed, DAYS, CONFIG))) == (seed, [])


@pytest.mark.invariant("V12", "V19", "V20")
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_book_grows_again_by_sessions_that_really_opened_whatever_happens_to_clock_and_process() -> None:
    found = [lived(seed, RAMP_DAYS, CONFIG, is_ramp=True) for seed in range(6)]
    assert [sentences(each) for each in found] == [[]] * len(found)
    steps = {edge for each in found for edge in each.edges if edge.startswith("ramp ")}
    assert steps == {f"ramp {step}" for step in range(6)}


@pytest.mark.invariant("V1", "V2", "V3", "V4", "V5", "V9", "V14", "V22")
@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", [0, 3])
def test_fifteen_days_through_the_real_client_break_nothing(first: int) -> None:
    for seed in range(first, first + 3):
        assert (seed, sentences(lived(seed, DAYS, CONFIG, is_real_client=True))) == (seed, [])


@pytest.mark.fault("D6", "G1", "G2")
@pytest.mark.invariant("V12", "V25")
@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("seed", "every", "first"), [(1, 60, 7), (2, 60, 30), (3, 60, 51)])
def test_crash_before_or_after_an_effect_heals(seed: int, every: int, first: int) -> None:
    found: Sweep = swept(seed, 1, CONFIG, every=every, first=first)
    assert found.crashes > 5
    assert found.twins > 0  # held against copies that did not die
    assert found.broken == []


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "number"), [(7, 360), (13, 524)])
def test_acknowledgement_that_waits_while_the_daemon_is_dead_is_a_persons(
    seed: int, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crash, "TWINS", 1)
    found = swept(seed, 1, CONFIG, every=1_000_000, first=number)
    assert (found.crashes, found.twins, found.broken) == (1, 1, [])


@pytest.mark.parametrize("path", sorted(SEEDS.glob("*.json")), ids=lambda path: path.stem)
def test_seed_that_once_broke_something_breaks_nothing_now(path: Path) -> None:
    kept: dict[str, Any] = json.loads(path.read_text("utf-8"))
    assert sentences(lived(kept["seed"], kept["days"], CONFIG)) == [], kept["why"]


@pytest.mark.invariant("V9", "V11", "V26")
def test_quiet_days_have_no_alarm_no_halt_and_all_trades_done() -> None:
    found = lived(7, 3, CONFIG, forced=frozenset())
    assert sentences(found) == []
    assert found.faults == ()
    assert found.held["V9"] >= 3
    assert found.held["V11"] >= 3
    assert not {edge for edge in found.edges if "halted" in edge or "latched" in edge}


# --- the same again -----------------------------------------------------------------------------


@pytest.mark.invariant("V28")
def test_same_seed_gives_the_same_trace_in_another_process_with_another_hash_seed() -> None:
    mine = lived(11, 2, CONFIG).trace_hash
    told = subprocess.run(
        [sys.executable, "-m", "qgtm", "simulate", "--seed", "11", "--days", "2", "--json"],
        env={**os.environ, "PYTHONHASHSEED": "4711"},
        cwd=REPO,
        capture_output=True,
        text=True,
        check=True,
    )
    answer = json.loads(told.stdout)
    assert sorted(answer) == ["days", "faults", "seed", "trace_hash", "violations"]
    assert answer["trace_hash"] == mine
    assert (answer["seed"], answer["days"], answer["violations"]) == (11, 2, [])
    assert answer["faults"]


@pytest.mark.invariant("V28")
def test_boot_that_is_refused_with_a_path_in_its_words_gives_the_same_trace_in_another_folder() -> None:
    first, second = (lived(1, 1, CONFIG, forced=frozenset({"bit flip"})) for _ in range(2))
    assert first.fired["bit flip"] > 0
    assert first.trace_hash == second.trace_hash


def test_another_seed_gives_another_trace() -> None:
    assert lived(11, 1, CONFIG).trace_hash != lived(12, 1, CONFIG).trace_hash


def test_run_stops_at_the_mark_that_is_asked_for() -> None:
    found = lived(11, 2, CONFIG, until=300, is_kept=True)
    assert found.last[-1].number == 300


# --- what is drawn ------------------------------------------------------------------------------


def _injecting(name: str) -> Any:
    """Return the class as a case that says which rows of the catalogue it injects."""
    return pytest.param(name, marks=pytest.mark.fault(*CLASSES[name].rows.split()))


@pytest.mark.parametrize("name", [_injecting(name) for name in sorted(CLASSES)])
def test_class_of_fault_strikes_alone_and_breaks_nothing(name: str) -> None:
    found = [lived(seed, 1, CONFIG, forced=frozenset({name})) for seed in (1, 2, 3)]
    assert [sentences(each) for each in found] == [[]] * len(found)
    assert any(each.faults or each.fired for each in found)


@pytest.mark.fault("F1", "F2", "F4")
def test_worlds_live_through_special_days() -> None:
    struck = [name for seed in range(40) for name in special_days(seed)]
    assert set(struck) == set(SEASONS)


def special_days(seed: int) -> list[str]:
    """Return what is special about the days of a seed, without living through them."""
    with empty_folder() as folder:
        return [n for each in Story(seed, DAYS, CONFIG, folder).sessions for n in season_of(each.day)]


def test_checker_is_told_of_a_process_that_sleeps_and_of_its_waking(tmp_path: Path) -> None:
    story = Story(1, 1, CONFIG, tmp_path, forced=frozenset({"long pause"}))
    story.trace.is_kept = True
    story.run()
    (struck,) = (mark for mark in story.trace.marks if mark.what == "fault" and "long pause" in mark.about)
    told = [mark for mark in story.trace.marks if mark.what == "obstacles"]
    slept = [mark.process_s for mark in told if "paused" in mark.about]
    woke = [mark.process_s for mark in told if "paused" not in mark.about]
    ends_s = struck.process_s + float(struck.about[-1])
    assert min(slept) == struck.process_s
    assert min(at for at in woke if at > struck.process_s) == pytest.approx(ends_s, abs=1.0)


@pytest.mark.fault("D19", "C9")
@pytest.mark.invariant("V7", "V16")
def test_daemon_that_has_lost_its_lease_to_the_watchdog_tells_what_another_hand_bought_meanwhile() -> None:
    found = lived(37, 3, CONFIG, forced=frozenset({"halt", "long pause", "manual"}))
    assert sentences(found) == []
    assert found.fired["long pause"] > 0
    assert found.edges["watchdog flatten"]


def test_checker_is_told_of_what_it_holds() -> None:
    held = lived(1, 4, CONFIG).held
    core = {"V1", "V2", "V3", "V4", "V5", "V9", "V11", "V13", "V16", "V17", "V21", "V22", "V25"}
    assert core <= set(held)
    assert Checker.hear is not None
