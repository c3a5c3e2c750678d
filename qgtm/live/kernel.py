"""The one way in which an event becomes history: decide, write down, then act."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from qgtm.core.effects import Effect
from qgtm.core.events import (
    BarsClosed,
    BookUnjudged,
    CashMoved,
    ClocksCompared,
    Event,
    FeedFailed,
    FeedRecovered,
    MarketHoursSeen,
    OrderNotFound,
    OrderUpdated,
)
from qgtm.engine.desk import Desk
from qgtm.engine.live_loop import Step, step
from qgtm.engine.state import State, changed
from qgtm.features.history import History
from qgtm.ports import Journal

Perform = Callable[[Effect], None]


@dataclass
class Kernel:
    """Hold the state, take events in one at a time, and hand the effects on.

    Live, on the paper exchange, in the simulation and in a replay it is this same code.
    """

    desk: Desk
    history: History
    journal: Journal
    perform: Perform
    state: State = field(default_factory=State)

    def take(self, event: Event, now: datetime) -> None:
        """Take one event in. Raises JournalError when it cannot be written: then nothing is acted on."""
        self.take_all((event,), now)

    def take_all(self, events: Sequence[Event], now: datetime) -> None:
        """Take events in that belong together: one append, so that a crash keeps all of them or none."""
        state, rows, effects = self.state, list[Event](), list[Effect]()
        for event in events:
            if teaches_nothing(state, event):
                continue
            if isinstance(event, BarsClosed):
                self._remember(event)
            after = step(state, event, now, self.desk)
            state = after.state
            if not leads_to_nothing(event, after):
                rows += [event, *after.events]
            effects += after.effects
        self._write(rows, now)
        self.state = state
        for effect in effects:
            self.perform(effect)

    def _write(self, events: Sequence[Event], now: datetime) -> None:
        rows = [event for event in events if event.is_journaled]
        if rows:
            self.journal.append(rows, now)

    def _remember(self, event: BarsClosed) -> None:
        last = self.history.last_session
        if last is None or event.session > last:
            self.history.append(event.session, event.bars, event.known)


def leads_to_nothing(event: Event, after: Step) -> bool:
    """Return whether an order that is still not found changes nothing: it is asked for every two seconds."""
    return isinstance(event, OrderNotFound) and not (after.events or after.effects)


def teaches_nothing(state: State, event: Event) -> bool:
    """Return whether an event repeats what is known, so that polling does not fill the journal."""
    is_known = IS_KNOWN.get(type(event))
    return is_known is not None and is_known(state, event)


def _is_known_order(state: State, event: OrderUpdated) -> bool:
    order = state.orders.get(event.client_order_id)
    return order is None or changed(state, event).orders[event.client_order_id] == order


def _are_known_clocks(known: ClocksCompared | None, event: ClocksCompared) -> bool:
    """Return whether two comparisons say the same, give or take the seconds that an answer takes."""
    return known is not None and known.turn == event.turn and abs(known.ahead_s - event.ahead_s) < 5.0


IS_KNOWN: Final[dict[type[Event], Callable[[State, Any], bool]]] = {
    OrderUpdated: _is_known_order,
    MarketHoursSeen: lambda state, event: event == state.market,
    ClocksCompared: lambda state, event: _are_known_clocks(state.clocks, event),
    CashMoved: lambda state, event: event.activity_id in state.flow_ids,
    FeedFailed: lambda state, event: event.feed in state.feeds_failed,
    BookUnjudged: lambda state, event: state.unjudged is not None,
    FeedRecovered: lambda state, event: event.feed not in state.feeds_failed,
    BarsClosed: lambda state, event: state.bars_session is not None and event.session <= state.bars_session,
}
