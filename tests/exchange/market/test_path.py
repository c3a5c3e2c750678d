"""The way through a session: for every bar that can be, and for volumes of any size."""

from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qgtm.adapters.calendar import Session
from qgtm.exchange.market.path import (
    bridge,
    clock,
    dollars,
    generator,
    minute_bars,
    path_through,
    quote_around,
    tick_at,
    volume_by_minute,
    volume_shape,
)

DAY = Session(
    date(2024, 3, 11), datetime(2024, 3, 11, 13, 30, tzinfo=UTC), datetime(2024, 3, 11, 20, tzinfo=UTC)
)


@st.composite
def bars(draw: st.DrawFn) -> tuple[int, int, int, int]:
    low = draw(st.integers(1, 200_000))
    high = low + draw(st.integers(0, 20_000))
    return draw(st.integers(low, high)), high, low, draw(st.integers(low, high))


@given(bars(), st.integers(0, 2**32), st.sampled_from([840, 1560]))
def test_path_goes_through_open_high_low_and_close(bar: tuple[int, int, int, int], seed: int, n: int) -> None:
    opened, high, low, close = bar
    noise = generator(seed)
    ticks = path_through(bar, noise.random(3), noise.standard_normal(n))
    assert (ticks[0], ticks[-1], ticks.max(), ticks.min()) == (opened, close, high, low)
    assert len(ticks) == n


@pytest.mark.parametrize("where", [(0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (0.5, 0.5, 0.9), (0.0, 1.0, 0.5)])
def test_extremes_at_the_edges_of_the_session_are_still_touched(where: tuple[float, ...]) -> None:
    ticks = path_through((1000, 1100, 900, 1010), np.array(where), generator(1).standard_normal(1560))
    assert (ticks[0], ticks[-1], ticks.max(), ticks.min()) == (1000, 1010, 1100, 900)


@given(st.integers(1, 10**8), st.sampled_from([210, 390]), st.integers(0, 1000))
def test_volume_is_shared_out_to_the_last_share(total: int, minutes: int, seed: int) -> None:
    parts = volume_by_minute(total, volume_shape(minutes) * generator(seed).random(minutes))
    assert parts.min() >= 1
    assert parts.sum() == max(total, minutes)


def test_sessions_clock_runs_fastest_at_its_ends() -> None:
    passed = clock(1560)
    first, middle, last = passed[60], passed[810] - passed[750], passed[-1] - passed[-61]
    assert passed[0] == 0.0
    assert passed[-1] == pytest.approx(1.0)
    assert first > last > middle


def test_volume_is_thinnest_at_noon() -> None:
    shape = volume_shape(390)
    assert shape.argmin() in range(120, 270)
    assert min(shape[0], shape[-1]) > 2 * shape[195]


def test_bridge_begins_and_ends_at_zero_and_is_widest_between() -> None:
    bridges = bridge(generator(3).standard_normal((2000, 100)))
    spread = bridges.std(axis=0)
    assert np.abs(bridges[:, [0, -1]]).max() < 1e-12
    # a Brownian bridge has variance t (1 - t): half a unit of deviation in the middle of its clock
    assert spread.max() == pytest.approx(0.5, abs=0.03)


def test_minute_bar_is_made_of_its_four_ticks() -> None:
    ticks = np.full(1560, 5000)
    ticks[4:8] = [5001, 5007, 4998, 5002]
    bar = minute_bars(DAY, ticks, np.full(390, 250))[1]
    told = [str(price) for price in (bar.open, bar.high, bar.low, bar.close, bar.vwap)]
    assert told == ["50.01", "50.07", "49.98", "50.02", "50.0200"]
    assert (bar.volume, bar.trades) == (250, 3)


@pytest.mark.parametrize(
    ("clock_time", "tick"),
    [
        ("13:29:59", 0),
        ("13:30:14", 0),
        ("13:30:15", 1),
        ("13:31:00", 4),
        ("19:59:59", 1559),
        ("23:00:00", 1559),
    ],
)
def test_tick_lasts_fifteen_seconds(clock_time: str, tick: int) -> None:
    assert tick_at(DAY, datetime.fromisoformat(f"2024-03-11T{clock_time}+00:00")) == tick


def test_liquid_fund_is_quoted_a_cent_wide_and_a_thin_one_wider() -> None:
    gld, pall = quote_around("GLD", 18_000, 700), quote_around("PALL", 18_000, 700)
    assert gld.ask - gld.bid == Decimal("0.01")
    assert pall.ask - pall.bid == Decimal("0.25")  # 14 basis points of $180
    assert gld.bid_size > pall.bid_size


def test_quote_of_a_one_cent_fund_keeps_a_positive_bid() -> None:
    quote = quote_around("DUST", 1, 101)
    assert (quote.bid, quote.ask) == (Decimal("0.01"), Decimal("0.02"))


@given(st.integers(1, 10**9))
def test_cents_become_dollars_exactly(cents: int) -> None:
    assert str(dollars(cents)) == f"{cents // 100}.{cents % 100:02d}"
