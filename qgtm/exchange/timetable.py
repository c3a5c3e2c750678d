"""The exchange's agenda: what happens next, and in which order at the same moment."""

import heapq
from datetime import datetime

from qgtm.exchange.day import dawn, dusk
from qgtm.exchange.desk import Desk
from qgtm.exchange.group import follow
from qgtm.exchange.hours import Hours
from qgtm.exchange.lifecycle import emit, end, move
from qgtm.exchange.look import look
from qgtm.exchange.order import Order

# At one moment: the session's begin, then cancels and swaps asked for, then market orders (they
# have priority after a halt), other orders, what ends, and the session's books.
DAWN, TURN, MARKET, OTHER, EXPIRE, DUSK = range(6)


class Timetable:
    """A heap of (moment, rank, order's seq); an entry that no longer fits its order is passed over."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._heap: list[tuple[datetime, int, int]] = []
        self._session: Hours = desk.prices.calendar.current(desk.now)
        self._plan_session(self._session)
        for order in desk.book.live.values():
            self.plan(order)

    @property
    def next_at(self) -> datetime:
        """Return the moment of the next thing to do; there is always one, the session's end."""
        return self._heap[0][0]

    def plan(self, order: Order) -> None:
        """Put down all that a live order has ahead of it: its next look, its pending change, its end."""
        self.plan_look(order)
        if order.is_live and order.turn_at is not None:
            heapq.heappush(self._heap, (order.turn_at, TURN, order.seq))
        if order.is_live and order.expires_at is not None:
            heapq.heappush(self._heap, (order.expires_at, EXPIRE, order.seq))

    def plan_look(self, order: Order) -> None:
        """Put down the next look of an order."""
        if order.is_live and order.look_at is not None:
            rank = MARKET if order.kind == "market" else OTHER
            heapq.heappush(self._heap, (order.look_at, rank, order.seq))

    def plan_turn(self, order: Order) -> None:
        """Put down the moment at which a pending cancel or replace is done."""
        if order.turn_at is not None:
            heapq.heappush(self._heap, (order.turn_at, TURN, order.seq))

    def run(self, now: datetime) -> None:
        """Do all that is due up to `now`, in order."""
        heap = self._heap
        while heap and heap[0][0] <= now:
            at, rank, seq = heapq.heappop(heap)
            self.desk.now = max(self.desk.now, at)
            if rank == DAWN:
                dawn(self.desk, self._session)
                self.desk.dawned = self._session.day
            elif rank == DUSK:
                dusk(self.desk, self._session)
                self._session = self.desk.prices.calendar.after(self._session)
                self._plan_session(self._session)
            else:
                self._do(at, rank, seq)
        self.desk.now = max(self.desk.now, now)

    def _plan_session(self, hours: Hours) -> None:
        if self.desk.now <= hours.pre_at and self.desk.dawned != hours.day:
            heapq.heappush(self._heap, (hours.pre_at, DAWN, 0))
        if self.desk.now <= hours.close_at and not self._has_closed(hours):
            heapq.heappush(self._heap, (hours.close_at, DUSK, 0))
        else:
            self._session = self.desk.prices.calendar.after(hours)
            self._plan_session(self._session)

    def _has_closed(self, hours: Hours) -> bool:
        closes = self.desk.ledger.closes
        return bool(closes) and closes[-1].day >= hours.day

    def _do(self, at: datetime, rank: int, seq: int) -> None:
        order = self.desk.book.live.get(seq)
        if order is None:
            return
        if rank == TURN and order.turn_at == at:
            self._turn(order, at)
        elif rank in (MARKET, OTHER) and order.look_at == at:
            look(self.desk, order, at)
            self.plan_look(order)
        elif rank == EXPIRE and order.expires_at == at:
            end(self.desk, order, "expired", at)
        self._follow(order, at)

    def _follow(self, order: Order, at: datetime) -> None:
        """Let those that belong to an order follow it."""
        for leg in follow(self.desk, order, at):
            self.plan_look(leg)

    def _turn(self, order: Order, at: datetime) -> None:
        if order.is_replacement_waiting:
            self._swap(order, at)
        else:
            end(self.desk, order, "canceled", at)

    def _swap(self, new: Order, at: datetime) -> None:
        """Let the waiting replacement take the old order's place, if that is still open."""
        new.turn_at = None
        old = self.desk.book.by_id[new.replaces or ""]
        if not old.is_live:
            emit(self.desk, "order_replace_rejected", old, at)
            end(self.desk, new, "rejected", at)
            return
        open_qty = None if new.qty is None else new.qty - old.filled_qty
        old.replaced_by = new.id
        end(self.desk, old, "replaced", at)
        self._follow(old, at)
        if open_qty is not None and open_qty <= 0:
            end(self.desk, new, "rejected", at)
            return
        if new.qty is not None and open_qty is not None:
            new.held_usd = new.held_usd * open_qty / new.qty
        new.qty = open_qty
        move(self.desk, new, "pending_new", at)
        new.look_at = at
        self.plan_look(new)
