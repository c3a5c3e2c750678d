"""What a session does to the account: corporate actions at dawn, the books at dusk."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

from qgtm.exchange.desk import Desk
from qgtm.exchange.event import Activity
from qgtm.exchange.hours import Hours
from qgtm.exchange.market.port import CorporateAction
from qgtm.exchange.price import ExDay

_CENT = Decimal("0.01")


def dawn(desk: Desk, hours: Hours) -> None:
    """Apply what goes ex since the session before: shares and cash change at 04:00, prices at the open.

    Open orders stay as they are, at their old prices and sizes: at the real broker too.
    """
    desk.prices.ex_days.clear()
    desk.prices.forget_marks()
    before = desk.prices.calendar.before(hours.day)
    first = hours.day if before is None else before.day + timedelta(days=1)
    for action in desk.prices.actions(first, hours.day):
        if action.symbol in desk.ledger.lots:
            _apply(desk, action, hours)


def dusk(desk: Desk, hours: Hours) -> None:
    """Keep what the account holds at the close, from which yesterday's equity and the history come."""
    desk.ledger.close(hours.day, hours.close_at)


def add_activity(
    desk: Desk,
    kind: Literal["DIV", "SPLIT", "CSD", "CSW"],
    at: datetime,
    net_amount: Decimal,
    *,
    day: datetime | None = None,
    symbol: str | None = None,
    qty: Decimal | None = None,
    per_share_amount: Decimal | None = None,
) -> Activity:
    """Record an activity; the caller has changed cash or shares."""
    seq = len(desk.activities) + 1
    activity = Activity(
        seq=seq,
        id=desk.new_id("activity", seq),
        kind=kind,
        at=at,
        day=(day or at).date(),
        net_amount=net_amount,
        symbol=symbol,
        qty=qty,
        per_share_amount=per_share_amount,
    )
    desk.activities.append(activity)
    return activity


def _apply(desk: Desk, action: CorporateAction, hours: Hours) -> None:
    cash = action.cash_usd if action.cash_usd is not None and desk.habits.pays_dividends else None
    if cash is not None:
        held = desk.ledger.qty(action.symbol)
        amount = (held * cash).quantize(_CENT)
        desk.ledger.cash += amount
        add_activity(
            desk,
            "DIV",
            hours.pre_at,
            amount,
            day=hours.open_at,
            symbol=action.symbol,
            qty=held,
            per_share_amount=cash,
        )
    ratio = action.ratio if action.ratio is not None else Decimal(1)
    if action.ratio is not None:
        change = desk.ledger.split(action.symbol, ratio)
        add_activity(
            desk, "SPLIT", hours.pre_at, Decimal(0), day=hours.open_at, symbol=action.symbol, qty=change
        )
    desk.prices.ex_days[action.symbol] = ExDay(hours.pre_at, hours.open_at, ratio, cash or Decimal(0))
