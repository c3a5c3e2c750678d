"""A small project with one good notebook, which each test then spoils in its own way."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

TITLE = "# Slope\n\n> How steeply a price rises."
KNOBS = "lookback = 63  # sessions [21, 252]\nupstream = None\nproduct = None"
IMPORTS = "from dataclasses import dataclass\n\nimport numpy as np\nfrom numpy.typing import NDArray"
PARAMS = '''@dataclass(frozen=True)
class Params:
    """Name the knobs."""

    lookback: int


PARAMS = Params(lookback=lookback)
warm_up = PARAMS.lookback'''
SLOPE = '''def slope(close: NDArray[np.float64], lookback: int = PARAMS.lookback) -> NDArray[np.float64]:
    """Return the change over `lookback` sessions, in dollars a session. Raises nothing."""
    return (close[lookback:] - close[:-lookback]) / lookback'''
CHECK = "assert slope(np.array([1.0, 2.0, 4.0]), 2)[0] == 1.5"


@dataclass
class Page:
    """One cell: its source, its tag, and what else a test wants in it."""

    source: str
    tag: str | None = None
    kind: str = "code"
    more: dict[str, Any] = field(default_factory=dict)

    def as_json(self, number: int) -> dict[str, Any]:
        """Return the cell as a notebook file holds it."""
        tags = {"tags": self.tag.split()} if self.tag else {}
        cell = {
            "cell_type": self.kind,
            "id": f"c{number}",
            "metadata": tags,
            "source": self.source.splitlines(True),
        }
        return cell | ({"execution_count": None, "outputs": []} if self.kind == "code" else {}) | self.more


def good_pages() -> dict[str, Page]:
    """Return the cells of a notebook that prints, by a name to spoil them by."""
    return {
        "title": Page(TITLE, kind="markdown"),
        "knobs": Page(KNOBS, "parameters"),
        "imports": Page(IMPORTS, "export"),
        "params": Page(PARAMS, "export"),
        "slope": Page(SLOPE, "export"),
        "check": Page(CHECK, "check"),
        "picture": Page("slope(np.arange(100.0))", "report"),
    }


class Project:
    """A folder with notebooks/ and qgtm/, as the exporter finds it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for section in ("features", "strategies", "allocation", "risk", "engine"):
            (root / "qgtm" / section).mkdir(parents=True)
            (root / "qgtm" / section / "__init__.py").write_text('"""A package."""\n', encoding="utf-8")

    def write(self, name: str = "features/slope", pages: dict[str, Page] | None = None) -> Path:
        """Write a notebook; without `pages` the good one."""
        path = self.root / "notebooks" / f"{name}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        cells = [
            page.as_json(number) for number, page in enumerate((pages or good_pages()).values(), start=1)
        ]
        content = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        path.write_text(json.dumps(content), encoding="utf-8")
        return path

    def module(self, name: str = "features/slope") -> Path:
        """Return where the notebook's print lies."""
        return self.root / "qgtm" / f"{name}.py"

    def files(self) -> dict[str, bytes]:
        """Return every file under qgtm/, so that a test can say that nothing changed."""
        found = sorted(path for path in (self.root / "qgtm").rglob("*") if path.is_file())
        return {path.relative_to(self.root).as_posix(): path.read_bytes() for path in found}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return an empty project."""
    return Project(tmp_path)


@pytest.fixture
def pages() -> dict[str, Page]:
    """Return the cells of the good notebook."""
    return good_pages()
