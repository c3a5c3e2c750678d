"""The engine that forks: a notebook on it ends as it would on a kernel that was started for it."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import papermill
import pytest
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.exceptions import PapermillExecutionError

from qgtm.reporting import fork_engine, forked_kernel
from qgtm.reporting.forked_kernel import ADDRESS, Forked, ForkProvisioner, Warm

ROOT = Path(__file__).resolve().parents[2]
PICTURE = "import matplotlib.pyplot as plt\nplt.plot([1, 2]);"
RICH = (
    "import sys, os\nprint('out'); print('err', file=sys.stderr)\n2 + 2",
    "from IPython.display import HTML, display\ndisplay(HTML('<b>x</b>'))\n{'a': 1}",
    "shown = display('one', display_id='k')\nshown.update('two')",
    "%env QGTM_SEEN=1",
    PICTURE,
    "def fails():\n    return 1 / 0\nfails()",
    "print('never')",
)


@pytest.fixture(scope="module")
def warm() -> Iterator[Warm]:
    started = Warm(("numpy", "matplotlib.pyplot", "qgtm.no_such_module"))
    yield started
    started.end()


@pytest.fixture
def forked(warm: Warm, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Warm:
    monkeypatch.setenv(ADDRESS, warm.address)
    own_jupyter(monkeypatch, tmp_path)
    return warm


def own_jupyter(patch: pytest.MonkeyPatch, folder: Path) -> None:
    patch.setenv("IPYTHONDIR", str(folder / ".ipython"))
    patch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    patch.delenv("MPLBACKEND", raising=False)


def notebook(folder: Path, *cells: str, name: str = "given") -> Path:
    made = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )
    path = folder / f"{name}.ipynb"
    nbformat.write(made, path)
    return path


def run(path: Path, engine: str = "qgtm-fork", **limits: float) -> list[Any]:
    done = path.with_name(f"{path.stem}.{engine}.ipynb")
    try:
        papermill.execute_notebook(path, done, engine_name=engine, progress_bar=False, **limits)
    finally:
        cells = nbformat.read(done, as_version=4).cells
    return list(cells)


def cells_after(path: Path, engine: str = "qgtm-fork") -> list[Any]:
    return list(nbformat.read(path.with_name(f"{path.stem}.{engine}.ipynb"), as_version=4).cells)


def text_of(cell: Any) -> str:
    return "".join(output.get("text", "") for output in cell.outputs)


def test_rich_output_and_a_failure_are_as_on_a_kernel_of_its_own(forked: Warm, tmp_path: Path) -> None:
    path = notebook(tmp_path, *RICH)
    for engine in ("nbclient", "qgtm-fork"):
        with pytest.raises(PapermillExecutionError, match="division by zero"):
            run(path, engine)
    by_kernel, by_fork = cells_after(path, "nbclient"), cells_after(path)
    assert [cell.get("outputs") for cell in by_fork] == [cell.get("outputs") for cell in by_kernel]
    assert [cell.get("execution_count") for cell in by_fork] == [
        cell.get("execution_count") for cell in by_kernel
    ]
    assert [cell.metadata.get("papermill", {}).get("status") for cell in by_fork] == [
        cell.metadata.get("papermill", {}).get("status") for cell in by_kernel
    ]
    assert "image/png" in str(by_fork)


def test_failure_carries_the_marks_of_papermill_and_the_traceback(forked: Warm, tmp_path: Path) -> None:
    with pytest.raises(PapermillExecutionError):
        run(notebook(tmp_path, "x = 1", "1 / 0", "print('never')"))
    banner, _, _, failed, never = cells_after(tmp_path / "given.ipynb")
    assert "An Exception was encountered at" in banner.source
    assert failed.metadata.papermill.status == "failed"
    assert failed.outputs[0].ename == "ZeroDivisionError"
    assert "ZeroDivisionError" in failed.outputs[0].traceback[-1]
    assert never.outputs == []


def test_cell_that_takes_too_long_is_stopped_with_its_children(forked: Warm, tmp_path: Path) -> None:
    sleeps = "import subprocess, time, os\nchild = subprocess.Popen(['sleep', '600'])\n"
    told = f"open({str(tmp_path / 'pids')!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}')\ntime.sleep(600)"
    with pytest.raises(CellTimeoutError):
        run(notebook(tmp_path, sleeps + told), execution_timeout=3)
    kernel, _ = (tmp_path / "pids").read_text().split()
    assert not Path(f"/proc/{kernel}").exists()


def test_notebook_that_takes_too_long_in_all_is_stopped(forked: Warm, tmp_path: Path) -> None:
    path = notebook(tmp_path, *["import time; time.sleep(1)"] * 30)
    with pytest.raises(CellTimeoutError):
        run(path, notebook_timeout=3, execution_timeout=100)
    assert cells_after(path)[-1].execution_count is None


@pytest.mark.parametrize("death", ["os.kill(os.getpid(), 9)", "os._exit(3)"])
def test_notebook_that_dies_is_reported_as_a_dead_kernel(forked: Warm, tmp_path: Path, death: str) -> None:
    with pytest.raises(DeadKernelError):
        run(notebook(tmp_path, f"import os\n{death}"))
    assert "alive" in text_of(run(notebook(tmp_path, "print('alive')", name="next"))[0])


def test_notebooks_run_side_by_side(forked: Warm, tmp_path: Path) -> None:
    meets = (
        "import pathlib, time\nhere = pathlib.Path({folder!r})\n(here / {mine!r}).touch()\n"
        "while not (here / {other!r}).exists():\n    time.sleep(0.01)\nprint('met')"
    )
    names = {"a": "b", "b": "a"}
    paths = [
        notebook(tmp_path, meets.format(folder=str(tmp_path), mine=mine, other=other), name=mine)
        for mine, other in names.items()
    ]
    papermill_here = str(Path(sys.executable).with_name("papermill"))
    running = [
        subprocess.Popen(
            [papermill_here, "--engine=qgtm-fork", path, path.with_name(f"{path.stem}.qgtm-fork.ipynb")]
        )
        for path in paths
    ]
    assert [each.wait() for each in running] == [0, 0]
    assert [text_of(cells_after(path)[0]) for path in paths] == ["met\n", "met\n"]


def test_kernels_end_by_themselves(forked: Warm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    codes: list[int] = []
    sent: list[int] = []
    ended = Forked._ended

    def told(kernel: Forked, code: int) -> None:
        codes.append(code)
        ended(kernel, code)

    async def struck(_: ForkProvisioner, number: int) -> None:
        sent.append(number)

    monkeypatch.setattr(Forked, "_ended", told)
    monkeypatch.setattr(ForkProvisioner, "send_signal", struck)
    path = notebook(tmp_path, "print('a last word')")
    for _ in range(20):  # ipykernel's threads can wait for each other at the end, until somebody kills them
        run(path)
    assert codes == [0] * 20
    assert not sent  # an interrupt would find some of them at their last cell


def test_forks_share_imports_and_neither_names_nor_chance(forked: Warm, tmp_path: Path) -> None:
    asks = "import sys\nprint('numpy' in sys.modules, 'drawn' in globals())\nimport numpy\n"
    draws = "import random\ndrawn = numpy.random.random(), random.random()\nprint(drawn)"
    first, second = (text_of(run(notebook(tmp_path, asks + draws))[0]).splitlines() for _ in range(2))
    assert first[0] == second[0] == "True False"
    assert first[1] != second[1]


def test_kernel_is_forked_or_started_where_there_is_no_fork(
    forked: Warm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = notebook(tmp_path, "import os\nprint(os.getppid())")
    assert int(text_of(run(path)[0])) == forked.pid
    monkeypatch.setattr(fork_engine, "can_fork", lambda: False)
    assert int(text_of(run(path)[0])) == os.getpid()


def test_kernel_is_started_where_the_warm_process_has_gone(
    forked: Warm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = Warm(())
    gone.end()
    monkeypatch.setenv(ADDRESS, gone.address)
    monkeypatch.setattr(forked_kernel, "PATIENCE_S", 0.1)
    cells = run(notebook(tmp_path, "import os\nprint(os.getppid())"))
    assert int(text_of(cells[0])) == os.getpid()


def test_kernel_does_not_outlive_who_asked_for_it(warm: Warm, tmp_path: Path) -> None:
    asks = (
        "import json, os, sys, time\nfrom qgtm.reporting.forked_kernel import Forked\n"
        "made = Forked(sys.argv[1], json.loads(sys.argv[2]))\nprint(made.pid, flush=True)\ntime.sleep(600)"
    )
    wanted = (
        f'{{"argv": ["-f", "{tmp_path / "c.json"}"], "env": {{"HOME": "{tmp_path}"}}, "cwd": "{tmp_path}"}}'
    )
    with subprocess.Popen(
        [sys.executable, "-c", asks, warm.address, wanted], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as asking:
        assert asking.stdout is not None
        pid = int(asking.stdout.readline())
        assert Path(f"/proc/{pid}").exists()
        asking.kill()
    while Path(f"/proc/{pid}").exists():  # the test's own time limit says when this is too long
        threading.Event().wait(0.01)


def test_kernel_does_not_outlive_the_warm_process(tmp_path: Path) -> None:
    warm = Warm(())
    kernel = Forked(
        warm.address,
        {"argv": ["-f", str(tmp_path / "c.json")], "env": {"HOME": str(tmp_path)}, "cwd": str(tmp_path)},
    )
    warm.end()
    assert kernel.wait() == -9
    while Path(f"/proc/{kernel.pid}").exists():
        threading.Event().wait(0.01)
