"""`make pipeline`: run every strategy's notebook and the review, side by side, where something has changed.

Ploomber says what has changed: a notebook, a knob in pipelines.yaml, or a print that the notebook leans on.
The kernels are forked off one warm process.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from qgtm.adapters.files import write_atomic
from qgtm.core.errors import ReportError
from qgtm.reporting.forked_kernel import IMPORTS, warmed
from qgtm.reporting.make import environ_of
from qgtm.reporting.pipeline import PLOOMBER, REVIEW, Task, knobs_of, load_tasks, run_copy

VECTORBT: Final = "with_vectorbt"
QUIET: Final = {"PYTHONWARNINGS": "ignore::UserWarning:ploomber.dag.dag"}  # `code` is read by nobody but it


def main(root: Path, arguments: Sequence[str]) -> int:
    """Run the pipeline of `root` and return Ploomber's exit code. Raises ReportError with the next step."""
    parser = argparse.ArgumentParser(prog="make pipeline", description=__doc__.splitlines()[0])
    parser.add_argument("--products", type=Path, help="into which folder; else reports/pipeline")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="notebooks at a time")
    parser.add_argument(
        "--journal", type=Path, help="whose weeks the review is of; else as pipelines.yaml says"
    )
    chosen = parser.parse_args(arguments)
    products = (chosen.products or root / "reports" / "pipeline").absolute()
    products.mkdir(parents=True, exist_ok=True)
    entry = products / "pipelines.yaml"
    tasks = load_tasks(root)
    journal = _journal(root, tasks, chosen.journal)
    text = run_copy(
        root,
        products,
        products / f"{REVIEW}.ipynb",
        {} if journal is None else {"journal": str(journal)},
        processes=chosen.processes,
        without=frozenset() if journal is not None else frozenset({REVIEW}),
    )
    write_atomic(entry, text.encode())
    if journal is None:
        sys.stdout.write("There is no journal yet, so the review is left out; `make run` begins one.\n")
        sys.stdout.flush()
    with warmed(_imports(root, tasks)) as address:
        return _built(root, products, entry, address)


def _built(root: Path, products: Path, entry: Path, address: dict[str, str]) -> int:
    return subprocess.run(
        [sys.executable, "-c", PLOOMBER, "build", "--entry-point", str(entry)],
        cwd=root,
        env=environ_of(root, products) | address | QUIET,
        check=False,
    ).returncode


def _journal(root: Path, tasks: Sequence[Task], given: Path | None) -> Path | None:
    named = [str(task.params.get("journal", "")) for task in tasks if task.name == REVIEW]
    wanted = given if given is not None else root / (named[0] if named else "")
    if wanted.is_file():
        return wanted.absolute()
    if given is not None:
        raise ReportError(f"{given} is no journal; leave --journal out to run without the review.")
    return None


def _imports(root: Path, tasks: Sequence[Task]) -> tuple[str, ...]:
    with_vectorbt = any(
        task.params.get(VECTORBT, True) and VECTORBT in knobs_of(root / task.source) for task in tasks
    )
    return (*IMPORTS, "qgtm.research.warm:booked") if with_vectorbt else IMPORTS


if __name__ == "__main__":
    try:
        sys.exit(main(Path(__file__).resolve().parents[2], sys.argv[1:]))
    except ReportError as refusal:
        sys.exit(str(refusal))
