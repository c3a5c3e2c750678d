"""Looks at the close that a replay leaves out change no mode, no fill and no equity."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.made_up_bars import write_bars
from qgtm.adapters.calendar import xnys
from qgtm.adapters.journal import MemoryJournal
from qgtm.config import load_config
from qgtm.core.events import AccountSampled, ModeChanged, TargetsSet
from qgtm.core.mode import Mode, Trigger
from qgtm.core.universe import SYMBOLS
from qgtm.engine.desk import Desk
from qgtm.exchange.market.recorded import RecordedMarket
from qgtm.features.bars import FloatArray
from qgtm.features.history import History
from qgtm.features.seen import Seen
from qgtm.risk.drawdown import Drawdown, sampled, started
from qgtm.risk.kill_switch import KillSwitch, moved, trigger_for
from qgtm.simulation import replay as replaying
from qgtm.simulation.replay import SAMPLES, Replay, is_calm

LIMITS = load_config(Path(__file__).parents[2] / "qgtm_config.toml", {}).limits
AT = datetime(2024, 3, 1, 21, 0, tzinfo=UTC)
CASH = Decimal(250_000)


@dataclass
class Watch:
    """What the samples of a path of unit values do to the drawdown and the switch."""

    drawdown: Drawdown
    switch: KillSwitch
    heard_s: float = 0.0
    changes: tuple[tuple[int, Trigger, Mode], ...] = ()

    def look(self, session: int, equity_usd: Decimal) -> None:
        self.heard_s += 12
        self.drawdown = sampled(self.drawdown, equity_usd, equity_usd, self.heard_s, is_regular=True)
        fall = self.drawdown.drawdown_frac
        trigger = trigger_for(self.switch, fall, LIMITS)
        if trigger is not None:
            self.switch = moved(self.switch, trigger, AT, fall)
            self.changes += ((session, trigger, self.switch.mode),)


def watched(path: Sequence[tuple[int, int]], *, may_stop: bool) -> Watch:
    """Walk a path of (open, close) in thousandths of the beginning, with all looks or those that matter."""
    watch = Watch(started(CASH), KillSwitch())
    for session, (opened, closed) in enumerate(path):
        watch.look(session, CASH * opened / 1000)
        for _ in range(SAMPLES):
            watch.look(session, CASH * closed / 1000)
            if may_stop and is_calm(watch.drawdown, watch.switch, LIMITS):
                break
    return watch


near_a_cap = st.integers(860, 1100)
quiet = st.integers(960, 1010)


@settings(max_examples=400)
@given(st.lists(st.tuples(near_a_cap, near_a_cap) | st.tuples(quiet, quiet), max_size=25))
def test_looks_that_are_left_out_move_neither_mode_nor_peak(path: list[tuple[int, int]]) -> None:
    every, few = watched(path, may_stop=False), watched(path, may_stop=True)
    assert few.changes == every.changes
    assert few.switch == every.switch
    assert few.drawdown.high_water_mark_usd == every.drawdown.high_water_mark_usd
    assert few.drawdown.seen_usd == every.drawdown.seen_usd


def test_calm_is_no_peak_no_fall_no_doubt_and_no_cap_that_acted() -> None:
    still = started(CASH)
    assert is_calm(still, KillSwitch(), LIMITS)
    assert not is_calm(None, KillSwitch(), LIMITS)
    assert not is_calm(replace(still, doubt="two counts differ"), KillSwitch(), LIMITS)
    assert not is_calm(replace(still, seen_usd=Decimal("1.0001")), KillSwitch(), LIMITS)
    assert is_calm(replace(still, seen_usd=Decimal("0.961")), KillSwitch(), LIMITS)
    assert not is_calm(replace(still, seen_usd=Decimal("0.96")), KillSwitch(), LIMITS)
    assert not is_calm(still, KillSwitch(mode=Mode.REDUCING), LIMITS)
    assert not is_calm(still, KillSwitch(override_floor_frac=Decimal("0.09")), LIMITS)


@dataclass(frozen=True)
class AllIn:
    """Want three symbols for as much as the caps allow, so that a cap is met within months."""

    name: str = "all_in"
    symbols: tuple[str, ...] = ("GDX", "SIL", "PALL")
    feeds: tuple[str, ...] = ()
    warm_up: int = 1
    is_stateful: bool = False

    def step(self, carried: object | None, seen: Seen) -> tuple[object | None, FloatArray]:
        return None, np.ones(3)

    def encode(self, carried: object | None) -> Any:
        return None

    def decode(self, written: Any) -> object | None:
        return None


def walked(folder: Path) -> Replay:
    market, history = RecordedMarket(folder, 7), History(SYMBOLS)
    limits = replace(LIMITS, soft_cap_frac=Decimal("0.02"), hard_cap_frac=Decimal("0.04"))
    desk = Desk(limits=limits, strategies=(AllIn(),), history=history)
    sessions = market.sessions(market.first, market.last)
    replay = Replay(market, desk, history, MemoryJournal(), sessions[130].day, 7, CASH)
    replay.warm_up(sessions[:130])
    replay.begin()
    replay.walk_all(sessions[130:])
    return replay


def outcome(replay: Replay) -> tuple[Any, ...]:
    """Return what the book did and came to: modes, targets, executions and each sampled equity once."""
    facts = [entry.event for entry in replay.journal.read()]
    sampled_usd = [fact.equity_usd for fact in facts if isinstance(fact, AccountSampled)]
    changes = [usd for usd, before in zip(sampled_usd, [None, *sampled_usd], strict=False) if usd != before]
    decided = [fact for fact in facts if isinstance(fact, ModeChanged | TargetsSet)]
    return decided, replay.exchange.truth.executions, changes


def test_replay_with_fewer_looks_trades_and_stops_as_one_with_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_bars(tmp_path, SYMBOLS, [s.day for s in xnys().sessions(date(2021, 1, 4), date(2021, 12, 31))])
    few = walked(tmp_path)
    monkeypatch.setattr(replaying, "is_calm", lambda *_: False)
    every = walked(tmp_path)
    assert outcome(few) == outcome(every)
    assert {fact.after for fact in outcome(every)[0] if isinstance(fact, ModeChanged)} >= {Mode.REDUCING}
    assert few.journal.head().seq < every.journal.head().seq
