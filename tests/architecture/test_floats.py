"""The same replay on every Python: the built-in `sum` of floats rounds otherwise from 3.12 on."""

import ast
from pathlib import Path

import pytest

INSIDE = ("core", "features", "strategies", "allocation", "risk", "engine")
OF_MONEY = {"sum(reach(symbol, book))"}  # a pair of Decimals, which all Pythons add alike


def bare_sums(source: str) -> list[str]:
    """Return the calls of the built-in `sum` whose start does not say that these are no floats."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    sums = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "sum"]
    starts = {call: [*call.args[1:], *(keyword.value for keyword in call.keywords)] for call in sums}
    return [
        ast.unparse(call)
        for call in sums
        if not starts[call] or any(isinstance(start, ast.Constant) for start in starts[call])
    ]


def test_inside_adds_floats_exactly_and_so_alike_on_every_python(repo: Path) -> None:
    found = [
        f"{path.relative_to(repo)}: {call}"
        for package in INSIDE
        for path in sorted((repo / "qgtm" / package).rglob("*.py"))
        for call in bare_sums(path.read_text())
        if call not in OF_MONEY
    ]
    assert found == [], "Add floats with math.fsum; begin a sum of Decimals at one: sum(parts, ZERO)."


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("sum(x)", ["sum(x)"]),
        ("sum(x, 0.0)", ["sum(x, 0.0)"]),
        ("sum(x, start=0)", ["sum(x, start=0)"]),
        ("sum(x, ZERO)", []),
        ("x.sum() + math.fsum(x)", []),
    ],
)
def test_sum_without_a_start_that_is_money_is_found(source, expected) -> None:
    assert bare_sums(source) == expected
