"""Files that are never half written, and the state folder."""

import errno
import os
import stat
from pathlib import Path

import pytest

from qgtm.adapters.files import StateDir, because, explained, made_writable, state_dir, write_atomic
from qgtm.core.errors import ConfigError, JournalError


@pytest.mark.parametrize("is_durable", [True, False])
def test_file_is_replaced_whole(tmp_path: Path, is_durable: bool) -> None:
    path = tmp_path / "file"
    write_atomic(path, b"old", is_durable=is_durable)
    write_atomic(path, b"new" * 10_000, is_durable=is_durable)
    assert path.read_bytes() == b"new" * 10_000
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.fault("G3")
def test_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    write_atomic(path, b"old")

    def fail(descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="Input/output"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_file_for_its_owner_alone_is_made_so(tmp_path: Path) -> None:
    write_atomic(tmp_path / "file", b"secret", mode=0o600)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("environ", "configured", "expected"),
    [
        ({}, None, "/etc/fund/var"),
        ({}, "state", "/etc/fund/state"),
        ({}, "/srv/state", "/srv/state"),
        ({"QGTM_STATE_DIR": "/mnt/state"}, "/srv/state", "/mnt/state"),
        ({"QGTM_STATE_DIR": ""}, None, "/etc/fund/var"),
    ],
)
def test_state_folder_is_the_environments_else_the_configs_else_beside_it(
    environ, configured, expected
) -> None:
    found = state_dir(environ, Path("/etc/fund/qgtm_config.toml"), configured)
    assert found.root == Path(expected)
    assert found.journal == Path(expected) / "journal.db"


def test_names_in_the_state_folder_are_all_different() -> None:
    folder = StateDir(Path("/x"))
    names = [name for name in dir(StateDir) if isinstance(getattr(StateDir, name), property)]
    assert len({getattr(folder, name) for name in names}) == len(names) >= 6


def test_state_folder_is_made_when_it_is_not_there(tmp_path: Path) -> None:
    folder = made_writable(StateDir(tmp_path / "a" / "b"))
    assert folder.root.is_dir()
    assert list(folder.root.iterdir()) == []


def test_state_folder_where_a_file_stands_is_refused_with_the_next_step(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("in the way")
    with pytest.raises(ConfigError, match=r"the state folder .* Next: "):
        made_writable(StateDir(tmp_path / "var" / "inside"))


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="this system has no folder that nobody can write")
def test_state_folder_that_nobody_can_write_is_refused_with_the_next_step() -> None:
    with pytest.raises(ConfigError, match=r"/proc/self cannot be used: .* Next: "):
        made_writable(StateDir(Path("/proc/self")))


@pytest.mark.parametrize(
    ("number", "cure"),
    [
        (errno.EACCES, "set QGTM_STATE_DIR"),
        (errno.EROFS, "mount it writable"),
        (errno.ENOSPC, "free some space"),
        (errno.EIO, "look at the disk"),
    ],
)
def test_error_of_the_system_names_the_path_and_a_cure(number: int, cure: str) -> None:
    said = because(OSError(number, os.strerror(number)), Path("/x/y"))
    assert said.startswith(f"/x/y cannot be used: {os.strerror(number)}. Next: ")
    assert cure in said


def test_error_of_the_system_becomes_ours() -> None:
    with pytest.raises(JournalError, match="No space left"), explained(Path("/x"), JournalError):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
