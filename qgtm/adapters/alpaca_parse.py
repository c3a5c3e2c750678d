"""Alpaca's replies, read without trust: what we do not know is passed over, what we need must be there.

A number is a JSON number or its text, becomes a Decimal, and is refused when it is NaN, infinite,
of the wrong sign, or too large to be money or shares. A missing field is a BrokerError with its name.
A status that is new to us counts as working, and its word is kept.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from qgtm.core.errors import BrokerError
from qgtm.core.events import CashMoved
from qgtm.core.instant import new_york_day
from qgtm.core.order import OrderState, Side
from qgtm.ports import Account, BrokerOrder, BrokerPosition, MarketClock

Fields = Mapping[str, Any]
ZERO: Final = Decimal(0)
BELIEVABLE: Final = Decimal("1e12")  # no price, count or account of ours comes near (faults L1)
STATES: Final = {
    "filled": OrderState.FILLED,
    "canceled": OrderState.CANCELED,
    "replaced": OrderState.CANCELED,  # another order took its place; this one fills no more
    "expired": OrderState.EXPIRED,
    "rejected": OrderState.REJECTED,
}
WORKING: Final = frozenset(
    "accepted accepted_for_bidding calculated done_for_day held new partially_filled pending_cancel "
    "pending_new pending_replace pending_review stopped suspended".split()
)
_STAMP = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:?\d\d)", re.IGNORECASE)


def fields_of(body: object, what: str) -> Fields:
    """Return `body` when it is a JSON object; raise BrokerError otherwise."""
    if isinstance(body, Mapping):
        return body
    raise BrokerError(f"the reply for {what} is {_short(body)}, no object; ask again")


def rows_of(body: object, what: str) -> list[Fields]:
    """Return `body` when it is a JSON list of objects; raise BrokerError otherwise."""
    if isinstance(body, list):
        return [fields_of(row, f"one of the {what}") for row in body]
    raise BrokerError(f"the reply for {what} is {_short(body)}, no list; ask again")


def number(body: Fields, name: str, what: str) -> Decimal:
    """Return the field as a finite Decimal; raise BrokerError naming it."""
    value = body.get(name)
    if value is None:
        raise BrokerError(f"{what} has no {name}; ask again, and look at the broker's page if it stays so")
    found = decimal_or_none(value)
    if found is None:
        raise BrokerError(f"{what} has {name} {_short(value)}, which cannot be believed; ask again")
    return found


def number_or(body: Fields, name: str, what: str, otherwise: Decimal) -> Decimal:
    """Return the field as `number` does, or `otherwise` when it is missing or null."""
    return otherwise if body.get(name) is None else number(body, name, what)


def positive_or_zero(body: Fields, name: str, what: str) -> Decimal:
    """Return the field as `number` does, 0 when it is missing; raise BrokerError for a negative one."""
    found = number_or(body, name, what, ZERO)
    if found < 0:
        raise BrokerError(f"{what} has {name} {found}, which cannot be negative; ask again")
    return found


def decimal_or_none(value: object) -> Decimal | None:
    """Return a JSON number or its text as a Decimal, None when it is none that can be believed."""
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        return None
    try:
        found = Decimal(value)
    except InvalidOperation:
        return None
    return found if found.is_finite() and abs(found) < BELIEVABLE else None


def text(body: Fields, name: str, what: str) -> str:
    """Return the field as text; raise BrokerError naming it when it is missing or empty."""
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise BrokerError(f"{what} has no {name}; ask again, and look at the broker's page if it stays so")
    return value


def instant(body: Fields, name: str, what: str) -> datetime:
    """Return the field as an aware UTC datetime (nanoseconds are cut); raise BrokerError naming it."""
    value = body.get(name)
    found = instant_or_none(value)
    if found is None:
        raise BrokerError(f"{what} has {name} {_short(value)}, which is no moment; ask again")
    return found


def instant_or_none(value: object) -> datetime | None:
    """Return an RFC 3339 text as an aware UTC datetime, None when it is none."""
    match = _STAMP.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    day, clock, fraction, zone = match.groups()
    micro = (fraction or "").ljust(6, "0")[:6]
    try:
        return datetime.fromisoformat(f"{day}T{clock}.{micro}{zone.upper()}").astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def account(body: object) -> Account:
    """Return the account; raise BrokerError naming what is missing."""
    fields, what = fields_of(body, "the account"), "the account"
    flags = ("trading_blocked", "account_blocked", "trade_suspended_by_user")
    return Account(
        # replies of 2019 have no number; the id serves as well to tell one account from another
        number=text(fields, "account_number" if fields.get("account_number") else "id", what),
        status=text(fields, "status", what),
        equity_usd=number(fields, "equity", what),
        last_equity_usd=number(fields, "last_equity", what),
        cash_usd=number(fields, "cash", what),
        buying_power_usd=number(fields, "buying_power", what),
        is_blocked=any(_flag(fields, name, what) for name in flags),
        is_shorting_enabled=_flag(fields, "shorting_enabled", what),
    )


def _flag(body: Fields, name: str, what: str) -> bool:
    value = body.get(name)
    if not isinstance(value, bool):
        raise BrokerError(f"{what} has {name} {_short(value)}, neither true nor false; ask again")
    return value


def position(body: Fields) -> BrokerPosition:
    """Return a position; raise BrokerError naming what is missing.

    A symbol without a current price is marked at its last close, else at its mean entry price: a
    position that cannot be marked must still be seen, and closed.
    """
    symbol = text(body, "symbol", "a position")
    what = f"the position in {symbol}"
    quantity = number(body, "qty", what)
    sign = -1 if body.get("side") == "short" and quantity > 0 else 1
    entry = number(body, "avg_entry_price", what)
    last = number_or(body, "lastday_price", what, entry)
    return BrokerPosition(
        symbol=symbol,
        quantity=sign * quantity,
        available=sign * number_or(body, "qty_available", what, quantity),
        mark=number_or(body, "current_price", what, last),
        mean_entry_price=entry,
    )


def order(body: object) -> BrokerOrder:
    """Return an order; raise BrokerError naming what is missing.

    An order for dollars (never ours) has no share count until it fills: what has filled stands for it.
    """
    fields = fields_of(body, "an order")
    broker_order_id = text(fields, "id", "an order")
    what = f"the order {broker_order_id}"
    status = text(fields, "status", what)
    filled = positive_or_zero(fields, "filled_qty", what)
    has_count = fields.get("qty") is not None or fields.get("notional") is None
    return BrokerOrder(
        broker_order_id=broker_order_id,
        client_order_id=text(fields, "client_order_id", what),
        symbol=str(fields.get("symbol") or ""),  # an order with several legs has none
        quantity=number(fields, "qty", what) if has_count else filled,
        status=status,
        state=STATES.get(status, OrderState.WORKING),
        filled_quantity=filled,
        filled_price=positive_or_zero(fields, "filled_avg_price", what),
        updated_at=_last_change(fields, what),
        side=Side(fields["side"]) if fields.get("side") in ("buy", "sell") else None,
    )


def _last_change(body: Fields, what: str) -> datetime:
    names = ("updated_at", "submitted_at", "created_at")
    return instant(body, next((name for name in names if body.get(name) is not None), names[0]), what)


def market_clock(body: object) -> MarketClock:
    """Return the broker's clock; raise BrokerError naming what is missing."""
    fields, what = fields_of(body, "the clock"), "the clock"
    return MarketClock(
        now=instant(fields, "timestamp", what),
        is_open=_flag(fields, "is_open", what),
        next_open_at=instant(fields, "next_open", what),
        next_close_at=instant(fields, "next_close", what),
    )


