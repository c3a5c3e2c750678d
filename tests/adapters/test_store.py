"""The store: what was written comes back, as arrays or as bars, and what was damaged does not."""

import csv
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import apsw
import numpy as np
import pytest

from qgtm.adapters.store import BarStore, bars_seen
from qgtm.core.bar import Bar, BarSet
from qgtm.core.errors import FeedError
from qgtm.core.universe import SYMBOLS

FIRST = date(2024, 3, 1)


def bar_set(number: int, closes: dict[str, float], late_h: int = 0) -> BarSet:
    session = FIRST + timedelta(days=number)
    known_at = datetime(session.year, session.month, session.day, 21, tzinfo=UTC) + timedelta(hours=late_h)
    bars = {
        symbol: Bar(
            symbol=symbol, session=session, known_at=known_at,
            open=close, high=close + 0.25, low=close / 3, close=close, volume=1e6,
        )
        for symbol, close in closes.items()
    }  # fmt: skip
    return BarSet(session=session, known_at=known_at, bars=bars)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bars.db"


def test_bars_come_back_as_they_were_written(path: Path) -> None:
    sets = (bar_set(0, {"GLD": 0.1 + 0.2, "SLV": 20.0}), bar_set(1, {"GLD": 190.01}), bar_set(4, {}))
    with BarStore(path) as store:
        store.append(*sets)
    with BarStore(path) as store:
        assert store.load() == sets
        assert store.last_session() == FIRST + timedelta(days=4)


def test_arrays_hold_one_row_a_session_and_nan_where_a_symbol_has_no_bar(path: Path) -> None:
    with BarStore(path) as store:
        store.append(bar_set(3, {"GLD": 12.0}), bar_set(0, {"SLV": 20.5, "GLD": 10.0, "SPY": 500.0}))
        bars = store.load_arrays(("GLD", "SLV", "GDX"))
    nan = np.nan
    assert bars.symbols == ("GLD", "SLV", "GDX")
    assert bars.sessions.tolist() == [FIRST.toordinal(), FIRST.toordinal() + 3]
    np.testing.assert_array_equal(bars.close, [[10.0, 20.5, nan], [12.0, nan, nan]])
    np.testing.assert_array_equal(bars.high, [[10.25, 20.75, nan], [12.25, nan, nan]])
    np.testing.assert_array_equal(bars.low, [[10 / 3, 20.5 / 3, nan], [4.0, nan, nan]])
    np.testing.assert_array_equal(bars.volume, [[1e6, 1e6, nan], [1e6, nan, nan]])


def test_store_that_is_empty_gives_no_sessions(path: Path) -> None:
    with BarStore(path) as store:
        assert store.load() == ()
        assert len(store.load_arrays()) == 0
        assert store.load_arrays().symbols == SYMBOLS
        assert store.last_session() is None


@pytest.mark.fault("E2")
def test_session_written_again_is_a_correction_symbol_by_symbol(path: Path) -> None:
    with BarStore(path) as store:
        store.append(bar_set(0, {"GLD": 10.0, "SLV": 20.0}))
        store.append(bar_set(0, {"SLV": 21.0, "GDX": 30.0}, late_h=2))
        bars = store.load_arrays(("GLD", "SLV", "GDX"))
        (merged,) = store.load()
    assert bars.close.tolist() == [[10.0, 21.0, 30.0]]
    assert {symbol: bar.close for symbol, bar in merged.bars.items()} == {
        "GLD": 10.0,
        "SLV": 21.0,
        "GDX": 30.0,
    }
    assert merged.known_at.hour == 23


@pytest.mark.fault("E6")
def test_session_that_is_there_already_is_not_written_twice(path: Path) -> None:
    with BarStore(path) as store:
        store.append(bar_set(0, {"GLD": 10.0}))
        store.append(bar_set(0, {"GLD": 10.0}), bar_set(1, {"GLD": 11.0}))
        assert store._connection.execute("SELECT count(*) FROM bars").get == 2


@pytest.mark.fault("H3")
def test_damaged_bars_are_refused_by_session_with_the_next_step(path: Path) -> None:
    with BarStore(path) as store:
        store.append(bar_set(0, {"GLD": 10.0}))
    connection = apsw.Connection(str(path))
    connection.execute("UPDATE bars SET prices = zeroblob(40)")
    connection.close()
    with (
        BarStore(path) as store,
        pytest.raises(FeedError, match="bars of 2024-03-01 are damaged; delete the file"),
    ):
        store.load_arrays()


def test_ten_years_of_thirty_symbols_come_back_whole(path: Path) -> None:
    closes = {symbol: 10.0 + number for number, symbol in enumerate(SYMBOLS)}
    with BarStore(path) as store:
        store.append(*(bar_set(number, closes) for number in range(2520)))
        bars = store.load_arrays()
    assert bars.close.shape == (2520, 30)
    assert bars.close[-1].tolist() == list(closes.values())


def test_real_bars_come_back_exactly(path: Path, shared_data: Path) -> None:
    with (shared_data / "bars_2020_2023" / "GLD.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    with BarStore(path) as store:
        store.append(*map(real_set, rows))
        bars = store.load_arrays(("GLD",))
    assert bars.close[:, 0].tolist() == [float(row["close"]) for row in rows]
    assert [date.fromordinal(each).isoformat() for each in bars.sessions.tolist()] == [
        row["date"] for row in rows
    ]


def real_set(row: dict[str, str]) -> BarSet:
    session = date.fromisoformat(row["date"])
    known_at = datetime(session.year, session.month, session.day, 22, tzinfo=UTC)
    prices = {name: float(row[name]) for name in ("open", "high", "low", "close", "volume")}
    bar = Bar(symbol="GLD", session=session, known_at=known_at, **prices)
    return BarSet(session=session, known_at=known_at, bars={"GLD": bar})


def test_what_was_seen_then_leaves_out_what_came_later(path: Path) -> None:
    with BarStore(path) as store:
        store.append(bar_set(0, {"GLD": 1.0, "SLV": 5.0}), bar_set(1, {"GLD": 2.0}))
        store.append(bar_set(0, {"GLD": 1.5}, late_h=40), bar_set(4, {"GLD": 3.0}))
    second = datetime(2024, 3, 2, 21, tzinfo=UTC)
    seen = bars_seen(path, second, 9)
    assert [{name: bar.close for name, bar in each.bars.items()} for each in seen] == [
        {"GLD": 1.0, "SLV": 5.0}, {"GLD": 2.0},
    ]  # fmt: skip
    assert bars_seen(path, second + timedelta(days=1), 2)[0].bars["GLD"].close == 1.5
    assert [each.session for each in bars_seen(path, second, 1)] == [FIRST + timedelta(days=1)]
    assert bars_seen(path, datetime(2024, 3, 1, tzinfo=UTC), 9) == ()
