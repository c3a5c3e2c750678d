"""The large sizes with real processes, files and the real client, by hand: resumable, written up as a page.

What was done is kept as lines of JSON, one a job; a run that is begun again at the same commit goes on where
it ended. The page, docs/durability.md, says what ran.
"""

import argparse
import sys
from collections.abc import Sequence

from rich.console import Console

from qgtm.adapters.clock import SystemClock
from qgtm.simulation.sizes import commit_of
from tests.durability.book import rows_of, run, write_note
from tests.durability.page import WEAKER, page
from tests.durability.size import KEPT, REPO, TRIALS, jobs_of, one, single_threaded

PAGE = REPO / "docs" / "durability.md"


def options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make durable", description=__doc__)
    parser.add_argument("--share", type=float, default=1.0, help="part of the whole sizes to run")
    parser.add_argument("--jobs", type=int, default=2, help="processes side by side")
    parser.add_argument(
        "--only", choices=sorted(TRIALS), action="append", help="only this kind; may be repeated"
    )
    parser.add_argument("--note", help="run nothing, write down what the figures do not say")
    parser.add_argument("--page", action="store_true", help="run nothing, write the page of what was done")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is left, write the page, and return 1 when anything was broken."""
    single_threaded()
    wanted, commit = options(arguments), commit_of(REPO)
    path = KEPT / f"{commit}.jsonl"
    if wanted.note:
        write_note(path, wanted.note)
    elif not wanted.page:
        names = [name for name in TRIALS if wanted.only is None or name in wanted.only]
        jobs = [
            job for name in names for job in jobs_of(name, max(1, round(TRIALS[name].whole * wanted.share)))
        ]
        run(jobs, one, path, jobs=wanted.jobs, console=Console(stderr=True))
    rows = list(rows_of(path))
    PAGE.write_text(page(rows, commit, SystemClock().now().date()), encoding="utf-8")
    return 1 if any(row["broken"] for row in rows if row["what"] != WEAKER) else 0


if __name__ == "__main__":
    sys.exit(main())
