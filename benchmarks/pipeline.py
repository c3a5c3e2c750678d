"""The whole pipeline on forked kernels beside plain Ploomber with kernels of Jupyter's, in one run.

Both run the same notebooks into folders of their own, as many at a time as there are cores. Then once more
without a change, and with one knob changed; and once with notebooks that are cut down to their imports, which
is what running notebooks costs as such. CPU seconds are of all processes together; the wall's are longer
where the machine has other work. There is no journal, so the weekly review is left out.
"""

import argparse
import ast
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml

from qgtm.reporting.make import environ_of
from qgtm.reporting.pipeline import REVIEW, load_tasks, run_copy
from qgtm.reporting.run_pipeline import main as run_pipeline

REPO = Path(__file__).parents[1]
PROCESSES = os.cpu_count() or 1


def timed(work: Callable[[], int]) -> dict[str, float]:
    """Return what a piece of work took, with all the processes that it started."""
    before, began = _cpu_s(), time.perf_counter()
    if code := work():
        raise RuntimeError(f"the pipeline ended with {code}; run `make pipeline` to see why")
    return {"wall_s": time.perf_counter() - began, "cpu_s": _cpu_s() - before}


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def a_root(folder: Path, only: Sequence[str]) -> Path:
    """Return a folder with the repository's notebooks and package, and a pipelines.yaml of its own."""
    for name in ("notebooks", "qgtm"):
        (folder / name).symlink_to(REPO / name)
    spec = yaml.safe_load((REPO / "pipelines.yaml").read_text())
    spec["tasks"] = [task for task in spec["tasks"] if not only or task["name"] in {*only, REVIEW}]
    (folder / "pipelines.yaml").write_text(yaml.safe_dump(spec))
    return folder


def cut_down(folder: Path, root: Path) -> Path:
    """Return a project like `root` whose notebooks only import what they import, and leave an empty card."""
    folder.mkdir()
    (folder / "qgtm").symlink_to(REPO / "qgtm")
    (folder / "pipelines.yaml").write_text((root / "pipelines.yaml").read_text())
    for task in load_tasks(root):
        content = json.loads((root / task.source).read_text())
        for cell in content["cells"]:
            if cell["cell_type"] == "code" and "parameters" not in cell["metadata"].get("tags", []):
                cell["source"] = imports_of("".join(cell["source"]))
        content["cells"][-1]["source"] = 'open(product["card"], "w").write("{}")'
        path = folder / task.source
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
    return folder


def imports_of(source: str) -> str:
    """Return the imports at the top of a cell, one a line."""
    found = [each for each in ast.parse(source).body if isinstance(each, ast.Import | ast.ImportFrom)]
    return "\n".join(ast.unparse(each) for each in found)


def by_cell(products: Path) -> dict[str, float]:
    """Return the wall's seconds that the notebooks' cells took, by what they do, and those between them."""
    took: dict[str, float] = defaultdict(float)
    for path in products.glob("*.ipynb"):
        content = json.loads(path.read_text())
        took["start, end and between"] += content["metadata"]["papermill"]["duration"]
        for cell in content["cells"]:
            seconds = cell["metadata"].get("papermill", {}).get("duration") or 0.0
            took[kind_of("".join(cell["source"]), cell["metadata"].get("tags", []))] += seconds
            took["start, end and between"] -= seconds
    return {kind: round(seconds, 1) for kind, seconds in sorted(took.items(), key=lambda each: -each[1])}


def kind_of(source: str, tags: Sequence[str]) -> str:
    """Return what a cell of the one outline does."""
    calls = {
        "tale.pictures(": "pictures",
        "tale.evidence(": "evidence",
        "tale.card(": "card",
        "told(": "back-test",
    }
    found = [kind for call, kind in calls.items() if call in source]
    return found[0] if found else "imports, rule and checks"


def plain(root: Path, products: Path) -> int:
    """Run the same tasks by Ploomber as it comes, and return its exit code."""
    products.mkdir()
    text = run_copy(root, products, products / "review.ipynb", {}, processes=PROCESSES, without={REVIEW})
    spec = yaml.safe_load(text)
    for task in spec["tasks"]:
        del task["executor_params"]
    (products / "pipelines.yaml").write_text(yaml.safe_dump(spec))
    command = [str(Path(sys.executable).with_name("ploomber")), "build", "--entry-point"]
    done = subprocess.run(
        [*command, str(products / "pipelines.yaml")],
        cwd=root,
        env=environ_of(root, products),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    sys.stderr.write(done.stdout[-4000:] if done.returncode else "")
    return done.returncode


def turn_a_knob(root: Path) -> None:
    """Change one knob of the first task."""
    spec = yaml.safe_load((root / "pipelines.yaml").read_text())
    spec["tasks"][0]["params"]["seed"] = 5
    (root / "pipelines.yaml").write_text(yaml.safe_dump(spec))


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    """Run, print, and return the results."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.pipeline", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--only", nargs="*", default=[], help="these tasks alone")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        root = a_root(Path(scratch), chosen.only)
        ours = ["--products", str(root / "forked"), "--processes", str(PROCESSES)]
        found: dict[str, Any] = {"notebooks": len(load_tasks(root)) - 1}
        found["plain"] = timed(lambda: plain(root, root / "plain"))
        found["forked"] = timed(lambda: run_pipeline(root, ours))
        found["no_change"] = timed(lambda: run_pipeline(root, ours))
        found["by_cell"] = by_cell(root / "forked")
        bare = cut_down(root / "bare", root)
        found["bare"] = timed(
            lambda: run_pipeline(bare, ["--products", str(bare / "done"), "--processes", str(PROCESSES)])
        )
        turn_a_knob(root)
        found["one_knob"] = timed(lambda: run_pipeline(root, ours))
    print(json.dumps(found) if chosen.json else _table(found))
    return found


def _table(found: dict[str, Any]) -> str:
    lines = [f"{found['notebooks']} notebooks, {PROCESSES} at a time"]
    for name in ("plain", "forked", "no_change", "one_knob", "bare"):
        lines.append(f"{name:<12}{found[name]['wall_s']:>8.1f} s wall{found[name]['cpu_s']:>8.1f} s CPU")
    whole = sum(found["by_cell"].values())
    lines += [f"  {kind:<28}{seconds / whole:>5.0%}" for kind, seconds in found["by_cell"].items()]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
