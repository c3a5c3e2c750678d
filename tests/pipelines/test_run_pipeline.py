"""`make pipeline`: what has changed is run, and what hangs on it; nothing else is."""

from pathlib import Path

import nbformat
import pytest
import yaml

from qgtm.core.errors import ReportError
from qgtm.reporting.run_pipeline import main

REPO = Path(__file__).resolve().parents[2]
ENDS = "from pathlib import Path\nwith open({ran!r}, 'a') as told:\n    told.write('{name}\\n')"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a folder with two notebooks and a review that hangs on the first; each tells that it ran."""
    (tmp_path / "qgtm").symlink_to(REPO / "qgtm")
    tasks = [add(tmp_path, name) for name in ("first", "second")]
    tasks.append(add(tmp_path, "weekly_review") | {"upstream": ["first"]})
    write(tmp_path, tasks)
    (tmp_path / "journal.db").touch()
    return tmp_path


def add(root: Path, name: str) -> dict[str, object]:
    knobs = nbformat.v4.new_code_cell("knob = 1  # of nothing [0, 9]\nupstream = None\nproduct = None")
    knobs.metadata["tags"] = ["parameters"]
    told = nbformat.v4.new_code_cell(ENDS.format(ran=str(root / "ran"), name=name))
    spec = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=[knobs, told], metadata=spec), root / f"{name}.ipynb")
    return {
        "source": f"{name}.ipynb",
        "name": name,
        "static_analysis": "regular",
        "product": {"nb": f"reports/{name}.ipynb"},
        "params": {"knob": 1, "code": ""},
    }


def write(root: Path, tasks: list[dict[str, object]]) -> None:
    meta = {"extract_product": False, "extract_upstream": False, "jupyter_hot_reload": False}
    (root / "pipelines.yaml").write_text(yaml.safe_dump({"meta": meta, "tasks": tasks}))


def ran(root: Path) -> list[str]:
    """Return what has run since this was last asked."""
    told = root / "ran"
    lines = sorted(told.read_text().split()) if told.exists() else []
    told.unlink(missing_ok=True)
    return lines


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_pipeline_runs_what_changed_and_what_hangs_on_it(root: Path) -> None:
    arguments = ["--processes", "2", "--journal", str(root / "journal.db")]
    assert main(root, arguments) == 0
    assert ran(root) == ["first", "second", "weekly_review"]
    assert main(root, arguments) == 0
    assert ran(root) == []
    first, *others = yaml.safe_load((root / "pipelines.yaml").read_text())["tasks"]
    write(root, [first | {"params": {"knob": 2, "code": ""}}, *others])
    assert main(root, arguments) == 0
    assert ran(root) == ["first", "weekly_review"]


def test_journal_that_is_named_and_not_there_is_refused(root: Path) -> None:
    with pytest.raises(ReportError, match=r"other\.db is no journal"):
        main(root, ["--journal", str(root / "other.db")])
    assert ran(root) == []
