"""No advice names a command that is not there: neither a document, nor a notebook, nor what the fund says."""

import contextlib
import io
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from qgtm import cli

REPO = Path(__file__).resolve().parents[2]
ADVICE = re.compile(r"`qgtm ([a-z][^`\n]*)`")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")


def advised() -> Iterator[tuple[str, str]]:
    """Yield every command in backquotes, and the file that it stands in."""
    names = (
        "README.md",
        "docs/**/*.md",
        "qgtm/**/*.py",
        "qgtm/**/*.html",
        "notebooks/**/*.ipynb",
        "Makefile",
    )
    for path in sorted(path for name in names for path in REPO.glob(name)):
        for match in ADVICE.finditer(path.read_text("utf-8")):
            yield match.group(1).replace('\\"', '"'), str(path.relative_to(REPO))


FOUND: dict[str, set[str]] = defaultdict(set)
for words, where in advised():
    FOUND[words].add(where)


@cache
def help_of(*verbs: str) -> str | None:
    """Return what `qgtm VERB … --help` prints, None where there is no such command."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):  # noqa: SIM117
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("COLUMNS", "300")
            with pytest.raises(SystemExit) as end:
                cli.main([*verbs, "--help"])
    return out.getvalue() if end.value.code in (0, None) else None


@pytest.mark.mistake(18)
@pytest.mark.parametrize("command", sorted(FOUND))
def test_advised_command_exists_with_its_options(command: str) -> None:
    verb, *rest = command.split()
    where = f"`qgtm {command}` in {', '.join(sorted(FOUND[command]))}"
    known = help_of(verb)
    assert known is not None, f"no such verb: {where}"
    if rest and re.fullmatch(r"[a-z-]+", rest[0]) and not rest[0].startswith("--"):
        below = help_of(verb, rest[0])
        known += below if below is not None and below != known else ""
    for option in OPTION.findall(command):
        assert option in OPTION.findall(known), f"no {option}: {where}"


@pytest.mark.mistake(18)
def test_advice_is_found_at_all_and_a_command_that_is_not_there_would_be() -> None:
    assert {"up", "status", "reconcile", "deploy"} <= {command.split()[0] for command in FOUND}
    assert help_of("reconcille") is None
    assert "--merge" not in OPTION.findall(help_of("reconcile") or "")
