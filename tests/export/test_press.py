"""Printing as a whole: order, all or nothing, and every difference by name."""

import json
from pathlib import Path
from typing import Any

import pytest

from qgtm.adapters.manifest import load_manifest, verify_prints
from qgtm.core.errors import ExportError
from qgtm.export.press import Written, find_differences, find_root, plan_export, write_plan

Pages = dict[str, Any]


def export(project: Any, *names: str) -> Written:
    return write_plan(project.root, plan_export(project.root, names))


def kinds(project: Any, *names: str) -> list[tuple[str, str]]:
    found = find_differences(project.root, plan_export(project.root, names))
    return [(difference.kind, difference.name) for difference in found]


def importing(pages: Pages, module: str) -> Pages:
    """Make the notebook import another print."""
    pages["imports"].source += f"\n\nfrom qgtm.{module} import slope as other"
    return pages


def test_prints_come_in_the_order_in_which_they_import(project: Any, pages: Pages) -> None:
    project.write("features/zeta")
    project.write("risk/alpha", importing(pages, "features.zeta"))
    assert [made.name for made in plan_export(project.root).prints] == ["features/zeta", "risk/alpha"]
    assert plan_export(project.root).manifest.prints["risk/alpha"].imports == ("features/zeta",)


def test_import_of_a_module_by_its_package_counts_as_one(project: Any, pages: Pages) -> None:
    project.write("features/zeta")
    pages["imports"].source += "\n\nfrom qgtm.features import zeta"
    project.write("features/alpha", pages)
    assert [made.name for made in plan_export(project.root).prints] == ["features/zeta", "features/alpha"]


def test_handwritten_module_may_be_imported(project: Any, pages: Pages) -> None:
    project.module("features/bars").write_text('"""Bars."""\n', encoding="utf-8")
    project.write("features/alpha", importing(pages, "features.bars"))
    assert export(project).printed == ("features/alpha",)


def test_second_export_writes_nothing(project: Any) -> None:
    project.write()
    assert export(project) == Written(("features/slope",), (), ())
    times = {path: path.stat().st_mtime_ns for path in (project.root / "qgtm").rglob("*.*")}
    assert export(project) == Written((), ("features/slope",), ())
    assert {path: path.stat().st_mtime_ns for path in (project.root / "qgtm").rglob("*.*")} == times


def test_fresh_export_has_no_differences(project: Any) -> None:
    project.write()
    export(project)
    assert kinds(project) == []
    assert verify_prints(project.root / "qgtm", load_manifest(project.root / "qgtm")) == ()


def test_check_writes_nothing(project: Any) -> None:
    project.write()
    before = project.files()
    assert kinds(project) == [("missing", "features/slope"), ("manifest", "features/slope")]
    assert project.files() == before


def test_module_edited_by_hand_is_named(project: Any) -> None:
    project.write()
    export(project)
    project.module().write_text(project.module().read_text(encoding="utf-8") + "\nX = 1\n", encoding="utf-8")
    assert kinds(project) == [("edited", "features/slope")]
    (difference,) = find_differences(project.root, plan_export(project.root))
    assert "Move the edit to the notebook" in difference.sentence


def test_print_whose_header_was_cut_off_is_still_a_print(project: Any) -> None:
    project.write()
    export(project)
    project.module().write_text('"""Mine now."""\n', encoding="utf-8")
    assert kinds(project) == [("edited", "features/slope")]
    assert export(project).printed == ("features/slope",)


@pytest.mark.parametrize("spoilt", ["knobs", "title", "slope"])
def test_changed_notebook_is_named(project: Any, pages: Pages, spoilt: str) -> None:
    project.write()
    export(project)
    changes = {"knobs": ("= 63", "= 64"), "title": ("steeply", "fast"), "slope": ("change", "rise")}
    pages[spoilt].source = pages[spoilt].source.replace(*changes[spoilt])
    project.write(pages=pages)
    assert kinds(project) == [("notebook", "features/slope")]


def test_prose_report_and_check_do_not_change_the_print(project: Any, pages: Pages) -> None:
    project.write()
    export(project)
    pages["picture"].source = "slope(np.arange(200.0))"
    pages["check"].source += "\nassert warm_up == PARAMS.lookback"
    project.write(pages=pages)
    assert kinds(project) == []


