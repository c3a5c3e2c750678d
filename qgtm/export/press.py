"""The whole of printing: find the notebooks, judge them, print them into memory, compare, write.

A plan is made in memory first. One refusal anywhere in it, and nothing on disk changes.
"""

import difflib
import graphlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from qgtm.adapters.manifest import (
    FILE_NAME,
    SECTIONS,
    Difference,
    Entry,
    Manifest,
    find_prints,
    is_print,
    load_manifest,
    manifest_text,
    sha256_of,
)
from qgtm.core.errors import ExportError
from qgtm.export.notebook import Notebook, Refusal, read_notebook, refusal
from qgtm.export.printing import Print, imported_prints, print_notebook
from qgtm.export.rules import find_refusals
from qgtm.export.source import imported_modules

NOT_PRINTED = ("reviews", "scratch")


@dataclass(frozen=True, slots=True)
class Plan:
    """Hold what would be written: prints in dependency order, prints to remove, and the manifest.

    With refusals nothing of it may be written.
    """

    prints: tuple[Print, ...]
    removed: tuple[str, ...]
    manifest: Manifest
    refusals: tuple[Refusal, ...]


@dataclass(frozen=True, slots=True)
class Written:
    """Tell what `write_plan` did, by name."""

    printed: tuple[str, ...]
    unchanged: tuple[str, ...]
    removed: tuple[str, ...]


def find_root(start: Path) -> Path:
    """Return the nearest folder at or above `start` that holds `notebooks` and `qgtm`.

    Raises ExportError when there is none.
    """
    for folder in (start, *start.parents):
        if (folder / "notebooks").is_dir() and (folder / "qgtm").is_dir():
            return folder
    raise ExportError(
        f"No folder with notebooks/ and qgtm/ at or above {start}. Go to the project's folder first."
    )


def find_notebooks(root: Path) -> dict[str, Path]:
    """Return every notebook that is to be printed, by its name `section/module`, sorted."""
    paths = (path for section in SECTIONS for path in (root / "notebooks" / section).glob("*.ipynb"))
    return {f"{path.parent.name}/{path.stem}": path for path in sorted(paths)}


def plan_export(root: Path, names: Sequence[str] = ()) -> Plan:
    """Return what printing the named notebooks, or all of them, would write.

    A name is `returns`, `features/returns` or the notebook's path. Raises ExportError for a name that
    is unknown or means two notebooks.
    """
    every = find_notebooks(root)
    chosen = sorted({_resolve(name, every) for name in names}) or list(every)
    read = [read_notebook(root, every[name]) for name in chosen]
    notebooks = [found for found in read if isinstance(found, Notebook)]
    refusals = [found for found in read if isinstance(found, Refusal)]
    refusals += [] if names else _misplaced(root)
    refusals += chain.from_iterable(_judge(root, notebook, every) for notebook in notebooks)
    if refusals:
        return Plan((), (), Manifest({}), tuple(refusals))
    return _printed(root, notebooks, frozenset(every), is_whole=not names)


def _resolve(name: str, every: Mapping[str, Path]) -> str:
    plain = name.removeprefix("./").removeprefix("notebooks/").removesuffix(".ipynb")
    found = [known for known in every if known == plain or known.partition("/")[2] == plain]
    if len(found) == 1:
        return found[0]
    if found:
        raise ExportError(f"{name} may be {' or '.join(found)}. Name one of them in full.")
    near = difflib.get_close_matches(plain, [*every, *(known.partition("/")[2] for known in every)], n=1)
    hint = f"Did you mean {near[0]}?" if near else f"There are {', '.join(every) or 'none yet'}."
    raise ExportError(f"There is no notebook {name} to print. {hint}")


def _misplaced(root: Path) -> list[Refusal]:
    folder = root / "notebooks"
    paths = sorted(path.relative_to(folder) for path in folder.rglob("*.ipynb"))
    lost = [path for path in paths if ".ipynb_checkpoints" not in path.parts and not _has_its_place(path)]
    cure = f"Move it into one of {', '.join((*SECTIONS, *NOT_PRINTED))}, without a folder between"
    return [
        refusal(
            f"notebooks/{path.as_posix()}", "place", None, path.name, "no rule says what it becomes", cure
        )
        for path in lost
    ]


