"""What can be said of every committed notebook without a kernel."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import nbformat
import pytest

from qgtm.adapters.manifest import SECTIONS
from qgtm.export.knob import OBLIGATORY, find_knobs
from qgtm.export.notebook import Notebook, read_notebook
from qgtm.export.printing import print_notebook
from qgtm.export.rules import find_refusals

ROOT = Path(__file__).resolve().parents[2]


def read(path: Path) -> Notebook:
    found = read_notebook(ROOT, path)
    assert isinstance(found, Notebook), found.sentence
    return found


def printed_module(path: Path, folder: Path) -> ModuleType:
    """Return the module that the notebook prints into, imported from a copy; the committed one may lag."""
    target = folder / f"print_of_{path.stem}.py"
    target.write_text(print_notebook(read(path)).text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(f"print_of_{path.stem}", target)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, spec.name, module)
        spec.loader.exec_module(module)
    return module


def test_notebook_is_valid_and_every_cell_has_an_id(notebook: Path) -> None:
    content = json.loads(notebook.read_text(encoding="utf-8"))
    nbformat.validate(content)
    ids = [cell["id"] for cell in content["cells"]]
    assert len(set(ids)) == len(ids)


def test_notebook_is_committed_without_outputs_and_counts(notebook: Path) -> None:
    assert [cell.number for cell in read(notebook).cells if cell.is_run] == []


def test_notebook_names_its_tiny_run_or_a_test_that_runs_it(notebook: Path) -> None:
    told = read(notebook).metadata.get("qgtm", {})
    knobs, _ = find_knobs(read(notebook), read(notebook).tagged("parameters")[0])
    unknown = set(told.get("tiny", {})) - {knob.name for knob in knobs} - set(OBLIGATORY)
    assert not unknown, f"the tiny run sets {unknown}, which the parameters cell lacks"
    assert "tested_by" not in told or (ROOT / told["tested_by"]).is_file()


def test_notebook_has_one_parameters_cell_whose_knobs_lie_in_their_ranges(notebook: Path) -> None:
    (cell,) = read(notebook).tagged("parameters")
    knobs, refusals = find_knobs(read(notebook), cell)
    assert [refusal.sentence for refusal in refusals] == []
    for knob in knobs:
        if knob.low is not None and knob.high is not None:
            assert isinstance(knob.value, int | float)
            assert knob.low <= knob.value <= knob.high


def test_printed_notebook_is_refused_for_nothing(printed: Path) -> None:
    assert [refusal.sentence for refusal in find_refusals(read(printed))] == []


def test_check_cells_hold_on_the_print_without_a_kernel(printed: Path, tmp_path: Path) -> None:
    module = printed_module(printed, tmp_path)
    checks = read(printed).tagged("check")
    assert checks, f"{printed.name} has no check cell: say what must hold of it"
    names = dict(vars(module))
    for cell in checks:
        exec(compile(cell.source, f"{printed.name}, cell {cell.number}", "exec"), names)


def test_every_folder_that_is_printed_has_a_package() -> None:
    assert [s for s in SECTIONS if not (ROOT / "qgtm" / s / "__init__.py").is_file()] == []
