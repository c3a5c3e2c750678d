"""The one bridge between float (maths) and Decimal (money)."""

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal

CENT = Decimal("0.01")
TENTH_OF_A_MILL = Decimal("0.0001")
ONE = Decimal(1)


def exact(value: float) -> Decimal:
    """Return the Decimal that prints as `value` does; raise ValueError unless it is finite."""
    number = Decimal(repr(float(value)))
    if not number.is_finite():
        raise ValueError(f"{value!r} is not a finite number")
    return number


def usd(value: float | Decimal) -> Decimal:
    """Return dollars to the cent, halves to even."""
    number = value if isinstance(value, Decimal) else exact(value)
    return number.quantize(CENT, ROUND_HALF_EVEN)


def tick(price: Decimal) -> Decimal:
    """Return the least price step (SEC Rule 612): a cent from $1 up, a hundredth of one below."""
    return CENT if price >= ONE else TENTH_OF_A_MILL


def limit_price(price: float | Decimal) -> Decimal:
    """Return `price` rounded to the tick, as an order may carry it; raise ValueError unless > 0."""
    number = price if isinstance(price, Decimal) else exact(price)
    if not number > 0:
        raise ValueError(f"a limit price is above zero, not {number}")
    return number.quantize(tick(number), ROUND_HALF_EVEN)


def whole_shares(weight: float, equity_usd: Decimal, price: Decimal) -> Decimal:
    """Return the shares that `weight` of the account buys, rounded towards zero.

    Raises ValueError when the weight is not finite or the price is not above zero.
    """
    if not price > 0:
        raise ValueError(f"a price is above zero, not {price}")
    return (exact(weight) * equity_usd / price).to_integral_value(rounding=ROUND_DOWN) + 0
