"""A new strategy: its notebook from the one template, its print, and its place in both lists."""

import json
import keyword
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import qgtm.strategies
from qgtm.adapters.files import write_atomic
from qgtm.adapters.manifest import FILE_NAME as MANIFEST
from qgtm.core.errors import ExportError
from qgtm.export.press import find_notebooks, plan_export, write_plan
from qgtm.reporting.pipeline import FILE_NAME as PIPELINES
from qgtm.reporting.pipeline import REVIEW, load_tasks, recoded

TEMPLATE: Final = Path(__file__).with_name("template.ipynb")
STANDS_FOR: Final = "new_strategy"
LISTED: Final = "qgtm/strategies/__init__.py"
LONGEST: Final = 40
WIDE: Final = 105
IMPORT: Final = re.compile(r"(from qgtm\.strategies import \(\n)((?:    \w+,\n)*)(\))")
TUPLE: Final = re.compile(r"(STRATEGIES: tuple\[ModuleType, \.\.\.\] = \(\n)((?:    \w+,\n)*)(\))")
UPSTREAM: Final = re.compile(r"( *upstream: \[)([\w,\s]*)(\])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """Tell what `new_strategy` wrote; paths are relative to the project."""

    name: str
    notebook: str
    module: str
    listed_in: tuple[str, ...]


def new_strategy(root: Path, name: str) -> Made:
    """Write the notebook `name` from the template, print it, and list it where strategies are listed.

    All or nothing. Raises ExportError, with nothing changed, for a name that cannot be had and for a project
    whose lists cannot be read.
    """
    if said := why_not(root, name):
        raise ExportError(said)
    notebook, module = f"notebooks/strategies/{name}.ipynb", f"qgtm/strategies/{name}.py"
    listed = {LISTED: _listed(root, name), PIPELINES: _in_pipeline(root, name)}
    with _all_or_nothing(root, (notebook, module, f"qgtm/{MANIFEST}", *listed)):
        write_atomic(root / notebook, from_template(name).encode())
        write_plan(root, plan_export(root, [f"strategies/{name}"]))
        for path, text in listed.items():
            write_atomic(root / path, text.encode())
        write_atomic(root / PIPELINES, recoded(root).encode())
    return Made(name=name, notebook=notebook, module=module, listed_in=tuple(listed))


def why_not(root: Path, name: str) -> str | None:
    """Return why a strategy cannot be called `name`, with the next step; None when it can."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        return (
            f"{name!r} cannot be the name of a strategy: it becomes a module's. "
            "Take small letters, digits and underscores, beginning with a letter, such as silver_week."
        )
    if len(name) > LONGEST:
        return f"{name!r} has {len(name)} letters, and tables have room for {LONGEST}. Take a shorter name."
    taken = [path for path in find_notebooks(root).values() if path.stem == name]
    taken += [path for path in ((root / "qgtm/strategies" / name).with_suffix(".py"),) if path.exists()]
    if taken:
        found = taken[0].relative_to(root).as_posix()
        return f"The name {name} is taken by {found}. Edit that notebook, or take another name."
    if hasattr(qgtm.strategies, name) or name in {task.name for task in load_tasks(root)}:
        return f"The name {name} is used in {LISTED} or {PIPELINES} for something else. Take another name."
    return None


def from_template(name: str) -> str:
    """Return the text of a new notebook: the template with the name in place of its own."""
    content = json.loads(TEMPLATE.read_text(encoding="utf-8"))
    for cell in content["cells"]:
        named = (line.replace(STANDS_FOR, name) for line in cell["source"])
        cell["source"] = [line.replace(_title(STANDS_FOR), _title(name)) for line in named]
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _listed(root: Path, name: str) -> str:
    text = (root / LISTED).read_text(encoding="utf-8")
    for block in (IMPORT, TUPLE):
        found = block.search(text)
        if found is None:
            raise ExportError(
                f"{LISTED} holds no list that ends in `)` on a line of its own, so {name} cannot be added. "
                f"Run `git checkout {LISTED}`, or bring the list back into one name a line."
            )
        lines = sorted([*found[2].splitlines(), f"    {name},"])
        text = text[: found.start(2)] + "".join(f"{line}\n" for line in lines) + text[found.end(2) :]
    return text


def _in_pipeline(root: Path, name: str) -> str:
    text = (root / PIPELINES).read_text(encoding="utf-8")
    review = re.search(rf"  - source: [^\n]*/{REVIEW}\.ipynb\n", text)
    upstream = UPSTREAM.search(text, review.end()) if review else None
    if review is None or upstream is None:
        raise ExportError(
            f"{PIPELINES} has no {REVIEW} with a list `upstream`, so {name} cannot be added. "
            f"Run `git checkout {PIPELINES}`."
        )
    names = [each for each in re.split(r"[,\s]+", upstream[2]) if each]
    after = text[upstream.end() :]
    return f"{text[: review.start()]}{_task(name)}{text[review.start() : upstream.start()]}" + (
        f"{_wrapped(upstream[1], [*names, name])}]{after}"
    )


def _task(name: str) -> str:
    product = f"{{nb: reports/pipeline/{name}.ipynb, card: reports/pipeline/{name}.json}}"
    return (
        f"  - source: notebooks/strategies/{name}.ipynb\n"
        f"    name: {name}\n"
        "    static_analysis: regular\n"
        f"    product: {product}\n"
        '    params: {with_vectorbt: false, code: "new"}\n\n'
    )


def _wrapped(begin: str, names: list[str]) -> str:
    lines, indent = [begin], " " * len(begin)
    for i, name in enumerate(names):
        word = name if i == len(names) - 1 else f"{name},"
        if len(lines[-1]) + len(word) + 1 > WIDE:
            lines.append(indent)
        is_first = lines[-1].endswith(("[", " "))
        lines[-1] += word if is_first else f" {word}"
    return "\n".join(lines)


@contextmanager
def _all_or_nothing(root: Path, paths: tuple[str, ...]) -> Iterator[None]:
    before: Mapping[Path, bytes | None] = {
        root / path: (root / path).read_bytes() if (root / path).exists() else None for path in paths
    }
    try:
        yield
    except BaseException:
        for path, content in before.items():
            with suppress(OSError):  # the first problem is the one to tell
                if content is None:
                    path.unlink(missing_ok=True)
                else:
                    write_atomic(path, content)
        raise
