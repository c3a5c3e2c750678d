"""The glossary's few words that are always wrong."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

WRONG = {
    "candle": "say bar",
    "liquidate": "say flatten",
    "_pct": "write a fraction and end the name in _frac",
}
SPEAKS_VENDOR = ("exchange", "adapters")  # the vendor's words are right there
VAGUE_MODULES = {"utils", "util", "helpers", "helper", "manager", "common", "base", "data", "misc"}
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|stub|placeholder|dummy)\b|NotImplementedError")


def ours(repo: Path) -> Iterator[Path]:
    """Yield every source file of qgtm and dashboards."""
    for top in ("qgtm", "dashboards"):
        yield from sorted((repo / top).rglob("*.py"))


@pytest.mark.parametrize("word", WRONG)
def test_word_that_is_always_wrong_stands_nowhere(repo: Path, word: str) -> None:
    found = [
        f"{path.relative_to(repo)}:{number}"
        for path in ours(repo)
        if path.relative_to(repo).parts[1] not in SPEAKS_VENDOR
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if word in line.lower()
    ]
    assert not found, f"{word}: {WRONG[word]} ({', '.join(found)})"


def test_glossary_tells_every_word_that_is_always_wrong(repo: Path) -> None:
    glossary = (repo / "docs/glossary.md").read_text()
    assert [word for word in WRONG if word not in glossary] == []


def test_module_name_says_what_it_holds(repo: Path) -> None:
    vague = [path for path in ours(repo) if path.stem in VAGUE_MODULES or path.parent.name in VAGUE_MODULES]
    assert [path for path in vague if path != repo / "qgtm/cli/data.py"] == []  # the manual's own verb


def test_product_holds_no_word_of_unfinished_work(repo: Path) -> None:
    found = [
        f"{path.relative_to(repo)}:{number} {match.group()}"
        for path in ours(repo)
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if (match := UNFINISHED.search(line))
    ]
    assert found == []
