"""pipelines.yaml against notebooks and prints: a check that goes red, and the copy that a run uses."""

import json
from pathlib import Path

import pytest
import yaml

from qgtm.adapters.manifest import load_manifest
from qgtm.core.errors import ReportError
from qgtm.reporting.pipeline import code_of, find_faults, load_tasks, recoded, run_copy

REPO = Path(__file__).resolve().parents[2]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a folder with the real notebooks and package, and a pipeline that may be spoilt."""
    for name in ("notebooks", "qgtm"):
        (tmp_path / name).symlink_to(REPO / name)
    (tmp_path / "pipelines.yaml").write_text((REPO / "pipelines.yaml").read_text())
    (tmp_path / "pipelines.yaml").write_text(recoded(tmp_path))
    return tmp_path


def spoil(root: Path, old: str, new: str) -> None:
    text = (root / "pipelines.yaml").read_text()
    assert old in text
    (root / "pipelines.yaml").write_text(text.replace(old, new, 1))


def test_pipeline_with_its_codes_written_anew_has_no_fault(root: Path) -> None:
    assert find_faults(root) == ()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("with_vectorbt: false", "with_vectorbit: false", "did you mean 'with_vectorbt'?"),
        ("week: ", "weak: ", "did you mean 'week'?"),
        ("upstream: [tsmom", "upstream: [tsmon", "did you mean 'tsmom'?"),
        ("strategies/tsmom.ipynb", "strategies/tsmomm.ipynb", "correct `source`"),
    ],
)
def test_misspelt_name_is_a_fault_that_names_the_right_one(root: Path, old: str, new: str, said: str) -> None:
    spoil(root, old, new)
    (fault,) = find_faults(root)
    assert said in fault


def test_code_of_other_prints_is_a_fault_that_names_the_cure(root: Path) -> None:
    task = load_tasks(root)[0]
    spoil(root, task.params["code"], "0123456789abcdef")
    (fault,) = find_faults(root)
    assert fault.startswith("tsmom: `code` is 0123456789abcdef")
    assert "make export" in fault
    (root / "pipelines.yaml").write_text(recoded(root))
    assert find_faults(root) == ()


def test_writing_the_codes_anew_leaves_all_else_as_it_was(root: Path) -> None:
    text = (root / "pipelines.yaml").read_text()
    spoil(root, load_tasks(root)[1].params["code"], "none")
    assert recoded(root) == text
    assert "# The one DAG" in text


def test_code_follows_the_prints_that_are_leant_on_and_no_others(root: Path, tmp_path: Path) -> None:
    manifest = load_manifest(REPO / "qgtm")
    (tsmom, *_, review) = load_tasks(root)
    before = (code_of(root, tsmom, manifest), code_of(root, review, manifest))
    entries = json.loads((REPO / "qgtm" / "MANIFEST.json").read_text())

    def after(name: str) -> tuple[str, str]:
        changed = json.loads(json.dumps(entries))
        changed["prints"][name]["module_sha256"] = "0" * 64
        folder = tmp_path / name.replace("/", "-")
        folder.mkdir()
        (folder / "MANIFEST.json").write_text(json.dumps(changed))
        other = load_manifest(folder)
        return code_of(root, tsmom, other), code_of(root, review, other)

    assert after("features/volatility")[0] != before[0]
    assert after("strategies/donchian_breakout") == before
    assert after("engine/state")[1] != before[1]  # through qgtm.views.week, which is no print


def test_copy_of_a_run_has_its_own_products_and_fresh_codes(root: Path, tmp_path: Path) -> None:
    spoil(root, load_tasks(root)[0].params["code"], "0123456789abcdef")
    review = tmp_path / "run" / "review.ipynb"
    spec = yaml.safe_load(
        run_copy(root, tmp_path / "products", review, {"journal": "j.db", "week": "2026-W02"})
    )
    tsmom, last = spec["tasks"][0], spec["tasks"][-1]
    assert tsmom["product"]["card"] == str(tmp_path / "products" / "tsmom.json")
    assert tsmom["params"]["code"] != "0123456789abcdef"
    assert last["product"] == {"nb": str(review)}
    assert (last["params"]["journal"], last["params"]["rows"]) == ("j.db", 0)
    assert Path(last["source"]).is_absolute()


@pytest.mark.parametrize("text", ["", "tasks: 3", "tasks: [", "- a"])
def test_file_that_is_no_pipeline_is_refused_with_the_next_step(root: Path, text: str) -> None:
    (root / "pipelines.yaml").write_text(text)
    with pytest.raises(ReportError, match="git checkout"):
        load_tasks(root)


def test_every_strategy_with_a_notebook_is_upstream_of_the_review() -> None:
    notebooks = {path.stem for path in (REPO / "notebooks" / "strategies").glob("*.ipynb")}
    review = load_tasks(REPO)[-1]
    assert set(review.upstream) == notebooks
