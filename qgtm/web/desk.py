"""The thread on which the fund is looked at, so that a slow disk delays its own answers and nothing else."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from qgtm.web.lookout import Look, Watch

T = TypeVar("T")


class Desk:
    """Answer questions about the fund, one at a time, each on a fold that nobody changes meanwhile."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._thread = ThreadPoolExecutor(1, "lookout")

    async def ask(self, question: Callable[[Look], T]) -> T:
        """Return what `question` makes of a fresh look; it runs on the desk's own thread."""
        return await asyncio.get_running_loop().run_in_executor(
            self._thread, lambda: question(self._watch.look())
        )

    def close(self) -> None:
        """Take no more questions."""
        self._thread.shutdown(wait=False, cancel_futures=True)