def _has_its_place(path: Path) -> bool:
    section = path.parts[0]
    return section in NOT_PRINTED or (section in SECTIONS and len(path.parts) == 2)


def _judge(root: Path, notebook: Notebook, every: Mapping[str, Path]) -> Iterable[Refusal]:
    refusals = find_refusals(notebook)
    return refusals or (*_handwritten(root, notebook), *_missing_prints(root, notebook, every))


def _handwritten(root: Path, notebook: Notebook) -> Iterable[Refusal]:
    path = root / notebook.module
    if path.exists() and not is_print(path.read_text(encoding="utf-8")) and notebook.name not in _known(root):
        said = f"its print would overwrite {notebook.module}, which is written by hand"
        yield notebook.refuse(
            "handwritten module", None, notebook.name, said, "Rename the notebook or the module"
        )


def _known(root: Path) -> Mapping[str, Entry]:
    try:
        return load_manifest(root / "qgtm").prints
    except ExportError:
        return {}


def _missing_prints(root: Path, notebook: Notebook, every: Mapping[str, Path]) -> Iterable[Refusal]:
    for module in sorted(_sibling_modules(root, notebook)):
        if module not in every:
            said = f"it imports `qgtm.{module.replace('/', '.')}`, which no notebook prints and nobody wrote"
            yield notebook.refuse(
                "missing print", None, module, said, "Write that notebook, or correct the name"
            )


def _sibling_modules(root: Path, notebook: Notebook) -> set[str]:
    modules = {module for cell in notebook.tagged("export") for module in imported_modules(cell.source)}
    parts = (module.split(".") for module in modules if module.count(".") == 2)
    names = {
        f"{section}/{name}" for package, section, name in parts if package == "qgtm" and section in SECTIONS
    }
    return {name for name in names if not _is_written_by_hand(root / "qgtm" / f"{name}.py")}


def _is_written_by_hand(path: Path) -> bool:
    return path.exists() and not is_print(path.read_text(encoding="utf-8"))


def _printed(root: Path, notebooks: Sequence[Notebook], every: frozenset[str], is_whole: bool) -> Plan:
    imports = {notebook.name: imported_prints(notebook, every) for notebook in notebooks}
    order = _in_order(imports)
    if isinstance(order, Refusal):
        return Plan((), (), Manifest({}), (order,))
    by_name = {notebook.name: notebook for notebook in notebooks}
    prints = tuple(_with_imports(print_notebook(by_name[name]), imports[name]) for name in order)
    kept = {} if is_whole else dict(load_manifest(root / "qgtm").prints) if _has_manifest(root) else {}
    manifest = Manifest(kept | {made.name: made.entry for made in prints})
    removed = tuple(name for name in find_prints(root / "qgtm") if name not in every) if is_whole else ()
    return Plan(prints, removed, manifest, ())


def _has_manifest(root: Path) -> bool:
    return (root / "qgtm" / FILE_NAME).exists()


def _with_imports(made: Print, imports: tuple[str, ...]) -> Print:
    return replace(made, entry=replace(made.entry, imports=imports))


def _in_order(imports: Mapping[str, tuple[str, ...]]) -> list[str] | Refusal:
    known = {name: [other for other in others if other in imports] for name, others in imports.items()}
    try:
        return list(graphlib.TopologicalSorter(known).static_order())
    except graphlib.CycleError as error:
        ring = " -> ".join(error.args[1])
        path = f"notebooks/{error.args[1][0]}.ipynb"
        cure = "Move what both need into a third notebook"
        return refusal(path, "import cycle", None, ring, f"the prints import each other: {ring}", cure)


