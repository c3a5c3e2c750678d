"""`pipelines.yaml`: whether it fits the notebooks and the prints, and the copy that a run uses.

`python -m qgtm.reporting.pipeline` writes each task's `code` anew; `make export` does it after printing.
"""

import ast
import difflib
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from qgtm.adapters.files import write_atomic
from qgtm.adapters.manifest import Manifest, load_manifest, sha256_of
from qgtm.core.errors import ReportError

FILE_NAME: Final = "pipelines.yaml"
PIPELINES_OWN: Final = frozenset({"upstream", "product", "code"})
REVIEW: Final = "weekly_review"
PACKAGE: Final = "qgtm"
CODE_LENGTH: Final = 16
# Ploomber's word for the engine has to be that of its executor; both entry points are the one that forks.
PARALLEL: Final = "qgtm.reporting.executor.PatientParallel"
# `ploomber`, without a grammar of international addresses that takes longer to import than a notebook to run.
PLOOMBER: Final = (
    "import sys; sys.modules['rfc3987_syntax'] = None; from ploomber_cli.cli import cmd_router; cmd_router()"
)
EXECUTOR: Final = {"engine_name": "papermill", "progress_bar": False, "execution_timeout": 600}


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One notebook of the pipeline; `source` is relative to the folder that holds pipelines.yaml."""

    name: str
    source: str
    params: Mapping[str, Any]
    products: Mapping[str, str]
    upstream: tuple[str, ...]


def load_tasks(root: Path) -> tuple[Task, ...]:
    """Return the tasks of pipelines.yaml in `root`. Raises ReportError with the next step."""
    return tuple(_task(each) for each in _spec(root)["tasks"])


def _spec(root: Path) -> dict[str, Any]:
    path = root / FILE_NAME
    try:
        import yaml
    except ImportError as problem:
        raise ReportError(
            "reports need parts that this installation lacks: `make report` installs them, and so does "
            "`pip install '.[pipeline]'`."
        ) from problem
    try:
        spec = yaml.safe_load(path.read_text(encoding="utf-8"))
        spec["tasks"] = list(spec["tasks"])
    except (OSError, yaml.YAMLError, KeyError, TypeError) as problem:
        raise ReportError(
            f"{path} cannot be read as a pipeline ({problem}); `git checkout {path}`."
        ) from problem
    return dict(spec)


def _task(fields: Mapping[str, Any]) -> Task:
    return Task(
        name=str(fields["name"]),
        source=str(fields["source"]),
        params=dict(fields.get("params") or {}),
        products={key: str(path) for key, path in fields["product"].items()},
        upstream=tuple(fields.get("upstream") or ()),
    )


# -- whether it fits --------------------------------------------------------------------------------


def find_faults(root: Path) -> tuple[str, ...]:
    """Return a sentence for each name or hash in pipelines.yaml that fits no notebook or print.

    Raises ReportError when pipelines.yaml or the manifest cannot be read.
    """
    manifest = load_manifest(root / PACKAGE)
    tasks = load_tasks(root)
    return tuple(fault for task in tasks for fault in _faults(root, task, manifest, tasks))


def _faults(root: Path, task: Task, manifest: Manifest, tasks: Sequence[Task]) -> Iterator[str]:
    path = root / task.source
    if not path.is_file():
        yield f"{task.name}: there is no {task.source}; correct `source` in {FILE_NAME}."
        return
    knobs = knobs_of(path)
    for name in sorted(set(task.params) - knobs - PIPELINES_OWN):
        yield f"{task.name}: {task.source} has no knob {name!r}; {_cure(name, knobs)}"
    for name in sorted({"upstream", "product"} - knobs):
        yield f"{task.name}: the parameters cell of {task.source} lacks `{name} = None`; add it."
    for name in sorted(set(task.upstream) - {each.name for each in tasks}):
        yield f"{task.name}: its upstream {name!r} is no task; {_cure(name, {t.name for t in tasks})}"
    wanted = code_of(root, task, manifest)
    if task.params.get("code") != wanted:
        yield f"{task.name}: `code` is {task.params.get('code')} and its prints are {wanted}; `make export`."


def _cure(name: str, known: set[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(known))}."


def knobs_of(notebook: Path) -> set[str]:
    """Return the names that a notebook's parameters cell assigns."""
    cells = [source for source, tags in _cells(notebook) if "parameters" in tags]
    body = [statement for cell in cells for statement in ast.parse(cell).body]
    targets = (target for each in body if isinstance(each, ast.Assign) for target in each.targets)
    return {target.id for target in targets if isinstance(target, ast.Name)}


