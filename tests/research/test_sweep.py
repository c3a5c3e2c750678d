"""Sweeps: the kernel against the plain back-test, what is remembered, what is kept, and who does the work."""

import itertools
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qgtm.cli import main
from qgtm.core.errors import MarketError
from qgtm.features.bars import FIELDS, Bars, FloatArray
from qgtm.features.rolling import rolling_mean
from qgtm.features.seen import Seen
from qgtm.research.backtest import backtest
from qgtm.research.fills import FIGURES, each_alone, figures, prices
from qgtm.research.grid import BOOK, Grid, Window, grid, ranges, windows
from qgtm.research.made_up import made_up
from qgtm.research.made_up_panel import made_up_seen
from qgtm.research.memo import Memo
from qgtm.research.sweep import Cluster, Here, Job, swept
from qgtm.strategies import BY_NAME, donchian_breakout, tsmom

RNG = np.random.default_rng(11)
COSTS = 3.0
SESSIONS = 600
SEEN = made_up_seen(SESSIONS, 4)


def holed(sessions: int = 300) -> Bars:
    """Return bars of four symbols with holes, one of them at the start and one at the end."""
    market = made_up(sessions, 3).select(("GLD", "SLV", "GDX", "SPY"))
    fields = {name: getattr(market, name).copy() for name in FIELDS}
    for row, column in [(0, 1), (1, 1), (40, 0), (41, 0), (90, 2), (sessions - 1, 3)]:
        for values in fields.values():
            values[row, column] = np.nan
    return Bars(market.sessions, market.symbols, **fields)


def wanted(market: Bars) -> FloatArray:
    """Return targets that jump, creep within the band, go to nothing and are not known for a while."""
    shape = market.close.shape
    targets = np.where(RNG.random(shape) < 0.1, RNG.normal(0, 0.3, shape), np.nan)
    targets[50:60] = 0.0
    targets[100:140] = 0.1 + 0.0001 * np.arange(40)[:, None]
    return targets


def plain(market: Bars, targets: FloatArray, cost_bps: float = COSTS, borrow_bps: float = 0.0) -> list[float]:
    told = backtest(market, targets, cost_bps, borrow_bps=borrow_bps).figures()
    return [told[name] for name in FIGURES]


@pytest.mark.parametrize(("cost_bps", "borrow_bps"), [(0.0, 0.0), (12.5, 0.0), (12.5, 300.0)])
def test_kernel_tells_of_a_book_what_the_plain_backtest_tells(cost_bps: float, borrow_bps: float) -> None:
    market = holed()
    targets = wanted(market)
    found = figures(prices(market), np.ascontiguousarray(targets.T), cost_bps, borrow_bps=borrow_bps)
    assert found.tolist() == pytest.approx(plain(market, targets, cost_bps, borrow_bps), rel=1e-9, abs=1e-11)


@pytest.mark.parametrize("borrow_bps", [0.0, 300.0])
def test_kernel_tells_of_each_symbol_alone_what_the_plain_backtest_tells(borrow_bps: float) -> None:
    market = holed()
    targets = 3 * wanted(market)
    found = each_alone(prices(market), np.ascontiguousarray(targets.T), COSTS, borrow_bps=borrow_bps)
    for column, symbol in enumerate(market.symbols):
        alone = plain(market.select((symbol,)), targets[:, [column]], borrow_bps=borrow_bps)
        assert found[column].tolist() == pytest.approx(alone, rel=1e-9, abs=1e-11), symbol


def test_account_by_hand() -> None:
    days = np.arange(4, dtype=np.int64)
    opened, close = np.array([[10.0], [10.0], [20.0], [16.0]]), np.array([[10.0], [12.0], [20.0], [16.0]])
    market = Bars(days, ("A",), opened, close, close, close, np.ones((4, 1)))
    # bought 0.1 shares at 10 with 10 bps of costs, sold at 20: 1 - 0.001 + 1.0 - 0.002 = 1.997
    found = each_alone(prices(market), np.array([[1.0, 0.0, 0.0, 0.0]]), 10.0)
    assert found[0, FIGURES.index("return_frac")] == pytest.approx(0.997, abs=1e-12)


