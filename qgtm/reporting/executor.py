"""Ploomber's parallel executor, which looks for the end of a task with pauses.

Ploomber's own looks as often as it can, which takes a core away from the notebooks.
"""

from typing import Final

from ploomber.executors import Parallel

from qgtm.adapters.clock import SystemClock

LOOK_S: Final = 0.004


class PatientParallel(Parallel):  # type: ignore[misc]  # it has no types
    """As its base, which counts its looks in `_i`: each is followed by a pause."""

    _looks = 0

    @property
    def _i(self) -> int:
        return self._looks

    @_i.setter
    def _i(self, looks: int) -> None:
        if looks:
            SystemClock().wait(LOOK_S)
        self._looks = looks
