"""Every dollar between a back-test and the paper exchange has a cause, and the causes add up to the cent."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qgtm.adapters.journal import MemoryJournal
from qgtm.config import load_config
from qgtm.core.errors import MarketError
from qgtm.core.universe import SYMBOLS
from qgtm.engine.desk import Desk
from qgtm.exchange.market.recorded import RecordedMarket
from qgtm.features.history import History
from qgtm.research.history import history_from_folder
from qgtm.research.made_up import made_up
from qgtm.simulation.gaps import PARTS, Gaps, gaps, write_bars
from qgtm.simulation.replay import Replay
from qgtm.simulation.summary import summary
from qgtm.strategies import BY_NAME
from qgtm.views.ledger import Ledger
from tests.simulation.folder import write_folder

LIMITS = load_config(Path(__file__).resolve().parents[2] / "qgtm_config.toml", {}).limits
CASH = Decimal(250_000)
TRADED = [BY_NAME[name] for name in ("donchian_breakout", "miners_vs_metal")]
SESSIONS = 30


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("bars"))


@pytest.fixture(scope="module")
def found(folder: Path) -> Gaps:
    return told(folder)


def told(folder: Path, **knobs: Any) -> Gaps:
    return gaps(folder, TRADED, LIMITS, CASH, SESSIONS, with_vectorbt=False, **knobs)


@pytest.fixture(scope="module")
def replayed(folder: Path) -> MemoryJournal:
    """Return the journal of the same sessions by `qgtm replay`'s own way."""
    market, history, journal = RecordedMarket(folder, 7), History(SYMBOLS), MemoryJournal()
    every = market.sessions(market.first, market.last)
    desk = Desk(limits=LIMITS, strategies=tuple(TRADED), history=history)
    replay = Replay(market, desk, history, journal, every[-SESSIONS].day, 7, CASH)
    replay.warm_up(every[:-SESSIONS])
    replay.begin()
    replay.walk_all(every[-SESSIONS:])
    return journal


@pytest.fixture(scope="module")
def ledger(replayed: MemoryJournal) -> Ledger:
    return Ledger().take_all((entry.event, entry.at) for entry in replayed.read())


def test_parts_add_up_to_the_whole_to_the_cent(found: Gaps) -> None:
    assert tuple(found.parts_usd) == PARTS
    assert found.backtest_usd + sum(found.parts_usd.values()) == found.replay_usd
    assert found.unexplained_usd == 0
    assert found.fills > 20
    assert [part for part, amount in found.parts_usd.items() if amount] == [
        "timing",
        "rounding",
        "price",
        "cost",
    ]


def test_replay_ends_as_qgtm_replay_says(found: Gaps, replayed: MemoryJournal, ledger: Ledger) -> None:
    assert found.replay_usd == summary(replayed, CASH).final_equity_usd
    assert found.fills == len(ledger.fills)


def test_cost_is_the_assumed_rate_on_all_that_was_paid(found: Gaps, ledger: Ledger) -> None:
    paid = sum(fill.quantity * fill.price for fill in ledger.fills)
    assert found.parts_usd["cost"] == pytest.approx(paid * 3 / 10_000, abs=Decimal("0.01"))


def test_price_is_what_was_paid_against_the_open(found: Gaps, folder: Path, ledger: Ledger) -> None:
    bars = history_from_folder(folder)
    opens = {
        (date.fromordinal(int(day)), symbol): Decimal(str(bars.open[row, column]))
        for row, day in enumerate(bars.sessions)
        for column, symbol in enumerate(bars.symbols)
    }
    worse = Decimal(0)
    for fill in ledger.fills:
        assert fill.session is not None
        away = fill.price - opens[fill.session, fill.symbol]
        worse += (
            fill.quantity * away * (fill.side.sign + Decimal("0.0003"))
        )  # the rate is on the price as well
    assert found.parts_usd["price"] == pytest.approx(-worse, abs=Decimal("0.01"))


def test_without_an_assumed_cost_nothing_is_due_to_it(folder: Path) -> None:
    free = told(folder, cost_bps=0.0)
    assert free.parts_usd["cost"] == 0
    assert free.unexplained_usd == 0


def test_prices_between_cents_are_due_to_the_data(tmp_path: Path) -> None:
    write_bars(made_up(300, 2), tmp_path)
    finer = told(tmp_path)
    assert finer.parts_usd["data"] != 0
    assert finer.unexplained_usd == 0


def test_rounding_is_at_most_a_share_of_each_position(found: Gaps, folder: Path) -> None:
    bars = history_from_folder(folder).tail(SESSIONS)
    moves = float(np.nansum(np.abs(np.diff(bars.close, axis=0))) + np.nansum(np.abs(bars.close - bars.open)))
    assert abs(found.parts_usd["rounding"]) < moves


def test_money_that_no_journal_knows_of_is_left_unexplained(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    walk_all = Replay.walk_all

    def and_more(replay: Replay, sessions: Any) -> None:
        walk_all(replay, sessions)
        replay.exchange.deposit(Decimal("5.01"), replay.clock.now())

    monkeypatch.setattr(Replay, "walk_all", and_more)
    assert told(folder).unexplained_usd == Decimal("5.01")


def test_whole_is_what_the_parts_leave_nothing_of() -> None:
    parts = dict.fromkeys(PARTS, Decimal("0.10"))
    one = Gaps(
        sessions=1,
        fills=0,
        backtest_usd=Decimal(100),
        vectorbt_usd=None,
        replay_usd=Decimal("100.50"),
        parts_usd=parts,
        positions_frac=0.0,
    )
    assert (one.whole_usd, one.unexplained_usd) == (Decimal("0.50"), Decimal(0))
    assert replace(one, replay_usd=Decimal("100.49")).unexplained_usd == Decimal("-0.01")


def test_bars_are_written_as_they_are_read(tmp_path: Path) -> None:
    bars = made_up(60, 3)
    write_bars(bars, tmp_path)
    again = history_from_folder(tmp_path).select(bars.symbols)
    np.testing.assert_array_equal(again.close, bars.close)
    np.testing.assert_array_equal(again.volume, bars.volume)


def test_too_few_sessions_are_refused_with_the_number_there_is(folder: Path) -> None:
    with pytest.raises(MarketError, match="has 313 sessions"):
        gaps(folder, TRADED, LIMITS, CASH, 400)
