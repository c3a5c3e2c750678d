"""Notebooks as they lie on disk, and the refusal of what cannot be printed.

They are read with the standard library, so that printing needs no Jupyter.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TAGS = ("parameters", "export", "check", "report")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Refuse to print: which rule, where, what, and a sentence that ends with the cure."""

    rule: str
    notebook: str
    cell: int | None
    subject: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Cell:
    """Hold one cell: its number counted from 1, `code` or `markdown`, its source and its tags."""

    number: int
    kind: str
    source: str
    tags: tuple[str, ...]
    is_run: bool


@dataclass(frozen=True, slots=True)
class Notebook:
    """Hold one notebook; `path` is relative to the project with slashes, `name` is `section/module`."""

    path: str
    name: str
    cells: tuple[Cell, ...]
    metadata: Mapping[str, Any]

    @property
    def section(self) -> str:
        """Return the folder of the notebook, which is the package of its print."""
        return self.name.partition("/")[0]

    @property
    def module(self) -> str:
        """Return the print's path relative to the project."""
        return f"qgtm/{self.name}.py"

    def tagged(self, tag: str) -> tuple[Cell, ...]:
        """Return the cells that carry `tag`, in their order."""
        return tuple(cell for cell in self.cells if tag in cell.tags)

    def refuse(self, rule: str, cell: Cell | int | None, subject: str, said: str, cure: str) -> Refusal:
        """Return a refusal that names this notebook, the cell, what is wrong, and the cure."""
        return refusal(self.path, rule, cell.number if isinstance(cell, Cell) else cell, subject, said, cure)


def refusal(path: str, rule: str, number: int | None, subject: str, said: str, cure: str) -> Refusal:
    """Return a refusal whose sentence reads "notebook, cell: what is wrong. The cure."."""
    place = path if number is None else f"{path}, cell {number}"
    return Refusal(rule, path, number, subject, f"{place}: {said}. {cure}.")


def read_notebook(root: Path, path: Path) -> Notebook | Refusal:
    """Return the notebook at `path` under the project `root`, or the refusal of a file that is none."""
    relative = path.relative_to(root).as_posix()
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        cells = tuple(_cell_from(number, cell) for number, cell in enumerate(content["cells"], start=1))
        metadata = dict(content["metadata"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        said = f"the file is no readable notebook ({type(error).__name__}: {error})"
        return refusal(relative, "unreadable", None, relative, said, _checkout(relative))
    if content.get("nbformat") != 4:
        said = f"the notebook has format {content.get('nbformat')}, and only format 4 is printed"
        cure = f"Run `jupyter nbconvert --to notebook --inplace {relative}`"
        return refusal(relative, "unreadable", None, relative, said, cure)
    return Notebook(relative, f"{path.parent.name}/{path.stem}", cells, metadata)


def _checkout(relative: str) -> str:
    return f"Open it in JupyterLab and save it, or run `git checkout {relative}`"


def _cell_from(number: int, cell: Mapping[str, Any]) -> Cell:
    source = cell["source"]
    return Cell(
        number,
        str(cell["cell_type"]),
        source if isinstance(source, str) else "".join(source),
        tuple(cell["metadata"].get("tags", ())),
        bool(cell.get("outputs")) or cell.get("execution_count") is not None,
    )