def write_plan(root: Path, plan: Plan) -> Written:
    """Write what changed, whole files at a time and the manifest last, and tell what was done.

    Every text lies complete on the disk before the first module is replaced. Raises ExportError, with
    nothing changed, when the plan has refusals.
    """
    if plan.refusals:
        raise ExportError("\n".join(refusal.sentence for refusal in plan.refusals))
    texts = {f"qgtm/{made.name}.py": made.text for made in plan.prints}
    changed = {path: text for path, text in texts.items() if _text_at(root / path) != text}
    if _text_at(root / "qgtm" / FILE_NAME) != manifest_text(plan.manifest):
        changed[f"qgtm/{FILE_NAME}"] = manifest_text(plan.manifest)
    _replace_all(root, changed)
    for name in plan.removed:
        (root / "qgtm" / f"{name}.py").unlink()
    names = [made.name for made in plan.prints]
    printed = tuple(name for name in names if f"qgtm/{name}.py" in changed)
    return Written(printed, tuple(name for name in names if name not in printed), plan.removed)


def _text_at(path: Path) -> str | None:
    return path.read_bytes().decode(errors="replace") if path.exists() else None


def _replace_all(root: Path, texts: Mapping[str, str]) -> None:
    fresh = {root / path: (root / path).with_name(f".{Path(path).name}.new") for path in texts}
    try:
        for path, text in texts.items():
            fresh[root / path].write_bytes(text.encode())
        for target, written in fresh.items():
            written.replace(target)
    except OSError as error:
        cure = "Make room or correct the rights, then run `make export` again"
        raise ExportError(f"{error.filename} cannot be written ({error.strerror}). {cure}.") from error
    finally:
        for written in fresh.values():
            written.unlink(missing_ok=True)


def find_differences(root: Path, plan: Plan) -> tuple[Difference, ...]:
    """Return every way in which the disk is not what the plan would write; a named plan looks at its own."""
    known = _known(root)
    of_prints = chain.from_iterable(_compare(root, made, known.get(made.name)) for made in plan.prints)
    orphans = [_orphan(name) for name in plan.removed]
    stale = [_stale(name) for name in sorted(set(known) - set(plan.manifest.prints) - set(plan.removed))]
    found = (*of_prints, *orphans, *stale)
    if found or _text_at(root / "qgtm" / FILE_NAME) == manifest_text(plan.manifest):
        return found
    said = f"qgtm/{FILE_NAME} is missing or is not what the exporter writes. Run `make export` and commit."
    return (Difference("manifest", FILE_NAME, said),)


def _compare(root: Path, made: Print, listed: Entry | None) -> Iterable[Difference]:
    on_disk = _text_at(root / "qgtm" / f"{made.name}.py")
    entry, cure = made.entry, "Run `make export` and commit."
    if on_disk is None:
        yield Difference("missing", made.name, f"{entry.module} is missing. {cure}")
    elif on_disk != made.text:
        yield from _otherwise(made, listed, on_disk)
    if listed is None:
        yield Difference("manifest", made.name, f"qgtm/{FILE_NAME} lacks {made.name}. {cure}")
    elif listed != entry and on_disk == made.text:
        yield Difference("manifest", made.name, f"qgtm/{FILE_NAME} is stale for {made.name}. {cure}")


def _otherwise(made: Print, listed: Entry | None, on_disk: str) -> Iterable[Difference]:
    entry = made.entry
    if listed is not None and listed.module_sha256 != sha256_of(on_disk):
        said = f"{entry.module} was edited by hand, and it is printed from {entry.notebook}."
        yield Difference(
            "edited", made.name, f"{said} Move the edit to the notebook, then run `make export`."
        )
    if listed is None or listed.module_sha256 != entry.module_sha256:
        said = f"{entry.notebook} has changed and {entry.module} has not."
        yield Difference("notebook", made.name, f"{said} Run `make export` and commit.")


def _orphan(name: str) -> Difference:
    said = f"qgtm/{name}.py is a print without a notebook."
    cure = f"Bring back notebooks/{name}.ipynb, or run `make export`, which removes the print."
    return Difference("orphan", name, f"{said} {cure}")


def _stale(name: str) -> Difference:
    said = f"qgtm/{FILE_NAME} lists {name}, which no notebook prints."
    return Difference("manifest", name, f"{said} Run `make export` and commit.")
