"""`qgtm deploy`: a command with the manifest's checksum in the inbox, or a refusal."""

import json
from pathlib import Path

import pytest

import qgtm
from qgtm import cli
from qgtm.adapters.inbox import Inbox
from qgtm.adapters.manifest import Difference, Manifest, code_sha, manifest_sha
from qgtm.cli import deploy
from qgtm.core.commands import Deploy


@pytest.fixture
def state(tmp_path: Path, repo: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("QGTM_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("QGTM_CONFIG", str(repo / "qgtm_config.toml"))
    monkeypatch.setattr(deploy, "load_manifest", lambda root: Manifest({}))
    monkeypatch.setattr(deploy, "verify_prints", lambda root, manifest: ())
    return tmp_path / "state"


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as end:
        cli.main(["deploy", *arguments])
    code = end.value.code
    assert isinstance(code, int)
    return code


def test_deployment_is_a_command_in_the_inbox_with_the_manifests_checksum(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--by", "OpA") == 0
    sha = manifest_sha(Manifest({}))
    with Inbox(state / "inbox.db") as inbox:
        (wish,) = inbox.wishes(after=0)
    rest = code_sha(Path(qgtm.__file__).parent)
    assert wish.command == Deploy(manifest_sha=sha, code_sha=rest, by="OpA")
    said = capsys.readouterr().out
    assert f"Command 1 asks for the deployment of 0 prints, manifest {sha[:12]}," in said
    assert f"connects them, {rest[:12]}." in said
    assert "at its next start" in said


def test_deployment_in_json_gives_the_commands_number(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    numbers = []
    for _ in range(2):
        assert run("--json") == 0
        numbers.append(json.loads(capsys.readouterr().out)["command_id"])
    assert numbers == [1, 2]


def test_print_that_differs_from_the_manifest_is_not_deployed(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    difference = Difference("changed", "strategies/tsmom", "tsmom is not as printed. Run `make export`.")
    monkeypatch.setattr(deploy, "verify_prints", lambda root, manifest: (difference,))
    assert run() == 1
    assert capsys.readouterr().err == "tsmom is not as printed. Run `make export`.\n"
    assert not (state / "inbox.db").exists()


def test_manifest_is_the_one_beside_the_package(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Path] = []
    monkeypatch.setattr(deploy, "load_manifest", lambda root: asked.append(root) or Manifest({}))
    assert run() == 0
    assert asked == [Path(qgtm.__file__).parent]


def test_state_folder_that_cannot_be_written_is_refused(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    state.write_text("a file in the way")
    assert run() == 1
    assert "the state folder" in capsys.readouterr().err
