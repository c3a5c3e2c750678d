"""Every command that a document or the program's own messages name is there, with its options.

A runbook with commands that do not exist is worse than none: it is read at the worst moment.
"""

import ast
import json
import re
import shlex
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import typer

from qgtm import cli

REPO = Path(__file__).parents[2]
SPAN = re.compile(r"(?<!`)`([^`]+)`(?!`)")  # a newline may stand in it where a text is set
BARE = re.compile(r"\bqgtm [a-z][a-z-]*(?: (?!--)[\w./<>{}-]+)*(?: --[a-z][\w-]*(?: (?!-)[^\s`|,;:)]+)*)+")
FENCE = re.compile(r"^```\w*\n(.*?)^```", re.S | re.M)
MAKE = re.compile(r"`make ([a-z][\w-]*)")
MODULE = re.compile(r"`(?:\S*/)?python3? -m ([\w.]+)")
VARIABLE = re.compile(r"\bQGTM_[A-Z_]+[A-Z]\b")
BLANK = re.compile(r"^(\.\.\.|…|[A-Z_]+|<.*>|\{.*\}|\[.*\])$")  # stands for what a person fills in
Named = tuple[str, str]


def documents() -> list[Path]:
    return [REPO / "README.md", *sorted((REPO / "docs").rglob("*.md"))]


def sources() -> list[Path]:
    return sorted((REPO / "qgtm").rglob("*.py"))


def texts_of(path: Path) -> Iterator[str]:
    """Return the texts of a file: a document's whole, a module's strings with their blanks as `{}`."""
    text = path.read_text("utf-8")
    if path.suffix == ".ipynb":
        yield from ("".join(cell["source"]) for cell in json.loads(text)["cells"])
    elif path.suffix != ".py":
        yield text
    else:
        tree = ast.parse(text)
        inside = {
            id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
                yield node.value
            elif isinstance(node, ast.JoinedStr):
                yield "".join(str(p.value) if isinstance(p, ast.Constant) else "{}" for p in node.values)


def commands_in(text: str) -> Iterator[str]:
    """Return every command of ours that a text names: in backticks, in a block, or with an option."""
    spans = [" ".join(span.split()) for span in SPAN.findall(text)]
    lines = [line.split("  #")[0].strip() for block in FENCE.findall(text) for line in block.splitlines()]
    for line in (*spans, *lines):
        if line == "qgtm" or line.startswith("qgtm "):
            yield line
    yield from BARE.findall(re.sub(r"`[^`]*`", " ", text))


@cache
def click_command(verb: str) -> Any:
    command: Any = import_module(f"qgtm.cli.{verb}").command
    if not isinstance(command, typer.Typer):
        app = typer.Typer()
        app.command()(command)
        command = app
    return typer.main.get_command(command)


def why_not(line: str) -> str | None:
    """Return why a command line cannot be, None when verb, verb below it, options and words are there."""
    words = _words(line)[1:]
    words = words[: words.index("|")] if "|" in words else words
    if not words or BLANK.match(words[0]):
        return None
    verb, *rest = words
    if verb in ("--help", "--version"):
        return None
    if not cli.is_there(verb):
        return f"there is no verb {verb!r}"
    command = click_command(verb)
    if hasattr(command, "commands"):
        if not rest or rest[0].startswith("--") or BLANK.match(rest[0]):
            return None
        below, *rest = rest
        if below not in command.commands:
            return f"{verb} has no {below!r}"
        command = command.commands[below]
    return _why_no_words(command, rest)


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError:
        return line.split()


def _why_no_words(command: Any, words: Sequence[str]) -> str | None:
    options = {name: option for option in command.params for name in (*option.opts, *option.secondary_opts)}
    room = sum(99 if each.nargs < 0 else 1 for each in command.params if each.param_type_name == "argument")
    left, bare = list(words), 0
    while left:
        word = left.pop(0)
        name = word.partition("=")[0]
        if name in ("--help", "-h"):
            continue
        if name.startswith("-") and name != "-":
            if name not in options:
                return f"it has no option {name}"
            if not getattr(options[name], "is_flag", False) and "=" not in word and left:
                left.pop(0)
        elif word not in ("...", "…", "{}"):
            bare += 1
    return f"it takes {room} words and not {bare}" if bare > room else None


def named(paths: Sequence[Path]) -> list[Named]:
    return [
        (str(p.relative_to(REPO)), line) for p in paths for text in texts_of(p) for line in commands_in(text)
    ]


def wrong(found: Sequence[Named]) -> list[str]:
    return [f"{where}: {line}: {why}" for where, line in found if (why := why_not(line))]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("qgtm halt", "no verb 'halt'"),
        ("qgtm killswitch --rearm", "no option --rearm"),
        ("qgtm audit mend", "audit has no 'mend'"),
        ("qgtm audit verify --quick", "no option --quick"),
        ("qgtm audit tail -n 50", None),
        ("qgtm audit tail -x 50", "no option -x"),
        ("qgtm status now", "takes 0 words"),
        ("qgtm killswitch --request-reset --reason", None),
        ('qgtm ack dead_man --reason "it was the disk"', None),
        ("qgtm restore BACKUP --verify", None),
        ("qgtm operators enroll OpB", None),
        ("qgtm VERB --help", None),
        ("qgtm limits --set gross_frac=1.6 --reason …", None),
        ("qgtm", None),
    ],
)
def test_command_that_cannot_be_is_found(line: str, why: str | None) -> None:
    found = why_not(line)
    assert (why is None) == (found is None), found
    assert why is None or (found and why in found)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("so `qgtm up\n--fresh` begins", ["qgtm up --fresh"]),
        ("```sh\nqgtm status  # look\nmake run\n```\n", ["qgtm status"]),
        (
            "to see it: qgtm simulate --days 3 --seed {} --until {}",
            ["qgtm simulate --days 3 --seed {} --until {}"],
        ),
        ("qgtm runs a fund, and `make run` starts it", []),
    ],
)
def test_commands_are_found_in_texts(text: str, lines: list[str]) -> None:
    assert list(commands_in(text)) == lines


