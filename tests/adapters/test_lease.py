"""The lease: one daemon, epochs that only rise, and a fence against one that was paused."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from qgtm.adapters.lease import Lease, is_held, take_epoch
from qgtm.core.errors import JournalError, JournalLocked


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lease.json"


def test_epoch_rises_with_each_daemon(path: Path) -> None:
    epochs = []
    for _ in range(3):
        with Lease(path) as lease:
            assert lease.is_mine()
            epochs.append(lease.epoch)
    assert epochs == [1, 2, 3]


@pytest.mark.fault("G6")
@pytest.mark.invariant("V16")
def test_second_daemon_is_refused_and_takes_no_epoch(path: Path) -> None:
    with Lease(path) as first:
        with pytest.raises(JournalLocked, match=rf"the daemon's lease .* held by process {os.getpid()}"):
            Lease(path)
        assert first.is_mine()


@pytest.mark.fault("D19")
@pytest.mark.invariant("V16")
def test_daemon_whose_lease_was_taken_is_fenced(path: Path) -> None:
    with Lease(path) as daemon:
        assert take_epoch(path, holder="watchdog") == daemon.epoch + 1
        assert not daemon.is_mine()
    with Lease(path) as next_daemon:
        assert next_daemon.epoch == daemon.epoch + 2


def test_epoch_is_never_below_what_the_journal_knows(path: Path) -> None:
    with Lease(path, least=41) as lease:
        assert lease.epoch == 42
    with Lease(path, least=7) as lease:
        assert lease.epoch == 43


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'{"epoch": "many"}', b"\xff" * 4096])
def test_lease_file_that_cannot_be_read_is_nobodys_and_stops_the_next_daemon(
    path: Path, content: bytes
) -> None:
    with Lease(path) as lease:
        path.write_bytes(content)
        assert not lease.is_mine()
    with pytest.raises(JournalError, match="delete it, the count then goes on from the journal") as caught:
        Lease(path)
    assert len(str(caught.value)) < len(str(path)) + 150, "what a broken file holds is not read out"
    path.unlink()
    with Lease(path, least=1) as lease:
        assert lease.epoch == 2


def test_lease_file_that_is_gone_is_nobodys(path: Path) -> None:
    with Lease(path) as lease:
        path.unlink()
        assert not lease.is_mine()
    assert not is_held(path, 1)


def test_lease_of_a_killed_process_is_free_again(path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from qgtm.adapters.lease import Lease\n"
        "lease = Lease(Path(sys.argv[1])); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], check=False, timeout=60)
    assert done.returncode == -9
    with Lease(path) as lease:
        assert lease.epoch == 2


def test_lease_where_no_folder_is_names_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="Next: make the folder"):
        Lease(tmp_path / "nowhere" / "lease.json")
