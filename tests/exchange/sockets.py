"""The paper exchange on real sockets and in process, with alpaca-py's unchanged clients on it."""

import asyncio
import json
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import requests

from qgtm.adapters.clock import ManualClock, SystemClock
from qgtm.exchange.core import Exchange
from qgtm.exchange.gate import Gate, Now
from qgtm.exchange.in_process import ExchangeAdapter
from qgtm.exchange.run import bound
from qgtm.exchange.server import Front, Server
from qgtm.exchange.station import Station
from qgtm.exchange.venue import Instant, VenueTime

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # alpaca-py still imports websockets.legacy
    from alpaca.data.historical import OptionHistoricalDataClient, StockHistoricalDataClient
    from alpaca.data.historical.corporate_actions import CorporateActionsClient
    from alpaca.data.live import StockDataStream
    from alpaca.trading.client import TradingClient
    from alpaca.trading.stream import TradingStream

__all__ = ["Live", "StockDataStream", "TradingStream", "in_process", "live"]
QUICK = {"ping_interval": 5, "ping_timeout": 5, "close_timeout": 1}


@dataclass
class Live:
    """A served exchange and the clients that point at it."""

    url: str
    station: Station
    trading: TradingClient = field(init=False)
    data: StockHistoricalDataClient = field(init=False)
    options: OptionHistoricalDataClient = field(init=False)
    actions: CorporateActionsClient = field(init=False)

    def __post_init__(self) -> None:
        self.trading = TradingClient("key", "secret", url_override=self.url)
        self.data = StockHistoricalDataClient("key", "secret", url_override=self.url)
        self.options = OptionHistoricalDataClient("key", "secret", url_override=self.url)
        self.actions = CorporateActionsClient("key", "secret", url_override=self.url)

    @property
    def ws(self) -> str:
        return "ws" + self.url.removeprefix("http")

    def clients(self) -> list[Any]:
        return [self.trading, self.data, self.options, self.actions]

    def control(self, what: str, **body: Any) -> Any:
        with requests.post(f"{self.url}/control/{what}", data=json.dumps(body), timeout=5) as answer:
            assert answer.status_code == 200, answer.text
            return answer.json()

    def later(self, seconds: float = 5) -> None:
        self.control("advance", seconds=seconds)


@contextmanager
def live(exchange: Exchange, pings: dict[str, float] | None = None, **more: Any) -> Iterator[Live]:
    """Serve an exchange on a free port in a thread; its time moves by the control port only."""
    clock = SystemClock()
    at = Instant(clock.monotonic(), clock.now())
    calendar = exchange.desk.prices.calendar
    venue = VenueTime(calendar, venue_at=exchange.now, at=at, speed=0.0, mode="stepped", boot_id="test")
    server = Server(Front(Station(exchange, venue, **more), clock), **(pings or {}))
    listening = bound("127.0.0.1", 0)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])))
    thread.start()
    served = Live(f"http://127.0.0.1:{listening.getsockname()[1]}", server._front.station)
    try:
        yield served
    finally:
        for client in served.clients():
            client._session.close()
        server.should_exit = True
        thread.join(10)
        listening.close()
        assert not thread.is_alive()


@dataclass
class InProcess:
    """A trading client on a gate, and the clock that moves both."""

    gate: Gate
    clock: ManualClock
    trading: TradingClient

    def later(self, seconds: float = 5) -> list[Any]:
        self.clock.wait(seconds)
        return self.gate.exchange.advance(self.clock.now())


def in_process(exchange: Exchange) -> InProcess:
    """Return alpaca-py's client mounted on an exchange without any socket."""
    gate, clock = Gate(exchange), ManualClock(exchange.now, monotonic=1000.0)

    def read_now() -> Now:
        return Now(clock.now(), clock.monotonic(), 1_700_000_000.0 + clock.monotonic())

    trading = TradingClient("key", "secret", url_override="http://exchange.test")
    trading._session.mount("http://", ExchangeAdapter(gate, read_now, clock.wait))
    return InProcess(gate, clock, trading)


@contextmanager
def streaming(stream: Any) -> Iterator[None]:
    """Run a stream of alpaca-py in a thread of its own."""
    thread = threading.Thread(target=stream.run)
    thread.start()
    try:
        eventually(lambda: stream._running)
        yield
    finally:
        stream.stop()
        thread.join(15)
        assert not thread.is_alive()


def eventually(is_so: Callable[[], object], within_s: float = 8.0) -> None:
    """Wait until something is so, and fail when it never is."""
    end = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.01)
