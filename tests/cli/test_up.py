"""What `qgtm up` says to a person who has just started it."""

from pathlib import Path

import pytest

from qgtm.cli.up import typed


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
