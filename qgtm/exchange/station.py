"""One running exchange: gate, venue time, storage and streams, moved on by `tick`. No sockets here."""

from collections.abc import Callable
from dataclasses import dataclass

from qgtm.exchange.control import Control, handle_control
from qgtm.exchange.core import Exchange
from qgtm.exchange.event import TradeUpdate
from qgtm.exchange.gate import Gate, Now, Reply
from qgtm.exchange.store import Store
from qgtm.exchange.trade_stream import Seat
from qgtm.exchange.venue import Instant, VenueTime
from qgtm.exchange.wire import Keys, Request, Response

KEEP_S = 1.0
STOPPED = "stopped"
Listener = Callable[[list[TradeUpdate]], None]


@dataclass(frozen=True, slots=True)
class Seats:
    """The one place on each stream."""

    trade: Seat
    data: Seat


class Station:
    """An exchange with its venue time. Whatever changes is stored before anybody hears of it."""

    def __init__(
        self,
        exchange: Exchange,
        venue: VenueTime,
        *,
        store: Store | None = None,
        keys: Keys | None = None,
        per_minute: int = 200,
    ) -> None:
        self.exchange = exchange
        self.venue = venue
        self.store = store
        self.gate = Gate(exchange, keys=keys, keep=self._keep, per_minute=per_minute)
        self.seats = Seats(Seat(), Seat())
        self.listeners: list[Listener] = []
        self._control = Control(self.gate, venue, self._store_all)
        self._kept_s = float("-inf")

    def tick(self, at: Instant) -> None:
        """Move venue time and the exchange to now, store, and tell the listeners. Call it often."""
        now = self.venue.tick(at)
        updates = self.exchange.advance(now)
        is_due = at.monotonic_s - self._kept_s >= KEEP_S
        if self.store is not None:
            self.store.keep(self.exchange, is_due=is_due)
        if is_due:
            self._kept_s = at.monotonic_s
        if updates:
            for listener in list(self.listeners):
                listener(updates)

    def reply(self, request: Request, at: Instant) -> Reply:
        """Answer a client."""
        now = Now(self.venue.now(at.monotonic_s), at.monotonic_s, at.wall_at.timestamp())
        return self.gate.reply(request, now)

    def control(self, request: Request, at: Instant) -> Response:
        """Answer the control port."""
        return handle_control(self._control, request, at)

    def close(self, at: Instant | None = None) -> None:
        """Store the last state and let go of the file; with `at`, venue time stands until the next start."""
        if self.store is not None:
            self.store.keep(self.exchange, is_due=True)
            self.store.close()
        if at is not None:
            self.venue.hold(STOPPED, float("inf"), at)

    def _keep(self) -> None:
        if self.store is not None:
            self.store.keep(self.exchange)

    def _store_all(self) -> None:
        if self.store is not None:
            self.store.replace_all(self.exchange)
