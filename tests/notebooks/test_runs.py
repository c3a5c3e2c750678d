"""Every committed notebook runs by plain papermill, and a run leaves what is committed as it was."""

from pathlib import Path
from typing import Any

import nbformat
import papermill
import pytest
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from pytest_notebook.execution import ExecuteResult
from pytest_notebook.nb_regression import NBRegressionError, NBRegressionFixture

pytestmark = pytest.mark.notebook

NOT_COMPARED = ("/cells/*/outputs", "/cells/*/execution_count", "/metadata/language_info")


@pytest.fixture
def regression(blank_kernel: KernelManager, monkeypatch: pytest.MonkeyPatch) -> NBRegressionFixture:
    """Return pytest-notebook's check, running in the warm kernel instead of one of its own."""

    def execute(notebook: nbformat.NotebookNode, resources: dict[str, Any], **_: Any) -> ExecuteResult:
        client = NotebookClient(
            nbformat.from_dict(notebook), km=blank_kernel, timeout=120, record_timing=False
        )
        error = None
        try:
            client.execute()
        except CellExecutionError as raised:
            error = raised
        return ExecuteResult(error, client.nb, resources)

    monkeypatch.setattr("pytest_notebook.nb_regression.execute_notebook", execute)
    return NBRegressionFixture(diff_ignore=NOT_COMPARED, diff_use_color=False)


def test_notebook_with_tiny_parameters_runs_by_plain_papermill(
    runnable: Path, tiny: dict[str, Any], blank_kernel: KernelManager, tmp_path: Path
) -> None:
    done = tmp_path / runnable.name
    papermill.execute_notebook(runnable, done, tiny, km=blank_kernel, progress_bar=False)
    assert not nbformat.read(done, as_version=4).metadata.papermill.exception


def test_notebook_prepared_by_papermill_is_left_as_it_was_by_a_run(
    runnable: Path, tiny: dict[str, Any], regression: NBRegressionFixture, tmp_path: Path
) -> None:
    prepared = tmp_path / runnable.name
    papermill.execute_notebook(runnable, prepared, tiny, prepare_only=True, progress_bar=False)
    assert regression.check(str(prepared)).diff_filtered == []


def test_notebook_whose_cell_fails_is_reported(regression: NBRegressionFixture, tmp_path: Path) -> None:
    failing = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("raise ValueError('seen')")])
    nbformat.write(failing, tmp_path / "failing.ipynb")
    with pytest.raises((CellExecutionError, NBRegressionError), match="seen"):
        regression.check(str(tmp_path / "failing.ipynb"))
