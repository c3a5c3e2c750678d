"""pipelines.yaml against the notebooks: Ploomber's regular analysis passes a misspelt knob over."""

import ast
import configparser
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

REPO = Path(__file__).parents[2]
OURS = {"upstream", "product"}  # Ploomber fills these in itself


def tasks() -> list[dict[str, Any]]:
    """Return the tasks that run a notebook."""
    path = REPO / "pipelines.yaml"
    spec = yaml.safe_load(path.read_text()) if path.exists() else {}
    return [task for task in spec.get("tasks", []) if str(task["source"]).endswith(".ipynb")]


def knobs(notebook: Path) -> set[str]:
    """Return the names that a notebook's parameters cell assigns."""
    cells = json.loads(notebook.read_text())["cells"]
    (cell,) = (c for c in cells if "parameters" in c["metadata"].get("tags", []))
    body = ast.parse("".join(cell["source"])).body
    assigned = (target for node in body if isinstance(node, ast.Assign) for target in node.targets)
    return {target.id for target in assigned if isinstance(target, ast.Name)}


def identity(task: dict[str, Any]) -> str:
    return str(task["source"]).removeprefix("notebooks/")


def test_ploomber_is_told_where_the_pipeline_stands() -> None:
    parser = configparser.ConfigParser()
    parser.read(REPO / "setup.cfg")
    assert parser["ploomber"]["entry-point"] == "pipelines.yaml"


@pytest.mark.parametrize("task", tasks(), ids=identity)
def test_task_names_only_knobs_that_its_notebook_has(task: dict[str, Any]) -> None:
    named = set(task.get("params", {}))
    has = knobs(REPO / task["source"])
    assert named <= has, f"{sorted(named - has)} in pipelines.yaml; the parameters cell has {sorted(has)}"
    assert has >= OURS, "the parameters cell needs `upstream = None` and `product = None`"


@pytest.mark.parametrize("task", tasks(), ids=identity)
def test_task_is_told_the_hash_of_the_prints_it_imports(task: dict[str, Any]) -> None:
    assert "code" in task.get("params", {}), "without it Ploomber does not see that a print changed"
