"""What the adapters lean on inside alpaca-py: when an update moves it, these fail first."""

import inspect
import subprocess
import sys
import time
import warnings
from datetime import UTC, datetime
from decimal import Decimal

import alpaca
import pytest

from qgtm.adapters.alpaca_client import GuardedData, GuardedTrading, StockDataStream, TradingStream
from qgtm.adapters.alpaca_order import request_of
from qgtm.adapters.call_budget import CallBudget
from qgtm.core.order import Order, Side
from tests.adapters.alpaca_venue import KEYS, reply, serving


def test_the_client_library_is_the_version_that_was_read() -> None:
    assert alpaca.__version__ == "0.44.0"


def test_the_deprecated_sockets_are_still_there() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from websockets.legacy.client import connect
    assert callable(connect)


@pytest.mark.parametrize("name", ["_start_ws", "_connect", "_auth", "close"])
def test_the_streams_have_the_parts_that_are_called(name: str) -> None:
    for stream in (TradingStream, StockDataStream):
        assert inspect.iscoroutinefunction(getattr(stream, name))
    assert inspect.iscoroutinefunction(StockDataStream._send_subscribe_msg)


@pytest.mark.parametrize("guarded", [GuardedTrading, GuardedData])
def test_both_clients_never_retry_never_heed_the_environment_and_send_once(
    guarded: type[GuardedTrading],
) -> None:
    with serving(reply(504)) as venue:
        client = guarded(KEYS, venue.url, CallBudget(time.monotonic))
        assert client._retry == 0
        assert not client._session.trust_env
        began = time.monotonic()
        with pytest.raises(Exception, match="504"):
            client.get("/anything")
        assert time.monotonic() - began < 1.0
        assert len(venue.asked) == 1
        client.hang_up()


@pytest.mark.parametrize("limit", [Decimal("183.10"), None])
@pytest.mark.parametrize("is_reducing", [False, True])
def test_what_is_sent_is_what_the_library_would_send_but_for_text_numbers(
    limit: Decimal | None, is_reducing: bool
) -> None:
    from alpaca.trading.enums import OrderSide, PositionIntent, TimeInForce
    from alpaca.trading.requests import LimitOrderRequest, MarketOrderRequest

    order = Order(
        client_order_id="c-1",
        symbol="GLD",
        side=Side.SELL,
        quantity=Decimal(7),
        limit_price=limit,
        arrival_price=Decimal(183),
        formed_at=datetime(2024, 1, 5, tzinfo=UTC),
        is_reducing=is_reducing,
    )
    wanted = {
        "symbol": "GLD",
        "qty": 7,
        "side": OrderSide.SELL,
        "time_in_force": TimeInForce.DAY,
        "extended_hours": False,
        "client_order_id": "c-1",
        "position_intent": PositionIntent.SELL_TO_CLOSE if is_reducing else None,
    }
    theirs = (
        MarketOrderRequest(**wanted) if limit is None else LimitOrderRequest(**wanted, limit_price=limit)
    ).to_request_fields()
    ours = request_of(order)
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        if isinstance(value, float):
            assert Decimal(str(ours[name])) == Decimal(repr(value))
            assert isinstance(ours[name], str)
        else:
            assert ours[name] == getattr(value, "value", value)


def test_the_adapters_import_no_library_beyond_what_the_client_library_brings() -> None:
    # How long it takes is measured by benchmarks/start_up.py; what makes it long is held here.
    script = (
        "import warnings; warnings.simplefilter('ignore'); import sys;"
        "import alpaca.trading.client, alpaca.data.historical.stock, alpaca.data.live.stock;"
        "import alpaca.trading.stream; before = set(sys.modules);"
        "import qgtm.adapters.alpaca_broker, qgtm.adapters.alpaca_feed, qgtm.adapters.alpaca_stream;"
        "names = {name.partition('.')[0] for name in set(sys.modules) - before};"
        "print(' '.join(sorted(names - set(sys.stdlib_module_names) - {'qgtm'})))"
    )
    shown = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert shown.stdout.split() == []
