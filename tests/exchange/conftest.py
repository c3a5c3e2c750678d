"""Fixtures over the tiny market."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

import tests.exchange.sockets  # noqa: F401  (imports alpaca-py with its one deprecation silenced)
from qgtm.exchange.core import Exchange
from qgtm.exchange.setting import Habits
from tests.exchange.tiny import MINUTE, OPEN, Bench, TinyMarket


@pytest.fixture
def market() -> TinyMarket:
    return TinyMarket()


@pytest.fixture
def make_bench(market: TinyMarket) -> Callable[..., Bench]:
    """Return a maker of benches: at the open of an ordinary Tuesday, without random partial fills."""

    def make(at: datetime = OPEN + 10 * MINUTE, **more: Any) -> Bench:
        habits = more.pop("habits", Habits(partial_fill_frac=0.0))
        return Bench(market, Exchange(market, start=at, habits=habits, **more), at)

    return make


@pytest.fixture
def bench(make_bench: Callable[..., Bench]) -> Bench:
    return make_bench()
