"""Sweeps: a printed rule over a grid of parameters, windows and symbols, in chunks, here or on a cluster.

A chunk is a few sets of parameters over all windows and symbols. Its figures are written as soon as they are
there, under a name that says what they depend on, so that a sweep that was killed goes on.
"""

import io
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any, Final, Protocol

import numpy as np

from qgtm.adapters.files import write_atomic
from qgtm.features.bars import FIELDS, Bars, FloatArray
from qgtm.features.panel import Panel
from qgtm.features.seen import Seen
from qgtm.research import fills
from qgtm.research.fills import FIGURES, Prices, each_alone, figures
from qgtm.research.grid import BOOK, Grid, Value, Window
from qgtm.research.memo import Memo, remembered_module

CHUNK: Final = 32  # sets of parameters at most
CHUNKS: Final = 16  # at least, so that there is something to share out and little to do again
KEY: Final = 16
Run = Callable[["Job", int], FloatArray]


@dataclass(frozen=True, eq=False)
class Job:
    """All that figures depend on. `symbols` are accounts: a symbol alone, or BOOK for all in one."""

    module: str
    bars: Bars
    grid: Grid
    windows: tuple[Window, ...]
    symbols: tuple[str, ...]
    cost_bps: float = 3.0
    band: float = 0.005
    borrow_bps: float = 0.0  # a year, on what is short at a close
    prints: str = ""  # what the rule leans on, as a hash
    panel: Panel | None = None  # what was known beside the bars
    sets: int = 0  # of parameters in a chunk; 0 takes what suits some workers

    @property
    def chunk(self) -> int:
        """Return how many sets of parameters a chunk has; never because of who works on it."""
        return self.sets or max(1, min(CHUNK, len(self.grid) // CHUNKS))

    @property
    def chunks(self) -> int:
        """Return how many chunks there are."""
        return -(-len(self.grid) // self.chunk)

    @property
    def cells(self) -> int:
        """Return how many accounts are kept in all."""
        return len(self.grid) * len(self.windows) * len(self.symbols)

    def key(self) -> str:
        """Return the name of all that the figures depend on."""
        told = sha256()
        for each in (self.bars.sessions, *(getattr(self.bars, field) for field in FIELDS)):
            told.update(np.ascontiguousarray(each).data)
        if self.panel is not None:
            told.update(np.ascontiguousarray(self.panel.values).data)
            told.update(np.ascontiguousarray(self.panel.described).data)
        words = (
            self.module, self.prints, self.bars.symbols, self.grid, self.windows, self.symbols,
            self.cost_bps, self.borrow_bps, self.band, self.chunk, FIGURES, self.panel and self.panel.names,
        )  # fmt: skip
        told.update(repr(words).encode())
        told.update(Path(fills.__file__).read_bytes())
        return told.hexdigest()[:KEY]


# -- one chunk ---------------------------------------------------------------------------------------


class _Bench:
    """A rule beside its market, with what it has computed so far."""

    def __init__(self, job: Job) -> None:
        self.memo = Memo()
        self.rule: Any = remembered_module(job.module, self.memo)
        symbols = tuple(self.rule.symbols)
        self.seen = Seen(job.bars, job.panel).select(symbols)
        self.market = fills.prices(job.bars.select(symbols))
        self.places = [symbols.index(each) for each in job.symbols if each != BOOK]

    def figures(self, job: Job, point: Mapping[str, Value]) -> FloatArray:
        params = replace(self.rule.PARAMS, **point)
        targets = np.ascontiguousarray(self.rule.signal(self.seen, params).T)
        out = np.empty((len(job.windows), len(job.symbols), len(FIGURES)))
        for i, window in enumerate(job.windows):
            rows = slice(window.begins, window.ends)
            out[i] = self._accounts(job, self.market.part(slice(None), rows), targets[:, rows])
        return out

    def _accounts(self, job: Job, market: Prices, targets: FloatArray) -> FloatArray:
        found = np.empty((len(job.symbols), len(FIGURES)))
        alone = [i for i, each in enumerate(job.symbols) if each != BOOK]
        if self.places == list(range(len(targets))):
            found[alone] = each_alone(market, targets, job.cost_bps, job.band, job.borrow_bps)
        elif alone:
            chosen = Prices(
                market.opened[self.places], market.close[self.places], market.is_open[self.places]
            )
            found[alone] = each_alone(chosen, targets[self.places], job.cost_bps, job.band, job.borrow_bps)
        for i in set(range(len(job.symbols))) - set(alone):
            found[i] = figures(market, targets, job.cost_bps, job.band, job.borrow_bps)
        return found


_benches: dict[str, _Bench] = {}
_lock: Final = Lock()


def bench(job: Job, key: str) -> _Bench:
    """Return this process's bench for a job; it holds one at a time, since a worker does one at a time."""
    with _lock:
        if key not in _benches:
            _benches.clear()
            _benches[key] = _Bench(job)
        return _benches[key]


def forget() -> None:
    """Let go of the bench and all that it remembers."""
    with _lock:
        _benches.clear()


def chunk(job: Job, key: str, number: int) -> FloatArray:
    """Return the figures (sets, windows, symbols, 6) of one chunk."""
    at = bench(job, key)
    points = itertools.islice(job.grid.points(), number * job.chunk, (number + 1) * job.chunk)
    return np.stack([at.figures(job, point) for point in points])


# -- where it runs -----------------------------------------------------------------------------------


class Workers(Protocol):
    """Who does the chunks."""

    def results(self, job: Job, key: str, numbers: Sequence[int]) -> Iterator[tuple[int, FloatArray]]:
        """Return each chunk's number and figures as they come."""
        ...


class Here:
    """This process, with a few threads: the kernel and most of numpy let go of the lock."""

    def __init__(self, threads: int = 1) -> None:
        self._threads = threads

    def results(self, job: Job, key: str, numbers: Sequence[int]) -> Iterator[tuple[int, FloatArray]]:
        """Return each chunk's number and figures as they come."""
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(self._threads) as pool:
            asked: dict[Future[FloatArray], int] = {pool.submit(chunk, job, key, n): n for n in numbers}
            for done in as_completed(asked):
                yield asked[done], done.result()


class Cluster:
    """Workers of Dask: processes of our own, or a cluster that is already there."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def results(self, job: Job, key: str, numbers: Sequence[int]) -> Iterator[tuple[int, FloatArray]]:
        """Return each chunk's number and figures as they come. The market is sent once to each worker."""
        sent = self.client.scatter(job, broadcast=True, hash=False)
        asked = {self.client.submit(chunk, sent, key, n, key=f"{key}-{n}"): n for n in numbers}
        for done, found in _distributed().as_completed(asked, with_results=True):
            yield asked[done], found
            done.release()


@dataclass(frozen=True)
class Dask:
    """A cluster that is begun, or called on, only when there is work for it; as `cluster` takes them."""

    scheduler: str = ""
    workers: int = 1

    def results(self, job: Job, key: str, numbers: Sequence[int]) -> Iterator[tuple[int, FloatArray]]:
        """Return each chunk's number and figures as they come."""
        with cluster(self.scheduler, self.workers) as there:
            yield from there.results(job, key, numbers)


@contextmanager
def cluster(scheduler: str, workers: int) -> Iterator[Cluster]:
    """Give Dask's workers: those of `scheduler`, else `workers` processes on this machine.

    Raises OSError when nobody answers at the address.
    """
    dask = _distributed()
    if scheduler:
        with dask.Client(scheduler, timeout="10s") as client:
            yield Cluster(client)
        return
    local = dask.LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        processes=True,
        dashboard_address=None,
        host="127.0.0.1",
        silence_logs=40,
    )
    with local, dask.Client(local) as client:
        yield Cluster(client)


def _distributed() -> Any:
    import distributed  # takes half a second, and a figure alone does not need it

    return distributed


# -- the sweep ---------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Swept:
    """The figures (sets, windows, symbols, 6) of a sweep; `resumed` chunks had been computed before."""

    job: Job
    figures: FloatArray
    resumed: int

    def of(self, name: str) -> FloatArray:
        """Return one figure (sets, windows, symbols). Raises ValueError for a name that is none."""
        return self.figures[..., FIGURES.index(name)]


def swept(
    job: Job, store: Path | None, workers: Workers, tell: Callable[[int, int], None] = lambda done, of: None
) -> Swept:
    """Return the figures of the whole grid, taking from `store` what is there and adding what is not.

    `tell` is called with the chunks done and all chunks after each.
    """
    key = job.key()
    folder = None if store is None else store / key
    parts = {} if folder is None else _kept(job, folder)
    resumed = len(parts)
    tell(resumed, job.chunks)
    left = [number for number in range(job.chunks) if number not in parts]
    if left:
        for number, found in workers.results(job, key, left):
            parts[number] = found
            if folder is not None:
                _keep(folder, number, found)
            tell(len(parts), job.chunks)
    return Swept(job, np.concatenate([parts[number] for number in range(job.chunks)]), resumed)


def _keep(folder: Path, number: int, found: FloatArray) -> None:
    written = io.BytesIO()
    np.save(written, found)
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(_file(folder, number), written.getvalue())


def _kept(job: Job, folder: Path) -> dict[int, FloatArray]:
    shape = (len(job.windows), len(job.symbols), len(FIGURES))
    found = {}
    for number in range(job.chunks):
        if _file(folder, number).is_file():
            values = np.load(_file(folder, number))
            if values.shape[1:] == shape:
                found[number] = values
    return found


def _file(folder: Path, number: int) -> Path:
    return folder / f"{number:06d}.npy"
