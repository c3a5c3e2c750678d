"""What a print looks like, and that it does what the notebook does."""

import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from qgtm.adapters.manifest import load_manifest
from qgtm.export.press import plan_export, write_plan

REPO = Path(__file__).resolve().parents[2]

# Written out by hand from the rules of docs/notebooks.md, not taken from the program.
BY_HAND = '''\
# A print of notebooks/features/slope.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Slope.

How steeply a price rises.
"""

# cell 3 of notebooks/features/slope.ipynb
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


# cell 4 of notebooks/features/slope.ipynb
@dataclass(frozen=True)
class Params:
    """Name the knobs."""

    lookback: int


PARAMS = Params(
    lookback=63,  # sessions [21, 252]
)
warm_up = PARAMS.lookback


# cell 5 of notebooks/features/slope.ipynb
def slope(close: NDArray[np.float64], lookback: int = PARAMS.lookback) -> NDArray[np.float64]:
    """Return the change over `lookback` sessions, in dollars a session. Raises nothing."""
    return (close[lookback:] - close[:-lookback]) / lookback


__all__ = [
    "PARAMS",
    "Params",
    "slope",
    "warm_up",
]
'''


def printed(project: Any, pages: dict[str, Any] | None = None) -> str:
    project.write(pages=pages)
    plan = plan_export(project.root)
    assert plan.refusals == ()
    write_plan(project.root, plan)
    return str(project.module().read_text(encoding="utf-8"))


def test_good_notebook_prints_what_was_written_by_hand(project: Any) -> None:
    assert printed(project) == BY_HAND


def test_print_without_knobs_has_no_params(project: Any, pages: dict[str, Any]) -> None:
    pages["knobs"].source = "upstream = None\nproduct = None"
    pages["params"].source = "LIMIT = 3"
    pages["slope"].source = "def slope(x: float) -> float:\n    return x + LIMIT"
    pages["check"].source = "assert slope(1.0) == 4.0"
    text = printed(project, pages)
    assert '__all__ = [\n    "LIMIT",\n    "slope",\n]' in text
    assert "import numpy" in text


def test_knob_of_the_run_stays_out_of_the_print_and_stands_in_the_manifest(
    project: Any, pages: dict[str, Any]
) -> None:
    pages["knobs"].source += "\nshown = 500  # run: sessions to draw [20, 2500]"
    assert "shown" not in printed(project, pages)
    parameters = load_manifest(project.root / "qgtm").prints["features/slope"].parameters
    assert parameters["shown"]["run"] is True
    assert parameters["lookback"] == {
        "value": 63, "comment": "sessions [21, 252]", "unit": "sessions", "low": 21.0, "high": 252.0
    }  # fmt: skip


LITERALS = [
    ("-0.5  # log return [-1, 0]", "-0.5,  # log return [-1, 0]", -0.5),
    ("1e-05  # variance [0.0, 1.0]", "1e-05,  # variance [0.0, 1.0]", 1e-05),
    ("1_000  # shares [1, 10_000]", "1_000,  # shares [1, 10_000]", 1000),
    ("True  # whether to skip", "True,  # whether to skip", True),
    ('"log"  # one of log, simple', '"log",  # one of log, simple', "log"),
    ('("GLD", "SLV")  # symbols', '("GLD", "SLV"),  # symbols', ("GLD", "SLV")),
    ('(\n    "GLD",\n    "SLV",\n)  # symbols', '(\n        "GLD",\n        "SLV",\n    ),', ("GLD", "SLV")),
    ('(\n    ("GLD", 0.5),\n    ("it\'s",),\n)  # pairs', '("it\'s",),', (("GLD", 0.5), ("it's",))),
]


@pytest.mark.parametrize(("knob", "text", "value"), LITERALS)
def test_literal_of_a_knob_is_printed_as_it_stands(
    project: Any, pages: dict[str, Any], knob: str, text: str, value: object
) -> None:
    pages["knobs"].source = f"lookback = {knob}\nupstream = None\nproduct = None"
    pages["params"].source = pages["params"].source.replace("lookback: int", "lookback: object")
    pages["slope"].source = "def slope() -> object:\n    return PARAMS.lookback"
    pages["check"].source = "assert slope() == PARAMS.lookback"
    source = printed(project, pages)
    assert text in source
    names: dict[str, Any] = {"__name__": __name__}
    exec(compile(source, "print", "exec"), names)
    assert names["slope"]() == value


