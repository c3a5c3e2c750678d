# A print of notebooks/risk/case.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""The case.

What is known around one order when it is judged; what is not known is said, and denied.
"""

# cell 5 of notebooks/risk/case.ipynb
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from qgtm.core.events import QuoteSeen
from qgtm.core.order import Order
from qgtm.risk.exposure import Book
from qgtm.risk.kill_switch import KillSwitch
from qgtm.risk.limits import Limits


# cell 6 of notebooks/risk/case.ipynb
@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """Hold what is known around one order; None where it is not known, and then what needs it is denied.

    Times are venue time. `session` is today's, None on a closed day. `average_volume_shares` is over 20
    sessions. The counts are of orders sent, this one not among them; `turnover_today_usd` is of fills. Losses
    are fractions of the equity at the previous close and at the previous week's, positive for a loss.
    `value_at_risk_after_frac` is of equity, with this order and all live ones filled.
    """

    now: datetime
    session: date | None
    open_at: datetime | None
    close_at: datetime | None
    quote: QuoteSeen | None
    average_volume_shares: float | None
    orders_last_minute: int
    orders_today: int
    same_last_minute: int
    turnover_today_usd: Decimal
    day_loss_frac: Decimal | None
    week_loss_frac: Decimal | None
    value_at_risk_after_frac: float | None
    factor_shares: Mapping[str, float] | None  # of the risk that is allowed, before this order
    factor_shares_after: Mapping[str, float] | None  # with it and all live ones filled
    switch: KillSwitch


@dataclass(frozen=True, slots=True)
class Case:
    """Hold one order under judgement; `after` is the book with it among the live orders."""

    order: Order
    book: Book
    around: Circumstances
    limits: Limits
    is_reducing: bool
    after: Book


Check = Callable[[Case], str | None]  # why it refuses, None when it does not


# cell 8 of notebooks/risk/case.ipynb
def over(what: str, value: Decimal | None, limit: Decimal | int) -> str | None:
    """Return why `value` does not pass `limit`, None when it does; what is not known never passes."""
    if value is None or not value.is_finite():
        return f"{what} is not known, so it cannot be judged"
    return f"{what} would be {value:.6g}, past the limit of {limit}" if value > limit else None


__all__ = [
    "Case",
    "Check",
    "Circumstances",
    "over",
]
