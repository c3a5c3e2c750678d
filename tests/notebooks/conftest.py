"""What runs the committed notebooks: found by looking, never listed."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

ROOT = Path(__file__).resolve().parents[2]
NOT_RUN = ("scratch", ".ipynb_checkpoints")
FORGET = """
import sys
for name in [name for name in sys.modules if name.partition(".")[0] == "qgtm"]:
    del sys.modules[name]
%reset -f
%cd -q {folder}
"""


def committed_notebooks() -> list[Path]:
    """Return every notebook of the repository but those of scratch/."""
    found = sorted((ROOT / "notebooks").rglob("*.ipynb"))
    return [path for path in found if not set(NOT_RUN) & set(path.relative_to(ROOT).parts)]


def house_metadata(path: Path) -> dict[str, Any]:
    """Return what the notebook tells the tests: `tiny` parameters, or the test it is run by."""
    return dict(json.loads(path.read_text(encoding="utf-8"))["metadata"].get("qgtm", {}))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a test that asks for `notebook` each committed notebook in turn, `runnable` those run here."""
    every = committed_notebooks()
    wanted = {
        "notebook": every,
        "runnable": [path for path in every if "tested_by" not in house_metadata(path)],
        "printed": [path for path in every if (ROOT / "qgtm" / path.parent.name / "__init__.py").exists()],
    }
    for name, paths in wanted.items():
        if name in metafunc.fixturenames:
            ids = [path.relative_to(ROOT / "notebooks").with_suffix("").as_posix() for path in paths]
            metafunc.parametrize(name, paths, ids=ids)


@pytest.fixture
def tiny(runnable: Path, tmp_path: Path) -> dict[str, Any]:
    """Return the notebook's tiny parameters, with `{folder}` replaced by an empty folder."""
    folder = tmp_path / "folder"
    folder.mkdir()
    parameters = house_metadata(runnable).get("tiny", {})
    return {
        name: value.replace("{folder}", str(folder)) if isinstance(value, str) else value
        for name, value in parameters.items()
    }


@pytest.fixture(scope="session")
def own_jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the person's own IPython profile out of the runs, and their files out of ours."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IPYTHONDIR", str(tmp_path_factory.mktemp("ipython")))
        patch.setenv("MPLBACKEND", "agg")
        patch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(":"))
        yield


class ClosingManager(KernelManager):
    """A kernel manager that can close the clients made from it: nbclient leaves them open."""

    def client(self, **kwargs: Any) -> BlockingKernelClient:
        made: BlockingKernelClient = super().client(**kwargs)
        self.__dict__.setdefault("made", []).append(made)
        return made

    def close_clients(self) -> None:
        """Close the channels of every client made so far."""
        for client in self.__dict__.pop("made", []):
            client.stop_channels()


@pytest.fixture(scope="session")
def kernel(own_jupyter: None) -> Iterator[ClosingManager]:
    """Return one warm kernel: importing the drawing library takes longer than running a notebook."""
    manager = ClosingManager(kernel_name="python3")
    manager.start_kernel()
    yield manager
    manager.shutdown_kernel(now=True)


@pytest.fixture
def blank_kernel(kernel: ClosingManager, tmp_path: Path) -> Iterator[ClosingManager]:
    """Return the warm kernel with every name of the last notebook forgotten, in a folder of its own."""
    client = kernel.client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    client.execute_interactive(FORGET.format(folder=tmp_path), timeout=60)
    yield kernel
    kernel.close_clients()