def test_filling_over_several_lines_is_replaced_whole(project: Any, pages: dict[str, Any]) -> None:
    filling = "PARAMS = Params(\n    lookback=lookback,\n)"
    pages["params"].source = pages["params"].source.replace("PARAMS = Params(lookback=lookback)", filling)
    assert printed(project, pages) == BY_HAND


def test_docstring_escapes_what_would_end_it_and_long_sentences_are_wrapped(
    project: Any, pages: dict[str, Any]
) -> None:
    sentence = 'Formula \\alpha and """quotes"""' + " and many more words" * 20
    pages["title"].source = f"# Slope?\n> {sentence}"
    source = printed(project, pages)
    names: dict[str, Any] = {"__name__": __name__}
    exec(compile(source, "print", "exec"), names)
    assert " ".join(names["__doc__"].split()) == f"Slope? {sentence}."
    assert max(len(line) for line in source.splitlines()) <= 110


def test_title_cell_may_be_followed_by_prose(project: Any, pages: dict[str, Any]) -> None:
    pages["title"].source += "\n\nMore prose that stays in the notebook."
    assert "More prose" not in printed(project, pages)


def test_constant_below_the_imports_stands_as_ruff_wants_it(project: Any, pages: dict[str, Any]) -> None:
    pages["params"].source = "LIMIT = 3\n\n\n" + pages["params"].source
    assert "NDArray\n\n# cell 4 of" in printed(project, pages)
    assert ruff(project, "check", "--select", "I", "--isolated").returncode == 0


def test_public_names_are_in_the_order_that_ruff_calls_sorted(project: Any, pages: dict[str, Any]) -> None:
    pages["params"].source += "\nz10 = 1\nz9 = 2\n_hidden = 3\nX = 1\nMAX_9 = 1\nLong = int"
    printed(project, pages)
    assert ruff(project, "check", "--select", "RUF022", "--preview", "--isolated").returncode == 0
    assert '"_hidden"' not in project.module().read_text(encoding="utf-8")


def ruff(project: Any, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "ruff", *arguments, str(project.module())]
    return subprocess.run(command, capture_output=True, check=False, cwd=project.root)


def test_print_is_formatted_and_clean_by_the_rules_of_the_house(project: Any) -> None:
    printed(project)
    config = f"--config={REPO / 'pyproject.toml'}"
    assert ruff(project, "format", "--check", config).returncode == 0
    assert ruff(project, "check", config).returncode == 0


def test_same_notebook_prints_the_same_bytes_wherever_it_lies(project: Any, tmp_path: Path) -> None:
    first = printed(project)
    other = type(project)(tmp_path / "another" / "folder")
    assert printed(other) == first
    assert project.files() == other.files()


def test_each_block_points_to_a_cell_that_holds_its_lines(project: Any, pages: dict[str, Any]) -> None:
    lines = printed(project, pages).splitlines()
    marks = [at for at, line in enumerate(lines) if line.startswith("# cell ")]
    sources = [page.source for page in pages.values()]
    for mark, following in pairwise([*marks, lines.index("__all__ = [")]):
        number = int(lines[mark].split()[2])
        body = "\n".join(lines[mark + 1 : following]).strip()
        assert body.splitlines()[0] == sources[number - 1].splitlines()[0]


def test_print_decides_as_the_notebooks_own_cells_do(project: Any, pages: dict[str, Any]) -> None:
    notebook: dict[str, Any] = {"__name__": __name__}
    for page in pages.values():
        if page.kind == "code":
            exec(page.source, notebook)
    module: dict[str, Any] = {"__name__": __name__}
    exec(compile(printed(project, pages), "print", "exec"), module)
    close = [float(n * n) for n in range(100)]
    array = module["np"].array(close)
    assert (module["slope"](array) == notebook["slope"](array)).all()
