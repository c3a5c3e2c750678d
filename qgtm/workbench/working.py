"""A strategy twice: the print that is deployed, and the notebook as it would be printed now, from memory."""

import ast
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from qgtm.adapters.manifest import load_manifest, sha256_of
from qgtm.core.errors import ExportError
from qgtm.export.notebook import Notebook, read_notebook
from qgtm.export.press import find_root, plan_export
from qgtm.strategies import Strategy


@dataclass(frozen=True, eq=False)
class Working:
    """Hold a notebook, its strategy as it would be printed now, and whether that is what lies on the disk."""

    root: Path
    notebook: Notebook
    strategy: Strategy
    is_printed: bool

    @property
    def path(self) -> Path:
        """Return where the notebook lies."""
        return self.root / self.notebook.path

    @property
    def tiny(self) -> dict[str, Any]:
        """Return the parameters of its tiny run."""
        return dict(self.notebook.metadata.get("qgtm", {}).get("tiny", {}))

    @property
    def claims(self) -> tuple[str, ...]:
        """Return what its card says that it is neutral in; nothing when the card does not say it plainly."""
        for cell in reversed(self.notebook.tagged("report")):
            for node in ast.walk(ast.parse(cell.source)) if cell.kind == "code" else ():
                if isinstance(node, ast.keyword) and node.arg == "neutral_in":
                    with suppress(ValueError):
                        return tuple(ast.literal_eval(node.value))
        return ()


def working_copy(start: Path, name: str) -> Working:
    """Return the notebook of strategy `name`, loaded as it would be printed now.

    Raises ExportError for a notebook that is not there, cannot be printed, or whose print does not load.
    """
    root = find_root(start)
    plan = plan_export(root, [name if "/" in name else f"strategies/{name}"])
    if plan.refusals:
        raise ExportError("\n".join(refusal.sentence for refusal in plan.refusals))
    (made,) = plan.prints
    if not made.name.startswith("strategies/"):
        raise ExportError(f"{made.entry.notebook} is no strategy. Name one of notebooks/strategies.")
    notebook = read_notebook(root, root / made.entry.notebook)
    if not isinstance(notebook, Notebook):
        raise ExportError(notebook.sentence)
    on_disk = root / made.entry.module
    is_printed = on_disk.exists() and on_disk.read_text(encoding="utf-8") == made.text
    return Working(root, notebook, _loaded(made.text, made.entry.notebook, "working"), is_printed)


def deployed_print(root: Path, name: str) -> Strategy:
    """Return the strategy `name` as its print lies on the disk.

    Raises ExportError when there is no print, or it is not the one that the manifest lists.
    """
    manifest = load_manifest(root / "qgtm")
    path = root / f"qgtm/strategies/{name}.py"
    entry = manifest.prints.get(f"strategies/{name}")
    if entry is None or not path.exists():
        raise ExportError(f"{name} has never been printed, so nothing can be compared: `qgtm export {name}`.")
    text = path.read_text(encoding="utf-8")
    if sha256_of(text) != entry.module_sha256:
        raise ExportError(
            f"{entry.module} is not what was printed. `git checkout {entry.module}` brings it back."
        )
    return _loaded(text, entry.module, "deployed")


def _loaded(text: str, path: str, kind: str) -> Strategy:
    # Under a name of its own, since dataclasses look their module up, and the daemon's stays what it is.
    module = ModuleType(f"{__name__}.{kind}.{Path(path).stem}")
    sys.modules[module.__name__] = module
    try:
        exec(compile(text, path, "exec"), vars(module))
    except Exception as problem:
        raise ExportError(
            f"{path} cannot be loaded ({type(problem).__name__}: {problem}). Correct it in JupyterLab."
        ) from problem
    return Strategy(module)