@pytest.mark.mistake(18)
def test_every_command_in_the_documents_is_there() -> None:
    found = named(documents())
    assert len(found) > 60
    assert wrong(found) == []


@pytest.mark.mistake(18)
def test_every_command_in_the_programs_own_words_is_there() -> None:
    found = named([*sources(), REPO / "qgtm_config.toml", REPO / "Makefile"])
    assert len(found) > 60
    assert wrong(found) == []


def test_every_command_in_the_notebooks_is_there() -> None:
    assert wrong(named(sorted((REPO / "notebooks").rglob("*.ipynb")))) == []


@pytest.mark.mistake(18)
def test_runbook_names_every_verb_that_an_emergency_needs() -> None:
    lines = [line for _, line in named([REPO / "docs" / "runbook.md"])]
    verbs = {line.split()[1] for line in lines if " " in line}
    assert {
        "ack", "audit", "backup", "deploy", "incident", "killswitch", "limits", "operators", "order",
        "reconcile", "report", "restore", "signals", "status", "strategies", "up",
    } <= verbs  # fmt: skip


def test_every_make_target_and_module_in_the_documents_is_there() -> None:
    texts = [(path, text) for path in documents() for text in texts_of(path)]
    targets = set(re.findall(r"^([a-z][\w-]*):", (REPO / "Makefile").read_text(), re.M))
    missing = [f"{p.name}: make {name}" for p, t in texts for name in MAKE.findall(t) if name not in targets]
    missing += [f"{p.name}: {name}" for p, t in texts for name in MODULE.findall(t) if not find_spec(name)]
    assert missing == []


def test_every_variable_in_the_documents_is_read_somewhere() -> None:
    read = set(VARIABLE.findall("".join(path.read_text("utf-8") for path in sources())))
    told = {name for path in documents() for text in texts_of(path) for name in VARIABLE.findall(text)}
    assert {"QGTM_STATE_DIR"} <= told
    assert told - read == set()


LINK = re.compile(r"\]\(([^)\s]+)\)")


def anchors(path: Path) -> set[str]:
    """Return the places in a document that a link may name."""
    titles = re.findall(r"^#+ (.*)$", path.read_text("utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_link_in_the_documents_leads_somewhere() -> None:
    broken = []
    for path in documents():
        for link in LINK.findall(path.read_text("utf-8")):
            name, _, place = link.partition("#")
            target = (path.parent / name).resolve() if name else path
            is_there = "://" in link or (target.exists() and (not place or place in anchors(target)))
            broken += [] if is_there else [f"{path.name}: {link}"]
    assert broken == []
