"""A replay's resting orders see the whole tape, and the collector is left as it was found."""

import gc
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from benchmarks.made_up_bars import write_bars
from qgtm.adapters.calendar import Session, xnys
from qgtm.adapters.journal import MemoryJournal
from qgtm.config import load_config
from qgtm.core.universe import SYMBOLS
from qgtm.engine.desk import Desk
from qgtm.exchange.market.recorded import RecordedMarket
from qgtm.features.history import History
from qgtm.simulation.replay import Replay

SESSIONS = xnys().sessions(date(2021, 3, 1), date(2021, 3, 5))
CONFIG = Path(__file__).parents[2] / "qgtm_config.toml"


def begun(folder: Path, tape_share_frac: float) -> Replay:
    """Return a replay without strategies over one made-up week."""
    write_bars(folder, SYMBOLS, [session.day for session in SESSIONS])
    history = History(SYMBOLS)
    limits = load_config(CONFIG, {}).limits
    desk = Desk(limits=limits, strategies=(), history=history, tape_share_frac=tape_share_frac)
    market = RecordedMarket(folder, 7)
    replay = Replay(market, desk, history, MemoryJournal(), SESSIONS[0].day, 7, Decimal(100_000))
    replay.begin()
    return replay


@pytest.mark.parametrize(("tape_share_frac", "participation_frac"), [(1.0, "0.1"), (0.05, "2"), (0.01, "10")])
def test_resting_order_takes_a_tenth_of_the_whole_tape_whatever_the_feed_sees(
    tmp_path: Path, tape_share_frac: float, participation_frac: str
) -> None:
    habits = begun(tmp_path, tape_share_frac).exchange.desk.habits
    assert habits.participation_frac == Decimal(participation_frac)


def test_walk_of_all_is_the_walk_of_each_and_leaves_the_collector_as_it_was(tmp_path: Path) -> None:
    seen: list[int] = []

    def watched() -> Iterator[Session]:
        for session in SESSIONS:
            seen.append(gc.get_threshold()[0])
            yield session

    before = gc.get_threshold()
    at_once, one_by_one = begun(tmp_path, 1.0), begun(tmp_path, 1.0)
    at_once.walk_all(watched())
    for session in SESSIONS:
        one_by_one.walk(session)
    assert at_once.journal.head() == one_by_one.journal.head()
    assert seen == [100 * before[0]] * len(SESSIONS)
    assert gc.get_threshold() == before
