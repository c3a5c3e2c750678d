"""The one way in which the live loop steps a strategy."""

import json
import math
from dataclasses import dataclass, fields, is_dataclass
from types import SimpleNamespace
from typing import Any, cast

import pytest

from qgtm.core.series import MINUTES, FeedName
from qgtm.core.universe import SYMBOLS, TRADED
from qgtm.features.seen import Seen
from qgtm.research.made_up import made_up
from qgtm.research.made_up_panel import made_up_seen
from qgtm.strategies import BY_NAME, STRATEGIES, Strategy, donchian_breakout, gold_silver_ratio

EVERY = pytest.mark.parametrize("module", STRATEGIES, ids=[module.NAME for module in STRATEGIES])


@dataclass(frozen=True)
class Inner:
    mean: float
    sides: tuple[int, ...]


@dataclass(frozen=True)
class Outer:
    inner: Inner
    path: tuple[float, ...]
    count: int


def with_state(kind: type) -> Strategy:
    return Strategy(cast(Any, SimpleNamespace(NAME="made", State=kind)))


def test_strategies_are_listed_in_order_and_once() -> None:
    names = [module.NAME for module in STRATEGIES]
    assert names == sorted(set(names)) == list(BY_NAME)


@EVERY
def test_strategy_module_keeps_the_contract(module: Any) -> None:
    assert module.__name__.endswith(f".{module.NAME}")
    assert module.CATEGORY in tuple("ABCDEFGH")
    assert module.FEEDS[0] == FeedName.OHLCV
    assert set(module.FEEDS) <= {*FeedName, MINUTES}
    assert set(module.symbols) <= set(SYMBOLS)
    assert module.warm_up > 1
    assert is_dataclass(module.PARAMS)
    assert isinstance(module.PARAMS, module.Params)
    carries = [hasattr(module, name) for name in ("State", "start", "view", "update")]
    assert all(carries) or not any(carries)


@EVERY
def test_strategy_asks_for_nothing_in_a_symbol_that_is_only_read(module: Any) -> None:
    targets = module.signal(made_up_seen(420, 21).select(module.symbols))
    read = [i for i, symbol in enumerate(module.symbols) if symbol not in TRADED]
    assert not targets[module.warm_up :, read].any()


@EVERY
def test_strategy_needs_no_more_sessions_than_it_says(module: Any) -> None:
    seen = made_up_seen(420, 21).select(module.symbols)
    assert not all(math.isnan(each) for each in module.signal(seen.head(module.warm_up))[-1])
    assert all(math.isnan(each) for each in module.signal(seen.head(module.warm_up - 1)).ravel())


def test_state_goes_through_json_to_the_bit() -> None:
    state = Outer(Inner(0.1 + 0.2, (1, -1, 0)), (1e-308, -0.0, math.inf, 1 / 3), 7)
    strategy = with_state(Outer)
    again = strategy.decode(json.loads(json.dumps(strategy.encode(state), allow_nan=False)))
    assert again == state
    assert repr(again) == repr(state)


def test_state_with_an_unknown_number_keeps_it_unknown() -> None:
    strategy = with_state(Inner)
    again = strategy.decode(json.loads(json.dumps(strategy.encode(Inner(math.nan, ())), allow_nan=False)))
    assert math.isnan(cast(Inner, again).mean)


def test_strategy_without_state_writes_nothing() -> None:
    assert BY_NAME["tsmom"].encode(None) is None
    assert BY_NAME["tsmom"].decode(None) is None
    assert BY_NAME["tsmom"].start() is None


@pytest.mark.parametrize(
    "written", [{}, {"mean": "0.1"}, {"mean": "x", "sides": []}, {"mean": "1", "sides": 3}, 5]
)
def test_written_state_that_does_not_fit_is_refused_by_name(written: Any) -> None:
    with pytest.raises(ValueError, match="written state of made does not fit"):
        with_state(Inner).decode(written)


@pytest.mark.mistake(11)
def test_step_takes_its_columns_from_a_wider_market() -> None:
    wide = made_up(300, 3)
    narrow = wide.select(tuple(reversed(donchian_breakout.symbols)))
    strategy = Strategy(donchian_breakout)
    assert strategy.step(None, Seen(wide))[1].tolist() == strategy.step(None, Seen(narrow))[1].tolist()


@pytest.mark.mistake(11)
def test_step_without_a_column_names_the_symbol() -> None:
    with pytest.raises(KeyError, match="no bars of SLV"):
        Strategy(gold_silver_ratio).step(None, Seen(made_up(300, 3).select(("GLD", "SPY"))))


@EVERY
def test_knobs_are_in_the_state_of_no_strategy(module: Any) -> None:
    if hasattr(module, "State"):
        assert not {f.name for f in fields(module.State)} & {f.name for f in fields(module.Params)}
