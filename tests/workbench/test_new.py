"""A new strategy passes every check from its first minute, or nothing at all is written."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from qgtm.adapters.manifest import load_manifest, verify_prints
from qgtm.core.errors import ExportError, ReportError
from qgtm.export.press import find_differences, plan_export
from qgtm.reporting.pipeline import find_faults, load_tasks
from qgtm.workbench import new
from qgtm.workbench.new import from_template, new_strategy
from tests.workbench.conftest import contents


def names_between(text: str, begin: str) -> list[str]:
    return [line.strip(" ,") for line in text.partition(begin)[2].partition("\n)")[0].strip().splitlines()]


def test_new_strategy_is_printed_as_its_notebook_says(project: Path) -> None:
    made = new_strategy(project, "silver_week")
    assert find_differences(project, plan_export(project)) == ()
    assert verify_prints(project / "qgtm", load_manifest(project / "qgtm")) == ()
    assert 'NAME = "silver_week"\n' in (project / made.module).read_text()
    assert "# Silver week\n" in (project / made.notebook).read_text().replace('\\n",', "\n")


def test_new_strategy_stands_in_its_place_in_the_list_that_the_daemon_loads(project: Path) -> None:
    listed = project / "qgtm/strategies/__init__.py"
    before = names_between(listed.read_text(), "from qgtm.strategies import (\n")
    new_strategy(project, "silver_week")
    wanted = sorted([*before, "silver_week"])
    assert names_between(listed.read_text(), "from qgtm.strategies import (\n") == wanted
    assert names_between(listed.read_text(), "STRATEGIES: tuple[ModuleType, ...] = (\n") == wanted


def test_new_strategy_is_a_task_whose_card_the_review_waits_for(project: Path) -> None:
    before = {task.name: task for task in load_tasks(project)}
    new_strategy(project, "silver_week")
    after = {task.name: task for task in load_tasks(project)}
    assert set(after) - set(before) == {"silver_week"}
    assert after["weekly_review"].upstream == (*before["weekly_review"].upstream, "silver_week")
    assert {n: after[n] for n in before if n != "weekly_review"} == {
        n: before[n] for n in before if n != "weekly_review"
    }
    assert find_faults(project) == ()


def test_two_new_strategies_stand_beside_each_other(project: Path) -> None:
    for name in ("zinc", "a_first_idea"):
        new_strategy(project, name)
    assert find_differences(project, plan_export(project)) == ()
    assert find_faults(project) == ()


def test_new_strategy_passes_the_linter_and_the_formatter(repo: Path, project: Path) -> None:
    made = new_strategy(project, "silver_week")
    written = [str(project / path) for path in (made.notebook, made.module, "qgtm/strategies/__init__.py")]
    for check in (["check"], ["format", "--check"]):
        ruff = [sys.executable, "-m", "ruff", *check, "--no-cache", "--config", str(repo / "pyproject.toml")]
        done = subprocess.run([*ruff, *written], cwd=project, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_new_notebook_has_about_a_dozen_cells_and_no_word_of_the_template() -> None:
    text = from_template("silver_week")
    assert len(json.loads(text)["cells"]) <= 13
    assert "new_strategy" not in text
    assert "New strategy" not in text


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("tsmom", "taken by notebooks/strategies/tsmom.ipynb"),
        ("returns", "taken by notebooks/features/returns.ipynb"),
        ("Silver", "small letters"),
        ("silver-week", "small letters"),
        ("2weeks", "small letters"),
        ("../silver", "small letters"),
        ("", "small letters"),
        ("class", "small letters"),
        ("fields", "for something else"),
        ("weekly_review", "for something else"),
        ("a" * 41, "41 letters"),
    ],
)
def test_name_that_cannot_be_had_is_refused_and_nothing_is_written(
    project: Path, name: str, said: str
) -> None:
    before = contents(project)
    with pytest.raises(ExportError, match=said):
        new_strategy(project, name)
    assert contents(project) == before


def test_module_written_by_hand_is_not_overwritten(project: Path) -> None:
    (project / "qgtm/strategies/silver_week.py").write_text("MINE = 1\n")
    with pytest.raises(ExportError, match=r"taken by qgtm/strategies/silver_week\.py"):
        new_strategy(project, "silver_week")
    assert (project / "qgtm/strategies/silver_week.py").read_text() == "MINE = 1\n"


@pytest.mark.parametrize(("path", "old"), [(new.LISTED, "STRATEGIES: tuple"), (new.PIPELINES, "upstream: [")])
def test_list_that_cannot_be_read_is_named_and_nothing_is_written(project: Path, path: str, old: str) -> None:
    text = (project / path).read_text()
    (project / path).write_text(text.replace(old, "# nothing\n#"))
    before = contents(project)
    with pytest.raises((ExportError, ReportError), match=r"git checkout .*" + Path(path).name):
        new_strategy(project, "silver_week")
    assert contents(project) == before


def test_disk_that_fails_half_way_leaves_all_as_it_was(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(project)

    def full(root: Path) -> str:
        assert contents(project) != before
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(new, "recoded", full)
    with pytest.raises(OSError, match="No space"):
        new_strategy(project, "silver_week")
    assert contents(project) == before
