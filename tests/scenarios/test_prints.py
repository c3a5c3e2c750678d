"""Prints that were changed, and prints that nobody deployed: refused at the start, with the cure."""

import json
import shutil
import signal
from pathlib import Path

import pytest

from qgtm.adapters.manifest import sha256_of
from tests.scenarios.terminal import REPO, Desk, eventually

PRINT = Path("qgtm/strategies/tsmom.py")


@pytest.fixture
def own(place: Desk) -> Desk:
    """Return a desk with a copy of the package, which `python -m qgtm` there takes before any other."""
    shutil.copytree(REPO / "qgtm", place.folder / "qgtm")
    return place


def changed(place: Desk) -> None:
    path = place.folder / PRINT
    path.write_text(path.read_text("utf-8") + "\n# changed by hand\n", "utf-8")


def told_to_the_manifest(place: Desk) -> None:
    """Make the manifest say what now stands on the disk, as an export of another notebook would."""
    manifest = place.folder / "qgtm" / "MANIFEST.json"
    table = json.loads(manifest.read_text("utf-8"))
    sha = sha256_of((place.folder / PRINT).read_bytes())
    table["prints"]["strategies/tsmom"]["module_sha256"] = sha
    manifest.write_text(json.dumps(table, indent=2, sort_keys=True) + "\n", "utf-8")


@pytest.mark.fault("I4")
@pytest.mark.invariant("V18")
def test_print_changed_by_hand_is_neither_deployed_nor_traded(own: Desk) -> None:
    changed(own)
    for verb in ("deploy", "daemon"):
        said = own.type(verb)
        assert said.code == 1
        assert "strategies/tsmom.py was printed as" in said.err
        assert "`make export`" in said.err
        assert "`git checkout qgtm/strategies/tsmom.py`" in said.err
    assert not (own.state / "journal.db").exists()


@pytest.mark.fault("I9")
@pytest.mark.invariant("V18")
@pytest.mark.slow
def test_prints_that_nobody_deployed_wait_for_qgtm_deploy(own: Desk) -> None:
    venue = own.start("exchange", "--speed", "0")
    own.until(venue, "paper exchange on")
    daemon = own.start("daemon")
    own.until(daemon, "8/8 live")
    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(20) == 0

    changed(own)
    told_to_the_manifest(own)
    said = own.type("daemon")
    assert said.code == 1
    assert "are not the deployed ones" in said.err
    assert "`qgtm deploy`" in said.err
    assert own.type("deploy").code == 0
    again = own.start("daemon")
    own.until(again, "8/8 live")
    eventually(lambda: own.status()["daemon"] == "running", "a daemon that runs")
    assert own.type("audit", "tail", "--kind", "Deployed", "--json").out.count('"kind": "Deployed"') == 2