def test_mean_is_computed_once_for_a_hundred_parameters() -> None:
    memo = Memo()
    mean = memo.remembering(rolling_mean)
    close = Seen(made_up(200, 1)).field("close", ("GLD", "SLV"))
    for fast, slow in itertools.product(range(5, 15), range(20, 30)):
        np.testing.assert_array_equal(mean(close, fast), rolling_mean(close, fast))
        mean(close, slow)
    assert memo.computed == {"qgtm.features.rolling.rolling_mean": 20}


def test_what_may_still_be_written_to_is_known_by_its_content() -> None:
    mean = Memo().remembering(rolling_mean)
    values = np.arange(10.0)
    first = mean(values, 2)
    values[5] = 100.0
    assert mean(values, 2)[5] == 52.0
    assert first[5] == 4.5
    with pytest.raises(ValueError, match="read-only"):
        first[0] = 1.0


def test_memory_forgets_the_oldest_when_its_room_is_full() -> None:
    memo = Memo(room=3 * 80)
    mean = memo.remembering(rolling_mean)
    values = np.arange(10.0)
    for lookback in (1, 2, 3, 4, 4, 1):
        mean(values, lookback)
    assert memo.computed["qgtm.features.rolling.rolling_mean"] == 5


# -- the grid ----------------------------------------------------------------------------------------


def test_range_beside_a_knob_is_the_default_grid() -> None:
    assert ranges(donchian_breakout) == {"entry": (20.0, 252.0), "leave": (5.0, 126.0)}
    assert "horizons" not in ranges(tsmom)
    (entry, entries), (leave, leaves) = grid(donchian_breakout, []).knobs
    assert (entry, entries[0], entries[-1], len(entries)) == ("entry", 20, 252, 12)
    assert (leave, leaves[0], leaves[-1]) == ("leave", 5, 126)


def test_grid_is_read_as_steps_as_values_and_as_a_range() -> None:
    found = grid(tsmom, ["carry_limit=0:6:3", "target_volatility=0.1,0.2", "volatility_lookback"])
    assert found.knobs[0] == ("carry_limit", (0, 3, 6))
    assert found.knobs[1] == ("target_volatility", (0.1, 0.2))
    assert found.knobs[2][1][0] == 21
    assert len(found) == 3 * 2 * 12
    assert next(iter(found.points())) == {
        "carry_limit": 0,
        "target_volatility": 0.1,
        "volatility_lookback": 21,
    }


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("entri=1,2", "there are entry, leave"),
        ("entry=1:2", "cannot be read"),
        ("entry=5:1:1", "cannot be read"),
        ("entry=a", "cannot be read"),
    ],
)
def test_grid_that_cannot_be_read_is_refused_with_the_next_step(given: str, said: str) -> None:
    with pytest.raises(MarketError, match=said):
        grid(donchian_breakout, [given])


def test_windows_meet_without_a_gap_or_are_the_days_that_are_named() -> None:
    market = made_up(100, 1)
    assert [(each.begins, each.ends) for each in windows(market, 3, [])] == [(0, 33), (33, 66), (66, 100)]
    (named,) = windows(market, 1, ["2015-02-01:2015-02-28"])
    days = [f"{np.datetime64(int(day) - 719163, 'D')}" for day in market.sessions[named.begins : named.ends]]
    assert (days[0], days[-1]) == ("2015-02-02", "2015-02-27")
    with pytest.raises(MarketError, match="three are the least"):
        windows(market, 1, ["2031-01-01:2031-02-01"])


# -- the whole ---------------------------------------------------------------------------------------


def job(name: str = "donchian_breakout", **changed: Any) -> Job:
    module = BY_NAME[name].module
    given = {
        "module": module.__name__,
        "bars": SEEN.bars,
        "panel": SEEN.panel,
        "grid": Grid((("entry", (20, 40, 60)), ("leave", tuple(range(5, 25))))),
        "windows": (Window("all", 0, SESSIONS), Window("late", 450, SESSIONS)),
        "symbols": (module.symbols[-1], BOOK),
        "cost_bps": COSTS,
    }
    return Job(**(given | changed))


