"""What `qgtm up` says to a person who has just started it."""

from pathlib import Path

import pytest
from rich.console import Console

from qgtm.adapters.files import StateDir
from qgtm.cli.up import _set_aside, bars_of, typed
from qgtm.core.errors import ConfigError


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / ".venv" / "bin" / "qgtm"
    path.parent.mkdir(parents=True)
    path.touch()
    return path


def test_command_is_typed_by_name_where_the_shell_finds_this_very_one(own: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(own.parent)
    assert typed(own, str(tmp_path / "link" / "qgtm"), tmp_path) == "qgtm"


def test_command_is_typed_by_its_path_where_the_environment_is_not_active(own: Path, tmp_path: Path) -> None:
    assert typed(own, None, tmp_path) == ".venv/bin/qgtm"
    assert typed(own, None, tmp_path / "elsewhere") == str(own)


def test_another_qgtm_on_the_path_is_not_meant(own: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.touch()
    assert typed(own, str(other), tmp_path) == ".venv/bin/qgtm"


@pytest.fixture
def bars(tmp_path: Path) -> Path:
    folder = tmp_path / "höhere prices"
    folder.mkdir()
    return folder


def test_next_start_goes_on_with_the_bars_of_the_first_from_any_folder(
    tmp_path: Path, bars: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = StateDir(tmp_path)
    monkeypatch.chdir(bars)
    assert bars_of(state, Path("../höhere prices"), is_new=True) == bars
    monkeypatch.chdir(tmp_path)
    assert bars_of(state, None, is_new=False) == bars
    assert bars_of(state, Path("another"), is_new=False) == tmp_path / "another"
    assert bars_of(state, None, is_new=False) == bars, "another, which the exchange refuses, is not noted"


def test_new_state_forgets_the_bars_of_the_one_before(tmp_path: Path, bars: Path) -> None:
    state = StateDir(tmp_path)
    bars_of(state, bars, is_new=True)
    assert bars_of(state, None, is_new=True) is None
    assert bars_of(state, None, is_new=False) is None


def test_bars_that_are_gone_are_named_with_both_ways_on(tmp_path: Path, bars: Path) -> None:
    bars_of(StateDir(tmp_path), bars, is_new=True)
    bars.rmdir()
    with pytest.raises(ConfigError, match=r"höhere prices, .*put it back, or begin anew with --fresh"):
        bars_of(StateDir(tmp_path), None, is_new=False)


def test_fresh_start_moves_the_old_state_aside_and_leaves_the_backups(tmp_path: Path) -> None:
    state = StateDir(tmp_path)
    for name in ("journal.db", "web.db", "restoring.json"):
        (tmp_path / name).touch()
    (tmp_path / "backups" / "2026-03-01T030000Z").mkdir(parents=True)
    _set_aside(state, Console(quiet=True))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["aside", "backups"]
    (aside,) = (tmp_path / "aside").iterdir()
    assert {path.name for path in aside.iterdir()} == {"journal.db", "web.db", "restoring.json"}
