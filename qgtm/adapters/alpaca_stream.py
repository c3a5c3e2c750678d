"""A stream that is watched over: it says when it listens, when it broke, and when it is gone.

Streams are hints. What arrives here may come twice, late, or not at all; the truth is asked for
by REST: after each `on_connected`, at each hint, and by the daemon's own clock while an order lives.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from enum import StrEnum
from threading import Event, Thread
from typing import Final

from qgtm.adapters.alpaca_client import Keys
from qgtm.adapters.alpaca_wire import (
    BarWire,
    Heard,
    Listening,
    MinuteBar,
    OrderHint,
    OrderWire,
    TradingStatus,
    Wire,
)

LISTEN_S: Final = 6.5  # from the first knock to "listening"
# From the start of one try to the start of the next, however soon it failed: the manual's three tries are
# spread, so that a server which is back in ten seconds loses nobody. All three have failed after 16 s when
# refused at once, after 0.5 + 7.5 + 8 + 6.5 = 22.5 s when nobody answers.
BACK_OFF_S: Final = (0.5, 7.5, 8.0, 8.0, 8.0, 16.0, 30.0)
TRIES: Final = 3  # failed ones, until the stream counts as lost
STEADY_S: Final = 5.0  # a connection that breaks sooner was a failed try
GOODBYE_S: Final = 1.0
STOP_S: Final = 2.0

_log = logging.getLogger(__name__)


class StreamState(StrEnum):
    """Where a stream is."""

    CONNECTING = "connecting"
    LISTENING = "listening"
    DISCONNECTED = "disconnected"
    STOPPED = "stopped"


class Supervisor:
    """A thread with one connection, made anew whenever it breaks.

    All callbacks run in that thread: let them put something into a queue and nothing else. One that
    raises is logged, and the stream goes on. `on_connected()` at each "listening"; `on_dropped(reason)`
    when a listening stream broke; `on_lost(reason)` once, when three tries have failed (within
    30 s of the break). Tries go on behind that, at most 30 s apart, until `stop`.
    """

    def __init__(
        self,
        wire: Callable[[], Wire],
        *,
        on_hint: Callable[[Heard], None],
        on_connected: Callable[[], None],
        on_dropped: Callable[[str], None],
        on_lost: Callable[[str], None],
        back_off_s: Sequence[float] = BACK_OFF_S,
        listen_s: float = LISTEN_S,
    ) -> None:
        self._wire = wire
        self._on_hint = on_hint
        self._on_connected = on_connected
        self._on_dropped = on_dropped
        self._on_lost = on_lost
        self._back_off_s = back_off_s
        self._listen_s = listen_s
        self._listening = Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._is_stopping = False
        self._thread = Thread(target=self._run, name=type(self).__name__, daemon=True)
        self.state = StreamState.CONNECTING
        self.failures = 0

    @property
    def is_listening(self) -> bool:
        """Return whether the server sends what happens."""
        return self._listening.is_set()

    def start(self) -> None:
        """Begin, in a thread of its own; return at once."""
        self._thread.start()

    def wait_listening(self, timeout_s: float = 10.0) -> bool:
        """Wait until the stream listens; return False when it does not in time."""
        return self._listening.wait(timeout_s)

    def stop(self) -> bool:
        """End the stream; return whether its thread ended within two seconds. May be called at any time."""
        self._is_stopping = True
        if self._loop is not None and self._task is not None:
            with suppress(RuntimeError):  # the loop has ended by itself
                self._loop.call_soon_threadsafe(self._task.cancel)
        if self._thread.is_alive():
            self._thread.join(STOP_S)
        return not self._thread.is_alive()

    def _run(self) -> None:
        with suppress(asyncio.CancelledError):
            asyncio.run(self._live())
        self._listening.clear()
        self.state = StreamState.STOPPED

    async def _live(self) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        while not self._is_stopping:
            began_s = self._loop.time()
            reason = await self._one_connection()
            self.state = StreamState.DISCONNECTED
            if self.failures == TRIES:
                self._tell(self._on_lost, reason)
            tried_s = self._loop.time() - began_s if self.failures else 0.0
            rest_s = self._back_off_s[min(self.failures, len(self._back_off_s) - 1)] - tried_s
            await asyncio.sleep(max(rest_s, self._back_off_s[0]))

    async def _one_connection(self) -> str:
        """Return why it ended."""
        wire, listened_s = self._wire(), 0.0
        try:
            await self._until_listening(wire)
            began_s = asyncio.get_running_loop().time()
            self._listens()
            reason = await self._until_broken(wire)
            listened_s = asyncio.get_running_loop().time() - began_s
            self._dropped(reason)
        except Exception as problem:  # noqa: BLE001 - whatever the client raises is one failed try
            reason = f"{type(problem).__name__}: {problem}"
        finally:
            await _close(wire)
        self.failures = 0 if listened_s >= STEADY_S else self.failures + 1
        return reason

    async def _until_listening(self, wire: Wire) -> None:
        async with asyncio.timeout(self._listen_s):
            await wire.open()
            while not any(isinstance(one, Listening) for one in await wire.heard()):
                pass

    async def _until_broken(self, wire: Wire) -> str:
        while True:
            try:
                heard = await wire.heard()
            except Exception as problem:  # noqa: BLE001 - any end of a connection is the same to us
                return f"{type(problem).__name__}: {problem}"
            for one in heard:
                self._tell(self._on_hint, one)

    def _listens(self) -> None:
        self.state = StreamState.LISTENING
        self._listening.set()
        self._tell(self._on_connected)

    def _dropped(self, reason: str) -> None:
        self._listening.clear()
        self.state = StreamState.DISCONNECTED
        self._tell(self._on_dropped, reason)

    def _tell(self, callback: Callable[..., None], *news: object) -> None:
        try:
            callback(*news)
        except Exception:  # noqa: BLE001 - logged whole; a listener must not end the stream
            _log.exception("a listener of the stream failed; polling closes the gap")


async def _close(wire: Wire) -> None:
    # A closing handshake swallows its cancellation, so it is left to itself for a second and then
    # loses its socket, which ends it.
    goodbye = asyncio.ensure_future(wire.close())
    goodbye.add_done_callback(lambda task: task.cancelled() or task.exception())
    try:
        await asyncio.wait({goodbye}, timeout=GOODBYE_S)
    finally:
        wire.abort()
    await asyncio.wait({goodbye}, timeout=GOODBYE_S)


class OrderStream(Supervisor):
    """The account's order updates, as hints."""

    def __init__(
        self,
        keys: Keys,
        url: str,
        *,
        on_hint: Callable[[OrderHint], None],
        on_connected: Callable[[], None],
        on_dropped: Callable[[str], None],
        on_lost: Callable[[str], None],
        back_off_s: Sequence[float] = BACK_OFF_S,
        listen_s: float = LISTEN_S,
    ) -> None:
        super().__init__(
            lambda: OrderWire(keys, url),
            on_hint=lambda one: on_hint(one) if isinstance(one, OrderHint) else None,
            on_connected=on_connected,
            on_dropped=on_dropped,
            on_lost=on_lost,
            back_off_s=back_off_s,
            listen_s=listen_s,
        )


class BarStream(Supervisor):
    """Minute bars and halts, as hints."""

    def __init__(
        self,
        keys: Keys,
        url: str,
        symbols: Sequence[str],
        *,
        on_hint: Callable[[MinuteBar | TradingStatus], None],
        on_connected: Callable[[], None],
        on_dropped: Callable[[str], None],
        on_lost: Callable[[str], None],
        back_off_s: Sequence[float] = BACK_OFF_S,
        listen_s: float = LISTEN_S,
    ) -> None:
        super().__init__(
            lambda: BarWire(keys, url, symbols),
            on_hint=lambda one: on_hint(one) if isinstance(one, MinuteBar | TradingStatus) else None,
            on_connected=on_connected,
            on_dropped=on_dropped,
            on_lost=on_lost,
            back_off_s=back_off_s,
            listen_s=listen_s,
        )
