"""The page: every id with its tests and their last result, and what of it may not differ from the tests."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from tests.faults.catalogue import FAULTS, GROUPS, INVARIANTS, MISTAKES, NOT_TESTED
from tests.faults.mapping import Mapped, tests_of
from tests.faults.result import WORSE, Result

NOT_RUN: Final = "not run"
HEAD: Final = """# What goes wrong, and the test that makes it go wrong

Written by `make faults` from the markers on the tests (`@pytest.mark.fault("A3")`, `mistake(7)`,
`invariant("V5")`) and from the last result of each. `tests/architecture/test_faults.py` keeps the mapping
true: every row has a test or says why it has none, and no marker names a row that is not here. What the
simulation injects is a case of `test_class_of_fault_strikes_alone_and_breaks_nothing`, by its name there.
"""
CHECKED: Final = "The simulation's checker holds it over every day that is lived through."


def page(mapped: Mapped, results: Mapping[str, Result], checker: frozenset[str]) -> str:
    """Return the whole page; `checker` are the invariants that the simulation's checker holds."""
    parts = [HEAD, _sizes(mapped, results)]
    for letter, title in GROUPS.items():
        rows = {each: text for each, text in FAULTS.items() if each[0] == letter}
        parts += [f"\n## {letter}. {title}\n", *_table(rows, mapped, results)]
    parts += ["\n## Mistakes that others made\n", *_table(MISTAKES, mapped, results)]
    notes = dict.fromkeys(checker, CHECKED)
    parts += ["\n## What holds over a whole trace\n", *_table(INVARIANTS, mapped, results, notes)]
    return "\n".join(parts) + "\n"


def mapping_in(text: str) -> list[str]:
    """Return what of a page is the mapping and not the results: its rows without their last cell."""
    return [line.rpartition(" | ")[0] for line in text.splitlines() if line.startswith("| ")]


def _sizes(mapped: Mapped, results: Mapping[str, Result]) -> str:
    marked = {case for cases in mapped.cases.values() for case in cases}
    found = [results[case] for case in sorted(marked) if case in results]
    counted = Counter(each.outcome for each in found)
    told = ", ".join(f"{counted[outcome]} {outcome}" for outcome in WORSE if counted[outcome])
    when = Counter((each.day, each.commit) for each in found).most_common(3)
    at = "; ".join(f"{number} on {day} at {commit}" for (day, commit), number in when)
    return (
        f"\nResults of {len(marked)} cases: {told or NOT_RUN} ({at or 'never'}; + is a tree with changes).\n"
    )


def _table(
    rows: Mapping[str, str],
    mapped: Mapped,
    results: Mapping[str, Result],
    notes: Mapping[str, str] | None = None,
) -> Iterator[str]:
    yield "| id | what | tests | last result |"
    yield "|---|---|---|---|"
    for each, title in rows.items():
        tests = tests_of(mapped, each)
        told = [f"`{name.removeprefix('tests/')}`" for name, _ in tests]
        told += [(notes or {})[each]] if each in (notes or {}) else []
        told += [f"No test: {NOT_TESTED[each]}"] if each in NOT_TESTED else []
        cases = [case for _, under in tests for case in under]
        yield f"| {each} | {title} | {'<br>'.join(told)} | {_ended(cases, results)} |"


def _ended(cases: Sequence[str], results: Mapping[str, Result]) -> str:
    if not cases:
        return ""
    counted = Counter(results[case].outcome if case in results else NOT_RUN for case in cases)
    return ", ".join(f"{counted[each]} {each}" for each in (*reversed(WORSE), NOT_RUN) if counted[each])
