"""A second, tiny matching: what each order of a day must get, by the price path alone and order by order.

The exchange walks one agenda of looks; here each order's whole life is worked out by itself, minute by
minute, and the account is a sum over those lives. Whole shares, market and limit, day and at-once orders.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final, Literal

ZERO: Final = Decimal(0)
ARRIVES: Final = timedelta(
    seconds=0.01
)  # the exchange's habits: until the first look, until a touch refills,
REFILLS: Final = timedelta(seconds=2)
CANCELS: Final = timedelta(seconds=0.02)  # and until a cancel is done
MINUTE: Final = timedelta(minutes=1)
TENTH: Final = Decimal("0.1")  # of a minute's volume that a resting order may have


@dataclass(frozen=True)
class Asked:
    """One order of the day; `cancel_at` is when its cancel is asked for, None for never."""

    at: datetime
    symbol: str
    side: Literal["buy", "sell"]
    shares: Decimal
    limit: Decimal | None
    is_at_once: bool
    cancel_at: datetime | None

    @property
    def sign(self) -> int:
        """Return +1 for a buy, -1 for a sell."""
        return 1 if self.side == "buy" else -1


@dataclass
class Life:
    """What an order got, when, and its end."""

    asked: Asked
    fills: list[tuple[datetime, Decimal, Decimal]] = field(default_factory=list)
    ended_at: datetime | None = None

    @property
    def left(self) -> Decimal:
        """Return the shares that it still wants."""
        return self.asked.shares - sum((shares for _, shares, _ in self.fills), ZERO)

    def left_at(self, at: datetime) -> Decimal:
        """Return the shares that it wanted at a moment, none once it had ended."""
        if self.ended_at is not None and self.ended_at <= at:
            return ZERO
        return self.asked.shares - sum((shares for then, shares, _ in self.fills if then <= at), ZERO)


def lived_through(asked: Sequence[Asked], prices: Any, session: Any) -> list[Life | None]:
    """Return each order's life, in the order in which they arrive; None for those that must be refused."""
    lives: list[Life | None] = []
    for one in asked:
        before = [life for life in lives if life is not None and life.asked.symbol == one.symbol]
        is_refused = _is_wash(one, before) or _is_oversold(one, before)
        lives.append(None if is_refused else _life(one, prices, session))
    return lives


def _is_wash(one: Asked, before: Sequence[Life]) -> bool:
    return any(life.asked.side != one.side and life.left_at(one.at) for life in before)


def _is_oversold(one: Asked, before: Sequence[Life]) -> bool:
    """Return whether it would close more than is held and free."""
    held = sum((life.asked.sign * s for life in before for at, s, _ in life.fills if at <= one.at), ZERO)
    resting = sum((life.left_at(one.at) for life in before if life.asked.side == one.side), ZERO)
    return held * one.sign < 0 and one.shares > abs(held) - resting


def _life(one: Asked, prices: Any, session: Any) -> Life:
    life = Life(one)
    gone_at = session.close_at if one.cancel_at is None else one.cancel_at + CANCELS
    at: datetime | None = one.at + ARRIVES
    bars = {bar.at + MINUTE: bar for bar in prices.minutes(one.symbol, session.day)}
    while at is not None and life.left and (at < gone_at or at == gone_at == session.close_at):
        took = _looks(life, at, prices, bars.get(at) if at - MINUTE >= one.at + ARRIVES else None)
        if one.is_at_once:
            gone_at = at
            break
        at = _again(life, at, took, bars, session)
    life.ended_at = life.fills[-1][0] if not life.left else gone_at
    return life


def _looks(life: Life, at: datetime, prices: Any, bar: Any) -> bool:
    """Let an order take what a moment offers; `bar` is the minute that it rested through, if one ends now."""
    one = life.asked
    if bar is not None and one.limit is not None and _is_through(one, bar):
        return _takes(life, at, one.limit, max(Decimal(int(TENTH * bar.volume)), Decimal(1)))
    quote = prices.quote(one.symbol, at)
    price, size = (quote.ask, quote.ask_size) if one.side == "buy" else (quote.bid, quote.bid_size)
    if one.limit is not None and (price - one.limit) * one.sign > 0:
        return False
    return _takes(life, at, price, Decimal(max(size, 1)))


def _takes(life: Life, at: datetime, price: Decimal, size: Decimal) -> bool:
    life.fills.append((at, min(life.left, size), price))
    return True


def _is_through(one: Asked, bar: Any) -> bool:
    edge = bar.low if one.side == "buy" else bar.high
    return one.limit is not None and (edge - one.limit) * one.sign < 0


def _again(
    life: Life, at: datetime, took: bool, bars: Mapping[datetime, Any], session: Any
) -> datetime | None:
    """Return when an order looks again: soon after a touch, at a minute's end, or once one trades through."""
    if life.asked.limit is None:
        return _within(at + REFILLS, session)
    if at.second or at.microsecond:
        whole = at.replace(second=0, microsecond=0) + MINUTE
        return _within(min(whole, at + REFILLS) if took else whole, session)
    later = (ends for ends, bar in sorted(bars.items()) if ends > at and _is_through(life.asked, bar))
    return next(later, None)


def _within(at: datetime, session: Any) -> datetime | None:
    return at if at <= session.close_at else None
