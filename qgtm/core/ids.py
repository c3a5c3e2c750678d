"""Order ids that follow from what is wanted, so that a second try is seen as the first."""

import re
from datetime import date
from typing import Final

FLATTEN: Final = "flatten"  # the purpose in the id of an order that closes everything

FORM = re.compile(
    r"qgtm-(?P<epoch>\d+)-(?P<purpose>[a-z]+)-(?P<session>\d{8})-(?P<symbol>[A-Z]+)-(?P<number>\d+)"
)


def client_order_id(epoch: int, purpose: str, session: date, symbol: str, number: int) -> str:
    """Return `qgtm-EPOCH-PURPOSE-YYYYMMDD-SYMBOL-NUMBER` (at most 128 characters at the broker).

    The epoch is the lease's (or the kill's), the number counts this symbol's orders of the session.
    """
    return f"qgtm-{epoch}-{purpose}-{session:%Y%m%d}-{symbol}-{number}"


def flatten_id(kill_epoch: int, session: date, symbol: str, attempt: int) -> str:
    """Return the id of a flatten's order: of one halt, session, symbol and attempt there is one only.

    `session` is the one in which the order trades: today's, or the next when the market is closed. Daemon and
    watchdog form the same id, so that the broker refuses the second as a duplicate of the first.
    """
    return client_order_id(kill_epoch, FLATTEN, session, symbol, attempt)


def epoch_of(order_id: str) -> int | None:
    """Return the epoch in one of our ids, None when the id is not ours."""
    match = FORM.fullmatch(order_id)
    return int(match["epoch"]) if match else None
