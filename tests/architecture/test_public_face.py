"""What a package offers is one list, and every name on it is there."""

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import qgtm

PRINTED = ("features", "strategies", "allocation", "risk", "engine")


def module_names() -> list[str]:
    """Return every module of qgtm that can be imported with no side effect."""
    names = [info.name for info in pkgutil.walk_packages(qgtm.__path__, "qgtm.", onerror=lambda name: None)]
    return sorted(name for name in names if not name.endswith("__main__"))


def declared(path: Path) -> list[str] | None:
    """Return a module's `__all__` as written, or nothing when it has none."""
    for node in ast.parse(path.read_text()).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(t, ast.Name) and t.id == "__all__" for t in targets):
            return list(ast.literal_eval(node.value))  # type: ignore[union-attr, attr-defined]
    return None


def re_exporting_packages(repo: Path) -> Iterator[Path]:
    """Yield every `__init__.py` of qgtm that does nothing but import names from its own modules."""
    for path in sorted((repo / "qgtm").rglob("__init__.py")):
        body = ast.parse(path.read_text()).body
        has_code = any(isinstance(node, ast.FunctionDef | ast.ClassDef) for node in body)
        passes_on = any(
            isinstance(node, ast.ImportFrom) and (node.module or "").startswith("qgtm") for node in body
        )
        if passes_on and not has_code:
            yield path


@pytest.mark.parametrize("name", module_names())
def test_module_offers_only_names_that_it_has(name: str) -> None:
    module: ModuleType = importlib.import_module(name)
    offered = list(getattr(module, "__all__", []))
    assert [n for n in offered if not hasattr(module, n)] == []
    assert len(offered) == len(set(offered))
    assert [n for n in offered if n.startswith("_") and n != "__version__"] == []


def test_package_that_passes_names_on_lists_them(repo: Path) -> None:
    silent = [str(path.relative_to(repo)) for path in re_exporting_packages(repo) if declared(path) is None]
    assert silent == []


@pytest.mark.parametrize("package", ["engine", "risk", "allocation"])
def test_printed_module_lists_its_public_names(repo: Path, package: str) -> None:
    modules = [p for p in sorted((repo / "qgtm" / package).glob("*.py")) if p.name != "__init__.py"]
    silent = [path.name for path in modules if declared(path) is None]
    assert silent == [], "tag one export cell with `__all__ = [...]`"
