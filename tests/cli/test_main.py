"""The command line: what it lists, what it refuses, and that it is quick about it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from time import perf_counter
from types import SimpleNamespace
from typing import Annotated

import pytest
import typer

from qgtm import __version__, cli
from qgtm.core.errors import ConfigError

REPO = Path(__file__).parents[2]


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as end:
        cli.main(arguments)
    code = end.value.code
    assert isinstance(code, int)
    return code


def refuse(as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """Refuse."""
    raise ConfigError("this is wrong: do that")


def echo(text: str) -> None:
    """Say it again."""
    print(text)


@pytest.fixture
def verb(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a verb `deploy` in place that refuses, and one `ack` that says its argument again."""
    commands = {"qgtm.cli.deploy": refuse, "qgtm.cli.ack": echo}
    monkeypatch.setattr(cli, "import_module", lambda name: SimpleNamespace(command=commands[name]))
    monkeypatch.setattr(cli, "find_spec", lambda name: object())


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",), ("help",)])
def test_help_lists_the_verbs_that_are_there_in_a_line_each(
    arguments, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) == 0
    said = capsys.readouterr().out
    there = [name for name in cli.VERBS if (REPO / "qgtm" / "cli" / f"{name}.py").exists()]
    assert {"audit", "deploy", "export"} <= set(there)
    for name, line in cli.VERBS.items():
        assert (f"  {name:<12}{line}\n" in said) == (name in there)
    assert all(len(line) <= 100 for line in said.splitlines())


def shell(line: str, **environ: str) -> subprocess.CompletedProcess[str]:
    own = {**os.environ, "PYTHONPATH": str(REPO), "QGTM": f"{sys.executable} -m qgtm", **environ}
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line], env=own, cwd=REPO, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_terminal_without_our_letters_is_told_all_the_same(tmp_path: Path, encoding: str) -> None:
    said = shell("$QGTM status", PYTHONIOENCODING=encoding, QGTM_STATE_DIR=str(tmp_path / "var"))
    assert (said.returncode, said.stderr) == (0, "")
    assert "RED" in said.stdout


def test_output_without_room_ends_in_a_sentence(tmp_path: Path) -> None:
    said = shell("$QGTM status --json >/dev/full", QGTM_STATE_DIR=str(tmp_path / "var"))
    assert said.returncode == 1
    assert said.stderr == "the output cannot be used: No space left on device. Next: free some space there.\n"


def test_output_that_is_closed_or_read_no_further_says_nothing(tmp_path: Path) -> None:
    state = str(tmp_path / "var")
    closed = shell("$QGTM status --json >&-", QGTM_STATE_DIR=state)
    assert (closed.returncode, closed.stderr) == (0, "")
    cut = shell("$QGTM status --json | true", QGTM_STATE_DIR=state)
    assert (cut.returncode, cut.stderr) == (1, "")


def test_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--version") == 0
    assert capsys.readouterr().out == f"qgtm {__version__}\n"


@pytest.mark.parametrize(
    ("typed", "said"), [("deplyo", "did you mean `qgtm deploy`?"), ("zzz", "`qgtm --help` lists the verbs.")]
)
def test_verb_that_is_not_known_exits_2_naming_the_nearest(
    typed: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(typed) == 2
    assert capsys.readouterr().err == f"qgtm knows no verb {typed!r}: {said}\n"


def test_verb_is_run_with_what_follows(verb: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("ack", "hello") == 0
    assert capsys.readouterr().out == "hello\n"


def test_wrong_use_of_a_verb_exits_2(verb: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("ack") == 2
    assert "Missing argument" in capsys.readouterr().err


def test_refusal_is_one_sentence_on_stderr_and_exits_1(
    verb: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("deploy") == 1
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "this is wrong: do that\n")


def test_refusal_in_json_is_json_and_exits_1(verb: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("deploy", "--json") == 1
    assert json.loads(capsys.readouterr().out) == {"error": "this is wrong: do that", "kind": "ConfigError"}


def test_refusal_is_red_on_a_terminal_unless_colour_is_not_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal:
        def isatty(self) -> bool:
            return True

    monkeypatch.delenv("NO_COLOR", raising=False)
    assert cli._red("x", Terminal()) == "\x1b[31mx\x1b[0m"  # type: ignore[arg-type]
    monkeypatch.setenv("NO_COLOR", "1")
    assert cli._red("x", Terminal()) == "x"  # type: ignore[arg-type]


@pytest.mark.mistake(18)
def test_every_verb_that_is_there_says_what_it_takes(capsys: pytest.CaptureFixture[str]) -> None:
    for name in filter(cli.is_there, cli.VERBS):
        assert run(name, "--help") == 0
        assert f"qgtm {name}" in capsys.readouterr().out


def started(code: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=REPO,
        env={**os.environ, "PYTHONPATH": str(REPO)},
        check=False,
    )


def test_help_imports_no_vendor_and_is_quick() -> None:
    code = (
        "import sys\nfrom qgtm.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules} & "
        "{'typer', 'rich', 'numpy', 'pandas', 'apsw', 'alpaca', 'fastapi'}))"
    )
    begun = perf_counter()
    done = started(code)
    took_s = perf_counter() - begun
    assert done.stdout.splitlines()[-1] == "[]"
    assert took_s < 1.5  # 0.1 s on an idle core; the rest is for a busy machine
