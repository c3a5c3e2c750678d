"""`qgtm parity` says that nothing differs, or what; and its exit code says the same."""

import json
from pathlib import Path
from typing import Any

import pytest

from qgtm import cli
from qgtm.cli.parity import notebooks
from qgtm.strategies import donchian_breakout


@pytest.fixture(autouse=True)
def here(repo: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(repo)
    monkeypatch.setenv("QGTM_STATE", str(tmp_path))


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as end:
        cli.main(["parity", "--sessions", "90", "--strategy", "donchian_breakout", *arguments])
    return int(end.value.code or 0)


def test_what_agrees_is_told_in_json_with_exit_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--replayed", "20", "--no-vectorbt", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["strategies"], told["differing"], told["differences"]) == (1, 0, [])
    assert told["decisions"] == 90 - donchian_breakout.warm_up + 1
    gaps = told["gaps"]
    parts = sum(gaps[f"{part}_usd"] for part in ("data", "timing", "rounding", "price", "cost"))
    assert (
        gaps["whole_usd"] == pytest.approx(gaps["replay_usd"] - gaps["backtest_usd"]) == pytest.approx(parts)
    )
    assert gaps["unexplained_usd"] == 0


def test_what_differs_is_named_with_exit_1(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    update = donchian_breakout.update

    def halved(*given: Any) -> Any:
        state, targets = update(*given)
        return state, targets / 2

    monkeypatch.setattr(donchian_breakout, "update", halved)
    assert run("--replayed", "0") == 1
    told = capsys.readouterr().out
    assert "donchian_breakout on 2015-" in told
    assert "live and" in told
    assert "First input that differs: none: the rule." in told
    assert "differing decisions: 0 of" not in told


def test_unknown_strategy_is_refused_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--strategy", "gold_fever") == 1
    assert "there is no strategy gold_fever" in capsys.readouterr().err


def test_rules_are_the_notebooks_own_and_the_prints_where_there_are_none(repo: Path, tmp_path: Path) -> None:
    printed = notebooks(["donchian_breakout"], tmp_path)["donchian_breakout"]
    assert printed.module is donchian_breakout
    working = notebooks(["donchian_breakout"], repo)["donchian_breakout"]
    assert working.module is not donchian_breakout
    assert (working.name, working.warm_up) == (printed.name, printed.warm_up)
