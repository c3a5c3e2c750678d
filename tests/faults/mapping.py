"""Which test injects what: collect the markers, and lay them beside the catalogue."""

import contextlib
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from tests.faults.catalogue import FAULTS, INVARIANTS, MISTAKES

MARKERS: Final = ("fault", "mistake", "invariant")
KNOWN: Final = frozenset({*FAULTS, *MISTAKES, *INVARIANTS})
SHOWN: Final = 3  # cases of one test that are named one by one


def ids_of(item: pytest.Item) -> tuple[str, ...]:
    """Return the ids that a test says it injects, rules out or holds; `mistake(7)` is M7."""
    found = [
        str(each) for name in ("fault", "invariant") for mark in item.iter_markers(name) for each in mark.args
    ]
    return (*found, *(f"M{each}" for mark in item.iter_markers("mistake") for each in mark.args))


def unknown_ids(items: Iterable[pytest.Item]) -> list[str]:
    """Return what markers name and the catalogue does not."""
    return [f"{item.nodeid}: {each}" for item in items for each in ids_of(item) if each not in KNOWN]


@dataclass
class Mapped:
    """Cases by id, and all the cases of each test function."""

    cases: dict[str, list[str]] = field(default_factory=dict)
    functions: dict[str, list[str]] = field(default_factory=dict)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Take down every marker once pytest has collected."""
        for item in session.items:
            self.functions.setdefault(function_of(item.nodeid), []).append(item.nodeid)
            for each in dict.fromkeys(ids_of(item)):
                self.cases.setdefault(each, []).append(item.nodeid)


def function_of(nodeid: str) -> str:
    """Return the node id without its parameters."""
    return nodeid.partition("[")[0]


def collected(repo: Path) -> Mapped:
    """Collect the files that name one of the markers, and return what they say."""
    wanted = re.compile(rf"mark\.({'|'.join(MARKERS)})\b")
    files = sorted(
        path for path in (repo / "tests").rglob("test_*.py") if wanted.search(path.read_text("utf-8"))
    )
    mapped = Mapped()
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        code = pytest.main(["--collect-only", "-qq", "-p", "no:randomly", *map(str, files)], plugins=[mapped])
    if code != pytest.ExitCode.OK:
        raise SystemExit(f"{said.getvalue()[-2000:]}\nThe tests cannot be collected: mend what is named.")
    return mapped


def tests_of(mapped: Mapped, each: str) -> list[tuple[str, list[str]]]:
    """Return the lines of an id: the name of a test, or of one case of it, with the cases it stands for."""
    by_function: dict[str, list[str]] = {}
    for nodeid in mapped.cases.get(each, []):
        by_function.setdefault(function_of(nodeid), []).append(nodeid)
    lines: list[tuple[str, list[str]]] = []
    for name, cases in sorted(by_function.items()):
        is_part = len(cases) < len(mapped.functions[name]) and len(cases) <= SHOWN
        lines += [(case, [case]) for case in sorted(cases)] if is_part else [(name, sorted(cases))]
    return lines


def untested(mapped: Mapped, reasons: Mapping[str, str]) -> list[str]:
    """Return the ids that have neither a test nor a reason."""
    return sorted(KNOWN - set(mapped.cases) - set(reasons))
