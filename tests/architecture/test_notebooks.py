"""Notebooks are committed as manuscripts: tags yes, outputs no."""

import json
from pathlib import Path
from typing import Any

import pytest

TAGS = {"parameters", "export", "check", "report"}
FOLDERS = ("features", "strategies", "allocation", "risk", "engine", "reviews")
NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").rglob("*.ipynb"))
KEPT = [path for path in NOTEBOOKS if path.parent.name in FOLDERS]


def cells(path: Path) -> list[dict[str, Any]]:
    """Return a notebook's cells."""
    return list(json.loads(path.read_text())["cells"])


def identity(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=identity)
def test_notebook_is_committed_without_outputs(path: Path) -> None:
    left = [n for n, c in enumerate(cells(path)) if c.get("outputs") or c.get("execution_count")]
    assert left == [], (
        "run `.venv/bin/nbstripout --keep-id` on it, or install the hooks with `.venv/bin/pre-commit install`"
    )


@pytest.mark.parametrize("path", KEPT, ids=identity)
def test_notebook_opens_with_a_title_and_one_sentence(path: Path) -> None:
    first = cells(path)[0]
    lines = [line for line in "".join(first["source"]).splitlines() if line.strip()]
    assert first["cell_type"] == "markdown"
    assert lines[0].startswith("# ")
    assert lines[1].startswith("> ")
    assert lines[-1].rstrip().endswith(".")


@pytest.mark.parametrize("path", KEPT, ids=identity)
def test_notebook_knows_four_tags_and_has_one_parameters_cell(path: Path) -> None:
    tags = [tag for cell in cells(path) for tag in cell.get("metadata", {}).get("tags", [])]
    assert set(tags) <= TAGS
    assert tags.count("parameters") == 1