def _cells(notebook: Path) -> list[tuple[str, list[str]]]:
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return [
        ("".join(cell["source"]), cell.get("metadata", {}).get("tags", []))
        for cell in cells
        if cell["cell_type"] == "code"
    ]


# -- the hash of the prints --------------------------------------------------------------------------


def code_of(root: Path, task: Task, manifest: Manifest) -> str:
    """Return one hash over all prints that a task's notebook imports, directly or through other modules.

    Raises ReportError for a task whose notebook is not there.
    """
    if not (root / task.source).is_file():
        raise ReportError(f"{task.name}: there is no {task.source}; correct `source` in {FILE_NAME}.")
    reached: set[str] = set()
    left = [name for source, _ in _cells(root / task.source) for name in _imported(source)]
    while left:
        name = left.pop()
        path = _file(root, name)
        if name not in reached and path is not None:
            reached.add(name)
            left += _imported(path.read_text(encoding="utf-8"))
    names = sorted(name.removeprefix(f"{PACKAGE}.").replace(".", "/") for name in reached)
    prints = [manifest.prints[name] for name in names if name in manifest.prints]
    return sha256_of("\n".join(f"{each.name} {each.module_sha256}" for each in prints))[:CODE_LENGTH]


@cache  # most notebooks reach the same modules
def _imported(source: str) -> tuple[str, ...]:
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == PACKAGE:
            found += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.split(".")[0] == PACKAGE]
    return tuple(found)


def _file(root: Path, module: str) -> Path | None:
    stem = f"{root}/{module.replace('.', '/')}"
    found = (each for each in (f"{stem}.py", f"{stem}/__init__.py") if os.path.isfile(each))  # noqa: PTH113  asked 15,000 times
    return next(map(Path, found), None)


def recoded(root: Path) -> str:
    """Return the text of pipelines.yaml with each task's `code` as it should be; all else stays."""
    text = (root / FILE_NAME).read_text(encoding="utf-8")
    manifest = load_manifest(root / PACKAGE)
    for task in load_tasks(root):
        block = rf"(source: {re.escape(task.source)}\n(?:(?!- source:).)*?\bcode: )\"?\w+\"?"
        code = code_of(root, task, manifest)
        text = re.sub(block, rf'\g<1>"{code}"', text, count=1, flags=re.DOTALL)
    return text


# -- the copy of a run -------------------------------------------------------------------------------


def run_copy(
    root: Path,
    products: Path,
    review: Path,
    params: Mapping[str, Any],
    *,
    processes: int = 1,
    without: Set[str] = frozenset(),
) -> str:
    """Return pipelines.yaml for one run: sources in full, products in `products`, the review in `review`.

    `params` are the review's. `code` is of the prints as they are now, whatever the file says. Kernels are
    forked (qgtm.reporting.fork_engine), and `processes` notebooks run side by side; the tasks of `without`
    are left out.
    """
    import yaml

    manifest = load_manifest(root / PACKAGE)
    spec = _spec(root)
    if processes > 1:
        spec["executor"] = {"dotted_path": PARALLEL, "processes": processes}
    spec["tasks"] = [fields for fields in spec["tasks"] if fields["name"] not in without]
    for fields in spec["tasks"]:
        task = _task(fields)
        fields["executor_params"] = dict(EXECUTOR)
        is_review = task.name == REVIEW
        fields["source"] = str(root / task.source)
        names = {key: Path(path).name for key, path in task.products.items()}
        fields["product"] = {key: str(products / name) for key, name in names.items()}
        if is_review:
            fields["product"] = {"nb": str(review)}
        fields["params"] = {
            **task.params,
            "code": code_of(root, task, manifest),
            **(params if is_review else {}),
        }
    return str(yaml.safe_dump(spec, sort_keys=False, allow_unicode=True))


def main(root: Path) -> None:
    """Write the codes anew and say what else does not fit. Raises ReportError for that."""
    write_atomic(root / FILE_NAME, recoded(root).encode())
    if faults := find_faults(root):
        raise ReportError("\n".join(faults))


if __name__ == "__main__":
    try:
        main(Path(__file__).resolve().parents[2])
    except ReportError as refusal:
        sys.exit(str(refusal))
