"""A position, by cumulative fills."""

from dataclasses import dataclass, replace
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Signed whole shares and what they cost: `cost_usd` / `quantity` is the mean entry price."""

    quantity: Decimal = Decimal(0)
    cost_usd: Decimal = Decimal(0)
    realized_usd: Decimal = Decimal(0)


def filled(position: Position, quantity: Decimal, price: Decimal) -> Position:
    """Return the position after `quantity` signed shares at `price` (average-cost method).

    Closing shares realise price minus mean cost; shares through zero open anew at `price`.
    """
    return booked(position, quantity, quantity * price)


def booked(position: Position, quantity: Decimal, worth_usd: Decimal) -> Position:
    """Return the position after `quantity` signed shares that cost `worth_usd` (signed alike) together.

    As `filled`, without a division where the worth is known and the mean price is not a short number.
    """
    held = position.quantity
    if held * quantity >= 0:
        return Position(
            quantity=held + quantity,
            cost_usd=position.cost_usd + worth_usd,
            realized_usd=position.realized_usd,
        )
    closing = -held if abs(quantity) > abs(held) else quantity
    rest_usd = worth_usd * (quantity - closing) / quantity
    # All shares take all of the cost: a share of it, rounded at 28 digits, could leave dust behind.
    cost_closed = position.cost_usd if closing == -held else position.cost_usd * (-closing) / held
    realized = position.realized_usd - (worth_usd - rest_usd) - cost_closed
    return Position(
        quantity=held + quantity, cost_usd=position.cost_usd - cost_closed + rest_usd, realized_usd=realized
    )


def repriced(position: Position, sign: int, worth_usd: Decimal) -> Position:
    """Return the position after shares bought (`sign` 1) or sold (-1) turn out to cost `worth_usd` more.

    Shares that are still held cost more; of those that closed something, less was realised.
    """
    if position.quantity * sign > 0:
        return replace(position, cost_usd=position.cost_usd + worth_usd)
    return replace(position, realized_usd=position.realized_usd - worth_usd)


def fill_price(before: tuple[Decimal, Decimal], after: tuple[Decimal, Decimal]) -> Decimal:
    """Return the price of the shares between two cumulative (quantity, mean price) counts.

    Raises ValueError when no share lies between them.
    """
    (old, old_price), (new, new_price) = before, after
    if old == new:
        raise ValueError(f"both counts are {new} shares: nothing was filled between them")
    return (new * new_price - old * old_price) / (new - old)
