"""The manifest as the daemon reads it at boot: without Jupyter, and naming what was tampered with."""

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from qgtm.adapters.manifest import load_manifest, manifest_sha, verify_prints
from qgtm.core.errors import ExportError
from qgtm.export.press import plan_export, write_plan

REPO = Path(__file__).resolve().parents[2]


@pytest.fixture
def package(project: Any, pages: dict[str, Any]) -> Path:
    """Return the package folder of a project with two prints, the second importing the first."""
    project.write("features/slope")
    pages["imports"].source += "\n\nfrom qgtm.features.slope import slope as first"
    project.write("risk/steep", pages)
    write_plan(project.root, plan_export(project.root))
    return Path(project.root / "qgtm")


def test_manifest_names_notebook_cells_hashes_and_parameters(package: Path) -> None:
    entry = load_manifest(package).prints["features/slope"]
    assert entry.notebook == "notebooks/features/slope.ipynb"
    assert entry.module == "qgtm/features/slope.py"
    assert entry.module_sha256 == hashlib.sha256((package / "features/slope.py").read_bytes()).hexdigest()
    assert [(cell.number, cell.tag) for cell in entry.cells] == [
        (1, "title"), (2, "parameters"), (3, "export"), (4, "export"), (5, "export")
    ]  # fmt: skip
    knobs = b"lookback = 63  # sessions [21, 252]\nupstream = None\nproduct = None"
    assert entry.cells[1].sha256 == hashlib.sha256(knobs).hexdigest()
    assert entry.parameters["lookback"]["value"] == 63


def test_untouched_prints_verify(package: Path) -> None:
    assert verify_prints(package, load_manifest(package)) == ()


@pytest.mark.fault("I4", "I9")
@pytest.mark.invariant("V18")
@pytest.mark.parametrize("kind", ["edited", "missing", "unlisted"])
def test_tampered_print_is_named_with_its_cure(package: Path, kind: str) -> None:
    manifest = load_manifest(package)
    path = package / "features" / "slope.py"
    text = path.read_text(encoding="utf-8")
    if kind == "edited":
        path.write_text(text.replace("63", "64"), encoding="utf-8")
    elif kind == "missing":
        path.unlink()
    else:
        path = package / "features" / "another.py"
        path.write_text(text, encoding="utf-8")
    (difference,) = verify_prints(package, manifest)
    assert (difference.kind, difference.name) == (kind, f"features/{path.stem}")
    assert f"qgtm/features/{path.stem}.py" in difference.sentence
    assert "make export" in difference.sentence


def test_sha_of_the_manifest_is_that_of_its_file_and_moves_with_a_print(project: Any, package: Path) -> None:
    before = manifest_sha(load_manifest(package))
    assert before == hashlib.sha256((package / "MANIFEST.json").read_bytes()).hexdigest()
    path = project.root / "notebooks/features/slope.ipynb"
    path.write_text(path.read_text(encoding="utf-8").replace("= 63", "= 65"), encoding="utf-8")
    write_plan(project.root, plan_export(project.root))
    assert manifest_sha(load_manifest(package)) != before


@pytest.mark.parametrize(
    "content", [None, "", "[]", "{", '{"format": 2, "prints": {}}', '{"format": 1, "prints": {"a": {}}}']
)
def test_manifest_that_cannot_be_read_names_the_cure(package: Path, content: str | None) -> None:
    path = package / "MANIFEST.json"
    path.unlink() if content is None else path.write_text(content, encoding="utf-8")
    with pytest.raises(ExportError, match=r"MANIFEST\.json .*make export"):
        load_manifest(package)


def test_reading_the_manifest_imports_no_jupyter_and_no_numpy() -> None:
    code = (
        "import sys; import qgtm.adapters.manifest; "
        "print([n for n in ('nbformat', 'IPython', 'numpy', 'pandas', 'qgtm.export') if n in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPO)
    assert ran.stdout.strip() == "[]"


def test_committed_prints_are_what_the_committed_manifest_says() -> None:
    package = REPO / "qgtm"
    assert [difference.sentence for difference in verify_prints(package, load_manifest(package))] == []
