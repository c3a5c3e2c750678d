"""Why a run failed: which cell of which notebook raised what, and the next step."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ANSI: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
DETAIL_LINES: Final = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why there is no report: in a sentence, in which task and cell (0: none), and the machine's words."""

    what: str
    step: str
    task: str = ""
    cell: int = 0
    detail: str = ""


def too_slow(limit_s: float, task: str) -> Failure:
    """Return the failure of a pipeline that was stopped at its time limit."""
    return Failure(
        what=f"The pipeline did not finish within {limit_s:.0f} s.",
        step="see what else the machine is doing, then run `make report`.",
        task=task,
    )


def failure_of(notebooks: Mapping[str, tuple[str, Path]], log: Path, last: str = "") -> Failure:
    """Return why a pipeline failed, from the notebooks it left behind, else from its log.

    `notebooks` are source and what has run of it, by task; `last` is the task that was begun last.
    """
    for task, (source, path) in notebooks.items():
        found = _failed_cell(path)
        if found is not None:
            number, name, value, trace = found
            return Failure(
                what=f"{name}: {value}" if value else name,
                step=f"open {source} at cell {number}, mend it, and run `make report`.",
                task=task,
                cell=number,
                detail=trace,
            )
    return Failure(
        what="The pipeline stopped before any notebook's cell did.",
        step="read below what Ploomber refused; `make check` compares pipelines.yaml with the notebooks.",
        task=last,
        detail=tail(log),
    )


# The number is that of the committed notebook: what papermill put in is not counted.
def _failed_cell(path: Path) -> tuple[int, str, str, str] | None:
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    except (OSError, ValueError, KeyError):
        return None
    own = [cell for cell in cells if not _is_added(cell)]
    for number, cell in enumerate(own, start=1):
        for output in cell.get("outputs", []):
            if output.get("output_type") == "error":
                lines = ANSI.sub("", "\n".join(output["traceback"])).splitlines()
                return number, output["ename"], output["evalue"], "\n".join(lines[-DETAIL_LINES:])
    return None


def _is_added(cell: Mapping[str, Mapping[str, list[str]]]) -> bool:
    tags = cell.get("metadata", {}).get("tags", [])
    return any(tag == "injected-parameters" or tag.startswith("papermill-error") for tag in tags)


def tail(log: Path) -> str:
    """Return the last lines of a log, without colours; nothing when it cannot be read."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    lines = [line.rsplit("\r", 1)[-1] for line in ANSI.sub("", text).splitlines()]
    return "\n".join(lines[-DETAIL_LINES:])