def test_range_of_a_run_knob_makes_the_manifest_stale_and_not_the_print(project: Any, pages: Pages) -> None:
    pages["knobs"].source += "\nshown = 50  # run: sessions [20, 100]"
    project.write(pages=pages)
    export(project)
    pages["knobs"].source = pages["knobs"].source.replace("[20, 100]", "[20, 200]")
    project.write(pages=pages)
    assert kinds(project) == [("manifest", "features/slope")]


def test_print_that_is_missing_is_named(project: Any) -> None:
    project.write()
    export(project)
    project.module().unlink()
    assert kinds(project) == [("missing", "features/slope")]


def test_print_without_a_notebook_is_named_and_then_removed(project: Any) -> None:
    project.write()
    path = project.write("features/old")
    export(project)
    path.unlink()
    assert kinds(project) == [("orphan", "features/old")]
    assert export(project).removed == ("features/old",)
    assert not project.module("features/old").exists()
    assert kinds(project) == []


def test_handwritten_module_is_never_called_an_orphan_nor_removed(project: Any) -> None:
    project.module("features/bars").write_text('"""Bars."""\n', encoding="utf-8")
    project.write()
    export(project)
    assert kinds(project) == []
    assert project.module("features/bars").exists()


def test_entry_without_notebook_and_print_is_stale(project: Any) -> None:
    project.write()
    path = project.write("features/old")
    export(project)
    path.unlink()
    project.module("features/old").unlink()
    assert kinds(project) == [("manifest", "features/old")]


@pytest.mark.parametrize("content", [None, "", "{}", '{"format": 1, "prints": {}}'])
def test_manifest_that_is_missing_or_spoilt_is_named_and_mended(project: Any, content: str | None) -> None:
    project.write()
    export(project)
    path = project.root / "qgtm" / "MANIFEST.json"
    path.unlink() if content is None else path.write_text(content, encoding="utf-8")
    assert kinds(project) == [("manifest", "features/slope")]
    export(project)
    assert kinds(project) == []


def test_manifest_with_other_spacing_is_named(project: Any) -> None:
    project.write()
    export(project)
    path = project.root / "qgtm" / "MANIFEST.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8"))), encoding="utf-8")
    assert kinds(project) == [("manifest", "MANIFEST.json")]


def test_named_export_prints_one_and_keeps_the_entries_of_the_others(project: Any, pages: Pages) -> None:
    project.write("features/one")
    project.write("features/two")
    export(project)
    pages["title"].source = "# Two\n> Changed."
    project.write("features/two", pages)
    pages["title"].source = "broken"
    project.write("features/one", pages)
    assert export(project, "two").printed == ("features/two",)
    assert set(load_manifest(project.root / "qgtm").prints) == {"features/one", "features/two"}
    assert kinds(project, "features/two") == []


@pytest.mark.parametrize(
    "name", ["slope", "features/slope", "notebooks/features/slope.ipynb", "./notebooks/features/slope.ipynb"]
)
def test_notebook_is_found_by_each_of_its_names(project: Any, name: str) -> None:
    project.write()
    assert export(project, name).printed == ("features/slope",)


def test_unknown_name_is_refused_with_the_nearest(project: Any) -> None:
    project.write()
    with pytest.raises(ExportError, match="Did you mean slope"):
        export(project, "slop")


def test_name_of_two_notebooks_is_refused_with_both(project: Any) -> None:
    project.write("features/slope")
    project.write("risk/slope")
    with pytest.raises(ExportError, match="features/slope or risk/slope"):
        export(project, "slope")


def test_failed_write_leaves_every_module_as_it_was(
    project: Any, pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write("features/one")
    project.write("risk/two")
    export(project)
    before = project.files()
    pages["title"].source = "# Other\n> Changed."
    project.write("features/one", pages)
    project.write("risk/two", pages)
    write = Path.write_bytes

    def full_disk(path: Path, content: bytes) -> int:
        if "two" in path.name:
            raise OSError(28, "No space left on device", str(path))
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises(ExportError, match=r"two\.py\.new cannot be written \(No space left on device\)"):
        export(project)
    assert project.files() == before


def test_empty_project_exports_nothing(project: Any) -> None:
    (project.root / "notebooks").mkdir()
    assert export(project) == Written((), (), ())
    assert kinds(project) == []


def test_root_is_found_from_below_and_its_absence_is_said(project: Any, tmp_path_factory: Any) -> None:
    path: Path = project.write()
    assert find_root(path.parent) == project.root
    with pytest.raises(ExportError, match="Go to the project's folder"):
        find_root(tmp_path_factory.mktemp("elsewhere"))
