"""The same seed, requests and times give the same state; a dump and load in between changes nothing."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from qgtm.exchange.core import Exchange
from qgtm.exchange.draw import id_in, space_of, uniform
from qgtm.exchange.order import OrderRequest
from qgtm.exchange.state import dump, load, state_hash
from tests.exchange.tiny import TinyMarket

START = datetime(2024, 3, 12, 13, 40, tzinfo=UTC)

acts = st.lists(
    st.tuples(
        st.sampled_from(["buy", "sell", "limit", "cancel", "wait"]),
        st.sampled_from(["GLD", "SLV"]),
        st.integers(1, 400),
    ),
    max_size=25,
)


def play(exchange: Exchange, script: list[tuple[str, str, int]], now: datetime) -> datetime:
    for what, symbol, n in script:
        if what in ("buy", "sell"):
            exchange.submit(OrderRequest(symbol=symbol, side=what, qty=D(n)), now)  # type: ignore[arg-type]
        elif what == "limit":
            price = D(100) - D(n) / 200
            ask = OrderRequest(symbol=symbol, side="buy", kind="limit", qty=D(n), limit_price=round(price, 2))
            exchange.submit(ask, now)
        elif what == "cancel":
            for order in exchange.orders("open")[:1]:
                exchange.cancel(order.id, now)
        now += timedelta(seconds=7 * n)
        exchange.advance(now)
    return now


@given(acts)
@settings(max_examples=25)
def test_state_after_any_script_is_the_same_twice_and_across_a_restart(script: list[Any]) -> None:
    market = TinyMarket(size=60)
    first, second, third = (Exchange(market, start=START, seed=5) for _ in range(3))
    end = play(first, script, START)
    assert play(second, script, START) == end
    assert state_hash(first) == state_hash(second)

    half = len(script) // 2
    middle = play(third, script[:half], START)
    resumed = Exchange(market, start=START, seed=1)
    load(resumed, json.loads(json.dumps(dump(third))))
    play(resumed, script[half:], middle)
    assert state_hash(resumed) == state_hash(first)


def test_another_seed_gives_other_ids() -> None:
    assert id_in(space_of(1), "order 1") != id_in(space_of(2), "order 1")


def test_draws_are_even_and_do_not_depend_on_the_process() -> None:
    draws = [uniform(7, n, 1) for n in range(4000)]
    assert 0.08 < sum(draw < 0.1 for draw in draws) / len(draws) < 0.12
    code = "from qgtm.exchange.draw import uniform; print(uniform(7, 3, 1))"
    env = {"PYTHONHASHSEED": "3", "PYTHONPATH": "."}
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    assert float(out.stdout) == draws[3]
