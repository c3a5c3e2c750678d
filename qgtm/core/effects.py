"""What the engine wants done, in the imperative. Effects are never journaled; their outcomes are.

The engine asks for the same effect again on each turn until the fact that it leads to arrives;
whoever performs them keeps one of a kind in flight and paces the rest.
"""

from dataclasses import dataclass
from datetime import date

from qgtm.core.order import Order


@dataclass(frozen=True, slots=True)
class Submit:
    """Send an order that is written down."""

    order: Order


@dataclass(frozen=True, slots=True)
class Cancel:
    """Ask the broker to cancel a live order."""

    order: Order
    reason: str


@dataclass(frozen=True, slots=True)
class CancelAll:
    """Ask the broker to cancel every open order, whoever made it, but those of `spared` ids."""

    spared: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CloseAll:
    """Ask the broker to close everything by its own orders: the last rung of a flatten."""

    kill_epoch: int


@dataclass(frozen=True, slots=True)
class CountCoolOff:
    """Read the clocks, so that the cool-off is counted by the slowest of them."""


@dataclass(frozen=True, slots=True)
class AskOrder:
    """Ask the broker what became of an order."""

    client_order_id: str


@dataclass(frozen=True, slots=True)
class PollOrders:
    """Ask the broker for the session's orders: streams are hints, this is the truth."""


@dataclass(frozen=True, slots=True)
class FetchPositions:
    """Fetch the positions and what of them is free to close."""


@dataclass(frozen=True, slots=True)
class FetchBars:
    """Fetch the daily bars of a finished session, and of any after `after` that were missed."""

    session: date
    after: date | None = None


@dataclass(frozen=True, slots=True)
class FetchQuotes:
    """Fetch fresh quotes."""

    symbols: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SampleAccount:
    """Fetch the account and the marks of its positions."""


@dataclass(frozen=True, slots=True)
class CompareClocks:
    """Hold our clock against the broker's, before a session turns over: `turn` says which way."""

    turn: str


@dataclass(frozen=True, slots=True)
class ValueBook:
    """Fetch fresh prices of what is held, where the broker does not say what the account is worth."""

    symbols: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FetchEquityHistory:
    """Fetch the broker's own history of the account's equity at the close, from `since` to `session`."""

    since: date
    session: date


Effect = (
    Submit
    | Cancel
    | CancelAll
    | CloseAll
    | CountCoolOff
    | AskOrder
    | PollOrders
    | FetchPositions
    | FetchBars
    | FetchQuotes
    | SampleAccount
    | CompareClocks
    | ValueBook
    | FetchEquityHistory
)
