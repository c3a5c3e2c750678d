"""How long functions and files are: one hard bound, and a report to look at."""

import ast
import statistics
from pathlib import Path

import pytest

LONGEST_FUNCTION = 50
PLEASANT_FUNCTION = 15
PLEASANT_FILE = 300


def sizes(repo: Path) -> dict[str, int]:
    """Return the lines of every function of qgtm and dashboards, without its docstring."""
    found = {}
    for top in ("qgtm", "dashboards"):
        for path in sorted((repo / top).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    found[f"{path.relative_to(repo)}:{node.lineno} {node.name}"] = lines_of(node)
    return found


def lines_of(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    docstring = node.body[0] if ast.get_docstring(node, clean=False) else None
    prose = docstring.end_lineno - docstring.lineno + 1 if docstring and docstring.end_lineno else 0
    return (node.end_lineno or node.lineno) - node.lineno + 1 - prose


def report(repo: Path) -> str:
    """Return what `make check` says about sizes, in two lines or so."""
    lengths = list(sizes(repo).values())
    pleasant = sum(length < PLEASANT_FUNCTION for length in lengths) / len(lengths)
    files = {
        p: len(p.read_text().splitlines())
        for top in ("qgtm", "dashboards")
        for p in (repo / top).rglob("*.py")
    }
    long = [f"{p.relative_to(repo)} ({n})" for p, n in sorted(files.items()) if n > PLEASANT_FILE]
    return (
        f"{len(lengths)} functions, median {statistics.median(lengths):.0f} lines, {pleasant:.0%} under "
        f"{PLEASANT_FUNCTION}; {len(files)} files, over {PLEASANT_FILE} lines: {', '.join(long) or 'none'}"
    )


def test_no_function_is_longer_than_a_screen(repo: Path) -> None:
    assert {name: size for name, size in sizes(repo).items() if size > LONGEST_FUNCTION} == {}


def test_report_names_the_median_and_the_long_files(
    repo: Path, record_testsuite_property: pytest.Function
) -> None:
    text = report(repo)
    record_testsuite_property("shape", text)  # type: ignore[operator]
    assert "median" in text
    assert str(PLEASANT_FILE) in text
