"""`qgtm diff`: how many days an edit changes, found by counting and not by the code's own comparison."""

import json
import math
from collections.abc import Callable
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import typer
from typer.testing import CliRunner, Result

from qgtm.cli.diff import command
from qgtm.core.errors import ExportError, MarketError
from qgtm.features.bars import FloatArray
from qgtm.features.seen import Seen
from qgtm.research.made_up import made_up
from qgtm.strategies import Strategy, tsmom
from qgtm.workbench.change import change, standing
from qgtm.workbench.working import deployed_print

NAN = math.nan
SEEN = Seen(made_up(8, 1))


def wanting(targets: list[float], symbol: str = "GLD", knob: int = 1) -> Strategy:
    """Return a strategy of one symbol with these targets."""
    column = np.array(targets)[:, None]
    module = SimpleNamespace(
        NAME="made", symbols=(symbol,), FEEDS=("ohlcv",), warm_up=2,
        PARAMS=tsmom.Params((knob,), 63, 0.1, 5), signal=lambda seen: column,
    )  # fmt: skip
    return Strategy(cast(Any, module))


def day(row: int) -> date:
    return date.fromordinal(int(SEEN.bars.sessions[row]))


def test_days_that_differ_are_counted_with_the_first_and_the_last() -> None:
    found = change(wanting([0, 0, 1, 1, 0, 0, 1, 1]), wanting([0, 0, 1, 0.5, 0, 0, 1, 0]), SEEN)
    assert found.days == (day(3), day(7))
    assert found.by_symbol == {"GLD": 2}
    assert found.largest_frac == 1.0
    assert found.knobs == {}


def test_no_view_is_what_stood_before_it_and_nothing_at_the_start() -> None:
    targets = np.array([[NAN, NAN], [NAN, 0.5], [1.0, NAN], [NAN, NAN], [0.0, -1.0]])
    assert standing(targets).tolist() == [[0, 0], [0, 0.5], [1, 0.5], [1, 0.5], [0, -1]]
    found = change(wanting([NAN, NAN, 1, 1, 1, 0, 0, 0]), wanting([0, 0, 1, NAN, NAN, NAN, 0, 0]), SEEN)
    assert found.days == (day(5),)


def test_symbol_that_one_of_them_lacks_is_wanted_by_the_other_alone() -> None:
    found = change(wanting([0, 0, 0, 0, 0, 1, 1, 0], "SLV"), wanting([0] * 8, "GLD"), SEEN)
    assert found.bars.symbols == ("SLV", "GLD")
    assert (found.days, found.by_symbol) == ((day(5), day(6)), {"SLV": 2})


def test_knob_that_was_turned_is_told_with_both_values() -> None:
    found = change(wanting([0] * 8), wanting([0] * 8, knob=2), SEEN)
    assert found.days == ()
    assert found.knobs == {"horizons": ((1,), (2,))}


def test_history_on_which_neither_has_a_view_is_refused() -> None:
    with pytest.raises(MarketError, match=r"made has no view on any of the 8 sessions: it reads ohlcv"):
        change(wanting([NAN] * 8), wanting([NAN] * 8), SEEN)


@pytest.fixture
def diff(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Return the command in a project whose tsmom has been edited: `old`, `new`, then arguments."""
    (tmp_path / "qgtm").symlink_to(repo / "qgtm")
    (tmp_path / "notebooks/strategies").mkdir(parents=True)
    (tmp_path / "notebooks/features").symlink_to(repo / "notebooks/features")
    monkeypatch.chdir(tmp_path)
    app = typer.Typer()
    app.command()(command)

    def call(old: str, new: str, *arguments: str) -> Result:
        text = (repo / "notebooks/strategies/tsmom.ipynb").read_text()
        assert old in text
        (tmp_path / "notebooks/strategies/tsmom.ipynb").write_text(text.replace(old, new))
        return CliRunner().invoke(app, ["tsmom", "--sessions", "700", "--seed", "9", *arguments])

    return call


def test_edited_knob_is_compared_over_history_and_drawn(diff: Callable[..., Result], tmp_path: Path) -> None:
    told = json.loads(diff("volatility_lookback = 63", "volatility_lookback = 42", "--json").stdout)
    params = {"horizons": (21, 63, 252), "target_volatility": 0.10, "carry_limit": 5}
    seen = Seen(made_up(700, 9).select(tsmom.symbols))
    both: list[FloatArray] = [
        np.nan_to_num(tsmom.signal(seen, tsmom.Params(volatility_lookback=n, **params)))  # type: ignore[arg-type]
        for n in (63, 42)
    ]
    rows = [i for i in range(700) if both[0][i].tolist() != both[1][i].tolist()]
    assert len(rows) > 100
    days = [date.fromordinal(int(seen.bars.sessions[i])).isoformat() for i in (rows[0], rows[-1])]
    assert (told["differing"], told["first"], told["last"]) == (len(rows), *days)
    assert told["knobs"] == {"volatility_lookback": {"deployed": 63, "working": 42}}
    svg = (tmp_path / told["picture"]).read_text()
    assert "<svg" in svg
    assert (told["source"], told["is_printed"]) == ("synthetic", False)


def test_notebook_as_printed_differs_nowhere_and_draws_nothing(
    diff: Callable[..., Result], tmp_path: Path
) -> None:
    same = diff("volatility_lookback = 63", "volatility_lookback = 63")
    assert same.stdout == "The notebook is what is printed: nothing differs, on none of 700 sessions of " + (
        "synthetic bars.\n"
    )
    assert not (tmp_path / "var").exists()


def test_edit_that_changes_no_target_says_so(diff: Callable[..., Result]) -> None:
    said = diff("Return the targets (sessions, symbols)", "Give the targets (sessions, symbols)").stdout
    assert said.startswith("The notebook has changed, but no target differs")


def test_print_that_was_edited_or_never_made_is_refused(project: Path) -> None:
    with pytest.raises(ExportError, match=r"silver_week has never been printed.*qgtm export silver_week"):
        deployed_print(project, "silver_week")
    (project / "qgtm/strategies/tsmom.py").write_text("NAME = 1\n")
    with pytest.raises(ExportError, match=r"git checkout qgtm/strategies/tsmom\.py"):
        deployed_print(project, "tsmom")
