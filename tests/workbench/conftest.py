"""A copy of the project's manuscript and print, in which a test may write."""

import shutil
from pathlib import Path

import pytest

LEFT_OUT = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")


@pytest.fixture
def project(repo: Path, tmp_path: Path) -> Path:
    """Return a folder with the notebooks, the package and pipelines.yaml as they are committed."""
    return copied(repo, tmp_path / "project")


def copied(repo: Path, root: Path) -> Path:
    """Copy what strategies are written, printed and listed in to `root`, and return it."""
    for name in ("notebooks", "qgtm"):
        shutil.copytree(repo / name, root / name, ignore=LEFT_OUT)
    shutil.copy(repo / "pipelines.yaml", root)
    return root


def contents(root: Path) -> dict[str, bytes]:
    """Return every file below `root`, so that a test can say that nothing changed."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }
