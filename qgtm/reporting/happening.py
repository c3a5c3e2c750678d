"""What happened, in sentences that a reader of a report understands."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from qgtm.core.events import (
    AlertRaised,
    BreakFound,
    BrokerFound,
    BrokerLost,
    Event,
    FeedFailed,
    FlatConfirmed,
    FlattenDelayed,
    Latched,
    ModeChanged,
    OrderRejected,
    OrderUnknown,
    StrategyDisabled,
    Unlatched,
)
from qgtm.views.words import span


def words_of(event: Event) -> str:
    """Return something that happened in a sentence; its name when no sentence is known for it."""
    say = SENTENCES.get(type(event))
    return say(event) if say else type(event).__name__


def _moved(event: ModeChanged) -> str:
    return f"Kill switch from {event.before} to {event.after}: {event.reason}".replace("_", " ")


def shares(left: Mapping[str, Decimal]) -> str:
    """Return positions as people read them, such as "400 GLD, -20 SLV"."""
    return ", ".join(f"{quantity:f} {symbol}" for symbol, quantity in sorted(left.items()))


def _said(latch: str) -> str:
    return latch.replace("_", " ")


SENTENCES: Final[dict[type[Event], Callable[[Any], str]]] = {
    AlertRaised: lambda e: f"Alert, {e.level}: {e.text}",
    BreakFound: lambda e: f"Break in {e.subject}: {e.ours:f} by our book, {e.brokers:f} by the broker’s.",
    FeedFailed: lambda e: f"The feed {e.feed} failed: {e.reason}",
    Latched: lambda e: f"New orders stopped ({_said(e.latch)}): {e.reason}",
    Unlatched: lambda e: f"Cleared by {e.by} ({_said(e.latch)}): {e.reason}",
    ModeChanged: _moved,
    FlattenDelayed: lambda e: f"Not all is closed yet: {shares(e.left)}",
    FlatConfirmed: lambda e: f"The broker shows nothing open any more, {span(e.took_s)} after the halt",
    BrokerLost: lambda e: f"The broker is disconnected: {e.reason}",
    BrokerFound: lambda e: "The broker answers again",
    StrategyDisabled: lambda e: f"{e.strategy} was switched off: {e.reason}",
    OrderRejected: lambda e: f"The broker rejected {e.client_order_id}: {e.reason}",
    OrderUnknown: lambda e: f"No believable answer to {e.client_order_id}: {e.reason}",
}
