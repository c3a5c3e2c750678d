"""The executor runs what Ploomber's runs, and looks for the end of a task with pauses."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ploomber import DAG
from ploomber.exceptions import DAGBuildError
from ploomber.executors import Parallel
from ploomber.products import File
from ploomber.tasks import PythonCallable

from qgtm.reporting.executor import LOOK_S, PatientParallel

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]
TASK_S = 0.4


def work(product: Any) -> None:
    time.sleep(TASK_S)
    Path(product).write_text("done")


def work_after(product: Any, upstream: Any) -> None:
    Path(product).write_text(Path(upstream["first"]).read_text() + " twice")


def fail_after(product: Any, upstream: Any) -> None:
    raise ValueError("as it was told to")


def built(folder: Path, executor: Parallel, second: Callable[..., None]) -> float:
    """Build a task and one that hangs on it, and return the seconds that it took."""
    dag = DAG(executor=executor)
    first = PythonCallable(work, File(folder / "first"), dag, name="first")
    first >> PythonCallable(second, File(folder / "last"), dag, name="last")
    began = time.monotonic()
    dag.build(show_progress=False)
    return time.monotonic() - began


def test_tasks_run_in_order_and_few_looks_are_taken(tmp_path: Path) -> None:
    patient, restless = PatientParallel(processes=2), Parallel(processes=2)
    for name, executor in (("patient", patient), ("restless", restless)):
        (tmp_path / name).mkdir()
        took_s = built(tmp_path / name, executor, work_after)
        assert (tmp_path / name / "last").read_text() == "done twice"
        assert executor is restless or 1 < executor._i <= took_s / LOOK_S  # a pause each
    assert restless._i > 10 * patient._i  # what ours is for; once Ploomber pauses by itself, it can go


def test_failed_task_ends_the_build_with_its_error(tmp_path: Path) -> None:
    with pytest.raises(DAGBuildError, match="as it was told to"):
        built(tmp_path, PatientParallel(processes=2), fail_after)
    assert (tmp_path / "first").read_text() == "done"
