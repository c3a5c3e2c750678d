"""`qgtm test`: each way to be unfit for the daily loop, planted in a notebook, is found by its question."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from papermill.exceptions import PapermillExecutionError
from typer.testing import CliRunner

from qgtm.cli.test import command
from qgtm.core.errors import ExportError
from qgtm.research.examination import Case, Check, examined, failures, markets
from qgtm.strategies import BY_NAME
from qgtm.workbench import trying
from qgtm.workbench.new import from_template
from qgtm.workbench.trying import check_cells
from qgtm.workbench.working import Working, working_copy

Edit = Callable[[str, str, str], Working]


@pytest.fixture
def bench(repo: Path, tmp_path: Path) -> Path:
    """Return the project with one strategy's notebook, fresh from the template and not printed."""
    (tmp_path / "qgtm").symlink_to(repo / "qgtm")
    (tmp_path / "notebooks/strategies").mkdir(parents=True)
    (tmp_path / "notebooks/features").symlink_to(repo / "notebooks/features")
    (tmp_path / "notebooks/strategies/planted.ipynb").write_text(from_template("planted"))
    return tmp_path


@pytest.fixture
def edit(bench: Path, repo: Path) -> Edit:
    """Return what replaces a text in a notebook and loads the working copy."""

    def made(name: str, old: str, to: str) -> Working:
        path = bench / f"notebooks/strategies/{name}.ipynb"
        if not path.exists():
            shutil.copy(repo / "notebooks/strategies" / path.name, path)
        content = json.loads(path.read_text())
        sources = ["".join(cell["source"]) for cell in content["cells"]]
        assert sum(source.count(old) for source in sources) == 1, "the text to spoil is not there, or twice"
        for cell, source in zip(content["cells"], sources, strict=True):
            cell["source"] = source.replace(old, to).splitlines(keepends=True)
        path.write_text(json.dumps(content))
        return working_copy(bench, name)

    return made


def answered(working: Working) -> dict[str, Check]:
    case = Case(working.strategy, markets(working.strategy), working.claims)
    return {check.name: check for check in (check_cells(working), *examined(case))}


def failed(working: Working) -> set[str]:
    return {check.name for check in failures(tuple(answered(working).values()))}


def test_template_as_it_comes_is_fit(bench: Path) -> None:
    assert failed(working_copy(bench, "planted")) == set()


@pytest.mark.parametrize(
    ("old", "to", "found"),
    [
        ('CATEGORY = "G"', 'CATEGORY = "Z"', {"contract"}),
        ('FEEDS = ("ohlcv",)', 'FEEDS = ("rumours",)', {"contract"}),
        ("rolling_mean(close, params.lookback)", "np.full_like(close, np.nanmean(close))", {"truncation"}),
        ("params.lookback + params.carry_limit", "params.lookback - 1", {"bar by bar"}),
        ("(close > mean).astype(np.float64)", "2.0 * (close > mean)", {"check cells", "budget"}),
        ("(close > mean).astype(np.float64)", "0.0 * mean", {"check cells", "budget"}),
        ("np.where(np.isnan(seen.bars.close), np.nan, targets)", "targets", {"absent bars"}),
        ('symbols = ("GLD",)', 'symbols = ("SPY",)', {"absent bars"}),
        ("np.full(seen.bars.close.shape, np.nan)", "np.zeros(seen.bars.close.shape)", {"views"}),
        ("neutral_in=[]", 'neutral_in=["the moon"]', {"neutrality"}),
        ("neutral_in=[]", "neutral_in=[\"gold's return\"]", {"neutrality"}),
        ("neutral_in=[]", 'neutral_in=["dollars: as much is bought as is sold"]', {"neutrality"}),
        ("found.tolist()[:2] == [1.0, 0.0]", "found.tolist()[:2] == [0.0, 1.0]", {"check cells"}),
    ],
)  # fmt: skip
def test_planted_fault_is_found_by_its_own_question(edit: Edit, old: str, to: str, found: set[str]) -> None:
    answers = answered(edit("planted", old, to))
    assert found <= {check.name for check in failures(tuple(answers.values()))}
    assert all(answers[name].found and answers[name].cure for name in found)


