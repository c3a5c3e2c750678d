"""`qgtm export` as a person or a script calls it."""

import json
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from qgtm.cli.export import command


@pytest.fixture
def export(project: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a call of the command inside the project."""
    (project.root / "notebooks").mkdir(exist_ok=True)
    monkeypatch.chdir(project.root)
    app = typer.Typer()
    app.command()(command)

    def call(*arguments: str) -> Result:
        return CliRunner().invoke(app, list(arguments))

    return call


def test_export_names_what_it_printed_and_then_what_it_left(project: Any, export: Any) -> None:
    project.write()
    assert export().stdout == "printed   qgtm/features/slope.py\n"
    assert export().stdout == "unchanged 1 module\n"


def test_check_is_silent_about_nothing_and_fails_on_a_difference(project: Any, export: Any) -> None:
    project.write()
    failed = export("--check")
    assert failed.exit_code == 1
    assert "qgtm/features/slope.py is missing" in failed.stderr
    export()
    passed = export("--check")
    assert (passed.exit_code, passed.stdout) == (0, "1 module as printed.\n")


def test_refusal_says_that_nothing_was_printed(project: Any, pages: dict[str, Any], export: Any) -> None:
    pages["knobs"].source = "lookback = 3 * 21\nupstream = None\nproduct = None"
    project.write(pages=pages)
    failed = export()
    assert failed.exit_code == 1
    assert "notebooks/features/slope.ipynb, cell 2: the knob `lookback` is computed" in failed.stderr
    assert "Nothing was printed" in failed.stderr
    assert not project.module().exists()


def test_json_answer_holds_refusals_differences_and_what_was_done(
    project: Any, pages: dict[str, Any], export: Any
) -> None:
    project.write()
    assert json.loads(export("--check", "--json").stdout)["differences"][0]["kind"] == "missing"
    assert json.loads(export("--json").stdout)["printed"] == ["features/slope"]
    pages["title"].source = "no title"
    project.write(pages=pages)
    refused = export("--json", "slope")
    assert refused.exit_code == 1
    assert json.loads(refused.stdout)["refusals"][0]["rule"] == "title"


def test_unknown_name_is_an_error_with_a_hint(project: Any, export: Any) -> None:
    project.write()
    failed = export("slop")
    assert failed.exit_code == 1
    assert "Did you mean slope?" in failed.stderr
    assert json.loads(export("slop", "--json").stdout)["error"].startswith("There is no notebook slop")


def test_project_without_notebooks_says_so(export: Any) -> None:
    assert export().stdout == "There is no notebook to print.\n"
