"""docs/faults.md says what the tests say: each row has a test or a reason, and no marker a row of its own."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.faults.__main__ import problems
from tests.faults.catalogue import FAULTS, GROUPS, INVARIANTS, MISTAKES, NOT_TESTED
from tests.faults.mapping import Mapped, ids_of, unknown_ids, untested
from tests.faults.page import page
from tests.faults.result import Result, keep, load_results


def test_catalogue_has_every_row() -> None:
    assert len(FAULTS) == 134
    assert {each[0] for each in FAULTS} == set(GROUPS)
    assert list(MISTAKES) == [f"M{number}" for number in range(1, 21)]
    assert list(INVARIANTS) == [f"V{number}" for number in range(1, 29)]
    assert set(NOT_TESTED) <= {*FAULTS, *MISTAKES, *INVARIANTS}


def test_table_is_what_the_markers_say_and_no_row_is_without_a_test_or_a_reason(repo: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "tests.faults", "--check"], cwd=repo, capture_output=True, text=True
    )
    assert told.returncode == 0, told.stdout + told.stderr


def case(nodeid: str, **marks: tuple[Any, ...]) -> Any:
    """Return what stands for a collected test with markers."""
    found = {name: [SimpleNamespace(args=args)] for name, args in marks.items()}
    return SimpleNamespace(nodeid=nodeid, iter_markers=lambda name: found.get(name, []))


def mapped(*items: Any) -> Mapped:
    made = Mapped()
    made.pytest_collection_finish(SimpleNamespace(items=items))  # type: ignore[arg-type]
    return made


def test_marker_that_names_no_row_is_found() -> None:
    items = [case("a.py::b", fault=("A3", "A99"), mistake=(7,)), case("a.py::c", invariant=("V29",))]
    assert ids_of(items[0]) == ("A3", "A99", "M7")
    assert unknown_ids(items) == ["a.py::b: A99", "a.py::c: V29"]


def test_row_without_a_test_is_found_until_it_has_a_reason() -> None:
    only = mapped(case("a.py::b", fault=tuple(FAULTS), mistake=tuple(range(1, 21))))
    assert untested(only, {}) == sorted(INVARIANTS)
    assert untested(only, dict.fromkeys(INVARIANTS, "x")) == []


def test_change_of_the_mapping_is_a_problem_and_one_of_the_results_is_not() -> None:
    one, more = case("tests/a.py::b", fault=("A3",)), case("tests/a.py::c", fault=("A3",))
    ran = {"tests/a.py::b": Result("passed", "2026-01-05", "abc")}
    before = page(mapped(one), {}, frozenset())
    assert "| `a.py::b` | 1 not run |" in before
    assert "| `a.py::b` | 1 passed |" in page(mapped(one), ran, frozenset())
    assert problems(page(mapped(one), ran, frozenset()), before) == []
    found = problems(page(mapped(one, more), {}, frozenset()), before)
    assert [row[:2] for row in found] == ["- ", "+ "]


def test_worst_result_of_a_row_is_told_first() -> None:
    items = [case(f"tests/a.py::b[{n}]", fault=("A3",)) for n in range(4)]
    ran = {item.nodeid: Result(how, "d", "c") for item, how in zip(items, ("passed", "failed", "passed"))}  # noqa: B905 - the fourth has not run
    assert "| `a.py::b` | 1 failed, 2 passed, 1 not run |" in page(mapped(*items), ran, frozenset())


def test_results_of_an_earlier_run_stay_until_the_test_runs_again(tmp_path: Path) -> None:
    keep(tmp_path, {"a": "failed", "b": "passed"})
    keep(tmp_path, {"a": "passed"})
    kept = load_results(tmp_path)
    assert {nodeid: each.outcome for nodeid, each in kept.items()} == {"a": "passed", "b": "passed"}
    assert kept["a"].commit == "unknown"  # this folder is in no repository
    (tmp_path / ".pytest_cache/qgtm/faults.json").write_text("{")
    assert load_results(tmp_path) == {}


@pytest.mark.parametrize("name", ["fault", "mistake", "invariant"])
def test_marker_is_registered(pytestconfig: pytest.Config, name: str) -> None:
    assert any(line.startswith(f"{name}(") for line in pytestconfig.getini("markers"))
