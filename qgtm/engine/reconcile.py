# A print of notebooks/engine/reconcile.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Reconcile.

Both books side by side: every difference is reported as a break, and none is mended.
"""

# cell 4 of notebooks/engine/reconcile.ipynb
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal

from qgtm.core.events import BreakFound
from qgtm.core.money import exact


# cell 5 of notebooks/engine/reconcile.ipynb
@dataclass(frozen=True)
class Params:
    """The knobs of this module."""

    cash_tolerance_usd: float
    equity_tolerance_frac: float


PARAMS = Params(
    cash_tolerance_usd=0.01,  # dollars of rounding that no one is called for [0.01, 10]
    equity_tolerance_frac=0.01,  # by which a close may differ from the broker's history of it [0.001, 0.05]
)
NOTHING_HELD = Decimal(0)


def find_breaks(
    ours: Mapping[str, Decimal], brokers: Mapping[str, Decimal], explained: Mapping[str, str] | None = None
) -> tuple[BreakFound, ...]:
    """Return every symbol whose signed shares differ, over the union of both books. Mends nothing.

    `explained` adds a sentence to a symbol's break.
    """
    said = explained or {}
    return tuple(
        BreakFound(
            subject=symbol,
            ours=ours.get(symbol, NOTHING_HELD),
            brokers=brokers.get(symbol, NOTHING_HELD),
            detail=said.get(symbol, "Compare the broker's activity list with `qgtm audit show`."),
        )
        for symbol in sorted(ours.keys() | brokers.keys())
        if ours.get(symbol, NOTHING_HELD) != brokers.get(symbol, NOTHING_HELD)
    )


def find_cash_break(ours: Decimal, brokers: Decimal) -> tuple[BreakFound, ...]:
    """Return a break in cash when the difference is more than rounding can explain."""
    if abs(ours - brokers) <= exact(PARAMS.cash_tolerance_usd):
        return ()
    detail = "A fee, a dividend or a transfer that is not in the activity list yet, or a fill that got lost."
    return (BreakFound(subject="cash", ours=ours, brokers=brokers, detail=detail),)


def find_foreign_orders(
    ours: Collection[str], open_at_broker: Mapping[str, Decimal]
) -> tuple[BreakFound, ...]:
    """Return a break for every open order at the broker whose client id we never wrote down."""
    return tuple(
        BreakFound(
            subject=order_id,
            ours=NOTHING_HELD,
            brokers=quantity,
            detail="An open order that this journal does not hold: cancel it at the broker if unwanted.",
        )
        for order_id, quantity in sorted(open_at_broker.items())
        if order_id not in ours
    )


# cell 7 of notebooks/engine/reconcile.ipynb
EQUITY = "equity-"  # begins the subject of a break in the past; the session follows


def find_history_breaks(
    ours: Mapping[str, Decimal], brokers: Mapping[str, Decimal], peak_usd: Decimal | None
) -> tuple[BreakFound, ...]:
    """Return a break for every session (ISO date) whose closing equity is another in the broker's history.

    A session that our record lacks, later than its first, is held against our peak, in dollars.
    """
    tolerance, first = exact(PARAMS.equity_tolerance_frac), min(ours, default="9999")
    lacking = {} if peak_usd is None else {s: peak_usd for s in brokers if s > first and s not in ours}
    wrong = {s: mine for s, mine in ours.items() if s in brokers and _differ(mine, brokers[s], tolerance)}
    above = {s: peak for s, peak in lacking.items() if brokers[s] > peak * (1 + tolerance)}
    said = dict.fromkeys(wrong, "Our record of this close is another than the broker's.")
    said |= dict.fromkeys(above, "Our record lacks this session, and the account stood above our peak.")
    return tuple(
        BreakFound(subject=f"{EQUITY}{session}", ours=mine, brokers=brokers[session], detail=said[session])
        for session, mine in sorted({**wrong, **above}.items())
    )


def _differ(one: Decimal, other: Decimal, tolerance: Decimal) -> bool:
    return abs(one - other) > tolerance * max(abs(one), abs(other))


__all__ = [
    "EQUITY",
    "NOTHING_HELD",
    "PARAMS",
    "Params",
    "find_breaks",
    "find_cash_break",
    "find_foreign_orders",
    "find_history_breaks",
]