@pytest.mark.parametrize("name", BY_NAME)
def test_sweep_of_each_strategy_tells_what_its_own_backtest_tells(name: str) -> None:
    module = BY_NAME[name].module
    knob = next(iter(ranges(module)))
    value = getattr(module.PARAMS, knob)
    given = job(name, grid=Grid(((knob, (value, value + 1)),)))
    found = swept(given, None, Here()).figures
    seen = SEEN.select(module.symbols)
    for i, point in enumerate(given.grid.points()):
        targets = module.signal(seen, replace(module.PARAMS, **point))
        for j, window in enumerate(given.windows):
            part = seen.bars.head(window.ends).tail(window.ends - window.begins)
            rows = targets[window.begins : window.ends]
            assert found[i, j, 1].tolist() == pytest.approx(plain(part, rows), rel=1e-9, abs=1e-11)
            one = plain(part.select(module.symbols[-1:]), rows[:, [-1]])
            assert found[i, j, 0].tolist() == pytest.approx(one, rel=1e-9, abs=1e-11)


class Counting(Here):
    """Workers that say what they were asked for, and stop after some chunks."""

    def __init__(self, limit: int = 1000) -> None:
        super().__init__()
        self.asked: list[int] = []
        self._limit = limit

    def results(self, job: Job, key: str, numbers: Sequence[int]) -> Iterator[tuple[int, FloatArray]]:
        self.asked = list(numbers)
        for i, each in enumerate(super().results(job, key, numbers)):
            if i == self._limit:
                raise KeyboardInterrupt
            yield each


def test_sweep_that_was_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    given = job()
    with pytest.raises(KeyboardInterrupt):
        swept(given, tmp_path, Counting(7))
    rest, told = Counting(), []
    done = swept(given, tmp_path, rest, lambda done, of: told.append((done, of)))
    assert len(rest.asked) == given.chunks - 7 == given.chunks - done.resumed
    assert told[0] == (7, given.chunks)
    assert told[-1] == (given.chunks, given.chunks)
    np.testing.assert_array_equal(done.figures, swept(given, None, Here()).figures)
    again = Counting()
    assert swept(given, tmp_path, again).resumed == given.chunks
    assert again.asked == []


def test_chunk_is_as_big_as_it_is_asked_to_be(tmp_path: Path) -> None:
    asked = Counting()
    done = swept(job(sets=25), tmp_path, asked)
    assert asked.asked == [0, 1, 2]  # 60 sets
    np.testing.assert_array_equal(done.figures, swept(job(), None, Here()).figures)


@pytest.mark.parametrize(
    "changed",
    [
        {"cost_bps": 4.0},
        {"prints": "others"},
        {"windows": (Window("all", 0, 399),)},
        {"bars": made_up_seen(SESSIONS, 5).bars},
        {"panel": made_up_seen(SESSIONS, 5).panel},
    ],
)
def test_what_was_computed_of_something_else_is_not_taken(changed: dict[str, Any]) -> None:
    assert job(**changed).key() != job().key()
    assert job().key() == job().key()


@pytest.mark.slow
def test_workers_of_a_scheduler_that_runs_elsewhere_give_the_same(tmp_path: Path) -> None:
    from distributed import Client

    address = tmp_path / "scheduler.json"
    beside = str(Path(sys.executable).with_name("dask"))
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": tmp_path}
    serving = [beside, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-show"]
    working = [
        beside,
        "worker",
        "--scheduler-file",
        str(address),
        "--nthreads",
        "1",
        "--no-dashboard",
        "--no-nanny",
    ]
    running = [subprocess.Popen([*serving, "--scheduler-file", str(address)], **quiet)]
    try:
        while not address.exists():
            assert running[0].poll() is None
        running.append(subprocess.Popen(working, **quiet))
        with Client(scheduler_file=str(address), timeout="60s") as client:
            client.wait_for_workers(1, timeout=60)
            found = swept(job(), None, Cluster(client))
    finally:
        for each in running:
            each.terminate()
            each.wait()
    np.testing.assert_array_equal(found.figures, swept(job(), None, Here()).figures)


@pytest.mark.slow
def test_verb_sweeps_on_processes_and_draws_a_map(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["sweep", "donchian_breakout", "--grid", "entry=20,40", "--grid", "leave=5,10", "--json"]
    asked += ["--sessions", "300", "--folder", str(tmp_path), "--workers", "1"]
    for resumed in (0, 4):
        with pytest.raises(SystemExit) as end:
            main(asked)
        assert end.value.code == 0
        told = json.loads(capsys.readouterr().out)
        assert (told["chunks"], told["resumed"], told["cells"]) == (4, resumed, 4)
    assert Path(told["svg"]).read_text().count("<svg") == 1
    assert "data:image/svg+xml;base64" in Path(told["page"]).read_text()
    assert "http" not in Path(told["page"]).read_text()