def test_look_ahead_names_the_first_day_and_how_often(edit: Edit) -> None:
    working = edit(
        "planted", "rolling_mean(close, params.lookback)", "np.full_like(close, np.nanmean(close))"
    )
    said = answered(working)["truncation"]
    assert "made up: cutting the future off changes the past at" in said.found
    assert "first on 201" in said.found


def test_rule_that_raises_has_failed_with_what_it_raised(edit: Edit) -> None:
    broken = edit("planted", "    if rows < 1:", "    if rows < 1 // 0:")
    assert {"views", "budget", "absent bars", "truncation", "bar by bar"} <= failed(broken)
    assert "ZeroDivisionError" in answered(broken)["bar by bar"].found


def test_state_that_json_cannot_hold_is_found_by_the_restart(edit: Edit) -> None:
    working = edit("vol_skew", "return State(held), np.array(", "return State(np.int64(held)), np.array(")
    assert failed(working) == {"restart"}


def test_legs_of_equal_dollars_are_not_neutral_in_silver(edit: Edit) -> None:
    working = edit("planted", 'symbols = ("GLD",)', 'symbols = ("GLD", "SLV")')
    working = edit("planted", "neutral_in=[]", 'neutral_in=["silver\'s return"]')
    assert answered(working)["neutrality"].is_ok is False
    assert "beta on SLV" in answered(working)["neutrality"].found


@pytest.mark.parametrize("name", BY_NAME)
def test_strategy_is_neutral_in_what_its_card_claims(repo: Path, name: str) -> None:
    working = working_copy(repo, name)
    said = {check.name: check for check in examined(Case(working.strategy, {}, working.claims))}
    assert said["neutrality"].is_ok, said["neutrality"].found


def test_command_lists_each_check_and_exits_with_what_was_found(
    bench: Path, edit: Edit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(bench)
    monkeypatch.setattr(trying, "run", lambda working: Check("tiny run", True, "not run here"))
    app = typer.Typer()
    app.command()(command)
    fine = CliRunner().invoke(app, ["planted", "--json"])
    told = json.loads(fine.stdout)
    assert (fine.exit_code, told["is_ok"], told["is_printed"], len(told["checks"])) == (0, True, False, 10)
    edit("planted", "params.lookback + params.carry_limit", "params.lookback - 1")
    spoilt = CliRunner().invoke(app, ["planted"])
    assert spoilt.exit_code == 1
    assert "FAILED  bar by bar    made up: the live step differs on" in spoilt.stdout
    assert "1 of 10 checks failed." in spoilt.stdout


def test_notebook_that_cannot_be_printed_is_refused_with_its_cure(edit: Edit) -> None:
    with pytest.raises(ExportError, match=r"cell 5: .*`planted`|does not fill each field"):
        edit(
            "planted",
            "PARAMS = Params(lookback=lookback, carry_limit=carry_limit)",
            "PARAMS = Params(100, 5)",
        )


def test_print_that_does_not_load_names_what_is_wrong(edit: Edit) -> None:
    with pytest.raises(ExportError, match=r"cannot be loaded \(ZeroDivisionError"):
        edit("planted", "warm_up = sessions_needed(PARAMS)", "warm_up = sessions_needed(PARAMS) // 0")


def test_tiny_run_names_the_cell_that_fails(bench: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(path: Path, *_: object, **__: object) -> None:
        # as papermill counts: from 0, with its own cell of parameters put in before this one
        raise PapermillExecutionError(9, 9, "1 // 0", "ZeroDivisionError", "by zero", [])

    monkeypatch.setattr("papermill.execute_notebook", failing)
    broken = trying.run(working_copy(bench, "planted"))
    assert (broken.is_ok, broken.found) == (False, "cell 9: ZeroDivisionError: by zero")


def test_tiny_run_without_a_card_has_failed(bench: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, object] = {}
    monkeypatch.setattr("papermill.execute_notebook", lambda path, out, knobs, **_: given.update(knobs))
    found = trying.run(working_copy(bench, "planted"))
    assert (found.is_ok, found.found) == (False, "it ends without a card")
    assert given.items() >= {"sessions": 400, "with_vectorbt": False}.items()