def cash_flows(rows: Iterable[Fields], first: date) -> tuple[CashMoved, ...]:
    """Return the rows from `first` on that moved cash and are no fills (faults C17), in their order."""
    return tuple(moved for row in rows if (moved := _cash_moved(row, first)) is not None)


def _cash_moved(row: Fields, first: date) -> CashMoved | None:
    activity_id = text(row, "id", "an activity")
    what = f"the activity {activity_id}"
    kind = text(row, "activity_type", what)
    if kind == "FILL" or activity_day(row, what) < first:
        return None
    amount = number_or(row, "net_amount", what, ZERO)  # a split moves shares, no cash
    return CashMoved(activity_id=activity_id, kind=kind, amount_usd=amount) if amount else None


def equity_history(body: Fields, first: date) -> dict[date, Decimal]:
    """Return the equity by New York day from `first` on; a point without a number is left out."""
    what = "the account's history"
    moments, equities = body.get("timestamp"), body.get("equity")
    if not (isinstance(moments, list) and isinstance(equities, list) and len(moments) == len(equities)):
        raise BrokerError(f"{what} has no equity for each of its moments; ask again")
    points = ((_day_of(at), decimal_or_none(equity)) for at, equity in zip(moments, equities, strict=True))
    return {day: equity for day, equity in points if equity is not None and day is not None and day >= first}


def _day_of(epoch_s: object) -> date | None:
    found = decimal_or_none(epoch_s)
    return None if found is None else new_york_day(datetime.fromtimestamp(int(found), UTC))


def activity_day(row: Fields, what: str) -> date:
    """Return the day of an activity; a fill has a moment instead, whose UTC day is taken."""
    if row.get("date") is None:
        return instant(row, "transaction_time", what).date()
    try:
        return date.fromisoformat(str(row["date"])[:10])
    except ValueError:
        raise BrokerError(f"{what} has date {_short(row['date'])}, which is no day; ask again") from None


def just_before(at: datetime) -> datetime:
    """Return the moment a microsecond earlier: Alpaca's `after` leaves the moment itself out."""
    return at - timedelta(microseconds=1)


def _short(value: object) -> str:
    return repr(value)[:60]
