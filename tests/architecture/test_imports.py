"""What import-linter cannot say: whitelists, and that its contracts forget no package."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

INSIDE = ("features", "strategies", "allocation", "risk", "engine")
HEAVY = (
    "IPython bokeh holoviews hmmlearn ipykernel jupyter_client matplotlib nbconvert nbformat panel papermill "
    "ploomber pypandoc scipy typst vectorbt"
).split()


def imported_roots(path: Path) -> set[str]:
    """Return the first two parts of every module that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {".".join(alias.name.split(".")[:2]) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: imports here are absolute, so that the contracts can be read"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {".".join(name.split(".")[:2]) for name in names}
    return found


def outsiders(repo: Path, package: str, allowed: set[str]) -> list[str]:
    """Return what files of a package import besides the standard library and `allowed`."""
    return [
        f"{path.relative_to(repo)} imports {name}"
        for path in sorted((repo / "qgtm" / package).rglob("*.py"))
        for name in sorted(imported_roots(path))
        if name.split(".")[0] not in sys.stdlib_module_names | allowed and name not in allowed
    ]


def contracts(repo: Path) -> dict[str, dict[str, Any]]:
    """Return the import contracts by their id."""
    settings = tomllib.loads((repo / "pyproject.toml").read_text())
    return {c["id"]: c for c in settings["tool"]["importlinter"]["contracts"]}


def children(repo: Path) -> set[str]:
    """Return the modules and packages that stand directly in qgtm."""
    here = (repo / "qgtm").iterdir()
    return {p.stem for p in here if p.suffix == ".py" or (p / "__init__.py").exists()} - {
        "__init__",
        "__main__",
    }


def test_core_imports_only_the_standard_library(repo: Path) -> None:
    assert outsiders(repo, "core", {"qgtm.core"}) == []


@pytest.mark.parametrize("package", INSIDE)
def test_inside_imports_only_numpy_and_itself(repo: Path, package: str) -> None:
    assert outsiders(repo, package, {"numpy", "qgtm.core", *(f"qgtm.{p}" for p in INSIDE)}) == []


@pytest.mark.mistake(7)
def test_watchdog_imports_only_the_language_and_one_http_client(repo: Path) -> None:
    assert outsiders(repo, "watchdog", {"qgtm.core", "qgtm.watchdog", "requests"}) == []


def test_layers_name_every_package_of_qgtm(repo: Path) -> None:
    row = " ".join(contracts(repo)["layers"]["layers"])
    named = {word.strip("()") for word in row.split() if "qgtm." in word}
    beside = {"qgtm.watchdog"}  # stands beside the layers, under a contract of its own
    assert {f"qgtm.{child}" for child in children(repo)} <= named | beside


def test_watchdog_contract_forbids_every_package_but_the_language(repo: Path) -> None:
    forbidden = set(contracts(repo)["watchdog"]["forbidden_modules"])
    assert {f"qgtm.{child}" for child in children(repo) - {"core", "watchdog"}} <= forbidden


def test_inside_contract_covers_every_printed_package(repo: Path) -> None:
    assert {f"qgtm.{p}" for p in (*INSIDE, "core")} == set(contracts(repo)["inside"]["source_modules"])


@pytest.mark.parametrize("module", ["qgtm.live.daemon", "qgtm.cli", "qgtm.web.app"])
def test_live_host_starts_without_jupyter_vectorbt_or_panel(repo: Path, module: str) -> None:
    code = f"import sys, {module}\nprint(*sorted(set(sys.modules) & set({HEAVY!r})))"
    if (
        not (repo / Path(*module.split("."))).with_suffix(".py").exists()
        and not (repo / Path(*module.split(".")) / "__init__.py").exists()
    ):
        pytest.skip(f"{module} does not exist")
    done = subprocess.run([sys.executable, "-c", code], cwd=repo, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.split()) == (0, []), done.stderr
