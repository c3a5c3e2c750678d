# A print of notebooks/engine/trial.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Trial.

The order of the first day: one share, far below the market, seen at the broker and inside, and cancelled.
"""

# cell 5 of notebooks/engine/trial.ipynb
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from qgtm.core.events import QuoteSeen
from qgtm.core.ids import client_order_id
from qgtm.core.money import exact, limit_price
from qgtm.core.order import Order, OrderState, Side
from qgtm.core.outcome import Denied
from qgtm.engine.intent import Tape, book_with, circumstances, is_two_sided
from qgtm.engine.state import RESIDUAL, TRIAL, TRIAL_SYMBOL, State
from qgtm.risk.checks import judge
from qgtm.risk.limits import Limits


# cell 6 of notebooks/engine/trial.ipynb
@dataclass(frozen=True)
class Params:
    """The knobs of this module."""

    below_frac: float


PARAMS = Params(
    below_frac=0.20,  # how far below the market it lies, as a part of the price [0.10, 0.50]
)


def trial_order(
    state: State, quote: QuoteSeen, now: datetime, limits: Limits, read: Callable[[Sequence[str]], Tape]
) -> Order | Denied:
    """Return the trial order, or why the gate refuses it. Nothing is sent here."""
    if state.session is None or not is_two_sided(quote):
        return Denied("quote", f"there is no price for {TRIAL_SYMBOL} to stay below")
    mid = (quote.bid + quote.ask) / 2
    number = state.numbers.get(TRIAL_SYMBOL, 0)
    order = Order(
        client_order_id=client_order_id(state.epoch, TRIAL, state.session, TRIAL_SYMBOL, number),
        symbol=TRIAL_SYMBOL,
        side=Side.BUY,
        quantity=Decimal(1),
        limit_price=limit_price(mid * (1 - exact(PARAMS.below_frac))),
        arrival_price=mid,
        formed_at=now,
        shares={RESIDUAL: Decimal(1)},
    )
    held = book_with(state, [])
    around = circumstances(state, order, held, quote, now, read([TRIAL_SYMBOL]), limits)
    verdict = judge(order, held, around, limits)
    return verdict if isinstance(verdict, Denied) else order


def trial_words(order: Order) -> tuple[bool, str]:
    """Return whether the trial went as it should, and what became of its order, for a person to read."""
    name = f"The trial order {order.client_order_id} (one {order.symbol} at {order.limit_price})"
    if order.filled_quantity:
        return False, f"{name} was filled: one share more is held than anybody wanted."
    if order.state is OrderState.CANCELED and order.broker_order_id:
        return True, f"{name} was seen at the broker as {order.broker_order_id}, and cancelled."
    return False, f"{name} ended as {order.state} and was not seen at the broker: look at it there."


__all__ = [
    "PARAMS",
    "Params",
    "trial_order",
    "trial_words",
]
