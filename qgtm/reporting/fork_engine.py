"""A papermill engine whose kernels are forked off one warm process, which has done the imports.

`papermill --engine qgtm-fork` finds it by its entry point. What runs a notebook is a real kernel, so outputs,
errors, time limits and a death are papermill's own; only its start is another. Where there is no fork, or
the notebook wants another kernel than Python's, papermill starts one as ever.
"""

from collections.abc import Callable
from typing import Any

from qgtm.adapters.clock import SystemClock
from qgtm.reporting.forked_kernel import ForkManager, can_fork, is_forkable


class ForkEngine:
    """papermill's own engine, on forked kernels and with a time limit for the whole notebook."""

    @classmethod
    def execute_notebook(
        cls, nb: Any, kernel_name: str, notebook_timeout: float | None = None, **kwargs: Any
    ) -> Any:
        """Run the cells; `execution_timeout` is for each of them, `notebook_timeout` for all, in seconds.

        Raises what papermill's own engine raises: CellTimeoutError for either limit, DeadKernelError for a
        kernel that is killed.
        """
        if can_fork() and is_forkable(kernel_name):
            kwargs["kernel_manager_class"] = ForkManager
        if notebook_timeout is not None:
            kwargs["timeout_func"] = _left(notebook_timeout, kwargs.get("execution_timeout"))
        return _papermills().execute_notebook(nb, kernel_name, **kwargs)

    @classmethod
    def nb_kernel_name(cls, nb: Any, name: str | None = None) -> Any:
        """Return the kernel that the notebook asks for, or `name`."""
        return _papermills().nb_kernel_name(nb, name)

    @classmethod
    def nb_language(cls, nb: Any, language: str | None = None) -> Any:
        """Return the notebook's language, or `language`."""
        return _papermills().nb_language(nb, language)


def _papermills() -> Any:
    from papermill.engines import NBClientEngine  # it imports us while it is itself being imported

    return NBClientEngine


def _left(whole_s: float, cell_s: float | None) -> Callable[[Any], float]:
    clock = SystemClock()
    until_s = clock.monotonic() + whole_s
    # nbclient takes 0 for no limit at all
    return lambda _: max(0.01, min(until_s - clock.monotonic(), whole_s if cell_s is None else cell_s))
