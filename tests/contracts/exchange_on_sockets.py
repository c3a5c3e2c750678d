"""The paper exchange on real sockets, in a thread of this process; its control port moves time."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Thread
from typing import Any

import requests

from qgtm.adapters.clock import SystemClock
from qgtm.exchange.core import Exchange
from qgtm.exchange.run import bound
from qgtm.exchange.server import Front, Server
from qgtm.exchange.station import Station
from qgtm.exchange.venue import Instant, VenueTime


@dataclass
class OnSockets:
    """A running exchange: where it listens, and its control port."""

    url: str
    station: Station

    @property
    def stream_url(self) -> str:
        return "ws" + self.url.removeprefix("http") + "/stream"

    @property
    def bars_url(self) -> str:
        return "ws" + self.url.removeprefix("http") + "/v2/iex"

    def control(self, what: str, **body: Any) -> Any:
        with requests.post(f"{self.url}/control/{what}", data=json.dumps(body), timeout=5) as answer:
            assert answer.status_code == 200, answer.text
            return answer.json()

    def later(self, seconds: float) -> None:
        self.control("advance", seconds=seconds)

    def fault(self, **what: Any) -> None:
        self.control("faults", **what)


@contextmanager
def on_sockets(exchange: Exchange) -> Iterator[OnSockets]:
    """Serve `exchange` from its present moment on; venue time moves only when it is told to."""
    clock = SystemClock()
    at = Instant(clock.monotonic(), clock.now())
    calendar = exchange.desk.prices.calendar
    venue = VenueTime(calendar, venue_at=exchange.now, at=at, speed=0.0, mode="stepped", boot_id="test")
    station = Station(exchange, venue)
    server, listening = Server(Front(station, clock)), bound("127.0.0.1", 0)
    thread = Thread(target=lambda: asyncio.run(server.serve([listening])))
    thread.start()
    try:
        yield OnSockets(f"http://127.0.0.1:{listening.getsockname()[1]}", station)
    finally:
        server.should_exit = True
        thread.join(10)
        listening.close()
        assert not thread.is_alive()
