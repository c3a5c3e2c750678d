"""Every strategy is told alike: who has read one notebook finds everything in the next, and nothing twice."""

import ast
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from qgtm.workbench.new import TEMPLATE

ROOT = Path(__file__).resolve().parents[2]
STRATEGIES = sorted((ROOT / "notebooks" / "strategies").glob("*.ipynb"))
LONGEST_COPY = 2  # lines: a call of what is shared, and its return

# Kind or tag of each cell, and the headings in it.
OUTLINE: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("markdown", ()),
    ("markdown", ("Thesis", "The rule")),
    ("parameters", ()),
    ("markdown", ("Inputs",)),
    ("export", ()),
    ("markdown", ("Checks",)),
    ("check", ()),
    ("markdown", ("What it did",)),
    ("report", ()),
    ("report", ()),
    ("report", ()),
    ("markdown", ("How it fails, and when to stop",)),
    ("report", ()),
)


def cells(path: Path) -> list[dict[str, Any]]:
    return list(json.loads(path.read_text(encoding="utf-8"))["cells"])


def text(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def headings(cell: dict[str, Any]) -> tuple[str, ...]:
    is_prose = cell["cell_type"] == "markdown"
    return tuple(line[3:] for line in text(cell).splitlines() if is_prose and line.startswith("## "))


def kind(cell: dict[str, Any]) -> str:
    if cell["cell_type"] == "markdown":
        return "markdown"
    return "".join(cell["metadata"].get("tags", ["code without a tag"]))


def outline(path: Path) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return tuple((kind(cell), headings(cell)) for cell in cells(path))


EVERY = pytest.mark.parametrize("path", [*STRATEGIES, TEMPLATE], ids=lambda path: path.stem)


def test_outline_has_at_most_thirteen_cells() -> None:
    assert len(OUTLINE) <= 13


@EVERY
def test_strategy_notebook_keeps_the_one_outline(path: Path) -> None:
    assert outline(path) == OUTLINE


@EVERY
def test_strategy_notebook_lets_the_story_tell_what_it_did(path: Path) -> None:
    figures, pictures, book, card = (text(cell) for cell in cells(path) if kind(cell) == "report")
    assert figures.endswith("tale = told(globals())\ntale.figures()")
    assert "\ntale.pictures(" in f"\n{pictures}"
    assert book == "tale.evidence()"
    assert card.startswith("tale.card(\n")


@EVERY
def test_strategy_notebook_says_its_kill_condition_and_its_capacity(path: Path) -> None:
    last_words = text(cells(path)[-2])
    assert "**Kill condition:** " in last_words
    assert "**Capacity:** " in last_words


def functions(source: str) -> list[tuple[str, str]]:
    """Return the name and the body, without its docstring, of every function of a cell."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            found.append((node.name, "\n".join(ast.unparse(each) for each in body)))
    return found


def test_no_function_is_copied_from_one_strategy_into_another() -> None:
    where: dict[str, list[str]] = defaultdict(list)
    for path in STRATEGIES:
        for name, body in functions(text(cells(path)[4])):
            where[body].append(f"{path.stem}.{name}")
    copied = [names for body, names in where.items() if len(names) > 1 and body.count("\n") >= LONGEST_COPY]
    assert copied == [], "write it once in notebooks/features, and import it"
