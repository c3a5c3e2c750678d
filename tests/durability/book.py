"""What was done already, as lines of JSON: a run that is begun again goes on where it ended."""

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

Row = dict[str, Any]
Job = tuple[str, int, int]  # what, seed, size
MOST_TOLD = 5  # a job may break the same thing a hundred times
One = Callable[[str, int, int], Row]


def rows_of(path: Path) -> Iterator[Row]:
    """Yield what was done; a line that was cut off is done again."""
    for line in path.read_text("utf-8").splitlines() if path.exists() else ():
        try:
            yield json.loads(line)
        except ValueError:
            continue


def run(wanted: Sequence[Job], one: One, path: Path, *, jobs: int, console: Console) -> None:
    """Do what is not done yet, `jobs` processes side by side, and write each down as it ends."""
    done = {(row["what"], row["seed"], row["size"]) for row in rows_of(path)}
    left = [job for job in wanted if job not in done]
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool,
        path.open("a", encoding="utf-8") as kept,
        Progress(console=console) as progress,
    ):
        task = progress.add_task("done", total=len(wanted), completed=len(wanted) - len(left))
        for future in as_completed([pool.submit(one, *job) for job in left]):
            row = future.result()
            kept.write(json.dumps(row, default=str) + "\n")
            kept.flush()
            progress.advance(task)
            for text in row["broken"][:MOST_TOLD]:
                console.print(f"{row['what']} {row['seed']}: {text}", style="red", markup=False)


def write_note(path: Path, text: str) -> None:
    """Write down what the figures of a run do not say."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as kept:
        kept.write(json.dumps({"what": "note", "seed": 0, "size": 0, "broken": [], "text": text}) + "\n")
