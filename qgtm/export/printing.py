"""A notebook's text as a module: the same notebook gives the same bytes, on any machine."""

import re
import textwrap
from dataclasses import dataclass
from typing import Any

from qgtm.adapters.manifest import PRINT_MARK, CellHash, Entry, sha256_of
from qgtm.export.knob import Knob
from qgtm.export.notebook import Notebook
from qgtm.export.params import with_literals
from qgtm.export.rules import knobs_of, title_of
from qgtm.export.source import defined_names, imported_modules

DOCSTRING_WIDTH = 110
BETWEEN_BLOCKS = "\n\n\n"


@dataclass(frozen=True, slots=True)
class Print:
    """Hold one printed module: its text, and its entry in the manifest."""

    text: str
    entry: Entry

    @property
    def name(self) -> str:
        """Return `section/module`."""
        return self.entry.name


def print_notebook(notebook: Notebook) -> Print:
    """Return the print of a notebook that has no refusals."""
    knobs, _ = knobs_of(notebook)
    text = _module_text(notebook, knobs)
    return Print(text, _entry(notebook, knobs, text))


def _module_text(notebook: Notebook, knobs: tuple[Knob, ...]) -> str:
    blocks = [
        f"# cell {cell.number} of {notebook.path}\n{with_literals(cell.source.strip(), knobs)}"
        for cell in notebook.tagged("export")
    ]
    body = _below_imports(BETWEEN_BLOCKS.join([*blocks, _public_list(notebook)]), blocks)
    return f"{_header(notebook)}\n{_docstring(notebook)}\n\n{body}\n"


def _below_imports(body: str, blocks: list[str]) -> str:
    # ruff wants one empty line below a block of imports, and two only above a function or a class.
    if len(blocks) < 2 or not _ends_in_import(blocks[0]) or _begins_with_definition(blocks[1]):
        return body
    return body.replace(blocks[0] + BETWEEN_BLOCKS, blocks[0] + "\n\n", 1)


def _ends_in_import(block: str) -> bool:
    return not any(defined_names(block)) and bool(imported_modules(block))


def _begins_with_definition(block: str) -> bool:
    lines = (line for line in block.splitlines() if line.strip() and not line.startswith("#"))
    return next(lines, "").startswith(("def ", "class ", "@", "async def "))


def _header(notebook: Notebook) -> str:
    mark = f"{PRINT_MARK}{notebook.path.removeprefix('notebooks/')}: do not edit it here."
    return (
        f"{mark}\n# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew."
    )


def _docstring(notebook: Notebook) -> str:
    title, sentence = (_escaped(text) for text in title_of(notebook) or ("", ""))
    wrapped = textwrap.wrap(_ended(sentence), DOCSTRING_WIDTH, break_long_words=False)
    return "\n".join([f'"""{_ended(title)}', "", *wrapped, '"""'])


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')


def _ended(sentence: str) -> str:
    return sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."


def public_names(notebook: Notebook) -> tuple[str, ...]:
    """Return the public names that the export cells define: constants, then classes, then the rest."""
    found = {name for cell in notebook.tagged("export") for name in defined_names(cell.source)}
    return tuple(sorted((name for name in found if not name.startswith("_")), key=_reading_order))


def _reading_order(name: str) -> tuple[int, list[tuple[int, int, str]]]:
    # The order that ruff's RUF022 calls sorted: isort's three kinds, numbers counted as numbers.
    kind = 0 if name.isupper() and len(name) > 1 else 1 if name[0].isupper() else 2
    parts = (part for part in re.split(r"(\d+)", name) if part)
    return kind, [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts]


def _public_list(notebook: Notebook) -> str:
    return "\n".join(["__all__ = [", *(f'    "{name}",' for name in public_names(notebook)), "]"])


def _entry(notebook: Notebook, knobs: tuple[Knob, ...], text: str) -> Entry:
    return Entry(
        notebook.name,
        notebook.path,
        notebook.module,
        sha256_of(text),
        tuple(_cell_hashes(notebook)),
        (),
        {knob.name: _parameter(knob) for knob in knobs},
    )


def _cell_hashes(notebook: Notebook) -> list[CellHash]:
    title = CellHash(1, "title", sha256_of(notebook.cells[0].source))
    printed = [
        CellHash(cell.number, tag, sha256_of(cell.source))
        for cell in notebook.cells
        for tag in cell.tags
        if tag in ("parameters", "export")
    ]
    return [title, *printed]


def _parameter(knob: Knob) -> dict[str, Any]:
    value = list(knob.value) if isinstance(knob.value, tuple) else knob.value
    told: dict[str, Any] = {"value": value, "comment": knob.comment}
    if knob.low is not None:
        told |= {"unit": knob.unit, "low": knob.low, "high": knob.high}
    return told | ({"run": True} if knob.is_run else {})


def imported_prints(notebook: Notebook, names: frozenset[str]) -> tuple[str, ...]:
    """Return those of `names` (`section/module`) that the notebook's export cells import, sorted."""
    modules = {module for cell in notebook.tagged("export") for module in imported_modules(cell.source)}
    return tuple(sorted(name for name in names if f"qgtm.{name.replace('/', '.')}" in modules))
