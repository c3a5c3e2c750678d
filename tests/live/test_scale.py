"""A price ten times too high is put aside, a crash of the market is not; the next session decides."""

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from qgtm.adapters.clock import ManualClock
from qgtm.adapters.files import StateDir
from qgtm.core.bar import Bar, BarSet
from qgtm.core.effects import FetchBars
from qgtm.core.events import AlertRaised, BarsClosed, DataReleased, FeedRecovered
from qgtm.live.perform import World, perform
from qgtm.live.rig import Rig
from qgtm.live.scale import Scale

FIRST = date(2026, 1, 5)
AT = datetime(2026, 3, 1, tzinfo=UTC)  # after the longest walk of sessions


def bars(number: int, **closes: float) -> BarSet:
    """Return the bars of the session so many days after the first."""
    day = FIRST + timedelta(days=number)
    made = {
        symbol: Bar(
            symbol=symbol,
            session=day,
            known_at=AT,
            open=close,
            high=close,
            low=close,
            close=close,
            volume=1.0,
        )
        for symbol, close in closes.items()
    }
    return BarSet(session=day, known_at=AT, bars=made)


def taken(scale: Scale, *closes: float) -> list[bool]:
    """Return which closes of one symbol, session by session, are believed."""
    return ["SLV" in scale.checked(bars(number, SLV=close)).bars for number, close in enumerate(closes)]


@pytest.mark.fault("E4", "E13")
@pytest.mark.parametrize(
    ("closes", "believed"),
    [
        ((30, 300, 31), [True, False, True]),  # a slip of the point, and back
        ((30, 3, 31), [True, False, True]),
        ((30, 3000, 3100, 3050), [True, False, True, True]),  # in cents from here on
        ((30, 300, 31, 300), [True, False, True, False]),  # what was suspected long ago bears nothing out
        ((30, 300, 3000), [True, False, False]),
        ((30, 12, 28), [True, True, True]),  # a fall by six tenths, as a doubled fund has seen
        ((30, 300, 29, 290, 300), [True, False, True, False, True]),
    ],
)
def test_price_off_its_scale_is_put_aside_until_the_next_session_bears_it_out(
    closes: tuple[float, ...], believed: list[bool]
) -> None:
    assert taken(Scale(), *closes) == believed


def test_reason_names_both_prices_and_other_symbols_stay() -> None:
    scale = Scale()
    scale.checked(bars(0, GLD=400, SLV=30))
    after = scale.checked(bars(1, GLD=401, SLV=300))
    assert set(after.bars) == {"GLD"}
    assert after.refused["SLV"].startswith("its close of 300 is 10 times the 30 before it")


@pytest.mark.parametrize("close", [300.0, 31.0])
def test_session_that_is_asked_for_again_is_judged_as_before(close: float) -> None:
    scale = Scale()
    scale.checked(bars(0, SLV=30))
    first = scale.checked(bars(1, SLV=close))
    assert [scale.checked(bars(1, SLV=close)) for _ in range(3)] == [first] * 3


def test_scale_goes_on_from_what_was_believed_before_a_restart_and_forgets_on_demand() -> None:
    scale = Scale()
    scale.learn([bars(0, SLV=30), bars(1, SLV=31)])
    assert "SLV" not in scale.checked(bars(2, SLV=310)).bars
    scale.forget()
    assert "SLV" in scale.checked(bars(3, SLV=310)).bars


@given(st.lists(st.floats(0.5, 2.0), min_size=1, max_size=30))
@example([1.0] * 30)
def test_no_move_within_a_half_and_a_double_is_ever_put_aside(moves: list[float]) -> None:
    closes = [100.0]
    for move in moves:
        closes.append(closes[-1] * move)
    assert all(taken(Scale(), *closes))


@pytest.mark.fault("E3", "E4")
def test_bar_that_was_put_aside_is_told_and_keeps_no_other_from_coming() -> None:
    scale = Scale()
    scale.learn([bars(0, GLD=400, SLV=30)])
    feed: Any = SimpleNamespace(daily=lambda *asked: (bars(1, GLD=401, SLV=300),))
    broker: Any = None
    world = World(broker, feed, ManualClock(AT), lambda: True, checked=scale.checked)
    alert, closed, recovered = perform(FetchBars(FIRST + timedelta(days=1)), world)
    assert isinstance(alert, AlertRaised)
    assert (alert.level, alert.cause, "2026-01-06" in alert.text) == ("yellow", "bar SLV", True)
    assert isinstance(closed, BarsClosed)
    assert (set(closed.bars), set(closed.refused)) == ({"GLD"}, {"SLV"})
    assert recovered == FeedRecovered(feed="ohlcv")


@pytest.mark.fault("E4")
def test_bar_that_a_person_has_found_true_is_taken_and_no_other(tmp_path: Path) -> None:
    scale = Scale()
    assert taken(scale, 30, 300) == [True, False]
    why = scale.checked(bars(1, SLV=300)).refused["SLV"]
    (item,) = re.findall(r"--release (\S+)", why)
    other = Scale()
    taken(other, 30)
    other.release([item])
    assert other.checked(bars(1, SLV=3000)).refused
    scale.release([item])
    assert "SLV" in scale.checked(bars(1, SLV=300)).bars
    assert "SLV" in scale.checked(bars(2, SLV=310)).bars


def test_release_that_the_daemon_takes_is_kept_for_the_next_start(tmp_path: Path) -> None:
    fact = DataReleased(item="SLV-2026-01-06-abcd", reason="seen", by="OpA")
    rig: Any = SimpleNamespace(
        scale=Scale(), state_dir=StateDir(tmp_path), clock=ManualClock(AT), kernel=None
    )
    Rig.keep_releases(rig, [fact])
    again: Any = SimpleNamespace(scale=Scale(), state_dir=StateDir(tmp_path), clock=ManualClock(AT))
    Rig.learn_releases(again)
    assert again.scale._released == {"SLV-2026-01-06-abcd"} == rig.scale._released
